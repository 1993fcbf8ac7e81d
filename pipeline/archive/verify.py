"""Whether archive and topics together hold every event once, and whether files are as written. Blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.archive.coverage import Coverage
from pipeline.archive.files import Archive
from pipeline.archive.layout import ArchiveFile
from pipeline.archive.parquet import Unreadable
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import PartitionExtent
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import full_name

#: (bytes dealt with, bytes in all).
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: the kind in one word, for scripts, and a sentence.

    Attributes:
        kind: `gap`, `overlap`, `cut`, `damaged`, `superseded`, `foreign`, `another_topic`.
        text: names the offsets or the file.
        topic, partition, start, end: the offsets that it concerns, where it concerns some.
    """

    kind: str
    text: str
    topic: str = ""
    partition: int = -1
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Verified:
    """What was found.

    Attributes:
        files, rows, size: that were looked at; rows only of files that were read; size in bytes.
        waiting: offsets that are in the topics alone; no fault.
        faults: what is wrong.
    """

    files: int = 0
    rows: int = 0
    size: int = 0
    waiting: int = 0
    faults: list[Fault] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def verify(
    settings: Settings,
    archive: Archive,
    reader: RangeReader,
    progress: Progress = lambda *_: None,
    *,
    contents: bool = True,
) -> Verified:
    """Compare the archive with the topics, and with itself.

    Args:
        settings: the program's.
        archive: which.
        reader: of the topics alone.
        progress: told how far it is.
        contents: read each file, too.

    Raises:
        BrokerError: Kafka does not answer.
        StorageError: the storage refuses.
    """
    topics = [full_name(settings, kind.topic) for kind in Kind]
    extents = reader.offsets.extents(reader.offsets.partitions(*topics))
    # After the topics: what is archived meanwhile is no gap.
    listing = archive.listing()
    found = Verified(files=len(listing.whole), size=sum(file.size for file in listing.whole))
    found.faults += [Fault("cut", f"{path} is not whole, and not read: delete it") for path in listing.cut]
    found.faults += [
        Fault("foreign", f"{path} is none of the archive's, and not read") for path in listing.foreign
    ]
    coverages = listing.coverages()
    for place in sorted(extents.keys() | coverages.keys()):
        coverage = coverages.get(place, Coverage())
        found.faults += _of_files(coverage)
        found.faults += [_gap(place, gap.start, gap.end) for gap in coverage.gaps()]
        if place in extents:
            _beside_the_topic(place, coverage, extents[place], found)
    if contents:
        _contents(archive, listing.whole, found, progress)
    return found


def _beside_the_topic(
    place: TopicPartition, coverage: Coverage, held: PartitionExtent, found: Verified
) -> None:
    end = held.low if coverage.end is None else coverage.end
    if end > held.high:
        text = f"{_name(place)} ends at {held.high}, the archive at {end}: the topic was made anew"
        found.faults.append(Fault("another_topic", text, *place, held.high, end))
        return
    if end < held.low:
        found.faults.append(_gap(place, end, held.low))
    found.waiting += held.high - max(end, held.low)


def _of_files(coverage: Coverage) -> list[Fault]:
    faults = [
        Fault("superseded", f"{file.path} was written anew without removed rows: delete it", *_offsets(file))
        for file in coverage.superseded
    ]
    faults += [
        Fault(
            "overlap",
            f"{file.path}: other files hold some of its offsets, too, and each is read once: two processes "
            "archived at once",
            *_offsets(file),
        )
        for file in coverage.overlapping
    ]
    return faults


def _contents(archive: Archive, files: list[ArchiveFile], found: Verified, progress: Progress) -> None:
    read = 0
    for file in files:
        try:
            offsets = [row.offset() for rows in archive.messages(file, 0, 2**63 - 1) for row in rows]
        except Unreadable as error:
            found.faults.append(Fault("damaged", f"{file.path}: {error.message}", *_offsets(file)))
        else:
            found.rows += len(offsets)
            ascending = all(one < other for one, other in itertools.pairwise(offsets))
            if offsets and not (ascending and file.start <= offsets[0] and offsets[-1] < file.end):
                text = f"{file.path}: rows are not in the order of their offsets, or outside of its name's"
                found.faults.append(Fault("damaged", text, *_offsets(file)))
        read += file.size
        progress(read, found.size)


def _gap(place: TopicPartition, start: int, end: int) -> Fault:
    text = f"{_name(place)}: the offsets {start} to {end - 1} are neither in the archive nor in the topic"
    return Fault("gap", text, *place, start, end)


def _offsets(file: ArchiveFile) -> tuple[str, int, int, int]:
    return (*file.place, file.start, file.end)


def _name(place: TopicPartition) -> str:
    return f"{place.topic} partition {place.partition}"


__all__ = ["Fault", "Verified", "verify"]
