"""Which offsets are to be read, and how far a reading is: rules without a client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition

#: At most so many messages, and about so many bytes, are held at once.
MOST, MOST_BYTES = 5_000, 8 * 1024 * 1024
#: Asked for first, while their size is not known.
FIRST = 500


@dataclass(frozen=True, slots=True)
class PartitionExtent:
    """What a partition holds: from `low` up to, not including, `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets of one partition: from `start` up to, not including, `end`.

    Not each of them need be a message: compaction and transactions leave gaps.
    """

    place: TopicPartition
    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)


@dataclass(frozen=True, slots=True)
class LostRange:
    """Offsets that were to be read and had been deleted by then."""

    place: TopicPartition
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Messages of one partition, in the order of their offsets.

    Attributes:
        place: the partition.
        raw: the client's own, with methods instead of attributes: for readers of 100,000 a second.
        next: the offset after the last.
    """

    place: TopicPartition
    raw: Sequence[Any]
    next: int
    _made: list[LibrdkafkaMessage] = field(default_factory=list, init=False, repr=False, compare=False)

    def messages(self) -> list[LibrdkafkaMessage]:
        """The same, as the rest of the program knows messages; made once (`LibrdkafkaMessage.of`)."""
        if not self._made:
            self._made.extend(map(LibrdkafkaMessage.of, self.raw))
        return self._made


def clamped(
    extents: Mapping[TopicPartition, PartitionExtent],
    starts: Mapping[TopicPartition, int | None] | None = None,
    ends: Mapping[TopicPartition, int | None] | None = None,
) -> list[OffsetRange]:
    """The ranges that hold anything, within what the partitions hold now.

    Args:
        extents: of each partition to be read.
        starts: the first offset of each; None, or left out: from the beginning.
        ends: the offset after the last; None, or left out: to the end as it is now.
    """
    found: list[OffsetRange] = []
    for place, extent in sorted(extents.items()):
        start, end = (starts or {}).get(place), (ends or {}).get(place)
        first = extent.low if start is None else max(start, extent.low)
        last = extent.high if end is None else min(end, extent.high)
        if first < last:
            found.append(OffsetRange(place, first, last))
    return found


class RangeProgress:
    """How far ranges are read; one for each partition.

    Attributes:
        total: offsets there were to read.
        done: those that are passed, whether they were messages or not.
    """

    def __init__(self, ranges: Iterable[OffsetRange]) -> None:
        self._open = {found.place: [found.start, found.end] for found in ranges if len(found)}
        self.total = sum(end - start for start, end in self._open.values())
        self.done = 0

    @property
    def open(self) -> tuple[TopicPartition, ...]:
        """The partitions that are not read to their ends."""
        return tuple(self._open)

    def next(self, place: TopicPartition) -> int:
        """The next offset to read of an open partition."""
        return self._open[place][0]

    def end(self, place: TopicPartition) -> int:
        """The offset at which an open partition is done."""
        return self._open[place][1]

    def take(self, place: TopicPartition, messages: Sequence[Any]) -> Sequence[Any]:
        """Count messages of a partition as read; returns those of its range."""
        state = self._open.get(place)
        if state is None:
            return ()
        start, end = state
        if messages[0].offset() < start or messages[-1].offset() >= end:
            reached = messages[-1].offset() >= end
            messages = [message for message in messages if start <= message.offset() < end]
            if reached:
                self._reach(place, end)
        if messages and place in self._open:
            self._reach(place, messages[-1].offset() + 1)
        return messages

    def at_end(self, place: TopicPartition, offset: int) -> bool:
        """A partition was found to end at an offset; returns whether its range is read so far.

        What lies between its last message and its end is none: the ends of transactions, or what was
        compacted away.
        """
        if place in self._open:
            self._reach(place, offset)
        return place not in self._open

    def skip(self, place: TopicPartition, extent: PartitionExtent) -> LostRange | None:
        """A partition turned out to begin behind the next offset: continue there; returns what is lost."""
        start, end = self._open[place]
        if extent.low <= start:
            return None
        lost = LostRange(place, start, min(extent.low, end))
        self._reach(place, extent.low)
        return lost

    def _reach(self, place: TopicPartition, offset: int) -> None:
        state = self._open[place]
        reached = max(state[0], min(offset, state[1]))
        self.done += reached - state[0]
        state[0] = reached
        if reached == state[1]:
            del self._open[place]

    def next_count(self, mean_bytes: float | None) -> int:
        """How many messages to ask for: not more than there can be, nor than fits into memory.

        A client that is asked for more than there are waits for the rest.

        Args:
            mean_bytes: the size of the last ones; None where none is known.
        """
        fits = FIRST if mean_bytes is None else int(MOST_BYTES // max(1.0, mean_bytes))
        return max(1, min(MOST, fits, self.total - self.done))
