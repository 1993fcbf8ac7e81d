"""The orders that a shop has: what any source of them gives, and the one that reads the shop's own export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import BinaryIO, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from pipeline.errors import PipelineError
from pipeline.reconcile.table_file import TableFile, cell, open_table, usual_names
from pipeline.reconcile.values import identifier, moment_ms, money


class ShopOrder(NamedTuple):
    """One order as the shop has it.

    Attributes:
        id: the platform's own; empty where the source gives only numbers.
        number: what people call it; empty where the source gives only ids.
        at_ms: when it was placed, epoch milliseconds; None where the source does not say.
        total: what it cost when it was placed, or now.
        currency: of the total; empty where the source does not say.
        status: in the source's words; empty likewise.
        refunded: of the total; None likewise.
    """

    id: str
    number: str = ""
    at_ms: int | None = None
    total: Decimal | None = None
    currency: str = ""
    status: str = ""
    refunded: Decimal | None = None


class ShopOrders(Protocol):
    """Where a shop's orders come from: a file, or its API."""

    def orders(self) -> Iterator[ShopOrder]:
        """Every order; one may come more than once, and then what was empty is filled.

        Raises:
            PipelineError: the source cannot be read (on).
        """

    def remarks(self) -> list[str]:
        """What could not be read, in words; complete once the orders are through."""


#: Column -> headings, as `values.name_of_column` writes them, the best first. The exports of
#: shops' own admins, the common plugins', and what shops in other languages write.
COLUMNS: dict[str, tuple[str, ...]] = {
    "id": (
        *("id", "orderid", "iddepedido", "idpedido", "pedidoid", "bestellid", "bestellungsid"),
        *("idcommande", "iddelacommande", "idordine", "iddoencomenda", "idencomenda", "idcomanda"),
    ),
    "number": (
        *("ordernumber", "ordernr", "orderno", "name", "order", "ordername", "numerodepedido"),
        *("numeropedido", "pedido", "pedidonumber", "bestellnummer", "bestellung", "auftragsnummer"),
        *("numerodecommande", "commande", "commandenumber", "numeroordine", "ordine", "numerodeordem"),
        *("numerodaencomenda", "encomenda", "numerodecomanda", "comanda", "bestellungnumber"),
    ),
    "date": (
        *("createdat", "orderdate", "datecreated", "datecreatedgmt", "date", "dateordered", "orderedat"),
        *("fecha", "fechadelpedido", "fechadepedido", "fechadecreacion", "bestelldatum", "datum"),
        *("datedecommande", "datedelacommande", "dataordine", "data", "datadopedido", "datadecomanda"),
        *("erstelltam", "creele", "creadoel", "processedat", "paidat"),
    ),
    "total": (
        *("total", "ordertotal", "ordertotalamount", "totalprice", "currenttotalprice", "grandtotal"),
        *("totaldelpedido", "importetotal", "importe", "gesamtsumme", "gesamtbetrag", "gesamt"),
        *("totaldelacommande", "montanttotal", "totale", "totaleordine", "totaldopedido", "valortotal"),
    ),
    "currency": (
        "currency",
        "ordercurrency",
        "currencycode",
        "moneda",
        "wahrung",
        "devise",
        "valuta",
        "moeda",
    ),
    "status": (
        *("financialstatus", "orderstatus", "status", "estadofinanciero", "estadodelpedido", "estado"),
        *("bestellstatus", "zahlungsstatus", "statut", "statutdelacommande", "stato", "estat"),
    ),
    "refunded": ("refundedamount", "orderrefundamount", "refundamount", "importereembolsado", "refunds"),
    "cancelled": ("cancelledat", "canceledat", "canceladoel", "stornierungsdatum"),
}
_KNOWN = usual_names(COLUMNS) | {"number", "ordernumber"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read; None: as its headings say.

    Attributes:
        zone: of dates without an offset.
        columns: column of `COLUMNS` -> heading.
        date_format: as `datetime.strptime` takes it.
        decimal: `,` or `.`.
    """

    zone: ZoneInfo
    columns: dict[str, str] = field(default_factory=dict)
    date_format: str | None = None
    decimal: str | None = None


class ShopFile:
    """An export of the shop's admin, or ids line by line; see `ShopOrders`.

    Args:
        file: its bytes.
        name: for errors.
        how: how it is read.

    Raises:
        PipelineError: it has no column of ids or numbers.
    """

    def __init__(self, file: BinaryIO, name: str, how: Reading) -> None:
        self._how = how
        self._table: TableFile = open_table(file, name, _KNOWN)
        self._unread: Counter[str] = Counter()
        if self._table.headings:
            self._places = {
                column: self._table.place(how.columns.get(column), usual) for column, usual in COLUMNS.items()
            }
        else:
            self._places = {"id": 0}
        if self._places.get("id") is None and self._places.get("number") is None:
            raise PipelineError(
                f"{name} has no column of order ids that is known here",
                hint=f"name it with --id-column or --number-column; {self._table.known_columns()}",
            )

    @property
    def has_ids(self) -> bool:
        """Whether there is a column of the platform's ids, or nothing but ids."""
        return self._places.get("id") is not None

    @property
    def has_numbers(self) -> bool:
        """Whether there is a column of order numbers."""
        return self._places.get("number") is not None

    def orders(self) -> Iterator[ShopOrder]:
        """See `ShopOrders`. Exports repeat an order's number for its lines, without its id."""
        last: ShopOrder | None = None
        for row in self._table.rows:
            order = self._order(row)
            if order is None:
                if not (last is not None and last.number and last.number == self._number(row)):
                    self._unread["rows without a readable order id"] += 1
                continue
            if order.id or not (last is not None and last.number == order.number):
                last = order
                yield order

    def remarks(self) -> list[str]:
        """See `ShopOrders`."""
        return [f"{count:,} {what}" for what, count in sorted(self._unread.items())]

    def _number(self, row: list[str]) -> str:
        return identifier(cell(row, self._places.get("number"))) or ""

    def _order(self, row: list[str]) -> ShopOrder | None:
        places = self._places
        order_id, number = identifier(cell(row, places.get("id"))) or "", self._number(row)
        if (self.has_ids and not order_id) or not (order_id or number):
            return None
        currency = cell(row, places.get("currency")).strip()[:3].upper()
        at = cell(row, places.get("date"))
        at_ms = moment_ms(at, self._how.zone, self._how.date_format) if at.strip() else None
        if at.strip() and at_ms is None:
            self._unread["dates that cannot be read (name their form with --date-format)"] += 1
        status = cell(row, places.get("status")).strip()[:50]
        if cell(row, places.get("cancelled")).strip():
            status = "cancelled"
        return ShopOrder(
            order_id,
            number,
            at_ms,
            self._money(row, "total", currency),
            currency,
            status if status.isprintable() and "@" not in status else "",
            self._money(row, "refunded", currency),
        )

    def _money(self, row: list[str], column: str, currency: str) -> Decimal | None:
        text = cell(row, self._places.get(column))
        if not text.strip():
            return None
        amount = money(text, currency, self._how.decimal)
        if amount is None:
            self._unread[f"amounts of the column {column} that cannot be read"] += 1
        return amount
