"""Which offsets of a partition the archive's files hold, each once, whatever crashes left behind. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.archive.layout import ArchiveFile


@dataclass(frozen=True, slots=True)
class Piece:
    """Offsets from `start` up to, not including, `end`, and the file that holds them; None: no file does."""

    file: ArchiveFile | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the whole files of one partition hold.

    Attributes:
        files: those that are read, in the order of their offsets.
        superseded: written anew since without removed rows, and not deleted yet.
        overlapping: other files hold all or some of their offsets, too: two processes archived at once. Of
            those in `files` the offsets of the one before are left out; the others are not read at all.
    """

    files: tuple[ArchiveFile, ...] = ()
    superseded: tuple[ArchiveFile, ...] = ()
    overlapping: tuple[ArchiveFile, ...] = ()

    @classmethod
    def of(cls, files: Iterable[ArchiveFile]) -> Coverage:
        """Of all whole files of a partition."""
        newest: dict[tuple[int, int], ArchiveFile] = {}
        superseded, overlapping, read = [], [], []
        for file in sorted(files, key=lambda file: (file.start, -file.end, -file.revision, file.digest)):
            known = newest.setdefault((file.start, file.end), file)
            if known.revision > file.revision:
                superseded.append(file)
            elif known is not file:
                overlapping.append(file)
        reached = -1
        for file in newest.values():
            if file.start < reached:
                overlapping.append(file)
            if file.end > reached:
                read.append(file)
                reached = file.end
        return cls(tuple(read), tuple(superseded), tuple(overlapping))

    @property
    def start(self) -> int | None:
        """The first offset that is archived; None where none is."""
        return self.files[0].start if self.files else None

    @property
    def end(self) -> int | None:
        """The offset after the last that is archived; None where none is."""
        return self.files[-1].end if self.files else None

    def pieces(self, start: int, end: int) -> list[Piece]:
        """These offsets, each in one piece, in their order; what no file holds is a piece without one."""
        found: list[Piece] = []
        at = start
        for file in self.files:
            if file.end <= at:
                continue
            if file.start >= end:
                break
            if file.start > at:
                found.append(Piece(None, at, file.start))
                at = file.start
            last = min(file.end, end)
            found.append(Piece(file, at, last))
            at = last
        if at < end:
            found.append(Piece(None, at, end))
        return found

    def gaps(self) -> list[Piece]:
        """What lies between the first offset and the last, and in no file."""
        if self.start is None or self.end is None:
            return []
        return [piece for piece in self.pieces(self.start, self.end) if piece.file is None]


__all__ = ["Coverage", "Piece"]
