"""WooCommerce: REST v3 resources pushed by WordPress, signed, never repeated.

The adapter's facts: an `order.updated` carries the whole order as it was when it was sent, not when it
happened; deletions carry `{"id":n}` and no clock; money is texts, dates are pairs of local and UTC time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.shops.base import Arrival, Rejected, StoreContext, Translation, noted
from pipeline.shops.values import parse_json_object
from pipeline.shops.woocommerce import transport
from pipeline.shops.woocommerce.customers import customer, deleted_customer
from pipeline.shops.woocommerce.orders import deleted_order, order
from pipeline.shops.woocommerce.products import deleted_product, product
from pipeline.shops.woocommerce.transport import NO_TOPIC

__all__ = ["WOOCOMMERCE", "WooCommerce"]

#: Topics that say nothing usable: an action of any plugin with a bare id, and discounts of the shop's own.
_NOT_USED = {"action": "action_topic", "coupon": "coupon_topic"}


class WooCommerce:
    """`ShopAdapter` for WooCommerce."""

    platform = "woocommerce"

    def verify(self, secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> bool:
        """As `ShopAdapter.verify`: base64 HMAC-SHA256 of the raw body."""
        return transport.verify(secrets, headers, body)

    def is_ping(self, headers: Mapping[str, str], body: bytes) -> bool:
        """As `ShopAdapter.is_ping`."""
        return transport.is_ping(headers, body)

    def arrival(self, headers: Mapping[str, str], body: bytes) -> Arrival:
        """As `ShopAdapter.arrival`."""
        return transport.arrival(headers, body)

    def translate(self, event: RawEvent, store: StoreContext) -> Translation:
        """As `ShopAdapter.translate`.

        Raises:
            Rejected: the body cannot be used.
        """
        resource = event.topic.partition(".")[0]
        if resource in _NOT_USED:
            return Translation(version=0, ignored=_NOT_USED[resource])
        if event.topic == NO_TOPIC:
            raise Rejected("missing_topic", detail="the header X-WC-Webhook-Topic did not arrive")
        if resource != event.kind:
            return Translation(version=0, ignored="unknown_topic")
        notes: list[str] = []
        return noted(_meaning(parse_json_object(event.body, notes), event, store), notes)


def _meaning(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    deleted = event.topic.endswith(".deleted")
    if event.kind is Kind.ORDER:
        return deleted_order(body, event, store) if deleted else order(body, event, store)
    if event.kind is Kind.CUSTOMER:
        return deleted_customer(event, store) if deleted else customer(body, event, store)
    return deleted_product(body, event, store) if deleted else product(body, event, store)


WOOCOMMERCE = WooCommerce()
