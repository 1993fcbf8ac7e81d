"""Which entity a Shopify topic is about, and where its body names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.events import Kind
from pipeline.shops.asked import Asked
from pipeline.shops.shopify.fields import shop_id

_ODD = re.compile(r"[^a-z0-9_.-]")
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """The kind of entity, and the places in the body that can name it, best first."""

    kind: Kind
    paths: tuple[Path, ...] = (("id",),)

    @property
    def by_own_id(self) -> bool:
        """Whether the body is the entity itself: its top-level `id` names it."""
        return self.paths == (("id",),)


_ORDER = Subject(Kind.ORDER)
_CUSTOMER = Subject(Kind.CUSTOMER)
_PRODUCT = Subject(Kind.PRODUCT)
_OF_ORDER = Subject(Kind.ORDER, (("order_id",),))
_OF_CUSTOMER = Subject(Kind.CUSTOMER, (("customer_id",), ("customerId",), ("customer", "id"), ("id",)))
_OF_PRODUCT = Subject(Kind.PRODUCT, (("product_id",),))

SUBJECTS: Mapping[str, Subject] = {
    "orders/create": _ORDER,
    "orders/updated": _ORDER,
    "orders/paid": _ORDER,
    "orders/cancelled": _ORDER,
    "orders/fulfilled": _ORDER,
    "orders/partially_fulfilled": _ORDER,
    "orders/delete": _ORDER,
    "orders/edited": Subject(Kind.ORDER, (("order_edit", "order_id"),)),
    "refunds/create": _OF_ORDER,
    "order_transactions/create": _OF_ORDER,
    "customers/create": _CUSTOMER,
    "customers/update": _CUSTOMER,
    "customers/enable": _CUSTOMER,
    "customers/disable": _CUSTOMER,
    "customers/delete": _CUSTOMER,
    "customers/merge": Subject(Kind.CUSTOMER, (("admin_graphql_api_customer_kept_id",),)),
    "customers_email_marketing_consent/update": _OF_CUSTOMER,
    "customers_marketing_consent/update": _OF_CUSTOMER,
    "customer.tags_added": _OF_CUSTOMER,
    "customer.tags_removed": _OF_CUSTOMER,
    "customers/purchasing_summary": _OF_CUSTOMER,
    "customer.joined_segment": _OF_CUSTOMER,
    "customer.left_segment": _OF_CUSTOMER,
    "customers/data_request": Subject(Kind.CUSTOMER, (("customer", "id"),)),
    "customers/redact": Subject(Kind.CUSTOMER, (("customer", "id"),)),
    "products/create": _PRODUCT,
    "products/update": _PRODUCT,
    "products/delete": _PRODUCT,
    "variants/in_stock": _OF_PRODUCT,
    "variants/out_of_stock": _OF_PRODUCT,
}

#: The webhooks a merchant makes in the admin's settings of notifications.
ASKED = (
    Asked("orders/create", "order creation"),
    Asked("orders/updated", "order update"),
    Asked("orders/paid", "order payment"),
    Asked("orders/cancelled", "order cancellation"),
    Asked("orders/delete", "order deletion"),
    Asked("customers/create", "customer creation"),
    Asked("customers/update", "customer update"),
    Asked("customers_email_marketing_consent/update", "customer email marketing consent update"),
    Asked("customers/delete", "customer deletion", "on_customer_deleted"),
    Asked("products/create", "product creation"),
    Asked("products/update", "product update"),
    Asked("products/delete", "product deletion"),
)

#: Topics that are read where they come and need not come, since one that is asked for says the same.
SAID_ELSEWHERE: Mapping[str, str] = {
    "orders/fulfilled": "orders/updated",
    "orders/partially_fulfilled": "orders/updated",
    "customers/enable": "customers/update",
    "customers/disable": "customers/update",
}

#: Kinds of the topics above that are not there: by the start of their name, the longest first.
_FAMILIES = (
    ("customer", Kind.CUSTOMER),
    ("product", Kind.PRODUCT),
    ("inventory", Kind.PRODUCT),
    ("shop/redact", Kind.CUSTOMER),
)


def family(topic: str) -> tuple[Kind, str]:
    """The kind a topic without a subject is stored under, and the prefix that keeps its ids apart."""
    kind = next((kind for start, kind in _FAMILIES if topic.startswith(start)), Kind.ORDER)
    return kind, _ODD.sub("_", topic.partition("/")[0].lower())[:40] or "untitled"


def named_by(subject: Subject, body: Mapping[str, Any]) -> str | None:
    """The entity's id as the body names it, None where it does not."""
    for path in subject.paths:
        node: Any = body
        for step in path[:-1]:
            node = node.get(step) if isinstance(node, dict) else None
        if isinstance(node, dict):
            gid = node.get("admin_graphql_api_id") if path[-1] == "id" else None
            found = shop_id(node.get(path[-1]), gid)
            if found is not None:
                return found
    return None
