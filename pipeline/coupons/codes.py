"""Coupon codes as people hand them over: one a line, or a CSV file with a column `code`. Pure.

Nothing is dropped in silence: what is not sent is a `CodeFinding`, with its position.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

#: No shop makes longer ones.
MAX_CODE = 255
HEADER = "code"
_DELIMITERS = (",", ";", "\t")


class Given(NamedTuple):
    """A code as it was given; `place` is a line's number, or a message's partition and offset."""

    place: str
    text: str


class CodeFinding(NamedTuple):
    """A code that is not sent as it was given, and why. Its text is not repeated: a code is worth money."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was given.

    Attributes:
        codes: each once, in their order.
        left_out: empty lines and repeats: nothing is lost with them.
        bad: what cannot be a code.
    """

    codes: tuple[str, ...]
    left_out: tuple[CodeFinding, ...] = ()
    bad: tuple[CodeFinding, ...] = ()


def check(given: Iterable[Given], bad: Iterable[CodeFinding] = ()) -> Checked:
    """Sort what can be sent from what cannot; `bad` was found before."""
    places: dict[str, str] = {}
    left_out: list[CodeFinding] = []
    found = list(bad)
    for place, text in given:
        code = text.strip()
        if not code:
            left_out.append(CodeFinding(place, "empty"))
        elif len(code) > MAX_CODE:
            found.append(CodeFinding(place, f"longer than {MAX_CODE} characters"))
        elif not code.isprintable():
            found.append(CodeFinding(place, "contains control characters"))
        elif code in places:
            left_out.append(CodeFinding(place, f"the same as {places[code]}"))
        else:
            places[code] = place
    return Checked(tuple(places), tuple(left_out), tuple(found))


def read_file(data: bytes) -> Checked:
    """The codes in a file's bytes, which are UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Checked((), bad=(CodeFinding(f"line {line}", "is not UTF-8 text"),))
    delimiter = _delimiter(text)
    if delimiter is not None:
        return check(*_from_csv(text, delimiter))
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    bad = [
        CodeFinding(f"line {number}", "has several columns, and the first line names no column `code`")
        for number, line in enumerate(lines, 1)
        if _has_columns(line)
    ]
    given = (Given(f"line {number}", line) for number, line in enumerate(lines, 1) if not _has_columns(line))
    return check(given, bad)


def read_message(value: bytes) -> str | None:
    """The code in a message: its whole text, or a JSON object's `code`; None where it has none."""
    try:
        text = value.decode()
        code = orjson.loads(text).get("code") if text.startswith("{") else text
    except ValueError:
        return None
    return code if isinstance(code, str) else None


def _delimiter(text: str) -> str | None:
    """What separates the columns of a file whose first line names one `code`; None where it does not."""
    first = text.partition("\n")[0].removesuffix("\r")
    for delimiter in _DELIMITERS:
        if HEADER in _names(first, delimiter):
            return delimiter
    return None


def _names(line: str, delimiter: str) -> list[str]:
    rows: Iterator[list[str]] = csv.reader([line], delimiter=delimiter)
    try:
        return [name.strip().casefold() for name in next(rows, [])]
    except csv.Error:
        return []


def _has_columns(line: str) -> bool:
    return any(delimiter in line.strip() for delimiter in _DELIMITERS)


def _from_csv(text: str, delimiter: str) -> tuple[list[Given], list[CodeFinding]]:
    place = _names(text.partition("\n")[0].removesuffix("\r"), delimiter).index(HEADER)
    given: list[Given] = []
    bad: list[CodeFinding] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    next(reader)
    try:
        for row in reader:
            line = f"line {reader.line_num}"
            if row and len(row) <= place:
                bad.append(CodeFinding(line, "has no column `code`"))
            else:
                given.append(Given(line, row[place] if row else ""))
    except csv.Error as error:
        bad.append(CodeFinding(f"line {reader.line_num}", str(error)))
    return given, bad
