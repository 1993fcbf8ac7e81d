"""A reader of ranges that takes from the archive what the topics hold no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.archive.files import Archive
from pipeline.kafka.errors import RecordsGone
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.offsets import Offsets
from pipeline.kafka.ranges import LostRange, MessageBatch, OffsetRange, PartitionExtent
from pipeline.kafka.reader import PATIENCE, RangeReader, Stopped


class ArchivedOffsets(Offsets):
    """Where partitions begin with what is archived, and end."""

    def __init__(self, config: Mapping[str, Any], archive: Archive) -> None:
        super().__init__(config, uncommitted=False, timeout=PATIENCE)
        self._archive = archive

    def extents(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, PartitionExtent]:
        """What each partition holds now, together with the archive."""
        return {place: self._widened(place, held) for place, held in super().extents(places).items()}

    def since(self, places: Iterable[TopicPartition], at_ms: int) -> dict[TopicPartition, int | None]:
        """The offset of the first message that is not older, in the archive or in the topic."""
        wanted = list(places)
        found = super().since(wanted, at_ms)
        for place, held in super().extents(wanted).items():
            at = found[place]
            # Where the topic holds an older message, all that is not older is there, too.
            if at is None or at <= held.low:
                archived = self._archive.first_since(place, at_ms)
                if archived is not None and archived < held.low:
                    found[place] = archived
        return found

    def _widened(self, place: TopicPartition, held: PartitionExtent) -> PartitionExtent:
        start = self._archive.coverage(place).start
        return held if start is None or start >= held.low else PartitionExtent(start, held.high)


class ArchivedRangeReader(RangeReader):
    """Reads ranges: from the topics what they hold, and what is older from the archive.

    Args:
        config: librdkafka settings.
        archive: what is older.
        group: see `RangeReader`.
    """

    def __init__(self, config: Mapping[str, Any], archive: Archive, *, group: str | None = None) -> None:
        super().__init__(config, group=group)
        self._archive = archive
        self.offsets = ArchivedOffsets(config, archive)

    def older(self, ranges: Iterable[OffsetRange]) -> list[tuple[OffsetRange, bool]]:
        """As `RangeReader.older`; what is archived can be read.

        Raises:
            StorageError: the archive cannot be listed.
        """
        return [
            (OffsetRange(gone.place, piece.start, piece.end), piece.file is not None)
            for gone, _ in super().older(ranges)
            for piece in self._archive.coverage(gone.place).pieces(gone.start, gone.end)
        ]

    def read(
        self,
        ranges: Iterable[OffsetRange],
        *,
        progress: Callable[[int, int], object] | None = None,
        stop: Callable[[], bool] | None = None,
        on_lost: Callable[[LostRange], object] | None = None,
    ) -> Iterator[MessageBatch]:
        """As `RangeReader.read`; the archive's part of all partitions comes first.

        Raises:
            StorageError: the archive cannot be read.
            Unreadable: a file of it was changed or damaged.
        """
        wanted = list(ranges)
        old, rest = self._parted(wanted)
        total, before = sum(map(len, wanted)), 0
        for piece in old:
            for batch in self._archived(piece, stop, on_lost):
                if progress is not None:
                    progress(before + batch.next - piece.start, total)
                yield batch
            before += len(piece)
        gone: list[LostRange] = []

        def told(done: int, _: int) -> None:
            if progress is not None:
                progress(before + done, total)

        for batch in super().read(rest, progress=told, stop=stop, on_lost=gone.append):
            yield from self._deleted_meanwhile(gone, stop, on_lost)
            yield batch
        yield from self._deleted_meanwhile(gone, stop, on_lost)

    def _parted(self, ranges: Iterable[OffsetRange]) -> tuple[list[OffsetRange], list[OffsetRange]]:
        """What is read from the archive, and what from the topics."""
        old: list[OffsetRange] = []
        rest: list[OffsetRange] = []
        archived = {read.place for read in ranges if self._archive.coverage(read.place).files}
        held = self.brokers.extents(archived)
        for read in ranges:
            low = held[read.place].low if read.place in archived else read.start
            older = OffsetRange(read.place, read.start, min(read.end, low))
            newer = OffsetRange(read.place, max(read.start, low), read.end)
            old += [older] if len(older) else []
            rest += [newer] if len(newer) else []
        return old, rest

    def _deleted_meanwhile(
        self,
        gone: list[LostRange],
        stop: Callable[[], bool] | None,
        on_lost: Callable[[LostRange], object] | None,
    ) -> Iterator[MessageBatch]:
        """What retention deleted while it was read may be archived by now."""
        while gone:
            lost = gone.pop(0)
            self._archive.listing()
            yield from self._archived(OffsetRange(lost.place, lost.start, lost.end), stop, on_lost)

    def _archived(
        self,
        wanted: OffsetRange,
        stop: Callable[[], bool] | None,
        on_lost: Callable[[LostRange], object] | None,
    ) -> Iterator[MessageBatch]:
        place = wanted.place
        for piece in self._archive.coverage(place).pieces(wanted.start, wanted.end):
            if piece.file is None:
                lost = LostRange(place, piece.start, piece.end)
                if on_lost is None:
                    raise RecordsGone(
                        f"{place.topic} partition {place.partition}: the offsets {lost.start} to "
                        f"{lost.end - 1} are neither in the topic nor in the archive",
                        hint="`pipeline archive verify` lists all such offsets",
                    )
                on_lost(lost)
                continue
            for found in self._archive.messages(piece.file, piece.start, piece.end):
                if stop is not None and stop():
                    raise Stopped
                yield MessageBatch(place, found, found[-1].offset() + 1)


__all__ = ["ArchivedOffsets", "ArchivedRangeReader"]
