"""Shopify webhooks of the demo's orders, customers and products: real bodies with other values."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.demo.shops import Article, Order, OrderLine, Person, Shop
from pipeline.demo.templates import Body, template

API_VERSION = "2026-04"
Headers = tuple[tuple[str, str], ...]

_ORDERS = (
    "webhook-orders_create-2026-04",
    "webhook-orders_create-2024-04",
    "constructed-webhook-orders_paid",
    "realistic-order-full-0-webhookdb",
)
_STATUS = {
    "pending": "pending",
    "paid": "paid",
    "completed": "paid",
    "partly_refunded": "partially_refunded",
    "cancelled": "refunded",
}
#: What a buyer abroad saw, per unit of the shop's currency: to be ignored by readers of the body.
_ABROAD = {"USD": Decimal("1.08"), "GBP": Decimal("0.86")}


def signed(shop: Shop, topic: str, body: bytes, rng: Random, at: datetime) -> Headers:
    """The headers of a delivery, with its signature."""
    digest = hmac.digest(shop.secret.encode(), body, "sha256")
    return (
        ("Content-Type", "application/json"),
        ("X-Shopify-Topic", topic),
        ("X-Shopify-Hmac-Sha256", base64.b64encode(digest).decode()),
        ("X-Shopify-Shop-Domain", f"{shop.name}.myshopify.com"),
        ("X-Shopify-API-Version", API_VERSION),
        ("X-Shopify-Webhook-Id", _uuid(rng)),
        ("X-Shopify-Event-Id", _uuid(rng)),
        ("X-Shopify-Triggered-At", at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")),
    )


def encode(body: Any) -> bytes:
    """As Shopify writes JSON: compact, other scripts unescaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def order_body(shop: Shop, order: Order) -> Body:
    """The order as Shopify would send it now."""
    body = template("shopify", _ORDERS[order.template % len(_ORDERS)])
    _forget(body)
    _recount(body, shop.currency, order.presentment or shop.currency)
    number = order.id - shop.first_id
    placed, updated = _local(shop, order.placed), _local(shop, order.updated)
    body |= {
        "id": order.id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order.id}",
        "name": f"#{number}",
        "number": number,
        "order_number": number,
        "currency": shop.currency,
        "presentment_currency": order.presentment or shop.currency,
        "created_at": placed,
        "processed_at": placed,
        "updated_at": updated,
        "cancelled_at": updated if order.status == "cancelled" else None,
        "cancel_reason": "customer" if order.status == "cancelled" else None,
        "closed_at": None,
        "financial_status": _STATUS[order.status],
        "fulfillment_status": None,
        "test": order.is_test,
        "tags": ", ".join(order.tags),
        "email": order.email,
        "contact_email": order.email,
        "cart_token": f"cart-{order.id}",
        "buyer_accepts_marketing": order.ticked,
        "taxes_included": True,
        "customer": _buyer(body.get("customer"), shop, order),
    }
    for kind in ("billing_address", "shipping_address"):
        if isinstance(body.get(kind), dict):
            _address(body[kind], order.buyer)
    line = body["line_items"][0]
    body["line_items"] = [
        _line(line, shop, order, index, one) for index, one in enumerate(order.lines, start=1)
    ]
    _totals(body, shop, order)
    return body


def customer_body(shop: Shop, person: Person, at: datetime, *, old: bool) -> Body:
    """A customer as the shop has them."""
    body = template("shopify", f"webhook-customers_update-{'2024-04' if old else '2026-04'}")
    customer = person.accounts[shop.name]
    body |= {
        "id": customer,
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer}",
        "email": person.email,
        "first_name": person.first,
        "last_name": person.last,
        "created_at": _local(shop, at),
        "updated_at": _local(shop, at),
        "currency": shop.currency,
    }
    _address(body["default_address"], person)
    return body


def consent_body(shop: Shop, person: Person, at: datetime, *, subscribed: bool) -> Body:
    """What a customer said of newsletters."""
    state = "subscribed" if subscribed else "unsubscribed"
    body = template("shopify", f"constructed-webhook-consent-{state}")
    body |= {"customer_id": person.accounts[shop.name], "email_address": person.email}
    body["email_marketing_consent"]["consent_updated_at"] = _local(shop, at)
    return body


def product_body(shop: Shop, article: Article, at: datetime, *, old: bool) -> Body:
    """A product with two sizes of one price."""
    body = template("shopify", f"webhook-products_update-{'2024-04' if old else '2026-04'}")
    body |= {
        "id": article.id,
        "admin_graphql_api_id": f"gid://shopify/Product/{article.id}",
        "title": article.title,
        "handle": f"product-{article.id}",
        "updated_at": _local(shop, at),
        "variant_gids": [],
    }
    for index, variant in enumerate(body["variants"]):
        variant |= {
            "id": article.id * 10 + index,
            "admin_graphql_api_id": f"gid://shopify/ProductVariant/{article.id * 10 + index}",
            "product_id": article.id,
            "price": str(article.price),
            "compare_at_price": None if article.was is None else str(article.was),
            "inventory_quantity": article.stock,
            "old_inventory_quantity": article.stock,
            "updated_at": _local(shop, at),
        }
        if old:
            variant["inventory_management"] = "shopify"
    return body


