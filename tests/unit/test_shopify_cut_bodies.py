"""Bodies cut by a subscription's `include_fields`: a field that is absent is not one that is null."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Product
from pipeline.shops.base import Rejected
from tests.shopify import RECEIVED, load, order_line, paid_order, purchase_draft, retract, store, translate

ORDER = "5912345678901234567"
SOLD_TOPICS = ("orders/create", "orders/updated", "orders/paid", "orders/fulfilled")


def without(body: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in fields}


def refusal_of(topic: str, body: dict[str, Any], context: Any = None) -> tuple[str, str]:
    with pytest.raises(Rejected) as refusal:
        translate(topic, body, context)
    return refusal.value.reason, refusal.value.field


def cut_line(*fields: str, **changes: Any) -> dict[str, Any]:
    return paid_order(line_items=[without(order_line(), *fields)], **changes)


@pytest.mark.parametrize(
    "fields", [("cancelled_at",), ("cancelled_at", "financial_status", "test", "updated_at")]
)
def test_the_topic_of_a_cancellation_speaks_where_the_body_does_not(fields: tuple[str, ...]) -> None:
    translation = translate("orders/cancelled", without(paid_order(), *fields))
    assert (translation.drafts[-1].op, translation.drafts[-1].id) == (retract(ORDER).op, ORDER)
    assert translation.ignored == "cancelled"


def test_a_body_that_says_not_cancelled_wins_over_the_topic() -> None:
    assert purchase_draft(translate("orders/cancelled", paid_order(cancelled_at=None))).body is not None


@pytest.mark.parametrize("topic", ["orders/updated", "orders/fulfilled", "orders/partially_fulfilled"])
@pytest.mark.parametrize("status", ["paid", "partially_refunded", "partially_paid"])
def test_under_other_topics_an_order_that_may_be_cancelled_changes_nothing(topic: str, status: str) -> None:
    body = without(paid_order(financial_status=status), "cancelled_at")
    assert refusal_of(topic, body) == ("missing_field", "cancelled_at")


@pytest.mark.parametrize("topic", ["orders/create", "orders/paid"])
def test_the_topics_of_a_sale_tell_an_order_that_does_not_say_whether_it_is_cancelled(topic: str) -> None:
    draft = purchase_draft(translate(topic, without(paid_order(), "cancelled_at")))
    assert draft.body is not None
    assert draft.notes == ("cancelled_at_missing",)
    waiting = without(paid_order(financial_status="partially_paid"), "cancelled_at")
    assert translate(topic, waiting).drafts == ()


@pytest.mark.parametrize("status", ["refunded", "voided", "pending", "authorized"])
def test_an_order_that_is_not_sold_is_taken_back_whether_cancelled_or_not(status: str) -> None:
    body = without(paid_order(financial_status=status), "cancelled_at", "test", "line_items", "currency")
    assert translate("orders/updated", body).drafts == (retract(ORDER),)


@pytest.mark.parametrize("cancelled", ["", False, 0, [], {}, 5])
def test_a_cancellation_in_an_odd_form_is_not_guessed(cancelled: object) -> None:
    assert refusal_of("orders/updated", paid_order(cancelled_at=cancelled)) == (
        "invalid_date",
        "cancelled_at",
    )


@pytest.mark.parametrize("topic", SOLD_TOPICS)
def test_no_topic_makes_a_sale_of_an_order_without_its_status(topic: str) -> None:
    body = without(paid_order(), "financial_status")
    assert refusal_of(topic, body) == ("missing_field", "financial_status")


@pytest.mark.parametrize("test", ["absent", None, "true", 0])
def test_an_order_that_does_not_say_whether_it_is_a_test_is_refused_unless_tests_count(test: object) -> None:
    body = without(paid_order(), "test") if test == "absent" else paid_order(test=test)
    assert refusal_of("orders/paid", body) == ("missing_field", "test")
    assert translate("orders/paid", body, store(accept_test_orders=True)).drafts


def test_the_total_of_the_placing_stands_in_but_not_after_a_refund() -> None:
    body = without(paid_order(), "current_total_price", "current_total_price_set")
    assert purchase_draft(translate("orders/paid", body)).notes == ("current_total_missing",)
    refunded = body | {"financial_status": "partially_refunded"}
    assert refusal_of("orders/updated", refunded) == ("missing_field", "current_total_price")
    assert translate("orders/updated", refunded, store(on_partial_refund="keep")).drafts


def test_the_quantity_of_the_placing_stands_in_but_not_after_a_refund() -> None:
    assert purchase_draft(translate("orders/paid", cut_line("current_quantity"))).notes == (
        "current_quantity_missing",
    )
    refunded = cut_line("current_quantity", financial_status="partially_refunded")
    assert refusal_of("orders/updated", refunded) == ("missing_field", "line_items.0.current_quantity")
    assert translate("orders/updated", refunded, store(on_partial_refund="keep")).drafts


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        (("price",), ("missing_field", "line_items.0.price")),
        (("quantity",), ("invalid_quantity", "line_items.0.quantity")),
    ],
)
def test_a_line_without_price_or_quantity_is_refused(
    fields: tuple[str, ...], refusal: tuple[str, str]
) -> None:
    assert refusal_of("orders/paid", cut_line(*fields)) == refusal


def test_a_line_cut_of_its_discounts_is_sent_and_noted() -> None:
    body = cut_line("discount_allocations", "total_discount")
    assert purchase_draft(translate("orders/paid", body)).notes == ("discount_missing",)


def test_an_order_without_lines_is_refused() -> None:
    assert refusal_of("orders/paid", without(paid_order(), "line_items")) == ("missing_field", "line_items")


def test_an_order_without_currency_passes_where_the_account_names_none() -> None:
    body = without(paid_order(), "currency")
    assert refusal_of("orders/paid", body, store("EUR")) == ("missing_field", "currency")
    assert "currency_missing" in purchase_draft(translate("orders/paid", body)).notes


def test_a_cut_order_can_be_sent_under_the_name_it_was_sent_under_before() -> None:
    body = without(paid_order(financial_status="voided"), "name")
    assert translate("orders/updated", body, store(purchase_id="name")).drafts == (retract(None),)


def product(*without_fields: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = load("webhook-products_update-2026-04")
    return without(body | changes, *without_fields)


def test_a_product_cut_of_its_variants_is_refused_and_not_without_a_price() -> None:
    assert refusal_of("products/update", product("variants")) == ("missing_field", "variants")
    assert refusal_of("products/update", product(variants=None)) == ("missing_field", "variants")
    assert refusal_of("products/update", product(variants=[{"id": 1}])) == ("missing_field", "variants.price")
    for variants in ([], [{"id": 1, "price": None}]):
        assert translate("products/update", product(variants=variants)).ignored == "no_price"


@pytest.mark.parametrize("wanted", ["variant", "sku"])
def test_a_withdrawn_product_cut_of_its_variants_hides_all_that_were_sent(wanted: str) -> None:
    [draft] = translate(
        "products/update", product("variants", status="draft"), store(product_id=wanted)
    ).drafts
    assert (draft.id, draft.if_emitted) == (None, True)


def test_a_product_is_not_taken_for_published_where_that_is_not_said() -> None:
    assert refusal_of("products/update", product("published_at")) == ("missing_field", "published_at")
    assert refusal_of("products/update", product("published_at", "status")) == ("missing_field", "status")
    assert translate("products/update", product("published_at", status="draft")).ignored == "unpublished"
    assert "status_missing" in translate("products/update", product("status")).drafts[0].notes


def test_without_its_stock_nothing_is_said_of_availability() -> None:
    variant = {"id": 1, "price": "5.00", "inventory_policy": "deny"}
    [draft] = translate("products/update", product(variants=[variant], variant_gids=[])).drafts
    assert isinstance(draft.body, Product)
    assert draft.body.availability is None
    assert "stock_missing" in draft.notes


def test_a_consent_event_without_its_statement_is_refused() -> None:
    topic = "customers_email_marketing_consent/update"
    whole = {"customer_id": 5, "email_address": "a@example.com"}
    assert refusal_of(topic, whole) == ("missing_field", "email_marketing_consent")
    statement = {"email_marketing_consent": {"opt_in_level": None}}
    assert refusal_of(topic, whole | statement) == ("missing_field", "email_marketing_consent.state")


def test_a_customer_without_the_field_for_the_address_is_refused() -> None:
    body = without(load("webhook-customers_update-2026-04"), "email")
    assert refusal_of("customers/update", body) == ("missing_field", "email")


def test_an_unsigned_header_makes_no_event_newer_than_its_arrival() -> None:
    ahead = {"x-shopify-triggered-at": "2030-01-01T00:00:00Z"}
    assert translate("orders/delete", {"id": 5}, **ahead).version == RECEIVED
