"""What is in an export's ZIP: contacts, activities with their product lines, or a report."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO

from pipeline.sandbox.connectif.jobs.exports import ExportJob
from pipeline.sandbox.connectif.model.account_data import AccountData
from pipeline.sandbox.connectif.model.contacts import UNSUBSCRIPTION_FIELDS, WRITABLE
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.storage import StoredElement

_FORMATS = {"L": "%d/%m/%Y", "LL": "%d %B %Y", "LLL": "%d %B %Y %H:%M"}
_DERIVED = (
    "_totalPurchases",
    "_totalPurchasesAmount",
    "_averagePurchasesAmount",
    "_firstPurchaseDate",
    "_lastPurchaseDate",
)
_LINE = ("productId", "name", "productDetailUrl", "unitPrice", "quantity", "price")


def purchases_in(data: AccountData, export: ExportJob) -> Iterator[StoredElement]:
    """The purchases of the export's span, by the date that the behaviour names."""
    by_purchase = data.simulation.behaviour.export_date_by == "purchase"
    wanted = _activity_types(export)
    if wanted and "purchase" not in wanted:
        return
    for element in data.purchases.storage.existing():
        at = element.event_time if by_purchase else element.created
        after, before = export.after, export.before
        if (after is None or at >= after) and (before is None or at < before):
            yield element


def count_rows(data: AccountData, export: ExportJob) -> int:
    """The rows of the export's first file."""
    if export.export_type == "contacts":
        return data.contacts.storage.held
    if export.export_type == "activities":
        return sum(1 for _ in purchases_in(data, export))
    return len(_report_rows(data, export))


def build_zip(data: AccountData, export: ExportJob) -> BinaryIO:
    """The ZIP, at its beginning; the caller closes it."""
    files: dict[str, Iterable[Sequence[Any]]] = {}
    name = export.file_name
    if export.export_type == "contacts":
        files[f"{name}.csv"] = _contact_rows(data)
    elif export.export_type == "activities":
        files[f"{name}.csv"] = _activity_rows(data, export)
        files[f"{name}-products.csv"] = _line_rows(data, export)
    else:
        report = _report_rows(data, export)
        files[f"{name}.csv"] = [
            ("year", "month", "day", "purchaseOrigin", "numberOfPurchases", "totalPurchaseAmount"),
            *report,
        ]
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file_name, rows in files.items():
            # Written to a buffer first: so sizes precede the data, for readers that unpack while they read.
            with tempfile.TemporaryFile() as aside:
                _write(aside, rows, export, bom=data.simulation.behaviour.export_bom)
                aside.seek(0)
                info = zipfile.ZipInfo(file_name, datetime.fromtimestamp(export.ends, UTC).timetuple()[:6])
                info.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(info, aside.read())
    archive.seek(0)
    return archive


def _write(file: IO[bytes], rows: Iterable[Sequence[Any]], export: ExportJob, *, bom: bool) -> None:
    text = io.TextIOWrapper(file, "utf-8-sig" if bom else "utf-8", newline="")
    delimiter = export.request["delimiter"]
    if export.export_type == "data-explorer":
        csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    else:
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    text.detach()


def _contact_rows(data: AccountData) -> Iterator[Sequence[Any]]:
    custom = [str(definition["id"]) for definition in data.contact_fields.all()]
    columns = ["_email", "_externalId", *WRITABLE, *custom, *UNSUBSCRIPTION_FIELDS, *_DERIVED]
    yield columns
    for element in data.contacts.storage.existing():
        contact = data.contacts.to_json(element)
        yield [_cell(contact.get(name)) for name in columns]


def _activity_rows(data: AccountData, export: ExportJob) -> Iterator[Sequence[Any]]:
    columns = ["_id", "_type", "_createdAt", "contactId", "contactEmail", "purchaseDate", "totalPrice"]
    columns += ["totalQuantity", "paymentMethod", "origin"]
    if data.simulation.behaviour.export_purchase_id:
        columns.insert(3, "purchaseId")
    yield columns
    for element in purchases_in(data, export):
        row = {
            **element.body,
            "_id": element.id,
            "_type": "purchase",
            "_createdAt": _date(element.created, export),
            "purchaseDate": _date(element.event_time, export),
            "origin": "API",
        }
        yield [_cell(row.get(name)) for name in columns]


def _line_rows(data: AccountData, export: ExportJob) -> Iterator[Sequence[Any]]:
    yield ("_activityId", *_LINE)
    for element in purchases_in(data, export):
        for line in element.body["products"]:
            yield (element.id, *(_cell(line.get(name)) for name in _LINE))


def _report_rows(data: AccountData, export: ExportJob) -> list[Sequence[Any]]:
    """Purchases and their sum by day; the store's time zone is UTC."""
    days: defaultdict[tuple[int, int, int], list[float]] = defaultdict(list)
    for element in data.purchases.storage.existing():
        if (export.after or 0.0) <= element.event_time < (export.before or 0.0):
            day = datetime.fromtimestamp(element.event_time, UTC)
            days[day.year, day.month, day.day].append(float(element.body["totalPrice"]))
    return [(*day, "API", len(amounts), f"{sum(amounts):.2f}") for day, amounts in sorted(days.items())]


def _activity_types(export: ExportJob) -> list[str]:
    filters = export.request.get("filters", {})
    wanted: list[str] = filters.get("activityTypes") or []
    return wanted


def _date(at: float, export: ExportJob) -> str:
    pattern = _FORMATS.get(export.request.get("dateFormat", "ISO"))
    return iso(at) if pattern is None else datetime.fromtimestamp(at, UTC).strftime(pattern)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "|".join(str(item) for item in value)
    return str(value)
