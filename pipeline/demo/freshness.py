"""How old records were when they were delivered, lane by lane: exact, from the receipts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.config import Settings
from pipeline.events import Lane
from pipeline.kafka import topics
from pipeline.kafka.reader import RangeReader
from pipeline.records import Outcome, Receipt, RecordKind

#: Seconds without a receipt after which Kafka counts as away.
READ_SECONDS = 30.0


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
    topic = topics.full_name(settings, topics.RECEIPTS)
    with RangeReader(config, patience=READ_SECONDS) as reader:
        batches = reader.read(reader.ranges(topic))
        return [
            Receipt.model_validate_json(message.value or b"")
            for batch in batches
            for message in batch.messages()
        ]
