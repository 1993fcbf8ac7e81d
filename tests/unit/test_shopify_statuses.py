"""Statuses of Shopify's orders and products, known and new: open lists are not taken for closed."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Product
from pipeline.shops.base import Rejected
from tests.shopify import hide, load, paid_order, products_of, purchase_draft, retract, store, translate

ORDER = "5912345678901234567"


def product(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = load("webhook-products_update-2026-04")
    return body | {"id": 501, "admin_graphql_api_id": "gid://shopify/Product/501"} | changes


def variant(**changes: Any) -> dict[str, Any]:
    return {
        "id": 770,
        "price": "10.00",
        "sku": "MUG",
        "inventory_policy": "deny",
        "inventory_quantity": 5,
    } | changes


def told(context: Any = None, **changes: Any) -> Product:
    [found] = products_of(translate("products/update", product(**changes), context))
    return found


def test_an_unlisted_product_is_for_sale_by_its_link_and_not_recommended() -> None:
    found = told(status="unlisted")
    assert (found.availability, found.is_blacklisted, found.unit_price) == (
        "instock",
        True,
        told().unit_price,
    )


def test_an_unlisted_product_that_is_sold_out_is_out_of_stock() -> None:
    sold_out = told(status="unlisted", variants=[variant(inventory_quantity=0)], variant_gids=[])
    assert (sold_out.availability, sold_out.is_blacklisted) == ("outofstock", True)


def test_a_product_that_is_active_again_is_recommended_again() -> None:
    assert told(status="active").is_blacklisted is False


@pytest.mark.parametrize("wanted", ["variant", "sku"])
def test_the_variants_of_an_unlisted_product_are_sent_the_same_way(wanted: str) -> None:
    found = told(store(product_id=wanted), status="unlisted", variants=[variant()])
    assert (found.availability, found.is_blacklisted) == ("instock", True)


def test_an_unlisted_product_that_is_not_on_the_online_store_is_hidden() -> None:
    translation = translate("products/update", product(status="unlisted", published_at=None))
    assert (translation.drafts, translation.ignored) == ((hide("501"),), "unpublished")


def test_a_status_of_tomorrow_is_neither_withdrawn_nor_recommended_and_is_noted() -> None:
    [draft] = translate("products/update", product(status="by_invitation")).drafts
    assert isinstance(draft.body, Product)
    assert (draft.body.availability, draft.body.is_blacklisted) == ("instock", True)
    assert "unknown_status" in draft.notes


@pytest.mark.parametrize("status", ["", 5, ["active"], {"is": "active"}, True])
def test_a_products_status_in_an_odd_form_is_refused(status: object) -> None:
    with pytest.raises(Rejected, match="invalid_field"):
        translate("products/update", product(status=status))


def order(status: str, context: Any = None) -> Any:
    return translate("orders/updated", paid_order(financial_status=status), context)


def test_a_payment_status_of_tomorrow_neither_tells_nor_takes_back() -> None:
    with pytest.raises(Rejected, match="unknown_status"):
        order("settled")


def test_the_stores_own_list_says_what_a_status_of_tomorrow_is() -> None:
    assert purchase_draft(order("settled", store(sold_statuses=["paid", "settled"]))).body is not None
    assert order("settled", store(sold_statuses=["paid"])).drafts == (retract(ORDER),)


@pytest.mark.parametrize("status", ["pending", "authorized", "partially_refunded", "refunded", "voided"])
def test_an_order_that_leaves_the_stores_own_list_is_taken_back(status: str) -> None:
    assert order(status, store(sold_statuses=["paid"])).drafts == (retract(ORDER),)


def test_a_sale_that_is_in_question_stays() -> None:
    assert order("partially_paid", store(sold_statuses=["paid"])).drafts == ()
    assert order("partially_paid").drafts == ()


@pytest.mark.parametrize("left", ["0.00", "0", "-1.00", 0])
def test_a_partial_refund_that_leaves_nothing_takes_the_purchase_back(left: object) -> None:
    body = paid_order(
        financial_status="partially_refunded", current_total_price=left, current_total_price_set=None
    )
    for policy in ("replace", "keep"):
        translation = translate("orders/updated", body, store(on_partial_refund=policy))
        assert (translation.drafts, translation.ignored) == ((retract(ORDER),), "refunded")


def test_an_order_that_cost_nothing_is_sold() -> None:
    free = paid_order(current_total_price="0.00", current_total_price_set=None)
    assert purchase_draft(translate("orders/paid", free)).body is not None
