"""What shops said before the archive was made, and what they say after it was opened: plain HTTP requests."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from tests import webhooks
from tests.integration.operating import SHOPIFY, WOO, Site, shopify_order, woo_order
from tests.shopify import load

#: Later than anything that is said of an order first.
LATER = ("2024-05-08T09:00:00+02:00", "2024-05-08T07:00:00")
_PRODUCT = load("webhook-products_update-2024-04")
_CUSTOMER = load("webhook-customers_update-2024-04")
_CONSENT = load("constructed-webhook-consent-subscribed")


class Webhook(NamedTuple):
    """A request to the gateway, as it can be kept in a file."""

    path: str
    headers: dict[str, str]
    body: str

    def post(self, site: Site) -> int:
        """Send it; the status of the answer."""
        return site._post(self.path, self.body.encode(), self.headers)


def shopify(topic: str, body: dict[str, Any], delivery: str) -> Webhook:
    """A webhook of the Shopify store."""
    raw = orjson.dumps(body)
    headers = webhooks.shopify(raw, delivery=delivery) | {"x-shopify-topic": topic}
    return Webhook(f"shopify/{SHOPIFY}", headers, raw.decode())


def woocommerce(body: dict[str, Any]) -> Webhook:
    """An order of the WooCommerce store."""
    raw = orjson.dumps(body)
    return Webhook(f"woocommerce/{WOO}", webhooks.woocommerce(raw), raw.decode())


def order(number: int) -> Webhook:
    """An order of the Shopify store, paid."""
    return shopify("orders/paid", shopify_order(number), f"order-{number}")


def order_changed(number: int) -> Webhook:
    """The same, a day later: one of two shirts was sent back."""
    body = shopify_order(number, updated_at=LATER[0])
    body["current_total_price_set"] = {"shop_money": {"amount": "20.90", "currency_code": "EUR"}}
    for line in body["line_items"]:
        line["current_quantity"] = 1
    return shopify("orders/updated", body, f"order-{number}-changed")


def order_cancelled(number: int) -> Webhook:
    """The same, a day later: cancelled."""
    body = shopify_order(
        number,
        updated_at=LATER[0],
        cancelled_at=LATER[0],
        financial_status="refunded",
        current_total_price="0.00",
    )
    return shopify("orders/cancelled", body, f"order-{number}-cancelled")


def _woo_order(number: int, **changes: Any) -> dict[str, Any]:
    """The same bytes each time."""
    body = woo_order(number, **changes)
    body["line_items"] = [line | {"id": number} for line in body["line_items"]]
    return body


def woo(number: int) -> Webhook:
    """An order of the WooCommerce store."""
    return woocommerce(_woo_order(number))


def woo_changed(number: int, **changes: Any) -> Webhook:
    """The same, later: `status`, or a part of it paid back."""
    changes = changes or {"refunds": [{"id": 1, "total": "-5.00"}]}
    return woocommerce(_woo_order(number, date_modified_gmt=LATER[1], **changes))


def product(number: int, day: int = 1, delivery: str = "") -> Webhook:
    """A product of the Shopify store as it was on that day."""
    changes = {
        "id": 40_000 + number,
        "title": f"Shirt {number} of day {day}",
        "updated_at": f"2024-06-{day:02}T10:00:00+02:00",
    }
    return shopify("products/update", _PRODUCT | changes, delivery or f"product-{number}-{day}")


def customer(number: int, day: int = 1) -> Webhook:
    """A customer of the Shopify store, likewise."""
    changes = {
        "id": 50_000 + number,
        "email": f"customer{number}@example.com",
        "first_name": f"Ana {day}",
        "updated_at": f"2024-06-{day:02}T10:00:00+02:00",
    }
    return shopify("customers/update", _CUSTOMER | changes, f"customer-{number}-{day}")


def consent(number: int, state: str, day: int = 1) -> Webhook:
    """What that customer says of newsletters on that day: `subscribed` or `unsubscribed`."""
    said = _CONSENT["email_marketing_consent"]
    changes = {
        "customer_id": 50_000 + number,
        "email_address": f"customer{number}@example.com",
        "email_marketing_consent": said
        | {"state": state, "consent_updated_at": f"2024-06-{day:02}T11:00:00+02:00"},
    }
    topic = "customers_email_marketing_consent/update"
    return shopify(topic, _CONSENT | changes, f"consent-{number}-{day}")


def told() -> list[Webhook]:
    """What is dealt with, and told, before the archive is made: each outcome an event can have."""
    broken = shopify("orders/paid", shopify_order(50), "broken")._replace(body='{"id": 50, "email')
    headers = broken.headers | {"x-shopify-hmac-sha256": webhooks.signature(broken.body.encode())}
    return [
        *(product(number) for number in range(1, 9)),
        *(customer(number) for number in range(1, 6)),
        *(consent(number, "subscribed") for number in range(1, 4)),
        *(order(number) for number in range(1, 13)),
        *(woo(number) for number in range(1, 11)),
        product(1, day=2),
        order_changed(2),
        order_cancelled(3),
        woo_changed(2),
        woo_changed(3, status="cancelled"),
        order(4),
        product(1, delivery="late"),
        shopify("customers/redact", {"shop_id": 1, "customer": {"id": 9}}, "redact"),
        broken._replace(headers=headers),
    ]


#: Of the WooCommerce store: an order of which Connectif's answer is lost.
UNANSWERED = 20


def waiting() -> list[Webhook]:
    """What is said while Connectif fails, and still waits when the archive is made."""
    return [
        *(order(number) for number in range(21, 25)),
        order_changed(5),
        order_cancelled(6),
        product(2, day=2),
        customer(2, day=2),
        consent(1, "unsubscribed", day=2),
        *(woo(number) for number in range(21, 24)),
        woo_changed(5),
        woo_changed(6, status="cancelled"),
    ]


def spooled() -> list[Webhook]:
    """What lies in the gateway's spool."""
    return [product(number) for number in range(31, 34)]


def again() -> list[Webhook]:
    """Old webhooks a shop sends again, after what was told, after what waited, after what was spooled."""
    return [order(1), order(21), woo(1), woo(21), product(3), product(31), customer(4)]


def changed() -> list[Webhook]:
    """Orders told before the archive was made, that change after it was opened."""
    return [order_changed(7), woo_changed(7)]
