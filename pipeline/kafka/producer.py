"""The one producer: librdkafka, idempotent, and partitions chosen by the key as the Java clients choose them.

Of no compression, lz4, snappy and zstd, lz4 costs a process and the broker together the least processor time
(benchmarks/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, libversion
from confluent_kafka import Producer as Client

from pipeline.errors import BrokerError
from pipeline.kafka.errors import LastComplaint, client_log, in_words, meaning, unusable
from pipeline.kafka.messages import SentHeaders

#: Called with librdkafka's error (None: the broker has the message) and its message.
Report = Callable[[Any, Any], None]

#: The partition of a message whose key decides it.
BY_KEY = -1
#: Seconds a question to the cluster may take.
ASK = 30.0
#: Errors of a message itself: it is never taken, while others of its topic are.
_FOR_GOOD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
    }
)
DEFAULTS: Mapping[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    # librdkafka's own default is another one.
    "partitioner": "murmur2_random",
    # A topic made by a message in passing would have the wrong number of partitions.
    "allow.auto.create.topics": False,
    "batch.size": 1_048_576,
    "batch.num.messages": 10_000,
}


def librdkafka() -> str:
    """The version of the client library."""
    return str(libversion()[0])


class Refused(Exception):  # noqa: N818 - an outcome
    """The producer does not take a message.

    Args:
        reason: why.
        for_good: whether it is this one message that Kafka never takes.
        error: the client's, if it said one.
    """

    def __init__(self, reason: str, *, for_good: bool = False, error: KafkaError | None = None) -> None:
        super().__init__(reason)
        self.for_good = for_good
        self.error = error


class QueueFull(Refused):
    """There is no room for it now."""


class Outgoing(NamedTuple):
    """A message to be sent in bulk; `partition` None lets the key decide."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: SentHeaders | None = None


class _Confirmed:
    """What became of messages sent in bulk."""

    def __init__(self) -> None:
        self.count = 0
        self.failed: list[KafkaError] = []

    def report(self, error: KafkaError | None, _message: Any) -> None:
        if error is None:
            self.count += 1
        else:
            self.failed.append(error)

    def tell(self, advance: Callable[[int], object] | None, told: int) -> int:
        """Report what was confirmed since; returns what was reported in all."""
        if advance is not None and self.count > told:
            advance(self.count - told)
        return self.count


class Producer:
    """One librdkafka producer.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`; they override the defaults.
        max_message_bytes: what the topics take.
        linger_ms: how long a message may wait for others to share its request.
        timeout_ms: how long a message is tried.
        queue_messages, queue_kilobytes: the most that waits to be sent.
        quiet: do not log failed connections: the caller reports them.

    Raises:
        BrokerError: the client refuses its settings.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        max_message_bytes: int,
        linger_ms: int = 20,
        timeout_ms: int = 300_000,
        queue_messages: int = 200_000,
        queue_kilobytes: int = 262_144,
        quiet: bool = True,
    ) -> None:
        self._servers = str(config.get("bootstrap.servers", ""))
        # Not a part of this object: a reference cycle would keep its threads and open files.
        self._complaint = LastComplaint()
        settings = {
            **DEFAULTS,
            "message.max.bytes": max_message_bytes,
            "linger.ms": linger_ms,
            "message.timeout.ms": timeout_ms,
            "queue.buffering.max.messages": queue_messages,
            "queue.buffering.max.kbytes": queue_kilobytes,
            "reconnect.backoff.max.ms": 1_000,
            "error_cb": self._complaint.remember,
            **({"log_level": 2} if quiet else {}),
            **config,
        }
        try:
            self._client = Client(settings, logger=client_log)
        except KafkaException as error:
            raise unusable(error) from error
        self._produce = self._client.produce

    def send(  # noqa: PLR0917 - positional: called several times per event
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        headers: SentHeaders | None,
        report: Report | None,
    ) -> None:
        """Queue a message; returns at once. Messages of one partition arrive in the order of the calls.

        Args:
            topic: its full name, with the prefix.
            value: None deletes the key of a compacted topic.
            key: the message key.
            partition: None lets the key decide.
            headers: as in Kafka.
            report: called by `poll`, once, with what became of the message.

        Raises:
            QueueFull: there is no room now; `report` will not be called.
            Refused: it can never be sent, or the producer has failed; `report` will not be called.
        """
        try:
            self._produce(
                topic,
                value,
                key,
                BY_KEY if partition is None else partition,
                on_delivery=report,
                headers=headers,
            )
        except BufferError:
            raise QueueFull("the producer's queue is full") from None
        except KafkaException as error:
            said = error.args[0]
            raise Refused(said.str(), for_good=self.refuses(said), error=said) from error

    def send_all(self, messages: Iterable[Outgoing], advance: Callable[[int], object] | None = None) -> None:
        """Send messages in bulk, and return once the broker has confirmed all. Blocks, waiting for room.

        Args:
            messages: any number.
            advance: called now and then with how many more are confirmed.

        Raises:
            BrokerError: not all were taken; those before it may be there.
        """
        confirmed, told = _Confirmed(), 0
        for sent, message in enumerate(messages):
            self._send_waiting(message, confirmed.report)
            if sent % 1_000 == 0:
                self.poll()
                told = confirmed.tell(advance, told)
        while self.flush(1.0):
            told = confirmed.tell(advance, told)
        confirmed.tell(advance, told)
        if confirmed.failed:
            what = f"Kafka did not confirm {len(confirmed.failed)} messages"
            raise in_words(what, confirmed.failed[0], self._servers, self._complaint.text)

    def _send_waiting(self, message: Outgoing, report: Report) -> None:
        topic, value, key, partition, headers = message
        while True:
            try:
                self.send(topic, value, key, partition, headers, report)
            except QueueFull:
                self.poll(0.1)
            except Refused as refused:
                raise BrokerError(f"{topic}: {refused}") from refused
            else:
                return

    def poll(self, seconds: float = 0) -> None:
        """Call the reports of messages decided since the last call; wait for the first of them so long."""
        self._client.poll(seconds)

    def flush(self, seconds: float) -> int:
        """Wait until all is decided; returns how many messages were not within `seconds`. Calls reports."""
        return int(self._client.flush(seconds))

    def refuses(self, error: KafkaError) -> bool:
        """Whether a report's error says that Kafka never takes this one message."""
        return error.code() in _FOR_GOOD

    def purge(self) -> None:
        """Forget all that is queued; what is in flight may still arrive."""
        self._client.purge(blocking=False)

    def partitions(self) -> dict[str, int]:
        """How many partitions each topic of the cluster has. Blocks: call it in a thread.

        Raises:
            BrokerError: no broker answers.
        """
        try:
            found = self._client.list_topics(timeout=ASK).topics
        except KafkaException as error:
            raise BrokerError(f"Kafka does not answer: {error.args[0].str()}") from error
        return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}

    def probe(self, topic: str) -> str | None:
        """Why Kafka would not take the topic, after waiting some seconds for it to answer. For a thread."""
        try:
            found = self._client.list_topics(topic, timeout=2.0).topics[topic]
        except KafkaException as error:
            said = self._complaint.text
            return ": ".join(filter(None, (said, meaning(said)))) or str(error.args[0].str())
        return None if found.error is None else f"{found.error.str()} (`pipeline topics` makes it)"

    def close(self) -> None:
        """Give up what is not sent, and free everything; remaining reports are called. For a thread."""
        self._client.purge()
        self._client.flush(5.0)
