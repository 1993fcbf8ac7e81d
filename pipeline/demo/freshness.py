"""How old what Connectif was told was by then, lane by lane: exact, from the receipts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from pipeline import topics
from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.events import Lane
from pipeline.records import Outcome, Receipt, RecordKind

READ_SECONDS = 30.0
_BATCH = 500
_LOOK_SECONDS = 0.2


class Freshness(NamedTuple):
    """Of the records of a lane and kind that were delivered: seconds from receipt to delivery."""

    lane: str
    kind: str
    records: int
    p50: float
    p95: float


def of(receipts: Iterable[Receipt]) -> tuple[Freshness, ...]:
    """A row for each lane and kind that had any; a receipt written twice counts once, from its first."""
    ages: dict[tuple[str, str], dict[object, float]] = {}
    for receipt in receipts:
        if receipt.outcome is Outcome.DELIVERED:
            age = max(0, receipt.at_ms - receipt.received_ms) / 1_000
            known = ages.setdefault((receipt.lane, receipt.kind), {})
            known[receipt.record] = min(age, known.get(receipt.record, age))
    rows = []
    for lane in Lane:
        for kind in RecordKind:
            if (lane, kind) in ages:
                ordered = sorted(ages[lane, kind].values())
                row = (len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.95))
                rows.append(Freshness(lane, kind, *row))
    return tuple(rows)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least of these values that at least this share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def read(config: Mapping[str, Any], settings: Settings) -> list[Receipt]:
    """Every receipt there is. Blocks: run it in a thread.

    Args:
        config: librdkafka settings: where Kafka is, which may be away for a while.
        settings: the topic's name and its partitions.

    Raises:
        BrokerError: Kafka does not give them.
    """
    consumer = Consumer(
        {
            "group.id": "pipeline-demo",  # required by the client, never joined or committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
            **config,
        }
    )
    try:
        return [Receipt.model_validate_json(value) for value in _values(consumer, settings)]
    finally:
        consumer.close()


def _values(consumer: Consumer, settings: Settings) -> Iterator[bytes]:
    topic = topics.full_name(settings, topics.RECEIPTS)
    unread = set(range(settings.kafka.account_partitions))
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in unread])
    until = time.monotonic() + READ_SECONDS
    while unread:
        for message in consumer.consume(_BATCH, _LOOK_SECONDS):
            error = message.error()
            if error is None:
                yield message.value() or b""
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name librdkafka gives it
                unread.discard(message.partition())
        if time.monotonic() > until:
            raise BrokerError(f"the receipts could not be read within {READ_SECONDS:g} s")
