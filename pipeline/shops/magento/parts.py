"""The parts of configurable products, bundles and groups, and the lowest price at which one of them is sold.

Such a product often has no price of its own, or zero. Its price is then that of its cheapest combination: the
cheapest variant, the cheapest member of a group, or of a bundle the cheapest choice for everything required.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.shops.base import Rejected
from pipeline.shops.magento.amounts import number
from pipeline.shops.magento.fields import flag
from pipeline.shops.php import entries, readable_id
from pipeline.shops.values import money, text

_ZERO = Decimal(0)
_ONE = Decimal(1)
#: A variant is one of several hundred in large shops; more are not asked for.
_MOST = 500
CONFIGURABLE, BUNDLE, GROUPED, GIFT_CARD = "configurable", "bundle", "grouped", "giftcard"
COMPOSITE = frozenset({CONFIGURABLE, BUNDLE, GROUPED})
_ENABLED = "1"

#: What a part is sold for now; None where it is not for sale or has no price.
PriceOf = Callable[[Mapping[str, Any]], Decimal | None]


class Parts(NamedTuple):
    """The products that another is made of.

    Attributes:
        field: how they are named, `entity_id` or `sku`.
        ids: their names, each once.
    """

    field: str
    ids: tuple[str, ...] = ()


class _Choice(NamedTuple):
    """What a bundle offers for one of its options: the part's SKU, the units, and a price of its own."""

    sku: str
    units: Decimal
    price: Decimal | None


def kind_of(product: Mapping[str, Any]) -> str:
    """What sort of product it is; "" where that is not said."""
    return text(product.get("type_id"), 60) or ""


def parts_of(product: Mapping[str, Any]) -> Parts:
    """The parts whose documents a price needs; none where the product has its own, or is not sold."""
    kind = kind_of(product)
    if kind not in COMPOSITE or own_price(product) is not None or str(product.get("status")) != _ENABLED:
        return Parts("sku")
    extended = _extended(product)
    if kind == CONFIGURABLE:
        return Parts(
            "entity_id", _names(map(readable_id, entries(extended.get("configurable_product_links")) or ()))
        )
    if kind == GROUPED:
        return Parts("sku", _names(_associated(product)))
    return Parts("sku", _names(choice.sku for option in _options(extended) for choice in option[1]))


def _names(found: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in found if name))[:_MOST]


def own_price(product: Mapping[str, Any]) -> Decimal | None:
    """The price that the product itself has, if it is above zero."""
    try:
        found = money(product.get("price"), "price")
    except Rejected:
        return None
    return found or None


def lowest_amount(product: Mapping[str, Any]) -> Decimal | None:
    """The lowest amount a gift card is sold for; None where that is not known."""
    listed = entries(_extended(product).get("giftcard_amounts", product.get("giftcard_amounts"))) or ()
    found = []
    for one in listed:
        try:
            found.append(money(one.get("value") if isinstance(one, dict) else one, "giftcard_amounts"))
        except Rejected:
            continue
    return min((amount for amount in found if amount), default=None)


def cheapest(
    product: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], price_of: PriceOf
) -> Decimal | None:
    """The price of the cheapest combination; None where it is not known."""
    kind = kind_of(product)
    prices = {str(sku): price for part in parts if (sku := part.get("sku")) and (price := price_of(part))}
    if not prices:
        return None
    if kind != BUNDLE:
        return min(prices.values())
    required: list[Decimal] = []
    others: list[Decimal] = []
    for is_required, choices in _options(_extended(product)):
        known = [
            price * choice.units
            for choice in choices
            if (price := choice.price or prices.get(choice.sku)) is not None
        ]
        if known:
            (required if is_required else others).append(min(known))
        elif is_required:
            return None
    return sum(required, _ZERO) if required else min(others, default=None)


def any_in_stock(
    parts: Sequence[Mapping[str, Any]], is_available: Callable[[Mapping[str, Any]], bool | None]
) -> bool | None:
    """Whether a part can be bought; None where no part says."""
    said = [is_available(part) for part in parts if str(part.get("status")) == _ENABLED]
    known = [one for one in said if one is not None]
    return any(known) if known else None


def _options(extended: Mapping[str, Any]) -> list[tuple[bool, list[_Choice]]]:
    """A bundle's options: whether each is required, and what may be chosen."""
    found = []
    for option in _objects(extended.get("bundle_product_options")):
        choices = [_choice(link) for link in _objects(option.get("product_links"))]
        found.append((flag(option.get("required")) is not False, [one for one in choices if one is not None]))
    return found


def _choice(link: Mapping[str, Any]) -> _Choice | None:
    sku = text(link.get("sku"), 200)
    if sku is None:
        return None
    try:
        units = number(link.get("qty"), "qty") or _ONE
        price = money(link.get("price"), "price") if link.get("price") else None
    except Rejected:
        return None
    return _Choice(sku, units, price or None)


def _associated(product: Mapping[str, Any]) -> Iterable[str | None]:
    for link in _objects(product.get("product_links")):
        if link.get("link_type") == "associated":
            yield text(link.get("linked_product_sku"), 200)


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in entries(value) or () if isinstance(one, dict)]


def _extended(product: Mapping[str, Any]) -> Mapping[str, Any]:
    given = product.get("extension_attributes")
    return given if isinstance(given, dict) else {}
