"""Messages to Kafka: an idempotent librdkafka producer.

Of no compression, lz4, snappy and zstd, lz4 costs gateway and broker together the least processor time. A
longer linger saves the broker requests, but every shop waits for it (benchmarks/RESULTS.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.gateway.message import Message
from pipeline.kafka import client_config, client_log, meaning

LINGER_MS = 4
#: Only what is drained from the spool ever waits this long; what a shop waits for goes to the spool before.
MESSAGE_TIMEOUT_MS = 30_000
#: More than the gateway ever holds in memory (`gateway.max_held_bytes`), so the spool decides, not the queue.
QUEUE_KILOBYTES = 1_000_000

#: Called with librdkafka's error (None: the broker has it) and the message.
Report = Callable[[Any, Any], None]


#: Kafka's word on a message itself: it is not taken today, nor tomorrow, while others of its topic are.
_FOR_GOOD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
    }
)


class Refused(Exception):  # noqa: N818 - an outcome
    """The producer does not take the message: its queue is full, or it has failed.

    Args:
        reason: why.
        for_good: whether it is this one message that Kafka never takes.
    """

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Link(Protocol):
    """A connection to Kafka that confirms each message. Only `probe` and `close` may block."""

    def send(self, message: Message, report: Report) -> None:
        """Queue a message; messages of one key arrive in the order of the calls.

        Raises:
            Refused: it was not queued; `report` will not be called.
        """

    def refuses(self, error: Any) -> bool:
        """Whether a report's error says that Kafka never takes this one message."""

    def poll(self) -> None:
        """Call the reports of messages decided since the last call."""

    def purge(self) -> None:
        """Forget all that is queued; what is in flight may still arrive."""

    def probe(self, topic: str) -> str | None:
        """Why Kafka would not take the topic, after waiting some seconds for it to answer. For a thread."""

    def close(self) -> None:
        """Free everything; remaining reports are called from the calling thread. For a thread."""


class _LastError:
    """What the client complained of. The producer holds it: as a part of the link, it would hold itself.

    Rings of references are hardly ever collected here, and each producer has threads and open files.
    """

    def __init__(self) -> None:
        self.text = ""

    def remember(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the name librdkafka gives it
            said = error.str()
            self.text = ": ".join(filter(None, (said, meaning(said))))


class KafkaLink:
    """A `Link` to the settings' cluster.

    Raises:
        BrokerError: no broker is set and no embedded one answers, or the client refuses its settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._last_error = _LastError()
        config = {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": LINGER_MS,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "message.timeout.ms": MESSAGE_TIMEOUT_MS,
            # A topic made by a message in passing would have the wrong number of partitions.
            "allow.auto.create.topics": False,
            "message.max.bytes": settings.kafka.max_message_bytes,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": QUEUE_KILOBYTES,
            "reconnect.backoff.max.ms": 1_000,
            # Each failed attempt to connect is an error to librdkafka; the intake says it once.
            "log_level": 2,
            "error_cb": self._last_error.remember,
            **client_config(settings),
        }
        try:
            self._producer = Producer(config, logger=client_log)
        except KafkaException as error:
            raise BrokerError(f"Kafka's client refuses its settings: {error.args[0].str()}") from error

    def send(self, message: Message, report: Report) -> None:
        """As `Link.send`."""
        topic, key, body, headers = message
        try:
            self._producer.produce(topic, body, key, on_delivery=report, headers=headers)
        except BufferError:
            raise Refused("the producer's queue is full") from None
        except KafkaException as error:
            raise Refused(error.args[0].str(), for_good=self.refuses(error.args[0])) from error

    def refuses(self, error: KafkaError) -> bool:
        """As `Link.refuses`."""
        return error.code() in _FOR_GOOD

    def poll(self) -> None:
        """As `Link.poll`."""
        self._producer.poll(0)

    def purge(self) -> None:
        """As `Link.purge`."""
        self._producer.purge(blocking=False)

    def probe(self, topic: str) -> str | None:
        """As `Link.probe`."""
        try:
            found = self._producer.list_topics(topic, timeout=2.0).topics[topic]
        except KafkaException as error:
            return self._last_error.text or str(error.args[0].str())
        return None if found.error is None else f"{found.error.str()} (`pipeline topics` makes it)"

    def close(self) -> None:
        """As `Link.close`."""
        self._producer.purge()
        self._producer.flush(5.0)
