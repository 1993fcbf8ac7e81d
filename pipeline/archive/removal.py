"""Rows that must leave the archive: the files that hold them are written anew without them.

The new file is there before the old one is deleted, and both cover the same offsets, so that a crash loses
nothing else; of two the newer counts. Done again it finishes what was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pipeline.archive.files import Archive
from pipeline.archive.layout import ArchiveFile, named
from pipeline.archive.parquet import ArchivedMessage, FileContent
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import OffsetRange

#: Whether a row is to go.
Wanted = Callable[[ArchivedMessage], bool]


@dataclass(slots=True)
class Removed:
    """What was removed: rows, and the files that were written anew."""

    rows: int = 0
    files: int = 0


def remove(
    archive: Archive, wanted: Wanted, progress: Callable[[int, int], object] = lambda *_: None
) -> Removed:
    """Remove every row that is wanted gone. Reads the whole archive; other writers of this machine wait.

    What the topics still hold is not archived yet, or will be: remove there first.

    Args:
        archive: from where.
        wanted: asked of every row; by its key, its offset or its body.
        progress: told how many bytes of files are dealt with, of how many.

    Raises:
        StorageError: the storage refuses; do it again.
        Unreadable: a file was changed or damaged: what it holds is not known.
    """
    return _remove(archive, lambda file: range(file.start, file.end), wanted, progress)


def remove_offsets(
    archive: Archive,
    offsets: Mapping[TopicPartition, Collection[int]],
    progress: Callable[[int, int], object] = lambda *_: None,
) -> Removed:
    """Remove the rows of these offsets; only the files that hold some of them are read.

    Args:
        archive: from where.
        offsets: by their partition, whose topic has its prefix.
        progress: told how many bytes of files are dealt with, of how many.

    Raises:
        StorageError: the storage refuses; do it again.
        Unreadable: a file was changed or damaged: what it holds is not known.
    """
    sets = {place: frozenset(found) for place, found in offsets.items()}

    def held(file: ArchiveFile) -> Collection[int]:
        return [at for at in sets.get(file.place, ()) if file.start <= at < file.end]

    def wanted(row: ArchivedMessage) -> bool:
        return row.offset() in sets[TopicPartition(row.topic(), row.partition())]

    return _remove(archive, held, wanted, progress)


def _remove(
    archive: Archive,
    held: Callable[[ArchiveFile], Collection[int]],
    wanted: Wanted,
    progress: Callable[[int, int], object],
) -> Removed:
    done = Removed()
    with archive.writing():
        archive.clear(archive.listing())
        files = [file for file in archive.listing().whole if held(file)]
        total, read = sum(file.size for file in files), 0
        for file in files:
            _rewrite(archive, file, wanted, done)
            read += file.size
            progress(read, total)
    return done


def _rewrite(archive: Archive, file: ArchiveFile, wanted: Wanted, done: Removed) -> None:
    kept, gone = FileContent(file.place), 0
    for rows in archive.messages(file, file.start, file.end):
        for row in rows:
            if wanted(row):
                gone += 1
            else:
                kept.add(LibrdkafkaMessage.of(row))
    if not gone:
        return
    made = kept.finish()
    covered = OffsetRange(file.place, file.start, file.end)
    archive.add(named(covered, file.day, made, file.revision + 1), made)
    archive.storage.delete(file.path)
    done.rows, done.files = done.rows + gone, done.files + 1


__all__ = ["Removed", "remove", "remove_offsets"]
