"""What the gateway needs of a producer, and the one it makes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from pipeline.config import Settings
from pipeline.kafka.keys import partition_of_key, unique_key
from pipeline.kafka.messages import SentHeaders
from pipeline.kafka.producer import Producer, Report
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import SYNC_CONSENTS_TOPIC, full_name
from pipeline.records import partition_of

#: A longer one saves the broker requests, but every shop waits for it (benchmarks/RESULTS.md).
LINGER_MS = 4
#: Only what is drained from the spool ever waits this long; what a shop waits for goes to the spool before.
MESSAGE_TIMEOUT_MS = 30_000
#: More than the gateway ever holds in memory (`gateway.max_held_bytes`), so the spool decides, not the queue.
QUEUE_MESSAGES, QUEUE_KILOBYTES = 1_000_000, 1_000_000


class Link(Protocol):
    """A connection to Kafka that confirms each message; `Producer` is one. Only `probe` and `close` block."""

    def send(  # noqa: PLR0917 - as `Producer.send`
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        headers: SentHeaders | None,
        report: Report | None,
    ) -> None:
        """As `Producer.send`."""

    def refuses(self, error: Any) -> bool:
        """As `Producer.refuses`."""

    def poll(self) -> None:
        """Call the reports of messages decided since the last call."""

    def purge(self) -> None:
        """As `Producer.purge`."""

    def probe(self, topic: str) -> str | None:
        """As `Producer.probe`."""

    def close(self) -> None:
        """As `Producer.close`."""


class EventProducer(Producer):
    """Gives each event its own message key (see pipeline/kafka/keys.py).

    Args:
        config, more: as for `Producer`.
        partitions: of each topic of events.
        by_store: partitions of topics in which the store alone decides.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        partitions: int,
        by_store: Mapping[str, int] = MappingProxyType({}),
        **more: Any,
    ) -> None:
        super().__init__(config, **more)
        self._partitions = partitions
        self._by_store = by_store

    def send(  # noqa: PLR0917 - as `Producer.send`
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        headers: SentHeaders | None,
        report: Report | None,
    ) -> None:
        """As `Producer.send`; the key is that of the entity, and decides the partition."""
        about = key or b""
        if partition is None and topic in self._by_store:
            partition = partition_of(about.partition(b"|")[0].decode(), self._by_store[topic])
        elif partition is None:
            partition = partition_of_key(about, self._partitions)
        super().send(topic, value, unique_key(about), partition, headers, report)


def producer_of(settings: Settings) -> EventProducer:
    """A producer for the gateway.

    Raises:
        BrokerError: no broker is set and no embedded one answers, or the client refuses its settings.
    """
    return EventProducer(
        client_config(settings),
        partitions=settings.kafka.shop_partitions,
        by_store={full_name(settings, SYNC_CONSENTS_TOPIC): settings.kafka.account_partitions},
        max_message_bytes=settings.kafka.max_message_bytes,
        linger_ms=LINGER_MS,
        timeout_ms=MESSAGE_TIMEOUT_MS,
        queue_messages=QUEUE_MESSAGES,
        queue_kilobytes=QUEUE_KILOBYTES,
        # Each failed attempt to connect is an error to librdkafka; the intake says it once.
        quiet=True,
    )
