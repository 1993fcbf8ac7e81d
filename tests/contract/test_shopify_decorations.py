"""Every field of every real Shopify body in odd forms: only what the meaning rests on may cost a record.

Everything else is left out, and noted where it could be read before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from pipeline.events import RawEvent
from pipeline.shops.base import Draft, Rejected
from pipeline.shops.shopify import SHOPIFY
from tests.contract.shopify_meanings import CASES
from tests.shopify import delivered, order_line, paid_order, store

#: The samples of orders are tests, cancelled or unpaid; sold they have the most to lose.
SOLD = {"test": False, "cancelled_at": None, "financial_status": "paid"}
ORDER, CUSTOMER, PRODUCT, CONSENT = (
    "orders/updated",
    "customers/update",
    "products/update",
    "customers_email_marketing_consent/update",
)

#: Samples that cannot be told at all: amounts in two currencies, and placeholders where amounts belong.
UNTOLD = {"realistic-order-full-0-webhookdb", "anonymised-real-2025-04_orders_1"}
#: What may refuse a record or change what it means, and why. A path's `*` is any place in a list.
DECIDES: dict[str, dict[str, str]] = {
    ORDER: {
        "id": "identity: of the purchase",
        "email": "identity: of the buyer",
        "customer.email": "identity: of the buyer, and whose consent the body holds",
        "customer": "identity: it may hold the only address",
        "updated_at": "date: the version",
        "processed_at": "date: of the purchase",
        "created_at": "date: of the purchase, where `processed_at` is missing",
        "cancelled_at": "status",
        "financial_status": "status",
        "test": "status: a test order is no purchase",
        "currency": "money: what all amounts are in",
        "current_total_price": "money: the total",
        "current_total_price_set": "money: the total in the shop's currency",
        "current_total_price_set.shop_money": "money: the total in the shop's currency",
        "current_total_price_set.shop_money.amount": "money: the total",
        "current_total_price_set.shop_money.currency_code": "money: must be the order's",
        "total_price": "money: the total, where the current one is missing",
        "line_items": "money: what was bought, and whether anything is left of it",
        "line_items.*": "money: what was bought",
        "line_items.*.product_id": "identity: of what was bought",
        "line_items.*.quantity": "money: a unit's price",
        "line_items.*.current_quantity": "money: what is left of the line",
        "line_items.*.price": "money: the line's",
        "line_items.*.price_set": "money: the line's, in the shop's currency",
        "line_items.*.price_set.shop_money": "money: the line's, in the shop's currency",
        "line_items.*.price_set.shop_money.amount": "money: the line's",
        "line_items.*.price_set.shop_money.currency_code": "money: must be the order's",
        "line_items.*.total_discount": "money: the line's discount",
        "line_items.*.total_discount_set": "money: the line's discount",
        "line_items.*.total_discount_set.shop_money": "money: the line's discount",
        "line_items.*.total_discount_set.shop_money.amount": "money: the line's discount",
        "line_items.*.total_discount_set.shop_money.currency_code": "money: must be the order's",
        "line_items.*.discount_allocations": "money: the line's discount",
        "line_items.*.discount_allocations.*": "money: the line's discount",
        "line_items.*.discount_allocations.*.amount": "money: the line's discount",
        "line_items.*.discount_allocations.*.amount_set": "money: the line's discount",
        "line_items.*.discount_allocations.*.amount_set.shop_money": "money: the line's discount",
        "line_items.*.discount_allocations.*.amount_set.shop_money.amount": "money: the line's discount",
        "line_items.*.discount_allocations.*.amount_set.shop_money.currency_code": "money: the order's",
    },
    CUSTOMER: {
        "id": "identity: of the customer",
        "email": "identity: of the contact",
        "updated_at": "date: the version",
    },
    PRODUCT: {
        "id": "identity: of the product",
        "updated_at": "date: the version",
        "status": "status",
        "published_at": "status: null is not on the online store; and a date",
        "variants": "money: the price",
        "variants.*": "money: the price",
        "variants.*.price": "money: the price",
    },
    CONSENT: {
        "customer_id": "identity: of the customer",
        "email_address": "identity: of the contact",
        "email_marketing_consent": "consent",
        "email_marketing_consent.state": "consent",
        "email_marketing_consent.consent_updated_at": "date: which statement is newer",
    },
}


def _bodies() -> Iterator[tuple[str, str, Any]]:
    """(name, topic, body) of all real bodies that tell something, and of the orders once they are sold."""
    for number, (name, body, meaning) in enumerate(CASES):
        topic = meaning.topic
        if name in UNTOLD:
            continue
        if not isinstance(body, dict) or ("line_items" not in body and topic.startswith("orders/")):
            continue
        if topic.startswith("orders/") and not topic.endswith(("delete", "edited")):
            yield f"{name}-{number}", ORDER, body | SOLD
        elif topic in {"customers/create", CUSTOMER}:
            yield f"{name}-{number}", CUSTOMER, body
        elif topic in {"products/create", PRODUCT}:
            yield f"{name}-{number}", PRODUCT, body
        elif topic == CONSENT:
            yield f"{name}-{number}", CONSENT, body


def _shop_money(amount: str) -> dict[str, Any]:
    return {"shop_money": {"amount": amount, "currency_code": "EUR"}}


def _dressed() -> Iterator[tuple[str, str, Any]]:
    """Bodies with all that the samples leave empty."""
    picture = {"id": 1, "src": "https://cdn.example/1.png"}
    yield (
        "order-in-full",
        ORDER,
        paid_order(
            note_attributes=[{"name": "cartId", "value": "k-1"}, {"name": "gift", "value": "yes"}],
            line_items=[
                order_line(
                    vendor="Potter",
                    properties=[{"name": "a", "value": "b"}],
                    price_set=_shop_money("12.00"),
                    discount_allocations=[{"amount": "1.00"}, {"amount_set": _shop_money("2.00")}],
                ),
                order_line(id=2, product_id=78, total_discount_set=_shop_money("3.00")),
                order_line(id=3, product_id=79, total_discount="1.00"),
            ],
            customer={
                "id": 7,
                "email": "customer1@example.com",
                "first_name": None,
                "phone": None,
                "email_marketing_consent": {
                    "state": "subscribed",
                    "consent_updated_at": "2024-01-01T00:00:00Z",
                },
                "default_address": {
                    "first_name": "Ana",
                    "last_name": "Mora",
                    "phone": "612345678",
                    "country_code": "ES",
                },
            },
        ),
    )
    yield (
        "product-in-full",
        PRODUCT,
        {
            "id": 77,
            "title": "Shirt",
            "handle": "shirt",
            "body_html": "<p>Soft</p>",
            "vendor": "Potter",
            "product_type": "Tops",
            "category": {"full_name": "Apparel > Shirts", "id": "gid://shopify/TaxonomyCategory/aa-1"},
            "tags": ["new", "summer"],
            "status": "active",
            "published_at": "2024-01-01T00:00:00Z",
            "updated_at": "2024-05-06T10:00:00Z",
            "image": picture,
            "images": [picture],
            "media": [{"preview_image": picture}],
            "options": [{"name": "Size", "values": ["M"]}],
            "variant_gids": [{"admin_graphql_api_id": "gid://shopify/ProductVariant/770"}],
            "variants": [
                {
                    "id": 770,
                    "title": "M",
                    "sku": "SHIRT-M",
                    "price": "20.00",
                    "compare_at_price": "25.00",
                    "image_id": 1,
                    "inventory_policy": "deny",
                    "inventory_management": "shopify",
                    "inventory_quantity": 5,
                }
            ],
        },
    )


BODIES = [*_bodies(), *_dressed()]


def _odd(original: Any) -> tuple[Any, ...]:
    """The forms a field is replaced by; a list also by one with a gap."""
    forms: tuple[Any, ...] = (None, "", "text", 7, ["text"], {"key": "text"}, [None, "text"])
    return (*forms, [None, *original]) if isinstance(original, list) else forms


def _places(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any, tuple[str | int, ...]]]:
    """(container, key, path) of every node; of lists the first three elements."""
    children: Any = (
        node.items() if isinstance(node, dict) else enumerate(node[:3]) if isinstance(node, list) else ()
    )
    for key, child in list(children):
        yield node, key, (*path, key)
        yield from _places(child, (*path, key))


def _pattern(path: tuple[str | int, ...]) -> str:
    return ".".join("*" if isinstance(step, int) else step for step in path)


def _told(event: RawEvent, body: Any) -> tuple[Draft, ...]:
    return SHOPIFY.translate(replace(event, body=orjson.dumps(body)), STORE).drafts


STORE = store()


def _filled(draft: Draft) -> dict[str, Any]:
    """The fields of what is told that hold something."""
    told = {} if draft.body is None else draft.body.model_dump()
    return {name: value for name, value in told.items() if value not in (None, "", (), {})}


def _fault(before: tuple[Draft, ...], after: tuple[Draft, ...], original: Any, value: Any) -> str | None:
    """What is wrong with what is told now: a record that is gone, or something lost without a note.

    Nothing is lost where there was nothing before or is nothing now, where the text given instead is told,
    and where an object stands for an object: its fields are absent then.
    """
    if [(draft.kind, draft.id) for draft in before] != [(draft.kind, draft.id) for draft in after]:
        return "a record is gone"
    if after == before:
        return None
    pairs = list(zip(before, after, strict=True))
    if any(set(new.notes) - set(old.notes) for old, new in pairs):
        return None
    if not original or not value or (isinstance(original, dict) and isinstance(value, dict)):
        return None
    if any("text" in str(new.body) and new.body != old.body for old, new in pairs):
        return None
    lost = any(_filled(old).keys() - _filled(new).keys() for old, new in pairs)
    changed = isinstance(value, list | dict) and any(old.body != new.body for old, new in pairs)
    return "lost without a note" if lost or changed else None


@pytest.mark.parametrize(("topic", "body"), [pytest.param(t, b, id=name) for name, t, b in BODIES])
def test_no_decoration_in_an_odd_form_costs_a_record(topic: str, body: dict[str, Any]) -> None:
    event = delivered(topic, body)
    whole = orjson.loads(event.body)
    before = _told(event, whole)
    faults = []
    for container, key, path in _places(whole):
        if _pattern(path) in DECIDES[topic]:
            continue
        original = container[key]
        for value in _odd(original):
            container[key] = value
            try:
                fault = _fault(before, _told(event, whole), original, value)
            except Rejected as refusal:
                fault = str(refusal)
            if fault:
                faults.append(f"{_pattern(path)} = {value!r}: {fault}")
        container[key] = original
    assert faults == []


def test_every_field_that_is_said_to_decide_does() -> None:
    """An entry that refuses nothing and changes nothing has no place in the list."""
    idle = {(topic, path) for topic, paths in DECIDES.items() for path in paths}
    for _, topic, body in BODIES:
        event = delivered(topic, body)
        whole = orjson.loads(event.body)
        for container, key, path in _places(whole):
            place = (topic, _pattern(path))
            original = container[key]
            for value in _odd(original) if place in idle else ():
                container[key] = value
                try:
                    if _told(event, whole) != _told(event, body):
                        idle.discard(place)
                except Rejected:
                    idle.discard(place)
            container[key] = original
    assert idle == set()
