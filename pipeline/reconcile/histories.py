"""What all events of an order together say, where its newest by arrival is not its newest by version.

An order that was cancelled may be announced once more as paid, by a delivery that came late: nothing is told
of it, and the event that came last would say that something was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import full_name
from pipeline.reconcile.database import Database
from pipeline.reconcile.meanings import known_stores
from pipeline.records import RecordKind
from pipeline.shops.base import Rejected
from pipeline.translate.alone import Meaning
from pipeline.translate.reading import Stores, UnknownStore, read
from pipeline.translate.rules import EventPosition, Outcome, apply
from pipeline.translate.state import EntityState

#: Orders whose events are put together, at most: each is remembered meanwhile.
MOST = 50_000


class History:
    """One order's events, one after the other.

    Attributes:
        meaning: what they say so far; None: nothing that counts.
        reason: why it is no purchase.
    """

    __slots__ = ("_state", "meaning", "reason")

    def __init__(self) -> None:
        self._state = EntityState()
        self.meaning: Meaning | None = None
        self.reason = ""

    def take(self, message: LibrdkafkaMessage, stores: Stores) -> None:
        """The next event."""
        place = EventPosition(Kind.ORDER.topic, message.partition, message.offset)
        try:
            event, feed = read(message.key, message.value, message.headers, Kind.ORDER, stores)
            result = apply(event, place, self._state, feed)
        except (UnknownStore, Rejected):
            return
        purchases = [one for one in result.emissions if one.kind is RecordKind.PURCHASE]
        if result.outcome is Outcome.IGNORED or purchases:
            told = any(orjson.loads(one.value).get("body") for one in purchases)
            self.meaning = Meaning.TELLS if told else Meaning.IGNORED
            self.reason = "" if told else result.reason


def put_together(
    reader: RangeReader,
    settings: Settings,
    store: str,
    database: Database,
    places: Iterable[tuple[int, int]],
    *,
    progress: Callable[[int, int], object],
) -> None:
    """Read all events of the orders whose newest event says that something was told, and correct that.

    Args:
        reader: of the topics.
        settings: of the stores and of Kafka.
        store: whose orders.
        database: has the meanings of the newest events, and gets those of the histories.
        places: partition and offset of the newest event of each order in question.
        progress: told how many offsets are dealt with, of how many.

    Raises:
        PipelineError: the topic cannot be read.
    """
    database.run("DELETE FROM wanted")
    database.put("wanted", places)
    question = """SELECT e.entity, e.part, e.off, e.first_ms FROM wanted w
        JOIN events e ON e.part = w.part AND e.off = w.off JOIN meanings m ON m.entity = e.entity
        WHERE e.count > 1 AND m.meaning = ? LIMIT ?"""
    database.run("CREATE INDEX IF NOT EXISTS events_place ON events (part, off)")
    histories: dict[bytes, History] = {}
    ends: dict[int, int] = {}
    since: int | None = None
    for entity, part, offset, first_ms in database.rows(question, (Meaning.TELLS.value, MOST)):
        histories[f"{store}|{Kind.ORDER}|{entity}".encode()] = History()
        ends[part] = max(offset + 1, ends.get(part, 0))
        since = first_ms if since is None else min(since, first_ms)
    if since is None:
        return
    ranges = [
        OffsetRange(one.place, one.start, min(one.end, ends[one.place.partition]))
        for one in reader.ranges(full_name(settings, Kind.ORDER.topic), start=since)
        if one.place.partition in ends
    ]
    stores = known_stores(settings)
    for batch in reader.read(ranges, progress=progress, on_lost=lambda _lost: None):
        for raw in batch.raw:
            found = histories.get(entity_key(raw.key() or b""))
            if found is not None:
                found.take(LibrdkafkaMessage.of(raw), stores)
    for key, found in histories.items():
        if found.meaning is Meaning.IGNORED:
            entity = key.decode().split("|", 2)[2]
            database.run(
                "UPDATE meanings SET meaning = ?, reason = ? WHERE entity = ?",
                (Meaning.IGNORED.value, found.reason, entity),
            )
