"""What a Shopify product's variants say: their ids, prices, and whether one can be bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.records import Availability
from pipeline.shops.base import Rejected, require_few
from pipeline.shops.basket import tidy
from pipeline.shops.shopify.fields import number, shop_id
from pipeline.shops.shopify.lines import MAX_SKU
from pipeline.shops.values import money, text


@dataclass(frozen=True, slots=True)
class Offer:
    """One variant that can be shown: it has a price."""

    node: Mapping[str, Any]
    price: Decimal
    original: Decimal | None


def variant_id(variant: Mapping[str, Any], wanted: str) -> str | None:
    """The product id of a variant: its own, or its SKU if it has one."""
    sku = text(variant.get("sku"), MAX_SKU) if wanted == "sku" else None
    return sku or shop_id(variant.get("id"), variant.get("admin_graphql_api_id"))


def offers_of(body: Mapping[str, Any], notes: list[str]) -> list[Offer]:
    """The variants that have a price.

    Raises:
        Rejected: `missing_field` where the body leaves the variants or all prices out, `invalid_field`,
            `invalid_money`.
    """
    variants = body.get("variants")
    if variants is None:
        raise Rejected("missing_field", "variants", "what the product costs is not said")
    if not isinstance(variants, list):
        raise Rejected("invalid_field", "variants", f"a {type(variants).__name__} where a list belongs")
    require_few(variants, "variants")
    offers, silent = [], False
    for index, variant in enumerate(variants):
        if not isinstance(variant, dict):
            if variant:
                raise Rejected("invalid_field", f"variants.{index}", "a variant that is not an object")
            notes.append("variant_unreadable")
            continue
        if variant.get("price") is None:
            silent = silent or "price" not in variant
            notes.append("variant_without_price")
            continue
        price = tidy(money(variant["price"], f"variants.{index}.price"))
        original = _price_before(variant, notes)
        reduced = original is not None and original > price
        offers.append(Offer(variant, price, original if reduced else None))
    if silent and not offers:
        raise Rejected("missing_field", "variants.price", "what the product costs is not said")
    return offers


def _price_before(variant: Mapping[str, Any], notes: list[str]) -> Decimal | None:
    """The price before a reduction, which only decorates: one that is none is left out."""
    before = variant.get("compare_at_price")
    if before is None:
        return None
    try:
        return tidy(money(before, "compare_at_price"))
    except Rejected:
        if before:
            notes.append("compare_at_price_unreadable")
        return None


def is_cut(body: Mapping[str, Any]) -> bool:
    """Whether the body leaves variants out: the first hundred come in full, the rest as ids."""
    return len(objects(body.get("variant_gids"))) > len(objects(body.get("variants")))


def availability(offers: Sequence[Offer], notes: list[str], *, cut: bool) -> Availability | None:
    """In stock where one variant can be bought; nothing is said where the body may hide that one."""
    if cut:
        notes.append("variants_cut")
    buyable = [_is_buyable(offer.node, notes) for offer in offers]
    if True in buyable:
        return "instock"
    if cut:
        return None
    if None in buyable:
        notes.append("stock_missing")
        return None
    if any(offer.node.get("inventory_management") is None for offer in offers):
        notes.append("stock_tracking_unknown")
    return "outofstock"


def _is_buyable(variant: Mapping[str, Any], notes: list[str]) -> bool | None:
    """Untracked, sold beyond its stock, or in stock; None where the body was cut.

    Newer bodies no longer say whether stock is tracked.
    """
    if "inventory_management" in variant and variant["inventory_management"] is None:
        return True
    if variant.get("inventory_policy") == "continue":
        return True
    if "inventory_quantity" not in variant:
        return None
    said = variant["inventory_quantity"]
    if said is None:
        return True
    left = number(said)
    if left is None:
        notes.append("inventory_quantity_unreadable")
        return None
    return left > 0


def objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
