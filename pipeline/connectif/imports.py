"""What an import's answers and its error report say of each row. A row's outcome is never guessed.

The report's columns are not documented, so rows are found by their keys or their numbers; where that does not
account for exactly the errors Connectif counted, nothing is said of any row, and the file is sent again in
halves.
"""

from __future__ import annotations

import csv
import enum
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.connectif.csvfile import read_csv
from pipeline.records import RecordKind


class ImportType(enum.StrEnum):
    """The elements an import takes."""

    CONTACTS = "contacts"
    PRODUCTS = "products"
    COUPONS = "coupons"


TYPES = {
    RecordKind.CONTACT: ImportType.CONTACTS,
    RecordKind.PRODUCT: ImportType.PRODUCTS,
    RecordKind.COUPON: ImportType.COUPONS,
}
#: For what is no count, such as a text: it never adds up.
ODD = -1
#: Columns of an error report that are read; our rows have fewer.
COLUMNS = 100
#: Rows of a report for each row sent, at most, besides a few; and characters of one of its rows.
REPEATS, MORE_ROWS, ROW_MAX = 2, 10, 200_000
#: Digits of a row's number: our files have fewer rows.
_ROW_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_NUMBERED = re.compile(r"row|line|fila|l[ií]nea|n[uú]m|index|position|^#$", re.IGNORECASE)


class ImportStage(enum.Enum):
    """How far an import is."""

    UNFINISHED = "unfinished"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """An import as Connectif shows it; None where it does not say, and `ODD` for a count that is none.

    `seconds` it took from its creation to its end; `by_hand`: made in Connectif's app.
    """

    import_id: str
    kind: str
    stage: ImportStage
    total: int | None = None
    success: int | None = None
    errors: int | None = None
    report_url: str | None = None
    by_hand: bool = False
    seconds: float | None = None


def read_progress(body: Any) -> ImportProgress | None:
    """An import object; None where the body is none."""
    if not isinstance(body, Mapping) or not body.get("id"):
        return None
    status = str(body.get("status", "queued")).casefold()
    if status == "finished":
        stage = ImportStage.FINISHED
    elif status in ("error", "cancelled", "canceled"):
        stage = ImportStage.FAILED
    else:
        stage = ImportStage.UNFINISHED
    url = body.get("errorReportFileUrl")
    return ImportProgress(
        import_id=str(body["id"]),
        kind=str(body.get("type", "")).casefold(),
        stage=stage,
        total=_count(body.get("total")),
        success=_count(body.get("success")),
        errors=_count(body.get("errors")),
        report_url=url if isinstance(url, str) and url else None,
        by_hand=body.get("origin") == "app",
        seconds=_seconds(body.get("createdAt"), body.get("finishedAt")),
    )


def read_list(body: Any) -> tuple[list[ImportProgress], str | None]:
    """A page of imports, and the link to the next one."""
    if isinstance(body, list):
        body = {"results": body}
    if not isinstance(body, Mapping):
        return [], None
    results, links = body.get("results"), body.get("links")
    found = [read_progress(item) for item in results] if isinstance(results, list) else []
    following = links.get("next") if isinstance(links, Mapping) else None
    return [item for item in found if item], following if isinstance(following, str) and following else None


def all_delivered(progress: ImportProgress, rows: int) -> bool:
    """Whether a finished import took every row."""
    return progress.success == rows and progress.errors in (None, 0) and progress.total in (None, rows)


def accounts_for_all(progress: ImportProgress, rows: int) -> bool:
    """Whether its counts add up to the rows sent; if not, they cannot be used for any row."""
    success, errors = progress.success, progress.errors
    if success is None or success == ODD or errors is None or errors in (0, ODD):
        return False
    return success + errors == rows and progress.total in (None, rows)


