"""What the newest events of some orders say, by today's code and settings. Nothing is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import full_name
from pipeline.reconcile.database import Database
from pipeline.shops.base import Rejected
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.alone import Read, read_alone, refused
from pipeline.translate.feed import EventPosition
from pipeline.translate.reading import Stores, UnknownStore, read, stores_of


def known_stores(settings: Settings) -> Stores:
    """The stores as translate knows them."""
    return stores_of(settings, PLATFORMS)


def meaning_of(message: LibrdkafkaMessage, stores: Stores) -> Read | None:
    """What an event says by itself, as if nothing had been told before; None: it is no store's."""
    entity = entity_key(message.key or b"").decode(errors="replace").split("|", 2)[-1]
    place = EventPosition(Kind.ORDER.topic, message.partition, message.offset)
    try:
        event, feed = read(message.key, message.value, message.headers, Kind.ORDER, stores)
    except UnknownStore:
        return None
    except Rejected as rejected:
        return refused(entity, rejected)
    return read_alone(event, place, feed)._replace(entity=entity)


def look(
    reader: RangeReader,
    settings: Settings,
    database: Database,
    places: Iterable[tuple[int, int]],
    progress: Callable[[int, int], object],
) -> None:
    """Read the events at some places of `shop.orders`, and write what each says.

    Args:
        reader: of the topics.
        settings: of the stores and of Kafka.
        database: gets the meanings, which purchase is which order's, and of the accounts that it names those
            that an order is for.
        places: partition and offset of each.
        progress: told how many offsets are dealt with, of how many.

    Raises:
        PipelineError: the topic cannot be read.
    """
    database.run("DELETE FROM wanted")
    database.put("wanted", places)
    topic, stores = full_name(settings, Kind.ORDER.topic), known_stores(settings)
    ranges = [
        OffsetRange(TopicPartition(topic, part), first, last + 1)
        for part, first, last in database.rows("SELECT part, MIN(off), MAX(off) FROM wanted GROUP BY part")
    ]
    if not ranges:
        return
    numbers: dict[str, int] = {name: number for number, name in database.rows("SELECT * FROM accounts")}
    wanted = {one.place: _offsets(database, one.place.partition) for one in ranges}
    following = {place: next(offsets, None) for place, offsets in wanted.items()}
    for batch in reader.read(ranges, progress=progress, on_lost=lambda _lost: None):
        found: list[Read] = []
        for raw in batch.raw:
            at = following[batch.place]
            while at is not None and at < raw.offset():  # deleted meanwhile
                at = next(wanted[batch.place], None)
            if at == raw.offset():
                said = meaning_of(LibrdkafkaMessage.of(raw), stores)
                found += [said] if said is not None else []
                at = next(wanted[batch.place], None)
            following[batch.place] = at
        database.put("meanings", (one[:6] for one in found))
        database.put("links", ((pid, one.entity) for one in found for pid in one.purchase_ids))
        meant = ((one.entity, numbers[name]) for one in found for name in one.accounts if name in numbers)
        database.put("meant", meant)


def _offsets(database: Database, part: int) -> Iterator[int]:
    """The offsets wanted of a partition, in their order."""
    for (offset,) in database.rows("SELECT off FROM wanted WHERE part = ? ORDER BY off", (part,)):
        yield offset
