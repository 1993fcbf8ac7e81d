"""Orders of custom shops in forms that the contract does not have, and what is made of each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.generic import (
    order,
    refused,
    sold,
    translate,
    with_line,
)

# Money


@pytest.mark.parametrize(
    ("currency", "written", "total"),
    [
        ("EUR", 44.849999999999994, "44.85"),
        ("EUR", 0.1 + 0.2, "0.30"),
        ("EUR", "44.8549", "44.85"),
        ("EUR", "44.855", "44.86"),
        ("EUR", 1e2, "100"),
        ("EUR", -0.0, "0"),
        ("EUR", "-0.00", "0"),
        ("EUR", 7, "7"),
        ("JPY", "1999.6", "2000"),
        ("KWD", "1.2345", "1.235"),
        (None, "1.23456", "1.2346"),
    ],
)
def test_money_is_read_as_written_and_rounded_to_the_currency(
    currency: Any, written: Any, total: str
) -> None:
    draft, purchase = sold(order(total=written, currency=currency))
    assert purchase.total_price == Decimal(total)
    assert purchase.total_price.as_tuple().sign == 0
    exact = Decimal(str(written)) == Decimal(total)
    assert ("amount_rounded" in draft.notes) is not exact


@pytest.mark.parametrize("written", ["44,85", "€44.85", "1_000", "NaN", "", -5, True, [1], {}, "9" * 99])
def test_what_is_no_money_is_refused(written: Any) -> None:
    assert refused("order.updated", order(total=written)).reason == "invalid_money"


@pytest.mark.parametrize(("written", "code"), [("eur", "EUR"), (" EUR ", "EUR")])
def test_a_currency_is_its_code_in_any_case(written: str, code: str) -> None:
    assert sold(order(currency=written), currency=code)


@pytest.mark.parametrize("written", ["€", "EURO", 978, ["EUR"], ""])
def test_a_symbol_names_no_currency(written: Any) -> None:
    assert refused("order.updated", order(currency=written), currency="EUR").field == "data.currency"
    notes = sold(order(currency=written))[0].notes
    assert "currency_missing" in notes
    assert ("currency_unreadable" in notes) is bool(written)


def test_the_lines_name_the_currency_where_the_order_does_not() -> None:
    data = with_line(currency="eur")
    del data["currency"]
    assert "currency_from_lines" in sold(data, currency="EUR")[0].notes
    assert refused("order.updated", data, currency="USD").reason == "currency_mismatch"
    assert refused("order.updated", with_line(currency="USD")).reason == "currency_mismatch"


def test_a_lines_total_counts_before_its_units_price() -> None:
    [line] = sold(with_line(unit_price="10.00", total="18.00"))[1].lines
    assert (line.unit_price, line.unit_price_original, line.price) == (Decimal(9), Decimal(10), Decimal(18))
    [line] = sold(with_line(unit_price=None, total="18.00"))[1].lines
    assert (line.unit_price, line.unit_price_original) == (Decimal(9), Decimal(9))
    assert refused("order.updated", with_line(unit_price=None)).field == "data.line_items.0.total"


@pytest.mark.parametrize(
    ("setting", "included", "price"),
    [("included", False, 24), ("included", True, 20), ("excluded", True, 16), ("excluded", False, 20)],
)
def test_tax_is_put_in_or_taken_out_as_the_store_asks(setting: str, included: bool, price: int) -> None:
    data = with_line(tax="4.00") | {"prices_include_tax": included}
    assert sold(data, tax=setting)[1].lines[0].price == price
    assert (
        refused("order.updated", data | {"prices_include_tax": None}, tax=setting).reason == "missing_field"
    )


# What is sold, and what is left of it


@pytest.mark.parametrize("payment", ["paid", "PAID", "partially_refunded", "Partially Refunded"])
def test_a_paid_order_is_sold_whatever_its_own_status(payment: str) -> None:
    assert sold(order(payment_status=payment, status="on the bench", total_refunded="0"))


@pytest.mark.parametrize(
    "payment", ["pending", "authorized", "unpaid", "failed", "expired", "voided", "refunded"]
)
def test_an_order_that_is_not_paid_takes_its_purchase_back(payment: str) -> None:
    [draft] = translate("order.updated", order(payment_status=payment)).drafts
    assert (draft.op.value, draft.if_emitted) == ("retract", True)


def test_a_sale_in_question_stays_as_it_was() -> None:
    assert translate("order.updated", order(payment_status="partially_paid")).drafts == ()


@pytest.mark.parametrize("payment", [None, "", 7, [], "laid_away"])
def test_whether_it_is_sold_is_never_guessed(payment: Any) -> None:
    refusal = refused("order.updated", order(payment_status=payment))
    assert refusal.reason == ("unknown_status" if payment == "laid_away" else "missing_field")
    listed = order(payment_status=payment, status="Shipped")
    assert sold(listed, sold_statuses=["shipped"])
    assert translate("order.updated", listed, sold_statuses=["packed"]).ignored == "not_sold"


@pytest.mark.parametrize("status", ["cancelled", "canceled", "Cancelled"])
def test_a_cancelled_order_is_cancelled_though_it_was_paid(status: str) -> None:
    assert translate("order.updated", order(status=status)).ignored == "cancelled"
    assert translate("order.cancelled", order(status="processing")).ignored == "cancelled"
    assert translate("order.cancelled", {"id": "1001"}).ignored == "cancelled"


def test_a_refund_is_read_from_amounts_and_not_from_a_state() -> None:
    refund = {"id": "R1", "amount": "5.00"}
    _, purchase = sold(order(refunds=[refund, refund]))  # listed twice, it counts once
    assert (purchase.total_price, purchase.lines[0].quantity) == (Decimal(15), 2)
    assert sold(order(total_refunded="5.00"))[1].total_price == 15
    assert sold(order(total_refunded="5.00"), on_partial_refund="keep")[1].total_price == 20
    assert translate("order.updated", order(total_refunded="20.00")).ignored == "refunded"
    assert translate("order.updated", order(total_refunded="99")).ignored == "refunded"
    unsaid = order(payment_status="partially_refunded")
    assert refused("order.updated", unsaid).field == "data.total_refunded"


def test_with_all_goods_back_and_the_postage_kept_the_purchase_goes() -> None:
    back = [{"id": "R1", "amount": "20.00", "lines": [{"line_id": "L1", "quantity": 2}]}]
    assert translate("order.updated", order(total="24.95", refunds=back)).ignored == "all_lines_refunded"
    one = [{"amount": "10.00", "lines": [{"line_id": "L1", "quantity": 1}, {"line_id": "L9", "quantity": 1}]}]
    _, purchase = sold(order(total="24.95", refunds=one))
    assert (purchase.total_price, purchase.total_quantity) == (Decimal("14.95"), 1)


@pytest.mark.parametrize("refunds", ["x", 7, [None, "x"], [{"amount": "1", "lines": "x"}]])
def test_refunds_in_an_odd_form_are_noted_where_the_total_is_said(refunds: Any) -> None:
    draft, purchase = sold(order(refunds=refunds, total_refunded="1.00"))
    assert purchase.total_price == 19
    assert {"refunds_unreadable", "lines_unreadable"} & set(draft.notes)


@pytest.mark.parametrize("test", [True, "true", 1, "yes"])
def test_a_test_order_is_no_sale_unless_the_store_says_so(test: Any) -> None:
    assert translate("order.updated", order(test=test)).ignored == "test_order"
    assert sold(order(test=test), accept_test_orders=True)


# Lines


def test_lines_that_are_repeated_below_zero_or_empty_are_left_out_and_noted() -> None:
    data = order()
    first = data["line_items"][0]
    data["line_items"] += [first, {**first, "line_id": "L2", "unit_price": "-3.00"}, None]
    data["line_items"].append({**first, "line_id": "L3", "quantity": 0, "unit_price": "0"})
    draft, purchase = sold(data)
    assert [line.quantity for line in purchase.lines] == [2]
    assert {"line_repeated", "negative_line", "line_unreadable", "line_without_quantity"} <= set(draft.notes)


@pytest.mark.parametrize("lines", [None, "x", {}, [7], ["x"]])
def test_lines_that_are_none_are_refused(lines: Any) -> None:
    assert refused("order.updated", order(line_items=lines)).reason in {"missing_field", "invalid_line"}


def test_a_gift_stays_a_line_and_a_tip_does_not() -> None:
    data = order()
    data["line_items"] += [
        {"line_id": "L2", "product_id": "GIFT", "name": "Gift", "quantity": 1, "unit_price": 0},
        {"line_id": "L3", "name": "Tip", "quantity": 1, "unit_price": "1.00"},
    ]
    draft, purchase = sold(data)
    assert [(line.product_id, line.price) for line in purchase.lines] == [
        ("77", Decimal(20)),
        ("GIFT", Decimal(0)),
    ]
    assert "line_without_product" in draft.notes


def test_the_page_of_a_line_is_its_own_else_by_the_stores_form() -> None:
    assert sold(order())[1].lines[0].url == "https://shop.example/p/mug"
    assert sold(with_line(product_url="mug.html"))[1].lines[0].url == "https://acme.example/products/77"
