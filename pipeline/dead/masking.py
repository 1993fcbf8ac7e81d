"""A body without what it says of persons: its structure stays, and the values that are known to be harmless.

What is not known is masked: plugins put anything anywhere.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from pipeline.text import masked_addresses

MASK = "***"
#: A body nested deeper is masked from there on; JSON's reader itself stops at about a thousand.
_DEEPEST = 60
#: Fields whose values say nothing of a person, by their names in any of the shops' and our own spellings.
# fmt: off
_SHOWN = frozenset(
    {
        "account", "store", "kind", "lane", "origin", "op", "version", "source", "topic", "partition",
        "offset", "owner", "notes", "trigger", "status", "state", "id", "admin_graphql_api_id", "currency",
        "presentment_currency", "currency_code", "financial_status", "fulfillment_status", "cancel_reason",
        "payment_method", "sku", "quantity", "current_quantity", "total_quantity", "product_id",
        "variant_id", "purchase_id", "variation_id", "cart_id", "coupon_set_id", "newsletter",
        "taxes_included", "prices_include_tax", "test", "confirmed", "discount", "availability",
        "is_blacklisted", "url", "unit_price", "published_scope", "product_type", "vendor", "type",
        "catalog_visibility", "stock_status", "tax_class", "rate", "tax", "rating", "rating_count",
        "source_name", "created_via", "parent_id", "total", "subtotal", "price", "amount",
    }
)
# fmt: on
_SHOWN_ENDINGS = (
    *(
        "_id",
        "_price",
        "_total",
        "_amount",
        "_tax",
        "_ms",
        "_at",
        "_gmt",
        "_status",
        "_quantity",
        "_currency",
    ),
    "_date",
)
#: Inside of these a name is a product's; a person's elsewhere.
_OF_PRODUCTS = frozenset({"line_items", "lines", "product", "variants", "variations"})
_OF_PERSONS = frozenset({"external_id", "contact_external_id", "birth_date", "birthdate", "cart_token"})
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def masked_body(value: bytes | None) -> Any:
    """A message's value as JSON, masked; a text where it is none."""
    if value is None:
        return "nothing: the message was too large to be copied, and lies at its place"
    tree = parsed(value)
    if tree is None:
        return f"{len(value):,} bytes that are no JSON object; --reveal shows them"
    return _masked(tree, shown=False, products=False, depth=0)


def revealed_body(value: bytes | None) -> Any:
    """A message's value as JSON; a text where it is none, or nested too deep to be written again."""
    tree = parsed(value)
    if tree is None or _is_deep(tree):
        return (value or b"").decode(errors="replace")
    return tree


def _is_deep(tree: Any) -> bool:
    level: list[Any] = [tree]
    for _ in range(_DEEPEST):
        level = [
            below
            for value in level
            for below in (value.values() if isinstance(value, dict) else value)
            if isinstance(below, dict | list)
        ]
        if not level:
            return False
    return True


def parsed(value: bytes | None) -> Any:
    """A message's value as JSON; None where it is no object or list."""
    try:
        tree = orjson.loads(value or b"")
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return tree if isinstance(tree, dict | list) else None


def masked_text(text: str) -> str:
    """A header or key that may name a person by an address."""
    return masked_addresses(text)


def masked_key(text: str) -> str:
    """A message's key: what a contact is known by is masked."""
    parts = text.split("|", 2)
    if len(parts) == 3 and parts[1] == "contact":  # noqa: PLR2004 - account|kind|id
        return f"{parts[0]}|{parts[1]}|{MASK}"
    return masked_text(text)


def _masked(value: Any, *, shown: bool, products: bool, depth: int) -> Any:
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, dict):
        contact = value.get("kind") == "contact"
        return {
            masked_text(key): _masked(
                below,
                shown=_is_shown(key, products=products) and not (contact and key in {"id", "owner"}),
                products=products
                or key in _OF_PRODUCTS
                or (key == "body" and value.get("kind") == "product"),
                depth=depth + 1,
            )
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [_masked(below, shown=shown, products=products, depth=depth + 1) for below in value]
    if value is None or isinstance(value, bool):
        return value
    if not shown:
        return MASK
    return masked_text(value) if isinstance(value, str) else value


def _is_shown(key: str, *, products: bool) -> bool:
    name = _CAMEL.sub("_", key).lower().lstrip("_")
    if name in _OF_PERSONS:
        return False
    if products and name in {"name", "title"}:
        return True
    return name in _SHOWN or name.endswith(_SHOWN_ENDINGS)
