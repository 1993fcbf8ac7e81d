"""What the workers remember, read from the changelogs of their tables, where it is kept by key.

What was told of an entity, and what was last sent of a record: no worker has to run for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.config import Settings
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import DELIVER_APP, TRANSLATE_APP, changelog, full_name

#: Told how many offsets are read, and of how many.
Read = Callable[[int, int], object]

#: Rows of one batch of a changelog: key and value; None where the key was deleted.
Rows = list[tuple[bytes, bytes | None]]


def entities(settings: Settings, reader: RangeReader, progress: Read) -> Iterator[Rows]:
    """What translate remembers: `store|kind|id` -> an `EntityState`."""
    return _rows(reader, full_name(settings, changelog(TRANSLATE_APP, "entities")), progress)


def last_sent(settings: Settings, reader: RangeReader, progress: Read) -> Iterator[Rows]:
    """What deliver sent last: `account|kind|id` -> a `LastSent`."""
    return _rows(reader, full_name(settings, changelog(DELIVER_APP, "delivered")), progress)


def _rows(reader: RangeReader, topic: str, progress: Read) -> Iterator[Rows]:
    for batch in reader.read(reader.ranges(topic), progress=progress, on_lost=lambda _: None):
        yield [(key, raw.value()) for raw in batch.raw if (key := raw.key()) is not None]


__all__ = ["entities", "last_sent"]
