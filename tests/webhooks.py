"""Webhooks as shops send them: bodies, and the headers that sign and name them."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import orjson

from tests.platforms import IN_TESTS
from tests.settings_trees import store_tree, stores_tree

SECRET = "shop-secret"
ROTATED = "shop-secret-before"

#: Two accounts and their stores on a sandbox, as a tree of settings.
STORES: dict[str, Any] = stores_tree(
    **{
        "acme-es": store_tree(secrets=[SECRET, ROTATED]),
        "woo-fr": store_tree("woocommerce", "woo", domain="woo.example", secrets=[SECRET]),
    }
)


def order(ident: int, padding: int = 0) -> bytes:
    """An order's body; `padding` bytes longer than it must be."""
    return orjson.dumps({"id": ident, "updated_at": "2026-11-23T10:00:00Z", "note": "x" * padding})


def shopify(body: bytes, *, secret: str = SECRET, delivery: str = "d-1") -> dict[str, str]:
    """Shopify's headers for a body."""
    own = {"x-shopify-webhook-id": delivery}
    return IN_TESTS["shopify"].signed("orders/updated", body, secret.encode(), own)


def woocommerce(body: bytes, *, secret: str = SECRET) -> dict[str, str]:
    """WooCommerce's headers for a body."""
    own = {"x-wc-webhook-id": "7", "x-wc-webhook-delivery-id": "abc"}
    return IN_TESTS["woocommerce"].signed("order.updated", body, secret.encode(), own)


def signature(body: bytes, secret: str = SECRET) -> str:
    """base64(HMAC-SHA256), as both platforms sign."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def http(path: str, headers: dict[str, str], body: bytes, method: str = "POST") -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
