"""Purchases that Connectif has by its own word: a file of its activities or of a report, CSV or ZIP.

Which columns such a file has is not documented: the usual names are looked for, and settings name others.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast
from zoneinfo import ZoneInfo

from pipeline.errors import PipelineError
from pipeline.reconcile.table_file import TableFile, cell, open_table, usual_names
from pipeline.reconcile.values import identifier, moment_ms, money

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": (
        *("purchaseid", "idcompra", "iddecompra", "iddelacompra", "purchaseexternalid", "orderid"),
        *("iddepedido", "idpedido", "iddachat", "idacquisto", "externalid", "id"),
    ),
    "date": (
        *("purchasedate", "fechadecompra", "fechacompra", "date", "fecha", "activitydate", "createdat"),
        *("fechadelaactividad", "datedachat"),
    ),
    "total": ("totalprice", "preciototal", "importetotal", "purchaseamount", "total", "importe", "prixtotal"),
}
#: What reading an archive raises whose bytes are not as they were written: negative places, other methods.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError),
)
#: In an archive of activities, the file of the lines of purchases ends so.
_LINES = "-products.csv"


class ExportedPurchase(NamedTuple):
    """A purchase that Connectif has; `at_ms` and `total` are None where the file does not say."""

    id: str
    at_ms: int | None
    total: Decimal | None


def read_export(
    path: Path, columns: dict[str, str], zone: ZoneInfo, decimal: str | None = None
) -> Iterator[ExportedPurchase]:
    """Every purchase of an export's file, each as often as it stands there.

    Args:
        path: a CSV file, or the ZIP as Connectif gives it.
        columns: column of `COLUMNS` -> heading.
        zone: of dates without an offset.
        decimal: the decimal separator; None: it is told from each number.

    Raises:
        PipelineError: it cannot be read, or has no column of purchase ids.
    """
    try:
        with path.open("rb") as file:
            yield from read_export_file(file, path.name, columns, zone, decimal)
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror or error}") from error


def read_export_file(
    file: BinaryIO, name: str, columns: dict[str, str], zone: ZoneInfo, decimal: str | None = None
) -> Iterator[ExportedPurchase]:
    """As `read_export`, of an open file that can be read twice.

    Raises:
        OSError: it cannot be read.
    """
    try:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            yield from _purchases(file, name, columns, zone, decimal)
            return
        with zipfile.ZipFile(file) as archive, archive.open(_member(archive, name)) as member:
            yield from _purchases(cast("BinaryIO", member), name, columns, zone, decimal)
    except DAMAGED as error:
        raise PipelineError(f"{name} is a damaged archive: {error}", hint="export it again") from error


def _member(archive: zipfile.ZipFile, name: str) -> str:
    """The file of the archive that lists purchases."""
    names = [one.filename for one in archive.infolist() if one.filename.lower().endswith(".csv")]
    names.sort(key=lambda one: one.lower().endswith(_LINES))
    if not names:
        raise PipelineError(f"{name} holds no CSV file")
    if archive.getinfo(names[0]).compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # Others name the memory that they take.
        raise PipelineError(f"{name} is compressed in an unusual way", hint="name the CSV file in it")
    return names[0]


def _purchases(
    file: BinaryIO, name: str, columns: dict[str, str], zone: ZoneInfo, decimal: str | None
) -> Iterator[ExportedPurchase]:
    table = open_table(file, name, usual_names(COLUMNS))
    if table.headings:
        places = {column: table.place(columns.get(column), usual) for column, usual in COLUMNS.items()}
    else:
        places = {"id": 0}
    if places["id"] is not None and columns.get("id") is None and _is_connectifs(table, places["id"]):
        places["id"] = None
    if places["id"] is None:
        raise PipelineError(
            f"{name} has no column of purchase ids that is known here",
            hint=f"name it with --export-id-column; {table.known_columns()}; without one, --verify asks",
        )
    for row in table.rows:
        found = identifier(cell(row, places["id"]))
        if found is not None:
            at, total = cell(row, places.get("date")), cell(row, places.get("total"))
            yield ExportedPurchase(
                found,
                moment_ms(at, zone) if at.strip() else None,
                money(total, decimal=decimal) if total.strip() else None,
            )


def _is_connectifs(table: TableFile, place: int) -> bool:
    """Whether a column has Connectif's own ids, of which the shop knows nothing."""
    return bool(table.headings) and table.headings[place].strip().lstrip("\ufeff") == "_id"
