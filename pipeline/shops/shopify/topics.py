"""Shopify's topics: what each means, which entity it is about, and where its body names it.

Those with a `menu` are the webhooks a merchant makes in the admin's settings of notifications.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.events import Kind
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic
from pipeline.shops.shopify.fields import shop_id

_ODD = re.compile(r"[^a-z0-9_.-]")
Path = tuple[str, ...]
_OWN_ID: tuple[Path, ...] = (("id",),)


@dataclass(frozen=True, slots=True)
class ShopifyTopic(WebhookTopic):
    """A topic, and the paths in its body that can name the entity, best first; empty if none does."""

    paths: tuple[Path, ...] = _OWN_ID

    @property
    def by_own_id(self) -> bool:
        """Whether the body is the entity itself: its top-level `id` names it."""
        return self.paths == _OWN_ID


def _ignored(name: str, kind: Kind, reason: str, *paths: Path) -> ShopifyTopic:
    return ShopifyTopic(name, kind, TopicMeaning.IGNORED, reason=reason, paths=paths)


def _privacy(name: str, reason: str, *paths: Path) -> ShopifyTopic:
    """Erasure is a person's command, not a record's."""
    return ShopifyTopic(name, Kind.CUSTOMER, TopicMeaning.PRIVACY, reason=reason, paths=paths)


_OF_ORDER: Path = ("order_id",)
_OF_PRODUCT: Path = ("product_id",)
_OF_CUSTOMER: tuple[Path, ...] = (("customer_id",), ("customerId",), ("customer", "id"), ("id",))

TOPICS = TopicTable(
    (
        ShopifyTopic("orders/create", Kind.ORDER, menu="order creation"),
        ShopifyTopic("orders/updated", Kind.ORDER, menu="order update"),
        ShopifyTopic("orders/paid", Kind.ORDER, menu="order payment"),
        ShopifyTopic("orders/cancelled", Kind.ORDER, menu="order cancellation"),
        ShopifyTopic("orders/fulfilled", Kind.ORDER, said_by="orders/updated"),
        ShopifyTopic("orders/partially_fulfilled", Kind.ORDER, said_by="orders/updated"),
        ShopifyTopic("orders/delete", Kind.ORDER, TopicMeaning.DELETION, menu="order deletion"),
        _ignored("orders/edited", Kind.ORDER, "order_event_follows", ("order_edit", "order_id")),
        _ignored("refunds/create", Kind.ORDER, "order_event_follows", _OF_ORDER),
        _ignored("order_transactions/create", Kind.ORDER, "order_event_follows", _OF_ORDER),
        ShopifyTopic("customers/create", Kind.CUSTOMER, menu="customer creation"),
        ShopifyTopic("customers/update", Kind.CUSTOMER, menu="customer update"),
        ShopifyTopic("customers/enable", Kind.CUSTOMER, said_by="customers/update"),
        ShopifyTopic("customers/disable", Kind.CUSTOMER, said_by="customers/update"),
        ShopifyTopic(
            "customers_email_marketing_consent/update",
            Kind.CUSTOMER,
            TopicMeaning.CONSENT,
            menu="customer email marketing consent update",
            paths=_OF_CUSTOMER,
        ),
        ShopifyTopic(
            "customers/delete",
            Kind.CUSTOMER,
            TopicMeaning.DELETION,
            menu="customer deletion",
            setting="on_customer_deleted",
        ),
        _ignored("customers_marketing_consent/update", Kind.CUSTOMER, "sms_consent", *_OF_CUSTOMER),
        _ignored("customers/merge", Kind.CUSTOMER, "customer_merge", ("admin_graphql_api_customer_kept_id",)),
        _ignored("customers/purchasing_summary", Kind.CUSTOMER, "not_told", *_OF_CUSTOMER),
        _ignored("customer.tags_added", Kind.CUSTOMER, "not_told", *_OF_CUSTOMER),
        _ignored("customer.tags_removed", Kind.CUSTOMER, "not_told", *_OF_CUSTOMER),
        _ignored("customer.joined_segment", Kind.CUSTOMER, "not_told", *_OF_CUSTOMER),
        _ignored("customer.left_segment", Kind.CUSTOMER, "not_told", *_OF_CUSTOMER),
        _privacy("customers/data_request", "data_request", ("customer", "id")),
        _privacy("customers/redact", "erasure_request", ("customer", "id")),
        _privacy("shop/redact", "shop_erasure_request"),
        ShopifyTopic("products/create", Kind.PRODUCT, menu="product creation"),
        ShopifyTopic("products/update", Kind.PRODUCT, menu="product update"),
        ShopifyTopic("products/delete", Kind.PRODUCT, TopicMeaning.DELETION, menu="product deletion"),
        _ignored("variants/in_stock", Kind.PRODUCT, "product_event_follows", _OF_PRODUCT),
        _ignored("variants/out_of_stock", Kind.PRODUCT, "product_event_follows", _OF_PRODUCT),
        _ignored("inventory_levels/connect", Kind.PRODUCT, "product_event_follows"),
        _ignored("inventory_levels/disconnect", Kind.PRODUCT, "product_event_follows"),
        _ignored("inventory_levels/update", Kind.PRODUCT, "product_event_follows"),
    )
)

#: Kinds of the topics that are not there: by the start of their name, the longest first.
_FAMILIES = (
    ("customer", Kind.CUSTOMER),
    ("product", Kind.PRODUCT),
    ("inventory", Kind.PRODUCT),
    ("shop/redact", Kind.CUSTOMER),
)


def family(topic: str) -> tuple[Kind, str]:
    """The kind a topic is stored under that names no entity, and the prefix that keeps its ids apart."""
    kind = next((kind for start, kind in _FAMILIES if topic.startswith(start)), Kind.ORDER)
    return kind, _ODD.sub("_", topic.partition("/")[0].lower())[:40] or "untitled"


def named_by(paths: tuple[Path, ...], body: Mapping[str, Any]) -> str | None:
    """The entity's id as the body names it, None where it does not."""
    for path in paths:
        node: Any = body
        for step in path[:-1]:
            node = node.get(step) if isinstance(node, dict) else None
        if isinstance(node, dict):
            gid = node.get("admin_graphql_api_id") if path[-1] == "id" else None
            found = shop_id(node.get(path[-1]), gid)
            if found is not None:
                return found
    return None
