"""What shops' exports and Connectif's look like in the wild, and what is read of them."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.reconcile.connectif_export import read_export
from pipeline.reconcile.shop_orders import Reading, ShopFile, ShopOrder
from pipeline.reconcile.values import identifier, moment_ms, money
from tests.order_exports import shopify_export

MADRID = ZoneInfo("Europe/Madrid")
UTC = ZoneInfo("UTC")
#: 2026-01-05T09:00:00Z.
NINE = 1_767_603_600_000


def read(content: str | bytes, **how: Any) -> list[ShopOrder]:
    """The orders of a file."""
    return shop_file(content, **how)[0]


def shop_file(content: str | bytes, **how: Any) -> tuple[list[ShopOrder], list[str]]:
    """The orders of a file, and what is said of it."""
    raw = content.encode() if isinstance(content, str) else content
    source = ShopFile(io.BytesIO(raw), "orders.csv", Reading(MADRID, **how))
    return list(source.orders()), source.remarks()


def shopify_order(number: int) -> dict[str, Any]:
    """As the export shows one."""
    return {
        "id": number,
        "name": f"#{number}",
        "email": "ana@mail.example",
        "financial_status": "paid",
        "currency": "EUR",
        "total_price": "10.00",
        "current_total_price": "10.00",
        "created_at": "2026-01-05T10:00:00+01:00",
    }


def test_shopifys_export_has_several_lines_for_an_order_and_gives_it_once() -> None:
    orders, remarks = shop_file(shopify_export([shopify_order(5_912_345_678_901), shopify_order(7)]))
    first = ShopOrder(
        "5912345678901", "#5912345678901", NINE, Decimal("10.00"), "EUR", "paid", refunded=Decimal("0.00")
    )
    assert [order.id for order in orders] == ["5912345678901", "7"]
    assert orders[0] == first
    assert remarks == []


def test_woocommerces_export_is_read_by_its_own_names() -> None:
    [order] = read(
        "Order ID,Order Number,Order Date,Status,Order Total Amount,Order Currency\n"
        '812,812,"2026-01-05 10:00",wc-processing,"1,234.50",EUR\n'
    )
    assert order == ShopOrder("812", "812", NINE, Decimal("1234.50"), "EUR", "wc-processing")


@pytest.mark.parametrize(
    "headings",
    [
        "ID de pedido;Fecha del pedido;Importe total",
        "Bestell-ID;Bestelldatum;Gesamtsumme",
        "ID commande;Date de commande;Montant total",
        "ID ordine;Data ordine;Totale",
        "id;created_at;total",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_columns_are_found_in_several_languages_and_encodings(headings: str, encoding: str) -> None:
    content = f"{headings};Nota\n17;2026-01-05 10:00;1.234,50 €;España\n"
    [order] = read(content.encode(encoding))
    assert (order.id, order.at_ms, order.total) == ("17", NINE, Decimal("1234.50"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_ending_is_read(delimiter: str, ending: str) -> None:
    lines = [["Id", "Note", "Total"], ["1", '"a\nb"', "5"], ["2", '"x;y,z|"', "6"]]
    content = ending.join(delimiter.join(line) for line in lines)
    assert [(order.id, order.total) for order in read(content)] == [("1", Decimal(5)), ("2", Decimal(6))]


def test_ids_alone_are_a_list() -> None:
    assert [order.id for order in read("1001\n\n1002\r\n  1003 \n")] == ["1001", "1002", "1003"]
    assert [order.id for order in read("id\n1001\n")] == ["1001"]


def test_a_heading_is_named_where_none_is_known() -> None:
    content = "Ref;Cuando;Suma\nA-1;05/01/2026 10:00;7,5\n"
    with pytest.raises(PipelineError, match="Ref, Cuando, Suma"):
        read(content)
    [order] = read(
        content, columns={"id": "ref", "date": "Cuando", "total": "SUMA"}, date_format="%d/%m/%Y %H:%M"
    )
    assert order == ShopOrder("A-1", "", NINE, Decimal("7.5"))


def test_an_error_repeats_no_persons_of_a_file_without_headings() -> None:
    with pytest.raises(PipelineError) as raised:
        read("ana@mail.example,5,Calle 3\n")
    assert "ana" not in str(raised.value)
    assert "Calle" not in str(raised.value)


def test_what_a_spreadsheet_rounded_is_no_id_and_is_said() -> None:
    orders, remarks = shop_file("Id,Total\n5.91235E+12,1\n7,1\n")
    assert [order.id for order in orders] == ["7"]
    assert remarks == ["1 rows without a readable order id"]


def test_dates_in_no_known_form_are_said() -> None:
    [order], remarks = shop_file("Id,Date\n7,05/01/2026\n")
    assert order.at_ms is None
    assert "--date-format" in remarks[0]


def test_an_empty_file_and_a_quote_without_its_end_are_errors_in_words() -> None:
    with pytest.raises(PipelineError, match="is empty"):
        read("")
    with pytest.raises(PipelineError, match="row 2 cannot be read"):
        read('Id,Note\n1,"' + "x" * 600_000)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("1234", "1234"),
        (" #1001 ", "#1001"),
        ('="1234"', "1234"),
        ("'1234", "1234"),
        ("1234.0", "1234"),
        ("", None),
        ("5,91E+12", None),
        ("ana@mail.example", None),
        ("a\x00b", None),
        ("x" * 201, None),
    ],
)
def test_an_id_is_as_the_shop_wrote_it_or_none(cell: str, found: str | None) -> None:
    assert identifier(cell) == found


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("10", "10"),
        ("1,234.56", "1234.56"),
        ("1.234,56 €", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56 EUR", "1234.56"),
        ("1'234.50 CHF", "1234.50"),
        ("$1,234", "1234"),
        ("1.234", "1234"),
        ("1,234,567", "1234567"),
        ("12,5", "12.5"),
        ("(3.00)", "-3.00"),
        ("-4,20", "-4.20"),
        ("", None),
        ("free", None),
        ("1 / 2", None),
        ("9" * 41, None),
    ],
)
def test_amounts_are_read_with_their_separators(cell: str, amount: str | None) -> None:
    assert money(cell) == (None if amount is None else Decimal(amount))


def test_what_three_digits_are_depends_on_the_currency_and_the_setting() -> None:
    assert money("1.234", "KWD") == Decimal("1.234")
    assert money("1.234", decimal=".") == Decimal("1.234")
    assert money("1,5", decimal=".") == Decimal(15)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-05 10:00:00 +0100",
        "2026-01-05T09:00:00Z",
        "2026-01-05 09:00:00 UTC",
        "2026-01-05T10:00:00+01:00",
        "2026-01-05 10:00",
        "2026/01/05 10:00:00",
    ],
)
def test_moments_are_read_in_the_zone_of_the_store(cell: str) -> None:
    assert moment_ms(cell, MADRID) == NINE


@given(st.text(max_size=60))
def test_no_cell_is_an_error(cell: str) -> None:
    identifier(cell)
    money(cell)
    moment_ms(cell, UTC)


@given(st.binary(max_size=400))
def test_any_bytes_are_orders_or_an_error_in_words(content: bytes) -> None:
    try:
        orders = read(content)
    except PipelineError:
        return
    assert all(order.id or order.number for order in orders)


ids = st.text("abcdefghij0123456789-#", min_size=1, max_size=20).filter(
    lambda text: identifier(text) == text and text not in {"id", "name"}
)


@given(
    st.lists(ids, unique=True, min_size=1, max_size=20),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30),
)
def test_every_id_of_a_table_comes_out_once_and_in_order(
    wanted: list[str], delimiter: str, encoding: str, note: str
) -> None:
    quoted = note.replace('"', '""')
    rows = [f'{one}{delimiter}"{quoted}"{delimiter}9.99' for one in wanted]
    content = "\r\n".join([delimiter.join(("Order ID", "Note", "Total")), *rows, ""]).encode(encoding)
    assert [order.id for order in read(content)] == wanted


def test_connectifs_archive_of_activities_is_read_without_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x-products.csv", "purchaseId,productId\n9,1\n")
        archive.writestr(
            "x.csv", "\ufeffPurchase Id,Purchase date,Total price\n17,2026-01-05T09:00:00Z,5.5\n"
        )
    [purchase] = read_export(path, {}, UTC)
    assert purchase == ("17", NINE, Decimal("5.5"))


def test_a_damaged_archive_or_unknown_columns_are_errors_in_words(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.csv", "Purchase Id\n17\n")
    content = bytearray(path.read_bytes())
    content[40] ^= 255
    path.write_bytes(content)
    with pytest.raises(PipelineError, match="damaged"):
        list(read_export(path, {}, UTC))
    path.write_text("Compra;Origen\n17;web\n")
    with pytest.raises(PipelineError, match="--export-id-column"):
        list(read_export(path, {}, UTC))
    assert [one.id for one in read_export(path, {"id": "compra"}, UTC)] == ["17"]
