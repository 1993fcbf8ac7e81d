"""Bodies of a given size that cost the most time for it: for each list, text and number a sender can grow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests import heavy_magento as magento
from tests.heavy_magento import MAGENTO_CUSTOMERS, MAGENTO_ORDERS, MAGENTO_PRODUCTS
from tests.heavy_shopify import SHOPIFY_ORDERS, SHOPIFY_PRODUCTS
from tests.heavy_woocommerce import WOO_ORDERS, WOO_PRODUCTS
from tests.sizes import long, many


class Heavy(NamedTuple):
    """A delivery that grows.

    Attributes:
        platform: of the shop.
        topic: of the delivery.
        body: makes one of about so many bytes.
        settings: of the store.
    """

    platform: str
    topic: str
    body: Callable[[int], bytes]
    settings: dict[str, Any]


def _named(
    platform: str, topic: str, bodies: dict[str, Callable[[int], bytes]], **settings: Any
) -> Iterator[tuple[str, Heavy]]:
    told = ", ".join(f"{key}={value}" for key, value in settings.items())
    for name, body in bodies.items():
        yield f"{platform} {topic} {told}: {name}", Heavy(platform, topic, body, settings)


#: Every delivery, by its name.
HEAVY: dict[str, Heavy] = dict(
    (
        *_named("shopify", "orders/updated", SHOPIFY_ORDERS),
        *_named("shopify", "orders/paid", SHOPIFY_ORDERS, product_id="sku", tax="included"),
        *_named("shopify", "products/update", SHOPIFY_PRODUCTS),
        *_named("shopify", "products/update", SHOPIFY_PRODUCTS, product_id="variant"),
        *_named("shopify", "products/update", SHOPIFY_PRODUCTS, product_id="sku"),
        *_named("woocommerce", "order.updated", WOO_ORDERS),
        *_named("woocommerce", "order.updated", WOO_ORDERS, product_id="sku", tax="included"),
        *_named("woocommerce", "product.updated", WOO_PRODUCTS),
        *_named("woocommerce", "product.updated", WOO_PRODUCTS, product_id="variant"),
        *_named("magento", magento.ORDER, MAGENTO_ORDERS),
        *_named("magento", magento.ORDER, MAGENTO_ORDERS, product_id="sku", tax="excluded"),
        *_named("magento", magento.PRODUCT, MAGENTO_PRODUCTS, website_ids=["1"]),
        *_named("magento", magento.CUSTOMER, MAGENTO_CUSTOMERS),
    )
)


FILLERS: dict[str, Callable[[int], Any]] = {
    "blanks": lambda n: " " * n,
    "digits": lambda n: "9" * n,
    "dots": lambda n: "." * n,
    "tags": lambda n: long(n, "<a "),
    "escapes": lambda n: long(n, "&amp;#"),
    "commas": lambda n: "," * n,
    "emoji": lambda n: long(n, "\N{GRINNING FACE}"),
    "numbers": lambda n: many(n, lambda i: i),
    "objects": lambda n: many(n, lambda i: {"id": i, "name": "a"}),
    "keys": lambda n: {f"k{i}": i for i in range(n // 16)},
}


def swept(body: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each place of a body: its path, the body's own copy, and the key under which something can be put.

    Of a list's items the first is taken.
    """
    for path in _paths(body):
        grown = copy.deepcopy(body)
        node = grown
        for step in path[:-1]:
            node = node[step]
        yield ".".join(map(str, path)), grown, (node, path[-1])


def _paths(node: Any) -> Iterator[tuple[Any, ...]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node[:1]) if isinstance(node, list) else ()
    for key, value in inside:
        yield (key,)
        for path in _paths(value):
            yield (key, *path)
