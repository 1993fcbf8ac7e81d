"""Whatever SKUs a shop's products trade, Connectif offers what the shop sells, under the SKUs it has now."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.on_lists import OnLists, moment

NAMES = {501: "Mug", 502: "Bowl"}
SKUS = ("A", "B", "C", "D", "E")
#: One relabelling: products in the order of their events, each with its SKUs, whether it is on sale, and
#: whether what waits is delivered then. No two products have one SKU once it is over; on the way they may.
Relabelling = list[tuple[int, tuple[str, ...], bool, bool]]


@st.composite
def relabellings(draw: st.DrawFn) -> Relabelling:
    """Each product has one or two of the SKUs."""
    skus = draw(st.permutations(SKUS))
    first, second = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    shares = (tuple(skus[:first]), tuple(skus[first : first + second]))
    return [
        (product, share, draw(st.sampled_from((True, True, False))), draw(st.booleans()))
        for product, share in zip(draw(st.permutations(tuple(NAMES))), shares, strict=True)
    ]


def shopify(product: int, skus: tuple[str, ...], minute: int, *, on_sale: bool) -> dict[str, Any]:
    """A product with a variant for each SKU."""
    return {
        "id": product,
        "title": NAMES[product],
        "handle": NAMES[product].lower(),
        "status": "active" if on_sale else "draft",
        "published_at": "2023-01-01T00:00:00Z",
        "updated_at": moment(minute).isoformat(),
        "variants": [
            {"id": product * 10 + number, "sku": sku, "price": "10.00", "inventory_quantity": 3}
            for number, sku in enumerate(skus)
        ],
    }


def woocommerce(product: int, sku: str, minute: int, *, on_sale: bool) -> dict[str, Any]:
    """A simple product."""
    return {
        "id": product,
        "type": "simple",
        "name": NAMES[product],
        "permalink": f"https://shop.example/{product}",
        "status": "publish" if on_sale else "draft",
        "sku": sku,
        "price": "10.00",
        "stock_status": "instock",
        "date_modified_gmt": moment(minute).strftime("%Y-%m-%dT%H:%M:%S"),
    }


def ends(history: list[Relabelling], platform: str) -> tuple[dict[str, str], dict[str, str]]:
    """The name of what is offered under each SKU in Connectif, and in the shop, at the end."""
    store, minute = OnLists(platform, product_id="sku"), 0
    offered: dict[str, str] = {}
    for relabelling in history:
        offered = {}
        for product, skus, on_sale, delivered in relabelling:
            minute += 1
            taken = skus if platform == "shopify" else skus[:1]
            if platform == "shopify":
                store.hears("products/update", shopify(product, taken, minute, on_sale=on_sale), minute + 0.1)
            else:
                body = woocommerce(product, taken[0], minute, on_sale=on_sale)
                store.hears("product.updated", body, minute + 0.1)
            offered |= dict.fromkeys(taken, NAMES[product]) if on_sale else {}
            if delivered:
                store.deliver()
    store.deliver()
    shown = {
        sku: held["name"]
        for sku, held in store.products.items()
        if held.get("availability") == "instock" and held.get("name")
    }
    assert all(not store.products[sku]["is_blacklisted"] for sku in shown)
    return shown, offered


@settings(max_examples=150, deadline=None)
@given(st.lists(relabellings(), min_size=1, max_size=5))
def test_variants_are_offered_under_the_skus_they_have_now(history: list[Relabelling]) -> None:
    shown, offered = ends(history, "shopify")
    assert shown == offered


@settings(max_examples=150, deadline=None)
@given(st.lists(relabellings(), min_size=1, max_size=5))
def test_products_are_offered_under_the_sku_they_have_now(history: list[Relabelling]) -> None:
    shown, offered = ends(history, "woocommerce")
    assert shown == offered
