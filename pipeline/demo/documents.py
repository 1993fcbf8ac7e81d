"""Orders as VTEX, Magento, PrestaShop and custom shops write them: webhooks, and documents of their APIs."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.demo.shops import Order, OrderLine, Shop

Headers = tuple[tuple[str, str], ...]
_JSON = "output_format=JSON"
_VTEX_STATUS = {"paid": "handling", "pending": "payment-pending", "cancelled": "canceled"}
_MAGENTO_STATE = {"paid": "processing", "pending": "new", "cancelled": "canceled"}
_PRESTASHOP_STATE = {"paid": "2", "pending": "10", "cancelled": "6"}
_CUSTOM = {
    "paid": ("processing", "paid"),
    "pending": ("pending", "pending"),
    "cancelled": ("cancelled", "refunded"),
}


def webhook(shop: Shop, order: Order, ident: str, now: datetime) -> tuple[Headers, bytes]:
    """What the shop sends, with what proves that it did.

    Args:
        shop: the shop.
        order: as it stands.
        ident: of the delivery; a repeat has the same.
        now: when it is signed.
    """
    said = _WEBHOOKS[shop.platform](shop, order)
    body = json.dumps(said, separators=(",", ":")).encode()
    json_type = ("Content-Type", "application/json")
    match shop.platform:
        case "vtex":
            return (json_type, ("X-Webhook-Secret", shop.secret)), body
        case "prestashop":
            return (json_type, ("X-Webhook-Token", shop.secret)), body
        case "magento":
            signature = hmac.digest(shop.secret.encode(), body, "sha256").hex()
            return (json_type, ("X-Magento-Signature", signature)), body
        case _:
            return _signed(shop, ident, now, body), body


def consent(shop: Shop, email: str, at: datetime, now: datetime) -> tuple[Headers, bytes]:
    """What a custom shop sends of somebody who signs up for its newsletter, with what proves that it did.

    Args:
        shop: the shop.
        email: theirs.
        at: when they did.
        now: when it is signed.
    """
    said = {"email": email, "state": "subscribed", "updated_at": at.isoformat()}
    event = {"type": "customer.consent_updated", "timestamp": at.isoformat(), "data": said}
    body = json.dumps(event, separators=(",", ":")).encode()
    return _signed(shop, f"consent-{email}", now, body), body


def _signed(shop: Shop, ident: str, now: datetime, body: bytes) -> Headers:
    """By our own contract (docs/shops/generic.md)."""
    seconds = str(int(now.timestamp()))
    signed = f"{ident}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(shop.secret.encode(), signed, "sha256")).decode()
    return (
        ("Content-Type", "application/json"),
        ("webhook-id", ident),
        ("webhook-timestamp", seconds),
        ("webhook-signature", f"v1,{signature}"),
    )


def _custom(shop: Shop, order: Order) -> dict[str, Any]:
    """By our own contract (docs/shops/generic.md), the order as it is."""
    status, payment = _CUSTOM[order.status]
    first, last = order.buyer.name
    data = {
        "id": str(order.id),
        "created_at": order.placed.isoformat(),
        "updated_at": order.updated.isoformat(),
        "status": status,
        "payment_status": payment,
        "currency": "EUR",
        "total": f"{order.total:.2f}",
        "prices_include_tax": True,
        "customer": {
            "id": str(order.buyer.accounts[shop.name]),
            "email": order.email,
            "first_name": first,
            "last_name": last,
        },
        "line_items": [
            {
                "product_id": str(line.article.id),
                "name": line.article.title,
                "quantity": line.units,
                "unit_price": f"{line.price:.2f}",
            }
            for line in order.lines
        ],
    }
    topic = "order.cancelled" if order.status == "cancelled" else "order.updated"
    return {"type": topic, "timestamp": order.updated.isoformat(), "data": data}


_WEBHOOKS: Mapping[str, Callable[[Shop, Order], dict[str, Any]]] = {
    "vtex": lambda _, order: {
        "Domain": "Marketplace",
        "OrderId": str(order.id),
        "State": _VTEX_STATUS[order.status],
        "LastChange": _to_100_ns(order.updated),
    },
    "magento": lambda _, order: {
        "type": "observer.sales_order_save_commit_after",
        "data": {"entity_id": order.id},
    },
    "prestashop": lambda _, order: {"topic": "order.updated", "data": {"id": order.id}},
    "generic": _custom,
}


def _to_100_ns(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000+00:00")


def _vtex(shop: Shop, order: Order) -> dict[str, Any]:
    """The order of the OMS; amounts are cents."""
    first, last = order.buyer.name
    document = {
        "orderId": str(order.id),
        "sequence": str(order.id),
        "origin": "Marketplace",
        "affiliateId": "",
        "status": _VTEX_STATUS[order.status],
        "value": int(order.total * 100),
        "creationDate": _to_100_ns(order.placed),
        "lastChange": _to_100_ns(order.updated),
        "authorizedDate": None if order.status == "pending" else _to_100_ns(order.placed),
        "items": [_vtex_item(number, line) for number, line in enumerate(order.lines, 1)],
        "clientProfileData": {
            "email": order.email,
            "firstName": first,
            "lastName": last,
            "userProfileId": str(order.buyer.accounts[shop.name]),
        },
        "storePreferencesData": {"currencyCode": shop.currency, "countryCode": "ESP"},
        "paymentData": {"transactions": []},
        "packageAttachment": {"packages": []},
    }
    return {f"/api/oms/pvt/orders/{order.id}": document}


def _vtex_item(number: int, line: OrderLine) -> dict[str, Any]:
    unit = int(line.price * 100)
    return {
        "uniqueId": f"{number:032d}",
        "id": str(line.article.id * 10),
        "productId": str(line.article.id),
        "quantity": line.units,
        "seller": "1",
        "name": line.article.title,
        "price": unit,
        "listPrice": unit,
        "sellingPrice": unit,
        "isGift": False,
        "unitMultiplier": 1.0,
        "priceDefinition": {"calculatedSellingPrice": unit, "total": unit * line.units},
    }


def _magento(shop: Shop, order: Order) -> dict[str, Any]:
    """The order of the REST API; moments are in UTC and do not say so."""
    first, last = order.buyer.name
    document = {
        "entity_id": order.id,
        "increment_id": f"{order.id:09d}",
        "state": _MAGENTO_STATE[order.status],
        "status": _MAGENTO_STATE[order.status],
        "created_at": order.placed.strftime("%Y-%m-%d %H:%M:%S"),
        "updated_at": order.updated.strftime("%Y-%m-%d %H:%M:%S"),
        "base_currency_code": shop.currency,
        "order_currency_code": shop.currency,
        "grand_total": float(order.total),
        "shipping_incl_tax": 0,
        "customer_is_guest": 0,
        "customer_id": order.buyer.accounts[shop.name],
        "customer_email": order.email,
        "customer_firstname": first,
        "customer_lastname": last,
        "store_id": 1,
        "items": [_magento_item(number, line) for number, line in enumerate(order.lines, 1)],
    }
    return {f"/rest/all/V1/orders/{order.id}": document}


def _magento_item(number: int, line: OrderLine) -> dict[str, Any]:
    unit, total = float(line.price), float(line.total)
    return {
        "item_id": number,
        "product_id": line.article.id,
        "product_type": "simple",
        "sku": f"SKU-{line.article.id}",
        "name": line.article.title,
        "qty_ordered": line.units,
        "qty_canceled": 0,
        "qty_refunded": 0,
        "price": unit,
        "price_incl_tax": unit,
        "row_total": total,
        "row_total_incl_tax": total,
        "tax_amount": 0,
        "discount_amount": 0,
        "discount_tax_compensation_amount": 0,
    }


def _prestashop(shop: Shop, order: Order) -> dict[str, Any]:
    """The objects of the webservice that make an order; moments are by the shop's clock."""
    first, last = order.buyer.name
    zone, state, customer = (
        ZoneInfo(shop.timezone),
        _PRESTASHOP_STATE[order.status],
        order.buyer.accounts[shop.name],
    )
    document = {
        "id": order.id,
        "id_customer": str(customer),
        "id_currency": "1",
        "id_address_invoice": "0",
        "current_state": state,
        "valid": str(int(order.status == "paid")),
        "date_add": order.placed.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        "date_upd": order.updated.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        "payment": "Card",
        "total_paid_tax_incl": f"{order.total:.6f}",
        "total_discounts": "0.000000",
        "associations": {"order_rows": [_prestashop_row(*row) for row in enumerate(order.lines, 1)]},
    }
    person = {
        "id": customer,
        "email": order.email,
        "firstname": first,
        "lastname": last,
        "is_guest": "0",
        "deleted": "0",
    }
    return {
        f"/api/orders/{order.id}?{_JSON}": {"order": document},
        f"/api/customers/{customer}?{_JSON}": {"customer": person},
        f"/api/currencies/1?{_JSON}": {"currency": {"id": 1, "iso_code": shop.currency}},
        f"/api/order_states/{state}?{_JSON}": {"order_state": {"id": int(state), "paid": "0"}},
        f"/api/order_slip?filter[id_order]=[{order.id}]&display=full&{_JSON}": [],
    }


def _prestashop_row(number: int, line: OrderLine) -> dict[str, Any]:
    return {
        "id": str(number),
        "product_id": str(line.article.id),
        "product_attribute_id": "0",
        "product_quantity": str(line.units),
        "product_name": line.article.title,
        "unit_price_tax_incl": f"{line.price:.6f}",
        "unit_price_tax_excl": f"{line.price:.6f}",
    }


def row(shop: Shop, order: Order) -> dict[str, Any]:
    """The order in the list of the shop's API: as its webhook or the look-up of it says it."""
    if shop.platform == "generic":
        data: dict[str, Any] = _custom(shop, order)["data"]
        return data
    first: dict[str, Any] = next(iter(API[shop.platform](shop, order).values()))
    match shop.platform:
        case "prestashop":
            return dict(first["order"])
        case "vtex":
            listed = ("orderId", "creationDate", "authorizedDate", "status", "sequence")
            return {**{name: first[name] for name in listed}, "items": None, "invoicedDate": None}
        case _:
            return first


#: Platform -> what its API answers of an order, by path and query.
API: Mapping[str, Callable[[Shop, Order], dict[str, Any]]] = {
    "vtex": _vtex,
    "magento": _magento,
    "prestashop": _prestashop,
}