def suspects(
    report: bytes, keys: Sequence[str], key_column: str, errors: int, *, numbered: bool = True
) -> set[str] | None:
    """The rows that an error report names, by their keys; perhaps too many, never too few.

    Args:
        report: the file.
        keys: the keys of the rows sent, in the file's order.
        key_column: the header of the column that held them.
        errors: how many rows Connectif refused.
        numbered: whether each row sent is one line, so that a line's number is a row's.

    Returns:
        At least the refused rows; None if the report does not say.
    """
    known = {key.casefold(): key for key in keys}
    text = report.decode("utf-8-sig", "replace").replace("\0", "")
    for delimiter in (",", ";", "\t"):
        rows = _rows(text, delimiter, REPEATS * len(keys) + MORE_ROWS)
        header = [cell.strip() for cell in rows[0]] if rows else []
        if key_column in header:
            found = _by_key(rows, header.index(key_column), known, errors)
            if found is not None:
                return found
        # Without a header that names it: every column that could be it counts, and every reading of it as
        # numbers, since ids may be small numbers themselves.
        readings = list(_by_columns(rows, known, errors))
        as_numbers = [_at(map(int, found), keys) for found in readings if _could_be_numbers(found, keys)]
        if as_numbers and not numbered:
            continue
        readings += as_numbers
        if numbered and (told := _by_number(rows, keys, errors)) is not None:
            readings.append(told)
        if readings:
            return set().union(*readings)
    return None


def _by_key(rows: list[list[str]], place: int, known: Mapping[str, str], errors: int) -> set[str] | None:
    named = {known.get(row[place].strip().casefold()) for row in rows[1:] if len(row) > place}
    found = {key for key in named if key is not None}
    return found if len(named) == len(found) == errors else None


def _by_columns(rows: list[list[str]], known: Mapping[str, str], errors: int) -> Iterator[set[str]]:
    for place in range(min(COLUMNS, max((len(row) for row in rows), default=0))):
        found = _column(rows, place, known)
        if found is not None and len(found) == errors:
            yield found


def _column(rows: list[list[str]], place: int, known: Mapping[str, str]) -> set[str] | None:
    """The keys in a column that holds nothing else, its first cell aside."""
    found: set[str] = set()
    for number, row in enumerate(row for row in rows if len(row) > place):
        key = known.get(row[place].strip().casefold())
        if key is not None:
            found.add(key)
        elif number:
            return None
    return found or None


def _by_number(rows: list[list[str]], keys: Sequence[str], errors: int) -> set[str] | None:
    """By a column of row numbers; whether they count from 0, 1 or the header is not known: all three."""
    header = rows[0] if rows else []
    for place, name in enumerate(header[:COLUMNS]):
        cells = [row[place].strip() for row in rows[1:] if len(row) > place]
        if not _NUMBERED.search(name.strip()) or not all(map(_ROW_NUMBER.fullmatch, cells)):
            continue
        numbers = {int(cell) for cell in cells}
        if len(numbers) == errors and max(numbers, default=0) <= len(keys) + 1:
            return _at(numbers, keys)
    return None


def _could_be_numbers(found: set[str], keys: Sequence[str]) -> bool:
    """Whether the keys in a column may be numbers of rows."""
    return all(_ROW_NUMBER.fullmatch(key) and int(key) <= len(keys) + 1 for key in found)


def _at(numbers: Iterable[int], keys: Sequence[str]) -> set[str]:
    """The keys of numbered rows."""
    places = {number - base for number in numbers for base in (0, 1, 2)}
    return {keys[index] for index in places if 0 <= index < len(keys)}


def _rows(text: str, delimiter: str, most: int) -> list[list[str]]:
    """The rows of a report, cut to the columns that are read; none if it has more than `most`."""
    rows: list[list[str]] = []
    try:
        for number, row in enumerate(read_csv(io.StringIO(text, newline=""), delimiter, ROW_MAX)):
            if number > 2 * most:
                return []  # every other one may be empty
            if row:
                rows.append(row[:COLUMNS])
    except csv.Error:
        return []
    return rows if len(rows) <= most else []


def _seconds(created: Any, finished: Any) -> float | None:
    try:
        took = datetime.fromisoformat(finished) - datetime.fromisoformat(created)
    except (TypeError, ValueError):  # left out, no date, or one with a time zone and one without
        return None
    return max(0.0, took.total_seconds())


def _count(value: Any) -> int | None:
    if value is None:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else ODD
