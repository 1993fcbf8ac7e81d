"""WooCommerce webhooks of the demo's orders, customers and products: real bodies with other values."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.demo.shops import Article, Order, OrderLine, Person, Shop
from pipeline.demo.templates import Body, template

Headers = tuple[tuple[str, str], ...]

_STATUS = {
    "draft": "checkout-draft",
    "pending": "pending",
    "paid": "processing",
    "completed": "completed",
    "partly_refunded": "completed",
    "cancelled": "cancelled",
}
_WEBHOOKS = {"order": 3, "customer": 4, "product": 5, "action": 6}
_TAX = Decimal("0.21")
_CENT = Decimal("0.01")


def signed(shop: Shop, topic: str, body: bytes, at: datetime) -> Headers:
    """The headers of a delivery, with its signature.

    The delivery id counts seconds, as WooCommerce's does: events of one second share it.
    """
    resource, _, event = topic.partition(".")
    webhook = _WEBHOOKS[resource]
    second = hashlib.md5(f"{webhook}{int(at.timestamp())}".encode(), usedforsecurity=False).hexdigest()
    digest = hmac.digest(shop.secret.encode(), body, "sha256")
    return (
        *_agent("application/json"),
        ("X-WC-Webhook-Source", f"https://{shop.domain}/"),
        ("X-WC-Webhook-Topic", topic),
        ("X-WC-Webhook-Resource", resource),
        ("X-WC-Webhook-Event", event),
        ("X-WC-Webhook-Signature", base64.b64encode(digest).decode()),
        ("X-WC-Webhook-ID", str(webhook)),
        ("X-WC-Webhook-Delivery-ID", second),
    )


def ping(number: int) -> tuple[Headers, bytes]:
    """What WooCommerce sends when a webhook is switched on: a form, unsigned."""
    return _agent("application/x-www-form-urlencoded"), f"webhook_id={number}".encode()


def encode(body: Any) -> bytes:
    """As PHP writes JSON: other scripts and slashes escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def order_body(shop: Shop, order: Order) -> Body:
    """The order as WooCommerce would send it now."""
    body = template("woocommerce", ("order-processing-paid-docs", "order-completed-docs")[order.template % 2])
    lines = [_line(body["line_items"][0], index, one) for index, one in enumerate(order.lines, start=1)]
    tax = sum((Decimal(line["total_tax"]) for line in lines), Decimal(0))
    paid = order.status in {"paid", "completed", "partly_refunded"}
    body |= {
        "id": order.id,
        "number": str(order.id),
        "order_key": f"wc_order_{order.id}",
        "created_via": "checkout",
        "status": _STATUS[order.status],
        "currency": shop.currency,
        "prices_include_tax": True,
        **_moment(shop, "date_created", order.placed),
        **_moment(shop, "date_modified", order.updated),
        **_moment(shop, "date_paid", order.updated if paid else None),
        **_moment(shop, "date_completed", order.updated if order.status == "completed" else None),
        "discount_total": "0.00",
        "shipping_total": f"{order.shipping:.2f}",
        "shipping_tax": "0.00",
        "cart_tax": f"{tax:.2f}",
        "total_tax": f"{tax:.2f}",
        "total": f"{order.total + order.refunded:.2f}",
        "customer_id": order.buyer.accounts.get(shop.name, 0),
        "line_items": lines,
        "tax_lines": [],
        "shipping_lines": [],
        "refunds": [],
    }
    for kind in ("billing", "shipping"):
        _address(body[kind], order.buyer)
    body["billing"]["email"] = order.email or ""
    if order.refunded:
        body["refunds"] = [{"id": order.id * 10, "reason": "damaged", "total": f"-{order.refunded:.2f}"}]
    return body


def customer_body(shop: Shop, person: Person, at: datetime) -> Body:
    """A customer as the shop has them."""
    body = template("woocommerce", "customer-updated-docs")
    body |= {
        "id": person.accounts[shop.name],
        "email": person.email,
        "username": person.email.partition("@")[0],
        **_names(person),
        **_moment(shop, "date_created", at),
        **_moment(shop, "date_modified", at),
    }
    for kind in ("billing", "shipping"):
        _address(body[kind], person)
    body["billing"]["email"] = person.email
    return body


def product_body(shop: Shop, article: Article, at: datetime) -> Body:
    """A simple product whose stock is counted."""
    body = template("woocommerce", "product-simple-docs")
    regular = article.was or article.price
    body |= {
        "id": article.id,
        # WordPress stores texts with their special characters escaped.
        "name": html.escape(article.title, quote=False),
        "slug": f"product-{article.id}",
        "permalink": f"https://{shop.domain}/product/product-{article.id}/",
        "price": f"{article.price:.2f}",
        "regular_price": f"{regular:.2f}",
        "sale_price": "" if article.was is None else f"{article.price:.2f}",
        "on_sale": article.was is not None,
        "manage_stock": True,
        "stock_quantity": article.stock,
        "stock_status": "instock" if article.stock > 0 else "outofstock",
        **_moment(shop, "date_modified", at),
    }
    return body


def _line(pattern: Body, index: int, line: OrderLine) -> Body:
    """Amounts are net of tax and in two parts, after and before discounts."""
    gross = line.price * line.units
    net, tax = _taxed(gross - line.discount)
    net_before, tax_before = _taxed(gross)
    return pattern | {
        "id": index,
        "name": html.escape(line.article.title, quote=False),
        "product_id": line.article.id,
        "variation_id": 0,
        "quantity": line.units,
        "subtotal": f"{net_before:.2f}",
        "subtotal_tax": f"{tax_before:.2f}",
        "total": f"{net:.2f}",
        "total_tax": f"{tax:.2f}",
        "taxes": [],
        "sku": f"SKU-{line.article.id}",
        "price": float(round(net / line.units, 6)),
    }


def _taxed(gross: Decimal) -> tuple[Decimal, Decimal]:
    """The net amount and its tax, which sum to the gross one to the cent."""
    net = (gross / (1 + _TAX)).quantize(_CENT)
    return net, gross - net


def _address(body: Body, person: Person) -> None:
    body |= _names(person) | {"country": person.country}


def _names(person: Person) -> Body:
    """Brackets in names are escaped, or they would be markup."""
    first, last = (html.escape(name, quote=False) for name in (person.first, person.last))
    return {"first_name": first, "last_name": last}


def _moment(shop: Shop, name: str, at: datetime | None) -> Body:
    """The pair of local and UTC time, both without an offset."""
    if at is None:
        return {name: None, f"{name}_gmt": None}
    local = at.astimezone(ZoneInfo(shop.timezone)).replace(tzinfo=None)
    return {
        name: local.isoformat(timespec="seconds"),
        f"{name}_gmt": at.replace(tzinfo=None).isoformat(timespec="seconds"),
    }


def _agent(content_type: str) -> Headers:
    return (
        ("Content-Type", content_type),
        ("User-Agent", "WooCommerce/9.4.0 Hookshot (WordPress/6.7)"),
    )
