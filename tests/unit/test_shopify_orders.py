"""Each rule of Shopify orders, on the smallest change of a paid one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Line, Purchase
from pipeline.shops.base import Rejected
from tests.shopify import (
    RECEIVED,
    ms,
    order_line,
    paid_order,
    purchase_draft,
    purchase_of,
    retract,
    store,
    translate,
)

ORDER = "5912345678901234567"


def bought(context: Any = None, **changes: Any) -> Purchase:
    return purchase_of(translate("orders/updated", paid_order(**changes), context))


def line_of(line: dict[str, Any], context: Any = None, **changes: Any) -> Line:
    [found] = bought(context, line_items=[line], **changes).lines
    return found


def refusal_of(context: Any = None, **changes: Any) -> tuple[str, str]:
    with pytest.raises(Rejected) as refusal:
        translate("orders/updated", paid_order(**changes), context)
    return refusal.value.reason, refusal.value.field


def shop_money(amount: str, currency: str = "EUR") -> dict[str, Any]:
    return {
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": "9999.99", "currency_code": "XTS"},
    }


@pytest.mark.parametrize("status", ["paid", "partially_refunded"])
def test_a_paid_order_is_sold(status: str) -> None:
    assert bought(financial_status=status).purchase_id == ORDER


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"financial_status": "pending"}, "not_sold"),
        ({"financial_status": "authorized"}, "not_sold"),
        ({"financial_status": "expired"}, "not_sold"),
        ({"financial_status": "refunded"}, "refunded"),
        ({"financial_status": "voided"}, "voided"),
        ({"cancelled_at": "2024-05-09T09:00:00+02:00"}, "cancelled"),
        ({"cancelled_at": "2024-05-09T09:00:00+02:00", "financial_status": None}, "cancelled"),
    ],
)
def test_an_order_that_is_taken_back_takes_its_purchase_along(changes: dict[str, Any], reason: str) -> None:
    translation = translate("orders/updated", paid_order(**changes))
    assert translation.drafts == (retract(ORDER),)
    assert translation.ignored == reason
    assert translation.version == ms("2024-05-06T08:20:30Z")


def test_a_paid_order_that_was_edited_keeps_its_purchase_while_it_waits_for_the_rest() -> None:
    translation = translate("orders/updated", paid_order(financial_status="partially_paid"))
    assert translation.drafts == ()
    assert translation.ignored == "not_sold"
    cancelled = paid_order(financial_status="partially_paid", cancelled_at="2024-05-09T09:00:00+02:00")
    assert translate("orders/updated", cancelled).drafts == (retract(ORDER),)


def test_an_order_of_which_nothing_is_left_takes_its_purchase_along_whatever_its_status() -> None:
    context = store(sold_statuses=["partially_paid"])
    emptied = paid_order(financial_status="partially_paid", line_items=[order_line(current_quantity=0)])
    translation = translate("orders/updated", emptied, context)
    assert (translation.drafts, translation.ignored) == ((retract(ORDER),), "all_lines_refunded")


def test_which_statuses_are_sold_is_a_setting() -> None:
    context = store(sold_statuses=["authorized"])
    assert bought(context, financial_status="authorized").purchase_id == ORDER
    assert translate("orders/paid", paid_order(), context).ignored == "not_sold"


@pytest.mark.parametrize("status", [None, "", 5])
def test_without_a_status_the_purchase_neither_stays_nor_goes(status: object) -> None:
    assert refusal_of(financial_status=status) == ("missing_field", "financial_status")


def test_an_order_taken_back_needs_no_money_and_no_address() -> None:
    body = {"id": 5, "financial_status": "voided", "updated_at": "2024-05-06T10:00:00Z"}
    assert translate("orders/updated", body).drafts == (retract("5"),)


def test_a_deleted_order_takes_its_purchase_back_unless_it_is_kept() -> None:
    gone = translate("orders/delete", {"id": 5})
    assert (gone.drafts, gone.ignored, gone.version) == ((retract(None),), "deleted", RECEIVED)
    kept = translate("orders/delete", {"id": 5}, store(on_order_deleted="keep"))
    assert (kept.drafts, kept.ignored) == ((), "order_kept")


def test_a_deletion_is_as_new_as_the_shop_says_it_happened() -> None:
    event = translate(
        "orders/delete", {"id": 5}, **{"x-shopify-triggered-at": "2026-05-06T08:15:01.123456789Z"}
    )
    assert event.version == ms("2026-05-06T08:15:01Z") + 123


def test_a_test_order_is_sent_only_where_the_store_wants_it() -> None:
    ignored = translate("orders/paid", paid_order(test=True))
    assert (ignored.drafts, ignored.ignored) == ((), "test_order")
    assert bought(store(accept_test_orders=True), test=True).purchase_id == ORDER


def test_a_test_notification_is_ignored_by_its_header() -> None:
    header = {"x-shopify-test": "true"}
    assert translate("orders/paid", paid_order(), **header).ignored == "test_notification"
    assert translate("orders/paid", paid_order(), store(accept_test_orders=True), **header).drafts


def test_the_amount_in_the_shops_money_is_preferred_and_the_buyers_never_taken() -> None:
    purchase = bought(current_total_price="1.00", current_total_price_set=shop_money("40.85"))
    assert purchase.total_price == Decimal("40.85")
    line = order_line(price="1.00", price_set=shop_money("19.95"))
    assert line_of(line).unit_price == Decimal("19.95")


def test_without_the_shops_money_the_plain_amount_counts() -> None:
    without = {"presentment_money": {"amount": "9999.99", "currency_code": "XTS"}}
    assert bought(current_total_price="7.00", current_total_price_set=without).total_price == Decimal("7.00")


def test_an_order_in_another_currency_than_the_accounts_is_refused() -> None:
    assert refusal_of(store("USD")) == ("currency_mismatch", "currency")
    assert bought(store("EUR")).total_price == Decimal("40.85")


def test_an_amount_in_another_currency_than_its_order_is_refused() -> None:
    line = order_line(price_set=shop_money("10.00", "USD"))
    assert refusal_of(line_items=[line]) == ("currency_mismatch", "line_items.0.price_set")


def test_the_total_is_the_shops_own_and_not_the_sum_of_lines() -> None:
    assert bought(current_total_price_set=shop_money("0.00")).total_price == Decimal("0.00")


def test_a_body_without_a_current_total_falls_back_and_says_so() -> None:
    draft = purchase_draft(
        translate("orders/paid", paid_order(current_total_price=None, current_total_price_set=None))
    )
    assert isinstance(draft.body, Purchase)
    assert draft.body.total_price == Decimal("40.85")
    assert draft.notes == ("current_total_missing",)


def test_an_order_without_any_total_is_refused() -> None:
    none = dict.fromkeys(("current_total_price", "current_total_price_set", "total_price", "total_price_set"))
    assert refusal_of(**none) == ("missing_field", "current_total_price")


@pytest.mark.parametrize("amount", ["-1.00", "NaN", "1e13", "ten", True, [], {}])
def test_a_total_that_is_no_amount_is_refused(amount: object) -> None:
    assert refusal_of(current_total_price=amount, current_total_price_set=None) == (
        "invalid_money",
        "current_total_price",
    )


def test_a_discount_falls_on_what_is_left_of_the_line_in_proportion() -> None:
    line = order_line(
        price="10.00",
        quantity=3,
        current_quantity=2,
        discount_allocations=[{"amount": "2.00"}, {"amount": "9", "amount_set": shop_money("1.00")}],
    )
    told = line_of(line)
    assert told.price == Decimal("18.00")  # 2 x 10.00, less two thirds of 3.00
    assert (told.unit_price, told.unit_price_original) == (Decimal("9.00"), Decimal("10.00"))
    assert told.quantity == 2


def test_without_allocations_the_older_total_of_discounts_counts() -> None:
    assert line_of(order_line(total_discount="2.50")).price == Decimal("7.50")
    allocated = order_line(total_discount="2.50", discount_allocations=[{"amount": "1.00"}])
    assert line_of(allocated).price == Decimal("9.00")


def test_a_discount_beyond_the_price_leaves_nothing_and_is_noted() -> None:
    line = order_line(total_discount="12.00")
    draft = purchase_draft(translate("orders/paid", paid_order(line_items=[line])))
    assert isinstance(draft.body, Purchase)
    assert draft.body.lines[0].price == 0
    assert draft.notes == ("discount_exceeds_price",)


def test_a_partial_refund_leaves_what_remains() -> None:
    lines = [order_line(quantity=3, current_quantity=1), order_line(id=2, product_id=78, current_quantity=0)]
    purchase = bought(
        financial_status="partially_refunded",
        current_total_price_set=shop_money("10.00"),
        total_price_set=shop_money("40.00"),
        line_items=lines,
    )
    assert purchase.total_price == Decimal("10.00")
    assert [(line.product_id, line.quantity) for line in purchase.lines] == [("77", 1)]
    assert purchase.total_quantity == 1


def test_a_partial_refund_can_leave_the_purchase_as_it_was() -> None:
    lines = [order_line(quantity=3, current_quantity=1), order_line(id=2, product_id=78, current_quantity=0)]
    changes = {
        "current_total_price_set": shop_money("10.00"),
        "total_price_set": shop_money("40.00"),
        "line_items": lines,
    }
    context = store(on_partial_refund="keep")
    purchase = bought(context, financial_status="partially_refunded", **changes)
    assert purchase.total_price == Decimal("40.00")
    assert [(line.product_id, line.quantity) for line in purchase.lines] == [("77", 3), ("78", 1)]
    edited = bought(context, financial_status="paid", **changes)  # an edit is no refund
    assert edited.total_price == Decimal("10.00")


def test_an_order_with_nothing_left_of_any_line_takes_its_purchase_back() -> None:
    body = paid_order(financial_status="partially_refunded", line_items=[order_line(current_quantity=0)])
    translation = translate("orders/updated", body, store(placeholder_product="other"))
    assert (translation.drafts, translation.ignored) == ((retract(ORDER),), "all_lines_refunded")


TAXED = {
    "price": "10.00",
    "quantity": 2,
    "current_quantity": 1,
    "tax_lines": [{"price": "2.00"}, {"price": "2.20"}],
}


@pytest.mark.parametrize(
    ("tax", "included", "price"),
    [
        ("as_shown", True, "10.00"),
        ("as_shown", False, "10.00"),
        ("included", True, "10.00"),
        ("included", False, "12.10"),  # half of 4.20 added for one unit of two
        ("excluded", True, "7.90"),
        ("excluded", False, "10.00"),
    ],
)
def test_tax_stands_in_the_prices_of_lines_as_the_store_asks(tax: str, included: bool, price: str) -> None:
    told = line_of(order_line(**TAXED), store(tax=tax), taxes_included=included)
    assert (told.price, told.unit_price, told.unit_price_original) == (Decimal(price),) * 3


def test_tax_changes_the_price_before_discounts_in_proportion() -> None:
    line = order_line(price="20.00", total_discount="10.00", tax_lines=[{"price": "2.10"}])
    told = line_of(line, store(tax="included"), taxes_included=False)
    assert (told.price, told.unit_price_original) == (Decimal("12.10"), Decimal("24.20"))
    assert bought(store(tax="excluded")).total_price == Decimal("40.85")


def test_where_the_store_asks_for_tax_the_body_must_say_how_it_shows_prices() -> None:
    assert refusal_of(store(tax="included"), taxes_included=None) == ("missing_field", "taxes_included")
    line = order_line(tax_lines=None)
    draft = purchase_draft(
        translate("orders/paid", paid_order(taxes_included=False, line_items=[line]), store(tax="included"))
    )
    assert draft.notes == ("tax_lines_missing",)


@pytest.mark.parametrize(("setting", "expected"), [("id", ORDER), ("number", "1001"), ("name", "#1001")])
def test_the_purchase_id_is_the_stores_choice(setting: str, expected: str) -> None:
    context = store(purchase_id=setting)
    assert bought(context).purchase_id == expected
    unsold = translate("orders/updated", paid_order(financial_status="voided"), context)
    assert unsold.drafts == (retract(expected),)


def test_an_order_without_what_its_purchase_id_comes_from_is_refused() -> None:
    assert refusal_of(store(purchase_id="name"), name="  ") == ("missing_field", "name")


def test_products_can_be_sent_by_variant() -> None:
    context = store(product_id="variant")
    told = line_of(order_line(), context)
    assert (told.product_id, told.name) == ("770", "Shirt - M")
    draft = purchase_draft(
        translate("orders/paid", paid_order(line_items=[order_line(variant_id=None)]), context)
    )
    assert isinstance(draft.body, Purchase)
    assert draft.body.lines[0].product_id == "77"
    assert draft.notes == ("variant_missing",)


def test_a_line_without_product_is_left_out_and_the_total_kept() -> None:
    lines = [order_line(), order_line(id=2, product_id=None, title="Tip", price="5.00")]
    draft = purchase_draft(translate("orders/paid", paid_order(line_items=lines)))
    assert isinstance(draft.body, Purchase)
    assert [line.product_id for line in draft.body.lines] == ["77"]
    assert (draft.body.total_price, draft.body.total_quantity) == (Decimal("40.85"), 2)
    assert draft.notes == ("line_without_product",)


def test_an_order_of_custom_lines_only_needs_a_placeholder() -> None:
    lines = [order_line(product_id=None)]
    assert refusal_of(line_items=lines) == ("no_products", "line_items")
    assert bought(store(placeholder_product="other"), line_items=lines).lines[0].product_id == "other"


def test_a_sold_gift_card_is_a_line_like_any_other() -> None:
    assert line_of(order_line(gift_card=True, requires_shipping=False)).product_id == "77"


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("a text", ("invalid_line", "line_items.0")),
        (order_line(price=None), ("missing_field", "line_items.0.price")),
        (order_line(price="one"), ("invalid_money", "line_items.0.price")),
        (order_line(quantity=None), ("invalid_quantity", "line_items.0.quantity")),
        (order_line(current_quantity="x"), ("invalid_quantity", "line_items.0.current_quantity")),
        (order_line(discount_allocations="4.00"), ("invalid_field", "line_items.0.discount_allocations")),
        (
            order_line(discount_allocations=[{}]),
            ("missing_field", "line_items.0.discount_allocations.amount"),
        ),
    ],
)
def test_a_line_that_cannot_be_read_refuses_the_order(line: Any, refusal: tuple[str, str]) -> None:
    assert refusal_of(line_items=[line]) == refusal


def test_the_purchase_is_dated_when_the_order_was_placed() -> None:
    assert bought().purchase_date == "2024-05-06T08:14:58Z"
    assert bought(processed_at=None).purchase_date == "2024-05-06T08:15:00Z"
    assert refusal_of(processed_at=None, created_at=None) == ("missing_field", "processed_at")
    assert refusal_of(processed_at="0000-01-01T00:00:00Z") == ("invalid_date", "processed_at")


def test_the_cart_is_the_token_tracking_knows_else_the_order() -> None:
    assert bought(cart_token="c", checkout_token="k").cart_id == "c"
    assert bought(cart_token=None, checkout_token="k").cart_id == "k"
    assert bought(cart_token=None, checkout_token=None).cart_id == ORDER


def test_all_ways_of_payment_are_named_once() -> None:
    assert (
        bought(payment_gateway_names=["visa", "gift_card", "visa", None]).payment_method == "visa, gift_card"
    )
    assert bought(payment_gateway_names=[]).payment_method is None
    assert bought(payment_gateway_names=None, gateway="bogus").payment_method == "bogus"


def test_a_body_without_its_clock_takes_the_events_time_and_says_so() -> None:
    translation = translate("orders/paid", paid_order(updated_at=None))
    assert translation.version == RECEIVED
    assert purchase_draft(translation).notes == ("updated_at_missing",)
    triggered = {"x-shopify-triggered-at": "2026-05-06T08:15:01Z"}
    dated = translate("orders/paid", paid_order(updated_at=None), **triggered)
    assert dated.version == ms("2026-05-06T08:15:01Z")


def test_a_clock_that_cannot_be_read_refuses_the_order() -> None:
    assert refusal_of(updated_at="yesterday") == ("invalid_date", "updated_at")