def refund_body(shop: Shop, order: Order) -> Body:
    """The refund that an order's own update has, too."""
    body = template("shopify", "webhook-refunds_create-2026-04")
    at = _local(shop, order.updated)
    return body | {"id": order.id + 7, "order_id": order.id, "created_at": at, "processed_at": at}


def _forget(body: Body) -> None:
    """Leave out what belongs to the order the template once was."""
    for name in ("discount_codes", "discount_applications", "tax_lines", "refunds", "fulfillments"):
        if name in body:
            body[name] = []
    for name in ("note", "payment_details", "closed_at", "phone"):
        if name in body:
            body[name] = None


def _recount(node: Any, currency: str, presentment: str) -> None:
    """Put every amount that comes in two currencies into the order's own two."""
    if isinstance(node, dict):
        if {"shop_money", "presentment_money"} <= node.keys():
            node["shop_money"]["currency_code"] = currency
            node["presentment_money"]["currency_code"] = presentment
        for value in node.values():
            _recount(value, currency, presentment)
    elif isinstance(node, list):
        for value in node:
            _recount(value, currency, presentment)


def _amount(node: Body, name: str, value: Decimal, order: Order) -> None:
    """An amount, and the same in the shop's and the buyer's money where the template has those."""
    node[name] = f"{value:.2f}"
    pair = node.get(f"{name}_set")
    if isinstance(pair, dict):
        pair["shop_money"]["amount"] = node[name]
        abroad = value * _ABROAD.get(order.presentment or "", Decimal(1))
        pair["presentment_money"]["amount"] = f"{abroad:.2f}"


def _totals(body: Body, shop: Shop, order: Order) -> None:
    placed = sum((line.price * line.units - line.discount for line in order.lines), Decimal(0))
    gross = sum((line.price * line.units for line in order.lines), Decimal(0))
    now = Decimal(0) if order.status == "cancelled" else order.total
    for name, value in (
        ("total_price", placed + order.shipping),
        ("subtotal_price", placed),
        ("total_line_items_price", gross),
        ("total_discounts", gross - placed),
        ("current_total_price", now),
        ("current_subtotal_price", max(Decimal(0), now - order.shipping)),
        ("total_tax", Decimal(0)),
        ("current_total_tax", Decimal(0)),
        ("total_outstanding", now if order.status == "pending" else Decimal(0)),
    ):
        _amount(body, name, value, order)
    shipping = {"amount": f"{order.shipping:.2f}", "currency_code": shop.currency}
    body["total_shipping_price_set"] = {"shop_money": shipping, "presentment_money": shipping}


def _line(pattern: Body, shop: Shop, order: Order, index: int, line: OrderLine) -> Body:
    body: Body = json.loads(json.dumps(pattern))
    body |= {
        "id": order.id * 10 % 10**18 + index,
        "product_id": line.article.id,
        "variant_id": line.article.id * 10,
        "title": line.article.title,
        "name": f"{line.article.title} - Small",
        "sku": f"SKU-{line.article.id}",
        "quantity": line.units,
        "current_quantity": 0 if order.status == "cancelled" else line.left,
        "product_exists": True,
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
    }
    if "admin_graphql_api_id" in body:
        body["admin_graphql_api_id"] = f"gid://shopify/LineItem/{body['id']}"
    _amount(body, "price", line.price, order)
    _amount(body, "total_discount", Decimal(0), order)
    if line.discount:
        money = {"amount": f"{line.discount:.2f}", "currency_code": shop.currency}
        body["discount_allocations"] = [
            {
                "amount": money["amount"],
                "amount_set": {"shop_money": money, "presentment_money": money},
                "discount_application_index": 0,
            }
        ]
    return body


def _buyer(pattern: Any, shop: Shop, order: Order) -> Body | None:
    """The customer inside an order; none where a guest bought."""
    person = order.buyer
    customer = person.accounts.get(shop.name)
    if customer is None or not isinstance(pattern, dict):
        return None
    body = dict(pattern)
    body |= {
        "id": customer,
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer}",
        "email": order.email,
        "first_name": person.first,
        "last_name": person.last,
    }
    # Older bodies repeat consent here; this buyer's comes by events of its own.
    for name in ("email_marketing_consent", "accepts_marketing", "accepts_marketing_updated_at"):
        body.pop(name, None)
    if isinstance(body.get("default_address"), dict):
        _address(body["default_address"], person)
    return body


def _address(body: Body, person: Person) -> None:
    name = {"first_name": person.first, "last_name": person.last, "name": f"{person.first} {person.last}"}
    body |= name | {"country_code": person.country}


def _local(shop: Shop, at: datetime) -> str:
    return at.astimezone(ZoneInfo(shop.timezone)).isoformat(timespec="seconds")


def _uuid(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
