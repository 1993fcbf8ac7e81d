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


class Refused(Exception):  # noqa: N818 - an outcome
    """The producer does not take the message: its queue is full, or it has failed for good."""


class Link(Protocol):
    """A connection to Kafka that confirms each message. Only `probe` and `close` may block."""

    def send(self, message: Message, report: Report) -> None:
        """Queue a message; messages of one key arrive in the order of the calls.

        Raises:
            Refused: it was not queued; `report` will not be called.
        """

    def poll(self) -> None:
        """Call the reports of messages decided since the last call."""

    def purge(self) -> None:
        """Forget all that is queued; what is in flight may still arrive."""

    def probe(self) -> str | None:
        """Why no broker answers, after waiting some seconds for one; None when one does. For a thread."""

    def close(self) -> None:
        """Free everything; remaining reports are called from the calling thread. For a thread."""


class KafkaLink:
    """A `Link` to the settings' cluster.

    Raises:
        BrokerError: no broker is set and no embedded one answers, or the client refuses its settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._last_error = ""
        config = {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": LINGER_MS,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "message.timeout.ms": MESSAGE_TIMEOUT_MS,
            "message.max.bytes": settings.kafka.max_message_bytes,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": QUEUE_KILOBYTES,
            "reconnect.backoff.max.ms": 1_000,
            # Each failed attempt to connect is an error to librdkafka; the intake says it once.
            "log_level": 2,
            "error_cb": self._remember,
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
            raise Refused(error.args[0].str()) from error

    def poll(self) -> None:
        """As `Link.poll`."""
        self._producer.poll(0)

    def purge(self) -> None:
        """As `Link.purge`."""
        self._producer.purge(blocking=False)

    def probe(self) -> str | None:
        """As `Link.probe`."""
        try:
            self._producer.list_topics(timeout=2.0)
        except KafkaException as error:
            return self._last_error or str(error.args[0].str())
        return None

    def close(self) -> None:
        """As `Link.close`."""
        self._producer.purge()
        self._producer.flush(5.0)

    def _remember(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the name librdkafka gives it
            said = error.str()
            self._last_error = ": ".join(filter(None, (said, meaning(said))))
