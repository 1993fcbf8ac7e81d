"""Rows -> the CSV files of imports; and CSV files of others -> their rows.

A typed cell may not be empty, and an empty text cell might clear what Connectif holds: so a file's rows all
fill the same columns, and rows are grouped by the columns they fill.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from pipeline.connectif.payloads import PRODUCT, Column, ValueForm, contact_column, plain_decimal

DELIMITER = ","
LIST_SEPARATOR = "|"
#: Without these a product's row creates nothing.
PRODUCT_REQUIRED = frozenset({"name", "url", "unit_price"})

Row = tuple[str, ...]


def contact_row(key: str, by_email: bool, fields: Mapping[str, str]) -> tuple[Row, Row] | None:
    """Header and cells of a contact; None where only a single call is exact.

    A row with both e-mail and external id is matched by the external id alone, which would make a second
    contact where the first is known by e-mail.
    """
    if by_email and "external_id" in fields:
        return None
    columns = {field: contact_column(field) for field in sorted(fields)}
    return _row("_email" if by_email else "_externalId", key, columns, fields)


def product_row(key: str, fields: Mapping[str, Any]) -> tuple[Row, Row] | None:
    """Header and cells of a product; None where only a single call is exact."""
    if not fields.keys() >= PRODUCT_REQUIRED:
        return None
    columns = {field: column for field, column in PRODUCT.items() if field in fields}
    return _row("productId", key, columns, fields)


def coupon_row(code: str) -> tuple[Row, Row]:
    """Header and cells of a coupon."""
    return ("code",), (code,)


def _row(
    key_name: str, key: str, columns: Mapping[str, Column], fields: Mapping[str, Any]
) -> tuple[Row, Row] | None:
    header, cells = [key_name], [key]
    for field, column in columns.items():
        cell = _cell(column, fields[field])
        if not cell:
            return None
        header.append(column.name)
        cells.append(cell)
    return tuple(header), tuple(cells)


def _cell(column: Column, value: Any) -> str:
    """The text of a cell; empty where the format cannot hold the value."""
    if column.form is ValueForm.DECIMAL:
        return plain_decimal(value)
    if column.form is ValueForm.LIST:
        exact = all(item and LIST_SEPARATOR not in item for item in value)
        return LIST_SEPARATOR.join(value) if exact else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def write_csv(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, max_bytes: int, max_rows: int
) -> tuple[bytes, int]:
    """The file with as many of the rows as its limits allow, and how many those are."""
    line = io.StringIO(newline="")
    writer = csv.writer(line, delimiter=DELIMITER, lineterminator="\r\n")
    parts: list[bytes] = []
    size = taken = 0
    for cells in (header, *rows):
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        part = line.getvalue().encode()
        if size + len(part) > max_bytes or taken > max_rows:
            break
        parts.append(part)
        size += len(part)
        taken += 1
    return b"".join(parts), max(0, taken - 1)


def read_csv(file: TextIO, delimiter: str, longest: int) -> Iterator[list[str]]:
    """The rows of a file of others, none longer than `longest` characters.

    A row ends where its quotes do: a file without an end to one would be read as a single row.

    Raises:
        csv.Error: a row is longer, or the file is no CSV.
    """
    lines = _Lines(file, longest)
    for row in csv.reader(lines, delimiter=delimiter):
        lines.left = longest
        yield row


class _Lines:
    """The lines of a file, as long as those of one row are no longer than a row may be; `left`: of it."""

    def __init__(self, file: TextIO, longest: int) -> None:
        self._file = file
        self._longest = self.left = longest

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(self._longest + 1):
            self.left -= len(line)
            if self.left < 0:
                raise csv.Error("a row is too long")
            yield line
