"""A file of others as rows of named columns: CSV of any encoding and delimiter, or ids line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from pipeline.connectif.csvfile import read_csv
from pipeline.errors import PipelineError
from pipeline.reconcile.values import name_of_column

#: Bytes looked at to tell the encoding and the delimiter.
LOOK = 65_536
#: Characters of one row, at most: an order's note may be long, and its address.
ROW_MAX = 500_000
_DELIMITERS = (",", ";", "\t", "|")
#: Headings named in an error, at most, and characters of each.
_SHOWN, _SHOWN_CHARS = 40, 40


@dataclass(slots=True)
class TableFile:
    """Rows under their headings.

    Attributes:
        name: of the file, for errors.
        headings: the columns' names as they stand there; empty: each line is one id.
        rows: what follows, each cell by its place.
    """

    name: str
    headings: tuple[str, ...]
    rows: Iterator[list[str]]

    def place(self, chosen: str | None, usual: Sequence[str]) -> int | None:
        """Where a column stands.

        Args:
            chosen: the heading that the operator named; None: one of the usual ones.
            usual: as `name_of_column` writes them, the best first.

        Raises:
            PipelineError: there is no column of the name chosen.
        """
        names = [name_of_column(heading) for heading in self.headings]
        if chosen is not None:
            wanted = name_of_column(chosen)
            if wanted in names:
                return names.index(wanted)
            raise PipelineError(f"{self.name} has no column {chosen!r}", hint=self.known_columns())
        return next((names.index(name) for name in usual if name in names), None)

    def known_columns(self) -> str:
        """What columns there are, for an error; cells of a file without headings are not repeated."""
        shown = [heading[:_SHOWN_CHARS] for heading in self.headings[:_SHOWN] if _may_be_shown(heading)]
        return f"it has: {', '.join(shown)}" if shown else "its first line names no columns"


def _may_be_shown(heading: str) -> bool:
    return bool(heading.strip()) and "@" not in heading and not any(map(str.isdigit, heading))


def open_table(file: BinaryIO, name: str, known: frozenset[str]) -> TableFile:
    """Read a file's headings; its rows follow as they are asked for.

    Args:
        file: of bytes; it need not be one that can be read twice.
        name: for errors.
        known: headings, as `name_of_column` writes them, of which one tells a heading from an id.

    Raises:
        PipelineError: it is empty, or no CSV.
    """
    buffered = io.BufferedReader(_Raw(file), LOOK)
    text = io.TextIOWrapper(buffered, _encoding(buffered.peek(LOOK)[:LOOK]), errors="replace", newline="")
    first = text.readline(ROW_MAX)
    if not first.strip():
        raise PipelineError(f"{name} is empty")
    delimiter = max(_DELIMITERS, key=lambda mark: _columns(first, mark))
    rows = _rows(_Joined(first, text), delimiter, name)
    headings = next(rows, None)
    if headings is None:
        raise PipelineError(f"{name} is empty")
    if len(headings) == 1 and name_of_column(headings[0]) not in known:
        return TableFile(name, (), _from_first(headings, rows))
    return TableFile(name, tuple(headings), rows)


def cell(row: Sequence[str], place: int | None) -> str:
    """A cell; empty where the row ends before it, or there is no such column."""
    return row[place] if place is not None and place < len(row) else ""


def usual_names(names: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Every heading of a table of columns."""
    return frozenset(name for usual in names.values() for name in usual)


def _from_first(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest


def _rows(file: TextIO, delimiter: str, name: str) -> Iterator[list[str]]:
    number = 0
    try:
        for row in read_csv(file, delimiter, ROW_MAX):
            number += 1
            if any(one.strip() for one in row):
                yield row
    except csv.Error as error:
        raise PipelineError(
            f"{name}: row {number + 1} cannot be read: {error}",
            hint="a quote without its end, or no CSV; export it again",
        ) from error


def _columns(line: str, delimiter: str) -> int:
    """How many columns a line has."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _encoding(start: bytes) -> str:
    """UTF-8, UTF-16 by its mark, or what Western Windows writes."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:
            return "cp1252"
    return "utf-8-sig"


class _Raw(io.RawIOBase):
    """Any stream of bytes, without a seek."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # whatever has a buffer
        content = self._file.read(len(view))
        view[: len(content)] = content
        return len(content)


class _Joined(io.StringIO):
    """A line that was read already, and what follows it."""

    def __init__(self, first: str, rest: TextIO) -> None:
        self._first = first
        self._rest = rest

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        if self._first:
            line, self._first = self._first, ""
            return line
        return self._rest.readline(-1 if size is None else size)


__all__ = ["TableFile", "cell", "open_table", "usual_names"]
