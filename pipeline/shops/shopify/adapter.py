"""The Shopify adapter: what a delivery is about, and which reader understands it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops.base import Arrival, Rejected, ShopAdapter, StoreContext, Translation, noted
from pipeline.shops.shopify.consents import consent
from pipeline.shops.shopify.customers import customer, deleted_customer
from pipeline.shops.shopify.fields import perhaps_rounded, shop_id
from pipeline.shops.shopify.orders import deleted_order, order
from pipeline.shops.shopify.products import deleted_product, product
from pipeline.shops.shopify.topics import SUBJECTS, family, named_by
from pipeline.shops.values import body_hash, epoch_ms, instant, parse_json_object, signed_base64

#: Headers worth keeping with the event: what it is, and what support asks for.
_KEPT = (
    "x-shopify-topic",
    "x-shopify-sub-topic",
    "x-shopify-name",
    "x-shopify-shop-domain",
    "x-shopify-api-version",
    "x-shopify-webhook-id",
    "x-shopify-event-id",
    "x-shopify-triggered-at",
    "x-shopify-test",
    "x-shopify-order-id",
)
_FIRST_KEY = re.compile(rb'\s*\{\s*"id"\s*:\s*([1-9][0-9]{0,18})\s*[,}]')

Reader = Callable[[dict[str, Any], RawEvent, StoreContext], Translation]

_READERS: Mapping[str, Reader] = {
    "orders/create": order,
    "orders/updated": order,
    "orders/paid": order,
    "orders/cancelled": order,
    "orders/fulfilled": order,
    "orders/partially_fulfilled": order,
    "orders/delete": deleted_order,
    "customers/create": customer,
    "customers/update": customer,
    "customers/enable": customer,
    "customers/disable": customer,
    "customers/delete": deleted_customer,
    "customers_email_marketing_consent/update": consent,
    "products/create": product,
    "products/update": product,
    "products/delete": deleted_product,
}

#: Topics that tell Connectif nothing, and why. Erasure is a person's command, not a record's.
_IGNORED: Mapping[str, str] = {
    "orders/edited": "order_event_follows",
    "refunds/create": "order_event_follows",
    "order_transactions/create": "order_event_follows",
    "variants/in_stock": "product_event_follows",
    "variants/out_of_stock": "product_event_follows",
    "inventory_levels/connect": "product_event_follows",
    "inventory_levels/disconnect": "product_event_follows",
    "inventory_levels/update": "product_event_follows",
    "customers_marketing_consent/update": "sms_consent",
    "customers/merge": "customer_merge",
    "customers/purchasing_summary": "not_told",
    "customer.tags_added": "not_told",
    "customer.tags_removed": "not_told",
    "customer.joined_segment": "not_told",
    "customer.left_segment": "not_told",
    "customers/data_request": "data_request",
    "customers/redact": "erasure_request",
    "shop/redact": "shop_erasure_request",
}


class Shopify:
    """`ShopAdapter` of Shopify."""

    platform = "shopify"

    def verify(self, secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> bool:
        """base64(HMAC-SHA256) over the raw body, under the app's secret or the one it replaced."""
        return signed_base64(secrets, headers.get("x-shopify-hmac-sha256", ""), body)

    def is_ping(self, headers: Mapping[str, str], body: bytes) -> bool:  # noqa: ARG002 - the contract
        """Shopify sends no hello."""
        return False

    def arrival(self, headers: Mapping[str, str], body: bytes) -> Arrival:
        """Topic and delivery from the headers, the entity from the body's first key where that is certain.

        The delivery key is the topic and the webhook id: the same on retries, and never shared by topics.
        """
        topic = headers.get("x-shopify-topic", "").strip().lower()
        subject = SUBJECTS.get(topic)
        entity = _first_id(body) if subject is None or subject.by_own_id else None
        if entity is None:
            entity = _parsed_entity(topic, body)
        if subject is None:
            kind, prefix = family(topic)
            entity = f"{prefix}-{entity}"
        else:
            kind = subject.kind
        webhook = headers.get("x-shopify-webhook-id")
        return Arrival(
            kind=kind,
            entity=entity,
            topic=topic,
            delivery=f"{topic}:{webhook or body_hash(body)}",
            triggered_ms=_triggered(headers.get("x-shopify-triggered-at")),
            headers={name: headers[name] for name in _KEPT if name in headers},
        )

    def translate(self, event: RawEvent, store: StoreContext) -> Translation:
        """What the event means; the topic says which reader knows."""
        if not event.topic:
            raise Rejected("missing_topic", detail="the header X-Shopify-Topic did not arrive")
        reader = _READERS.get(event.topic)
        if reader is None:
            return Translation(0, ignored=_IGNORED.get(event.topic, "unknown_topic"))
        if event.headers.get("x-shopify-test") == "true" and not store.settings.accept_test_orders:
            return Translation(0, ignored="test_notification")
        notes: list[str] = []
        return noted(reader(parse_json_object(event.body, notes), event, store), notes)


def _first_id(body: bytes) -> str | None:
    """The body's first key, if it is the id and cannot be one that JavaScript rounded."""
    match = _FIRST_KEY.match(body)
    if match is None or perhaps_rounded(int(match[1])):
        return None
    return match[1].decode()


def _parsed_entity(topic: str, body: bytes) -> str:
    """The entity the whole body names; else the body's hash, so that nothing is lost for want of a name."""
    try:
        parsed = parse_json_object(body)
    except Rejected:
        return body_hash(body)
    subject = SUBJECTS.get(topic)
    if subject is not None:
        named = named_by(subject, parsed)
    else:
        named = shop_id(parsed.get("id"), parsed.get("admin_graphql_api_id"))
    return named or body_hash(body)


def _triggered(text: str | None) -> int:
    """Nanosecond ISO text -> epoch ms; 0 where the shop says nothing that can be read."""
    if not text:
        return 0
    try:
        return epoch_ms(instant(text, "x-shopify-triggered-at"))
    except Rejected:
        return 0


SHOPIFY: ShopAdapter = Shopify()
