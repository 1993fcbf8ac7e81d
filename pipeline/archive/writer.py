"""`shop.*` -> files of the archive: which offsets are due, and one pass over the topics. Blocks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.archive.files import Archive
from pipeline.archive.layout import day_of, named
from pipeline.archive.parquet import FileContent, size_of
from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.events import Kind
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import OffsetRange, PartitionExtent
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import DAY_MS, full_name
from pipeline.metrics import (
    ARCHIVE_BYTES,
    ARCHIVE_EVENTS,
    ARCHIVE_FILES,
    ARCHIVE_LAG_OFFSETS,
    ARCHIVE_LAG_SECONDS,
    ARCHIVE_LOST_OFFSETS,
)

log = logging.getLogger(__name__)

#: Bytes of keys, headers and bodies of one file, about: what is held in memory at once.
FILE_BYTES = 64 * 1024 * 1024
#: (offsets dealt with, offsets in all).
Progress = Callable[[int, int], object]


class AnotherTopic(PipelineError):  # noqa: N818 - a state
    """The archive is of another topic of the same name."""


@dataclass(slots=True)
class Pass:
    """What one pass did.

    Attributes:
        files, events, size: written; the size in bytes.
    """

    files: int = 0
    events: int = 0
    size: int = 0


def due_until(oldest_ms: int, now_ms: int, max_wait: float) -> int | None:
    """Up to which arrival a partition is archived now, epoch milliseconds; None: nothing is due.

    Days that are over go in whole, so that quiet partitions have one file a day.

    Args:
        oldest_ms: arrival of the oldest event that is not archived.
        now_ms: now.
        max_wait: seconds that an event may wait.
    """
    if now_ms - oldest_ms >= max_wait * 1_000:
        return now_ms
    midnight = now_ms // DAY_MS * DAY_MS
    return midnight if oldest_ms < midnight else None


class ArchiveWriter:
    """Writes what is due, pass by pass; the only one of its machine.

    Args:
        settings: the program's.
        archive: where to.
        reader: of the topics alone.
        now_ms: the time, epoch milliseconds.
    """

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        reader: RangeReader,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1_000),
    ) -> None:
        self._topics = [full_name(settings, kind.topic) for kind in Kind]
        self._max_wait = settings.archive.max_wait
        self._archive = archive
        self._reader = reader
        self._now_ms = now_ms
        #: Offset and arrival of the oldest event of each partition that is not archived.
        self._oldest: dict[TopicPartition, tuple[int, int]] = {}
        self._lost_said: set[tuple[TopicPartition, int]] = set()

    def begin(self) -> None:
        """List the archive, and delete what a crash left of files that do not count.

        Raises:
            StorageError: the storage refuses.
        """
        with self._archive.writing():
            cleared = self._archive.clear(self._archive.listing())
        if cleared:
            log.info(
                "the archive: %d files that an interruption left are deleted",
                cleared,
                extra={"event": "archive.cleared"},
            )
        self._archive.listing()

    def write(
        self, *, everything: bool, progress: Progress = lambda *_: None, stop: Callable[[], bool] = bool
    ) -> Pass:
        """One pass: write what is due; or everything that is there now.

        Raises:
            BrokerError: Kafka does not answer.
            StorageError: the storage refuses.
            AnotherTopic: what is archived goes further than the topic.
        """
        extents = self._reader.offsets.extents(self._reader.offsets.partitions(*self._topics))
        done = Pass()
        ranges = list(self._due(extents, everything=everything))
        total, before = sum(map(len, ranges)), 0
        for wanted in ranges:
            if stop():
                break

            def told(read: int, _: int, before: int = before) -> None:
                progress(before + read, total)

            self._partition(wanted, done, told, stop)
            before += len(wanted)
            progress(before, total)
        self._measure(extents)
        return done

    def _due(
        self, extents: dict[TopicPartition, PartitionExtent], *, everything: bool
    ) -> Iterator[OffsetRange]:
        for place, held in extents.items():
            start = self._next(place, held)
            if start >= held.high:
                continue
            if everything:
                yield OffsetRange(place, start, held.high)
                continue
            until = due_until(self._arrival(place, start, held), self._now_ms(), self._max_wait)
            if until is not None:
                found = self._reader.offsets.since([place], until)[place]
                end = held.high if found is None else min(found, held.high)
                if end > start:
                    yield OffsetRange(place, start, end)

    def _next(self, place: TopicPartition, held: PartitionExtent) -> int:
        """The first offset that is not archived, of those that there are."""
        end = self._archive.coverage(place).end
        if end is None:
            return held.low
        if end > held.high:
            raise AnotherTopic(
                f"{place.topic} partition {place.partition} ends at {held.high}, but the archive at "
                f"{end}: the topic was made anew, or lost its last events",
                hint="give it an archive of its own: another archive.url",
            )
        if end < held.low and (place, end) not in self._lost_said:
            self._lost_said.add((place, end))
            log.error(
                "%s partition %d: the offsets %d to %d were deleted before they were archived",
                *place,
                end,
                held.low - 1,
                extra={"event": "archive.lost"},
            )
        return max(end, held.low)

    def _arrival(self, place: TopicPartition, start: int, held: PartitionExtent) -> int:
        """When the oldest event came that is not archived, epoch milliseconds."""
        known = self._oldest.get(place)
        if known is None or known[0] != start:
            wanted = OffsetRange(place, start, held.high)
            batch = next(self._reader.read([wanted], on_lost=lambda _: None), None)
            # Compaction may have left offsets without a message.
            arrival = self._now_ms() if batch is None else batch.messages()[0].timestamp
            known = self._oldest[place] = (start, arrival)
        return known[1]

    def _partition(
        self, wanted: OffsetRange, done: Pass, progress: Progress, stop: Callable[[], bool]
    ) -> None:
        """Archive a range of a partition, file by file."""
        place, start = wanted.place, wanted.start
        with self._archive.writing():
            content, day = FileContent(place), ""
            for message in self._messages(wanted, progress):
                full = content.raw_bytes + size_of(message) > FILE_BYTES
                if content.rows and (full or day_of(message.timestamp) != day):
                    self._file(OffsetRange(place, start, message.offset), day, content, done)
                    start, content = message.offset, FileContent(place)
                    if stop():
                        return
                day = day if content.rows else day_of(message.timestamp)
                content.add(message)
            # Offsets without any message are covered, too: there is nothing to wait for.
            covered = OffsetRange(place, start, wanted.end)
            self._file(covered, day or day_of(self._now_ms()), content, done)

    def _messages(self, wanted: OffsetRange, progress: Progress) -> Iterator[LibrdkafkaMessage]:
        for batch in self._reader.read([wanted], progress=progress):
            yield from batch.messages()

    def _file(self, covered: OffsetRange, day: str, content: FileContent, done: Pass) -> None:
        place, made = covered.place, content.finish()
        self._archive.add(named(covered, day, made), made)
        done.files, done.events, done.size = (
            done.files + 1,
            done.events + content.rows,
            done.size + len(made),
        )
        ARCHIVE_FILES.labels(place.topic).inc()
        ARCHIVE_EVENTS.labels(place.topic).inc(content.rows)
        ARCHIVE_BYTES.labels(place.topic).inc(len(made))

    def _measure(self, extents: dict[TopicPartition, PartitionExtent]) -> None:
        """What waits, and what is lost, into the metrics."""
        now = self._now_ms()
        for topic in self._topics:
            waiting = lost = 0
            oldest = now
            for place, held in extents.items():
                if place.topic != topic:
                    continue
                coverage = self._archive.coverage(place)
                start = max(held.low if coverage.end is None else coverage.end, held.low)
                lost += sum(gap.end - gap.start for gap in coverage.gaps())
                lost += max(0, held.low - (held.low if coverage.end is None else coverage.end))
                if start < held.high:
                    waiting += held.high - start
                    oldest = min(oldest, self._arrival(place, start, held))
            ARCHIVE_LAG_OFFSETS.labels(topic).set(waiting)
            ARCHIVE_LAG_SECONDS.labels(topic).set((now - oldest) / 1_000)
            ARCHIVE_LOST_OFFSETS.labels(topic).set(lost)


__all__ = ["AnotherTopic", "ArchiveWriter", "Pass", "due_until"]
