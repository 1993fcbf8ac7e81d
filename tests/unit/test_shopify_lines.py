"""Lines of Shopify orders that are no ordinary ones: below zero, twice, gaps, gift cards, SKUs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Purchase
from pipeline.shops.base import Rejected
from tests.shopify import load, order_line, paid_order, products_of, purchase_draft, retract, store, translate

ORDER = "5912345678901234567"
SHIRT = order_line()


def told(*lines: Any, context: Any = None, **changes: Any) -> tuple[Purchase, tuple[str, ...]]:
    draft = purchase_draft(translate("orders/paid", paid_order(line_items=list(lines), **changes), context))
    assert isinstance(draft.body, Purchase)
    return draft.body, draft.notes


def money(amount: str) -> dict[str, Any]:
    return {"shop_money": {"amount": amount, "currency_code": "EUR"}}


@pytest.mark.parametrize(
    "below",
    [
        {"price": "-5.00"},
        {"price": -5},
        {"price_set": money("-5.00")},
        {"quantity": -1},
        {"current_quantity": -1},
        {"total_discount": "-1.00"},
        {"discount_allocations": [{"amount": "-1.00"}]},
        {"discount_allocations": [{"amount_set": money("-1.00")}]},
    ],
)
def test_a_line_below_zero_is_left_out_and_the_total_stands(below: dict[str, Any]) -> None:
    purchase, notes = told(SHIRT, order_line(id=2, product_id=78, title="Trade-in", **below))
    assert [line.product_id for line in purchase.lines] == ["77"]
    assert purchase.total_price == Decimal("40.85")
    assert notes == ("negative_line",)


def test_tax_below_zero_leaves_the_line_out_where_tax_is_read() -> None:
    line = order_line(id=2, product_id=78, tax_lines=[{"price": "-0.21"}])
    assert len(told(SHIRT, line, taxes_included=False)[0].lines) == 2
    purchase, notes = told(SHIRT, line, taxes_included=False, context=store(tax="included"))
    assert (len(purchase.lines), notes) == (1, ("negative_line",))


def test_an_order_of_lines_below_zero_only_needs_a_placeholder_and_is_not_taken_for_refunded() -> None:
    line = order_line(price="-5.00")
    with pytest.raises(Rejected, match="no_products"):
        told(line)
    purchase, notes = told(line, context=store(placeholder_product="other"))
    assert (purchase.lines[0].product_id, purchase.total_price) == ("other", Decimal("40.85"))
    assert notes == ("negative_line", "placeholder_product")


def test_where_all_else_was_refunded_a_line_below_zero_keeps_nothing() -> None:
    lines = [order_line(current_quantity=0), order_line(id=2, price="-5.00")]
    body = paid_order(line_items=lines, financial_status="partially_refunded")
    assert translate("orders/updated", body).drafts == (retract(ORDER),)


def test_a_line_repeated_under_its_own_id_counts_once() -> None:
    purchase, notes = told(SHIRT, dict(SHIRT))
    assert (purchase.total_quantity, purchase.lines[0].price) == (1, Decimal("10.00"))
    assert notes == ("line_repeated",)


def test_two_lines_of_one_product_are_both_counted() -> None:
    purchase, notes = told(SHIRT, order_line(id=2))
    assert (purchase.total_quantity, notes) == (2, ())


def test_lines_whose_ids_were_rounded_to_one_are_both_counted() -> None:
    rounded = 820982911946154500
    purchase, _ = told(order_line(id=rounded), order_line(id=rounded))
    assert purchase.total_quantity == 2
    gids = [f"gid://shopify/LineItem/8209829119461545{n}" for n in ("08", "09")]
    lines = [order_line(id=rounded, admin_graphql_api_id=gid) for gid in (*gids, gids[0])]
    purchase, notes = told(*lines)
    assert (purchase.total_quantity, notes) == (2, ("line_repeated",))


def test_lines_without_an_id_are_not_taken_for_one() -> None:
    assert told(order_line(id=None), order_line(id=None))[0].total_quantity == 2


def test_a_gap_in_the_lines_and_in_their_discounts_is_passed_over() -> None:
    purchase, notes = told(None, order_line(discount_allocations=[None, {"amount": "1.00"}]))
    assert (purchase.lines[0].price, notes) == (Decimal("9.00"), ("line_unreadable",))


def test_a_gift_card_as_payment_lowers_no_total() -> None:
    gateways = ["gift_card", "shopify_payments"]
    purchase, notes = told(SHIRT, payment_gateway_names=gateways, total_outstanding="0.00")
    assert (purchase.total_price, purchase.payment_method) == (
        Decimal("40.85"),
        "gift_card, shopify_payments",
    )
    assert notes == ()
    whole, _ = told(SHIRT, payment_gateway_names=["gift_card"], total_outstanding="20.85")
    assert whole.total_price == Decimal("40.85")


def test_a_refund_to_a_gift_card_leaves_what_remains() -> None:
    refunds = [{"transactions": [{"gateway": "gift_card", "kind": "refund", "amount": "10.00"}]}]
    purchase, _ = told(
        order_line(quantity=2, current_quantity=1),
        financial_status="partially_refunded",
        current_total_price_set=money("30.85"),
        refunds=refunds,
    )
    assert (purchase.total_price, purchase.total_quantity) == (Decimal("30.85"), 1)


@pytest.mark.parametrize(
    ("changes", "told_as", "notes"),
    [
        ({}, "SHIRT", ()),
        ({"product_id": None}, "SHIRT", ()),
        ({"sku": 123}, "123", ()),
        ({"sku": " "}, "770", ("sku_missing",)),
        ({"sku": None, "variant_id": None}, "77", ("sku_missing", "variant_missing")),
        ({"sku": ["SHIRT"]}, "770", ("sku_missing", "sku_unreadable")),
    ],
)
def test_products_can_be_sent_by_sku_and_where_there_is_none_by_the_id(
    changes: dict[str, Any], told_as: str, notes: tuple[str, ...]
) -> None:
    purchase, found = told(order_line(**changes), context=store(product_id="sku"))
    assert purchase.lines[0].product_id == told_as
    assert found == notes


def test_the_catalogue_tells_skus_as_the_lines_do() -> None:
    variants = [
        {"id": 770, "title": "M", "price": "20.00", "sku": "SHIRT-M", "inventory_quantity": 1},
        {"id": 771, "title": "L", "price": "25.00", "sku": "", "inventory_quantity": 1},
        {"id": 772, "title": "XL", "price": "30.00", "sku": "SHIRT-M", "inventory_quantity": 1},
    ]
    body = load("webhook-products_update-2026-04") | {"variants": variants, "handle": "shirt"}
    by_sku = store(product_id="sku")
    medium, large = translate("products/update", body, by_sku).drafts
    assert (medium.id, large.id) == ("SHIRT-M", "771")
    assert ("sku_repeated" in medium.notes, "sku_missing" in large.notes) == (True, True)
    first, second = products_of(translate("products/update", body, by_sku))
    assert (first.url, second.url) == (
        "https://acme.example/products/shirt?variant=770",
        "https://acme.example/products/shirt?variant=771",
    )
    hidden = translate("products/update", body | {"status": "draft"}, by_sku).drafts
    assert [draft.id for draft in hidden] == ["SHIRT-M", "771"]
    assert translate("products/delete", {"id": 77}, by_sku).drafts[0].id is None


@pytest.mark.parametrize(
    ("attributes", "cart", "notes"),
    [
        ([{"name": "cartId", "value": "k-1"}], "k-1", ()),
        ([None, {"name": "gift", "value": "yes"}, {"name": "cartId", "value": 17}], "17", ()),
        ([{"name": "cartId", "value": ""}], "c1", ()),
        ([{"name": "cartId", "value": {"id": 1}}], "c1", ("cart_id_unreadable",)),
        ([], "c1", ()),
        ({"cartId": "k-1"}, "c1", ("note_attributes_unreadable",)),
        ("cartId", "c1", ("note_attributes_unreadable",)),
        (["cartId"], "c1", ("note_attributes_unreadable",)),
    ],
)
def test_the_cart_is_the_one_connectifs_app_wrote_before_the_shops_token(
    attributes: object, cart: str, notes: tuple[str, ...]
) -> None:
    purchase, found = told(SHIRT, note_attributes=attributes, cart_token="c1")
    assert (purchase.cart_id, found) == (cart, notes)
