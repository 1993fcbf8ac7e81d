"""The bodies and signatures of custom shops, by our own contract."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events import Kind
from tests.shop_bodies import NOW_MS, ZONE, Article, Person, Sale, Sent, ShopBodies, SoldLine, paid_back

_STATUS = {
    "sold": ("processing", "paid"),
    "unsold": ("pending", "pending"),
    "cancelled": ("cancelled", "refunded"),
    "refunded": ("completed", "refunded"),
}


def signed(topic: str, body: bytes, secret: bytes, headers: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001 - as `Signer` has it
    """Standard Webhooks, written down once more; a secret that is no base64 is the key itself."""
    said = {"webhook-id": "msg_1", **at(NOW_MS / 1_000), "content-type": "application/json", **headers}
    written = secret.removeprefix(b"whsec_")
    try:
        key = base64.b64decode(written, validate=True)
    except ValueError:
        key = secret
    text = f"{said['webhook-id']}.{said['webhook-timestamp']}.".encode(errors="replace") + body
    return {**said, "webhook-signature": f"v1,{base64.b64encode(hmac.digest(key, text, 'sha256')).decode()}"}


def at(seconds: float) -> dict[str, str]:
    """The header with the time."""
    return {"webhook-timestamp": str(int(seconds))}


def in_envelope(topic: str, document: bytes) -> bytes:
    """The document as it is sent."""
    said = json.dumps(topic).encode()
    return b'{"type":%b,"timestamp":"2023-11-14T20:16:30Z","source":"demo-shop","data":%b}' % (said, document)


def _moment(when: datetime) -> str:
    """With the offset of the shop's own zone."""
    return when.astimezone(ZoneInfo(ZONE)).isoformat(timespec="seconds")


def _line(number: int, line: SoldLine) -> dict[str, Any]:
    return {
        "line_id": f"L{number}",
        "product_id": line.product,
        "variant_id": line.variant,
        "sku": line.sku,
        "name": line.name,
        "quantity": line.quantity,
        "unit_price": line.unit,
        "product_url": "https://shop.example/p/mug",
        "image_url": "https://shop.example/i/mug.jpg",
        "brand": "Example",
        "categories": ["Kitchen"],
    }


def _order(sale: Sale) -> Sent:
    status, payment = _STATUS[sale.state]
    data: dict[str, Any] = {
        "id": sale.id,
        "number": sale.id,
        "created_at": _moment(sale.placed),
        "updated_at": _moment(sale.changed),
        "status": status,
        "payment_status": payment,
        "payment_method": "card",
        "total": sale.total,
        "prices_include_tax": True,
        "coupons": [],
        "test": False,
        "cart_id": "cart",
        "customer": {
            "id": sale.customer,
            "email": sale.email,
            "first_name": sale.name,
            "last_name": sale.surname,
            "phone": "+34612345678",
            "locale": "es-ES",
        },
        "line_items": [_line(number, line) for number, line in enumerate(sale.lines, 1)],
    }
    if sale.currency is not None:
        data["currency"] = sale.currency
    return Sent("order.cancelled" if sale.state == "cancelled" else "order.updated", data)


def _given_back(sale: Sale, units: int) -> Sent:
    sent = _order(sale)
    refund = {
        "id": "R1",
        "amount": str(paid_back(sale, units)),
        "lines": [{"line_id": "L1", "quantity": units}],
    }
    return sent.saying(sent.document | {"payment_status": "partially_refunded", "refunds": [refund]})


def _customer(person: Person) -> Sent:
    consent = None
    if person.consent is not None:
        consent = {"email": {"state": person.consent, "updated_at": _moment(person.consented)}}
    data = {
        "id": person.id,
        "email": person.email,
        "first_name": person.name,
        "last_name": person.surname,
        "phone": "+34612345678",
        "birthday": person.birthday or "1990-02-28",
        "locale": "es-ES",
        "created_at": _moment(person.created),
        "updated_at": _moment(person.changed),
        "marketing_consent": consent,
        "tags": ["vip"],
    }
    return Sent("customer.updated", data)


def _product(article: Article) -> Sent:
    data = {
        "id": article.id,
        "sku": article.sku,
        "name": article.name,
        "url": "https://shop.example/p/mug",
        "image_url": "https://shop.example/i/mug.jpg",
        "price": article.price,
        "compare_at_price": "12.00",
        "currency": article.currency,
        "stock": 3 if article.available else 0,
        "available": article.available,
        "published": article.published,
        "categories": ["Kitchen"],
        "brand": "Example",
        "tags": ["mugs"],
        "description": "<p>A mug.</p>",
        "created_at": _moment(article.changed),
        "updated_at": _moment(article.changed),
        "variants": [{"id": article.variant, "sku": article.sku, "price": article.price, "stock": 3}],
    }
    return Sent("product.updated", data)


BODIES = ShopBodies(
    order=_order,
    customer=_customer,
    product=_product,
    deleted=lambda kind, entity: Sent(f"{kind}.deleted", {"id": entity}),
    given_back=_given_back,
    total_at=("total",),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "id",
                "created_at",
                "updated_at",
                "status",
                "payment_status",
                "total",
                "currency",
                "test",
                "customer",
                "customer.email",
                "line_items",
                "line_items[]",
                "line_items[].product_id",
                "line_items[].quantity",
                "line_items[].unit_price",
            }
        ),
        Kind.CUSTOMER: frozenset({"id", "email", "updated_at"}),
        Kind.PRODUCT: frozenset(
            {
                "id",
                "published",
                "price",
                "updated_at",
                "name",  # without a name or a page the product is a change of one that is known
                "url",
            }
        ),
    },
    subscribed="subscribed",
    unsubscribed="unsubscribed",
    silent=("not_subscribed", "pending", "unknown", "opted_in", 7),
)
