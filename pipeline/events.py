"""What a shop said: the raw event, as it lies in the `shop.*` topics.

The message key is `store|kind|id` and a part of its own (pipeline/kafka/keys.py), the value is the shop's
body byte for byte, and everything else is in the Kafka headers: the pipeline's with the prefix `pipeline-`,
the shop's under their lower-case names.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

#: The header of an event with its W3C trace context (pipeline/tracing.py).
TRACE = "traceparent"


class Kind(enum.StrEnum):
    """The entity an event is about; each has its topic."""

    ORDER = "order"
    CUSTOMER = "customer"
    PRODUCT = "product"

    @property
    def topic(self) -> str:
        """The Kafka topic that holds this kind's raw events."""
        return f"shop.{self.value}s"


class Lane(enum.StrEnum):
    """How urgent a record is: `live` from webhooks, `retry` once failed, `backfill` from replay and sync."""

    LIVE = "live"
    RETRY = "retry"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One delivery of a shop, verified by the gateway and not yet understood.

    Attributes:
        store: the name of the store in the settings.
        platform: the store's platform, by its name in the settings.
        kind: the entity's kind.
        entity: the entity's id at the shop, as text; ids exceed 2**53.
        topic: the shop's own name of the event (`orders/updated`, `order.updated`).
        delivery: the delivery's idempotency key: the platform's delivery id, or the hash of the raw body.
        received_ms: when the gateway had it, in epoch milliseconds.
        triggered_ms: when the shop says it happened, in epoch milliseconds; 0 where it does not say.
        lane: `live` from webhooks; replays and pulls mark theirs `backfill`.
        body: the raw body.
        headers: the shop's relevant headers, names in lower case.
    """

    store: str
    platform: str
    kind: Kind
    entity: str
    topic: str
    delivery: str
    received_ms: int
    body: bytes
    triggered_ms: int = 0
    lane: Lane = Lane.LIVE
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """What the message key begins with: all events of one entity share a partition, in order."""
        return f"{self.store}|{self.kind}|{self.entity}".encode()

    def to_kafka_headers(self) -> list[tuple[str, bytes]]:
        """The headers of the Kafka message that carries this event."""
        ours = [
            ("pipeline-store", self.store.encode()),
            ("pipeline-platform", self.platform.encode()),
            ("pipeline-kind", self.kind.encode()),
            ("pipeline-entity", self.entity.encode()),
            ("pipeline-topic", self.topic.encode()),
            ("pipeline-delivery", self.delivery.encode()),
            ("pipeline-received", b"%d" % self.received_ms),
            ("pipeline-triggered", b"%d" % self.triggered_ms),
            ("pipeline-lane", self.lane.encode()),
        ]
        return ours + [(name, value.encode()) for name, value in self.headers.items()]

    @classmethod
    def from_kafka(cls, body: bytes | None, headers: Iterable[tuple[str, bytes]]) -> RawEvent:
        """Read an event back from its Kafka message.

        Raises:
            ValueError: a foreign message: a header of the pipeline's is missing or has an impossible value.
        """
        ours: dict[str, str] = {}
        shops: dict[str, str] = {}
        for name, value in headers:
            if name.startswith("pipeline-"):
                ours[name] = value.decode()
            else:
                shops[name] = value.decode("utf-8", "replace")
        try:
            return cls(
                store=ours["pipeline-store"],
                platform=ours["pipeline-platform"],
                kind=Kind(ours["pipeline-kind"]),
                entity=ours["pipeline-entity"],
                topic=ours["pipeline-topic"],
                delivery=ours["pipeline-delivery"],
                received_ms=int(ours["pipeline-received"]),
                triggered_ms=int(ours["pipeline-triggered"]),
                lane=Lane(ours["pipeline-lane"]),
                body=body or b"",
                headers=shops,
            )
        except KeyError as missing:
            raise ValueError(f"header {missing.args[0]} is missing") from missing
