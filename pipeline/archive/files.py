"""What the archive holds, and its rows: listing, reading, writing. Blocks."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline import private
from pipeline.archive.coverage import Coverage
from pipeline.archive.layout import UNFINISHED, ArchiveFile, day_of, parsed
from pipeline.archive.parquet import ArchivedMessage, Unreadable, first_since, messages
from pipeline.archive.storage import Storage
from pipeline.config import Settings
from pipeline.kafka.messages import TopicPartition

log = logging.getLogger(__name__)

#: In `data_dir`: what only one process of this machine does at a time is locked there.
DIRECTORY = "archive"


@dataclass(slots=True)
class Listing:
    """What lies at the archive's address.

    Attributes:
        whole: files that are as large as their names say.
        cut: paths of files that are not, or were never finished.
        foreign: paths of files that are none of ours.
    """

    whole: list[ArchiveFile] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, listed: Iterable[tuple[str, int]]) -> Listing:
        """Of paths and sizes."""
        found = cls()
        for path, size in listed:
            name = path.rpartition("/")[2]
            file = parsed(path)
            if file is not None and file.size == size:
                found.whole.append(file)
            elif file is not None or (name.startswith(".") and name.endswith(f".parquet{UNFINISHED}")):
                found.cut.append(path)
            else:
                found.foreign.append(path)
        return found

    def coverages(self) -> dict[TopicPartition, Coverage]:
        """What is held of each partition."""
        files: dict[TopicPartition, list[ArchiveFile]] = {}
        for file in self.whole:
            files.setdefault(file.place, []).append(file)
        return {place: Coverage.of(found) for place, found in sorted(files.items())}


class Archive:
    """The archive of these settings.

    Args:
        settings: the program's; `require_archive` has looked at them.

    Raises:
        SettingsError: its kind of storage cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.storage = Storage(settings.archive.url or "")
        self._data_dir = settings.data_dir
        self._coverages: dict[TopicPartition, Coverage] | None = None

    def listing(self) -> Listing:
        """What lies there now.

        Raises:
            StorageError: it cannot be listed.
        """
        found = Listing.of(self.storage.listing())
        self._coverages = found.coverages()
        return found

    def coverage(self, place: TopicPartition) -> Coverage:
        """What is held of a partition, as of the last listing.

        Raises:
            StorageError: it cannot be listed.
        """
        if self._coverages is None:
            self.listing()
        assert self._coverages is not None  # noqa: S101 - listed just now
        return self._coverages.get(place, Coverage())

    def content(self, file: ArchiveFile) -> bytes:
        """A file's content, as it was written.

        Raises:
            StorageError: it cannot be read.
            Unreadable: it was changed or damaged since.
        """
        content = self.storage.read(file.path)
        if not file.holds(content):
            raise Unreadable(f"the archive's {file.path} is not what was written", hint="restore it")
        return content

    def messages(self, file: ArchiveFile, start: int, end: int) -> Iterator[list[ArchivedMessage]]:
        """A file's messages with these offsets, some at a time.

        Raises:
            StorageError: it cannot be read.
            Unreadable: it was changed or damaged since.
        """
        return messages(self.content(file), file.place, start, end)

    def first_since(self, place: TopicPartition, at_ms: int) -> int | None:
        """The first archived offset whose message is not older, epoch ms; None where there is none.

        Raises:
            StorageError: a file cannot be read.
            Unreadable: it was changed or damaged.
        """
        day = day_of(at_ms)
        for file in self.coverage(place).files:
            if file.day > day:
                return file.start
            if file.day == day:
                found = first_since(self.content(file), at_ms)
                if found is not None:
                    return found
        return None

    def add(self, file: ArchiveFile, content: bytes) -> None:
        """Write a file.

        Raises:
            StorageError: it cannot be written.
        """
        self.storage.write(file.path, content)
        if self._coverages is not None:
            known = self._coverages.get(file.place, Coverage())
            self._coverages[file.place] = Coverage.of((*known.files, file))

    def clear(self, listing: Listing) -> int:
        """Delete what a crash left of files that others replaced, or that were never whole; how many.

        The caller holds `writing`.

        Raises:
            StorageError: one cannot be deleted.
        """
        superseded = [file.path for coverage in listing.coverages().values() for file in coverage.superseded]
        for path in (*superseded, *listing.cut):
            self.storage.delete(path)
        return len(superseded) + len(listing.cut)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Wait until no other process of this machine writes to the archive, and keep others from it."""
        directory = private.directory(self._data_dir / DIRECTORY)
        with (directory / "writing").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


__all__ = ["DIRECTORY", "Archive", "Listing"]
