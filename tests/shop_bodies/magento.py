"""Magento's bodies: the documents of its REST API, as the module of Mage-OS sends them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from pipeline.events import Kind
from tests.shop_bodies import Announced, Article, Person, Sale, Sent, ShopBodies, SoldLine, paid_back

_STATE = {"sold": "processing", "unsold": "new", "cancelled": "canceled", "refunded": "closed"}
_GONE = {
    Kind.CUSTOMER: "observer.customer_delete_commit_after",
    Kind.PRODUCT: "observer.catalog_product_delete_commit_after",
}


def signed(topic: str, body: bytes, secret: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the module: hex(HMAC-SHA256(body)); the topic is in the body."""
    del topic
    signature = hmac.digest(secret, body, "sha256").hex()
    return {"content-type": "application/json", **headers, "x-magento-signature": signature}


def in_data(topic: str, document: bytes) -> bytes:
    """A document in an envelope that names the topic; what is no JSON as it stands."""
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return document
    return b'{"type":%b,"data":%b}' % (orjson.dumps(topic), document)


def _moment(when: datetime) -> str:
    """In UTC, without an offset."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _line(number: int, line: SoldLine, refunded: bool) -> dict[str, Any]:
    unit = float(line.unit)
    total = line.quantity * unit
    return {
        "item_id": number,
        "parent_item_id": None,
        "product_id": int(line.product),
        "product_type": "simple",
        "sku": line.sku or "",
        "name": line.name,
        "qty_ordered": line.quantity,
        "qty_canceled": 0,
        "qty_refunded": line.quantity if refunded else 0,
        "price": unit,
        "price_incl_tax": unit,
        "row_total": total,
        "row_total_incl_tax": total,
        "tax_amount": 0,
        "discount_amount": 0,
        "discount_tax_compensation_amount": 0,
    }


def _order(sale: Sale) -> Sent:
    refunded = sale.state == "refunded"
    body: dict[str, Any] = {
        "entity_id": int(sale.id),
        "increment_id": sale.id,
        "state": _STATE[sale.state],
        "status": "packing",
        "created_at": _moment(sale.placed),
        "updated_at": _moment(sale.changed),
        "grand_total": float(sale.total),
        "shipping_incl_tax": 0,
        "total_refunded": float(sale.total) if refunded else 0,
        "customer_is_guest": int(sale.customer is None),
        "customer_firstname": sale.name,
        "customer_lastname": sale.surname,
        "store_id": 1,
        "quote_id": 5,
        "coupon_code": None,
        "items": [_line(number, line, refunded) for number, line in enumerate(sale.lines, 1)],
        "billing_address": {
            "firstname": sale.name,
            "lastname": sale.surname,
            "telephone": "612345678",
            "country_id": "ES",
        },
        "payment": {"method": "checkmo", "additional_information": ["Check / Money order"]},
        "extension_attributes": {"shipping_assignments": []},
    }
    if sale.currency is not None:
        body |= {"base_currency_code": sale.currency, "order_currency_code": sale.currency}
    if sale.customer is not None:
        body["customer_id"] = int(sale.customer)
    if sale.email is not None:
        body["customer_email"] = sale.email
    return Sent("sales.order.updated", body)


def named(sale: Sale) -> Sent:
    """A sale as Adobe's events say it, which only name the order; the API has its document."""

    def announced(document: dict[str, Any]) -> Announced:
        return Announced({"entity_id": int(sale.id)}, {f"/rest/all/V1/orders/{sale.id}": document})

    return Sent("observer.sales_order_save_commit_after", _order(sale).document, announced)


def _given_back(sale: Sale, units: int) -> Sent:
    sent = _order(sale)
    [line] = sent.document["items"]
    goods = float(paid_back(sale, sale.lines[0].quantity))
    return sent.saying(
        sent.document
        | {
            "state": "complete",
            "shipping_incl_tax": float(sale.total) - goods,
            "total_refunded": float(paid_back(sale, units)),
            "items": [line | {"qty_refunded": units}],
        }
    )


def _customer(person: Person) -> Sent:
    body: dict[str, Any] = {
        "id": int(person.id),
        "created_at": _moment(person.created),
        "updated_at": _moment(person.changed),
        "email": person.email,
        "firstname": person.name,
        "lastname": person.surname,
        "store_id": 1,
        "website_id": 1,
        "addresses": [
            {"id": 1, "telephone": "612345678", "country_id": "ES", "default_billing": True},
        ],
        "extension_attributes": {},
    }
    if person.birthday is not None:
        body["dob"] = person.birthday
    if person.consent is not None:
        body["extension_attributes"]["is_subscribed"] = person.consent
    return Sent("customer.updated", body)


def _product(article: Article) -> Sent:
    body = {
        "id": int(article.id),
        "sku": article.sku or "",
        "name": article.name,
        "price": float(article.price),
        "status": 1 if article.published else 2,
        "visibility": 4,
        "type_id": "simple",
        "created_at": _moment(article.changed),
        "updated_at": _moment(article.changed),
        "extension_attributes": {
            "website_ids": [1],
            "stock_item": {
                "qty": 3 if article.available else 0,
                "is_in_stock": article.available,
                "manage_stock": True,
                "backorders": 0,
            },
        },
        "media_gallery_entries": [{"id": 1, "file": "/m/u/mug.jpg", "disabled": False}],
        "custom_attributes": [
            {"attribute_code": "url_key", "value": "mug"},
            {"attribute_code": "description", "value": "<p>A mug.</p>"},
        ],
    }
    return Sent("catalog.product.updated", body)


def _deleted(kind: Kind, entity: str) -> Sent | None:
    """Orders are never deleted."""
    if kind is Kind.ORDER:
        return None
    return Sent(_GONE[kind], {"entity_id": entity, "sku": "MUG"})


BODIES = ShopBodies(
    order=_order,
    customer=_customer,
    product=_product,
    deleted=_deleted,
    given_back=_given_back,
    total_at=("grand_total",),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "entity_id",
                "increment_id",
                "state",
                "created_at",
                "updated_at",
                "grand_total",
                "total_refunded",
                "base_currency_code",
                "customer_email",
                "items",
                "items[]",
                "items[].parent_item_id",
                "items[].product_id",
                "items[].qty_ordered",
                "items[].qty_canceled",
                "items[].qty_refunded",
                "items[].row_total",
                "items[].row_total_incl_tax",
                "items[].tax_amount",
                "items[].discount_amount",
                "items[].discount_tax_compensation_amount",
            }
        ),
        Kind.CUSTOMER: frozenset({"id", "email", "created_at", "updated_at"}),
        Kind.PRODUCT: frozenset(
            {
                "id",
                "name",
                "price",
                "status",
                "visibility",
                "type_id",
                "created_at",
                "updated_at",
            }
        ),
    },
    subscribed=True,
    silent=(False, 0, "0", "maybe", [], {"is_subscribed": True}),
    consent_has_time=False,
)
