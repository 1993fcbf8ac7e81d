"""Shopify's bodies."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events import Kind
from tests.shop_bodies import ZONE, Article, Person, Sale, Sent, ShopBodies, SoldLine, paid_back

_STATUS = {"sold": "paid", "unsold": "pending", "cancelled": "voided", "refunded": "refunded"}


def _moment(when: datetime) -> str:
    """With the offset of the shop's own zone."""
    return when.astimezone(ZoneInfo(ZONE)).isoformat(timespec="seconds")


def _line(number: int, line: SoldLine) -> dict[str, Any]:
    return {
        "id": number,
        "product_id": int(line.product),
        "variant_id": int(line.variant),
        "sku": line.sku or "",
        "title": line.name,
        "name": line.name,
        "vendor": "Example",
        "quantity": line.quantity,
        "current_quantity": line.quantity,
        "price": line.unit,
        "discount_allocations": [],
        "tax_lines": [],
    }


def _order(sale: Sale) -> Sent:
    body: dict[str, Any] = {
        "id": int(sale.id),
        "name": f"#{sale.id}",
        "order_number": int(sale.id),
        "created_at": _moment(sale.placed),
        "processed_at": _moment(sale.placed),
        "updated_at": _moment(sale.changed),
        "cancelled_at": _moment(sale.changed) if sale.state == "cancelled" else None,
        "financial_status": _STATUS[sale.state],
        "payment_gateway_names": ["bogus"],
        "current_total_price": sale.total,
        "total_price": sale.total,
        "taxes_included": True,
        "discount_codes": [],
        "email": sale.email,
        "customer_locale": "es",
        "test": False,
        "cart_token": "cart",
        "line_items": [_line(number, line) for number, line in enumerate(sale.lines, 1)],
        "billing_address": {"first_name": sale.name, "last_name": sale.surname, "country_code": "ES"},
        "customer": None,
    }
    if sale.currency is not None:
        body["currency"] = sale.currency
    if sale.customer is not None:
        body["customer"] = {
            "id": int(sale.customer),
            "email": sale.email,
            "first_name": sale.name,
            "last_name": sale.surname,
            "phone": "+34612345678",
        }
    return Sent("orders/cancelled" if sale.state == "cancelled" else "orders/updated", body)


def _placed_locally(sale: Sale, local: str) -> Sent:
    topic, body = _order(sale)[:2]
    return Sent(topic, body | {"processed_at": local, "created_at": local})


def _given_back(sale: Sale, units: int) -> Sent:
    sent = _order(sale)
    [line] = sent.document["line_items"]
    left = Decimal(sale.total) - paid_back(sale, units)
    return sent.saying(
        sent.document
        | {
            "financial_status": "partially_refunded",
            "current_total_price": str(left),
            "line_items": [line | {"current_quantity": line["quantity"] - units}],
        }
    )


def _customer(person: Person) -> Sent:
    consent = None
    if person.consent is not None:
        consent = {
            "state": person.consent,
            "opt_in_level": "single_opt_in",
            "consent_updated_at": _moment(person.consented),
        }
    body = {
        "id": int(person.id),
        "email": person.email,
        "created_at": _moment(person.created),
        "updated_at": _moment(person.changed),
        "first_name": person.name,
        "last_name": person.surname,
        "phone": "+34612345678",
        "tags": "vip",
        "email_marketing_consent": consent,
        "default_address": {"first_name": person.name, "last_name": person.surname, "country_code": "ES"},
    }
    return Sent("customers/update", body)


def _product(article: Article) -> Sent:
    body = {
        "id": int(article.id),
        "title": article.name,
        "handle": "mug",
        "vendor": "Example",
        "product_type": "Kitchen",
        "body_html": "<p>A mug.</p>",
        "status": "active" if article.published else "draft",
        "published_at": _moment(article.changed) if article.published else None,
        "updated_at": _moment(article.changed),
        "tags": "mugs",
        "images": [{"id": 5, "src": "https://shop.example/i/mug.jpg"}],
        "variants": [
            {
                "id": int(article.variant),
                "sku": article.sku or "",
                "title": "Default Title",
                "price": article.price,
                "compare_at_price": "12.00",
                "inventory_management": "shopify",
                "inventory_policy": "deny",
                "inventory_quantity": 3 if article.available else 0,
            }
        ],
    }
    return Sent("products/update", body)


_DELETIONS = {Kind.ORDER: "orders/delete", Kind.CUSTOMER: "customers/delete", Kind.PRODUCT: "products/delete"}

BODIES = ShopBodies(
    order=_order,
    customer=_customer,
    product=_product,
    deleted=lambda kind, entity: Sent(_DELETIONS[kind], {"id": int(entity)}),
    given_back=_given_back,
    total_at=("current_total_price",),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "id",
                "created_at",  # stands for `processed_at` where that is null
                "processed_at",
                "updated_at",
                "cancelled_at",
                "financial_status",
                "current_total_price",
                "currency",
                "email",
                "test",
                "line_items",
                "line_items[]",
                "line_items[].product_id",
                "line_items[].quantity",
                "line_items[].current_quantity",
                "line_items[].price",
                "line_items[].discount_allocations",
                "line_items[].tax_lines",
            }
        ),
        Kind.CUSTOMER: frozenset({"id", "email", "updated_at"}),
        Kind.PRODUCT: frozenset(
            {
                "id",
                "status",
                "published_at",
                "updated_at",
                "variants",
                "variants[]",
                "variants[].price",
                "title",  # without a name or a page the product is a change of one that is known
                "handle",
            }
        ),
    },
    subscribed="subscribed",
    unsubscribed="unsubscribed",
    silent=("not_subscribed", "pending", "invalid", "of tomorrow", 7),
    local=_placed_locally,
)
