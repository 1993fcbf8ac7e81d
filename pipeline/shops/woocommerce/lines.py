"""The lines of a WooCommerce order, as the customer paid them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pipeline.shops.base import Rejected, require_few
from pipeline.shops.basket import Item, quantity
from pipeline.shops.lenient import decoration, plain
from pipeline.shops.php import decorations, each_once, identifier, objects, picture
from pipeline.shops.settings import StoreSettings
from pipeline.shops.woocommerce.fields import amount

_ONE = Decimal(1)
#: A boolean as PHP and WooCommerce's own options write it.
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
#: Lines of bundles and composites point to the line that contains them: by its id, in meta data by its key.
_POINTERS = ("bundled_by", "composite_parent")
_META_POINTERS = frozenset({"_bundled_by", "_composite_parent"})
_META_KEYS = frozenset({"_bundle_cart_key", "_composite_cart_key"})
_NAMING_BUNDLES = ("meta_data", *_POINTERS)
_TAXES = ("total_tax", "subtotal_tax")
_NUMBERS = ("total", "subtotal", "quantity")


def items_of(body: dict[str, Any], settings: StoreSettings, notes: list[str]) -> list[Item]:
    """What was bought. Lines below zero, repeated ones and parts of what a bundle cost are left out, noted.

    Raises:
        Rejected: `missing_field`, `invalid_field`, `invalid_money`, `invalid_quantity`, `invalid_id`.
    """
    if "line_items" not in body:
        raise Rejected("missing_field", "line_items", "an order without its lines")
    listed = objects(body, "line_items")
    require_few(listed, "line_items")
    lines = each_once(listed, "id", notes)
    taxed = _with_tax(body, lines, settings)
    found: list[tuple[dict[str, Any], Item]] = []
    in_bundles = False
    for line in lines:
        item = _item_unless_below_zero(line, settings, notes, taxed=taxed)
        if item is not None:
            found.append((line, item))
            in_bundles = in_bundles or any(map(line.get, _NAMING_BUNDLES))
    return _counted_once(found, notes) if in_bundles else [item for _, item in found]


def _with_tax(body: dict[str, Any], lines: Sequence[dict[str, Any]], settings: StoreSettings) -> bool:
    """Whether a line's price holds its tax: the setting, else as the shop shows its prices.

    Raises:
        Rejected: `missing_field`, where it makes a difference.
    """
    if settings.tax != "as_shown":
        return settings.tax == "included"
    shown = body.get("prices_include_tax")
    if isinstance(shown, bool):
        return shown
    if isinstance(shown, str | int) and str(shown).casefold() in _WORDS:
        return _WORDS[str(shown).casefold()]
    if all(_is_zero(line.get(tax)) for line in lines for tax in _TAXES):
        return False
    raise Rejected("missing_field", "prices_include_tax", "not said; the store's `tax` setting can say it")


def _is_zero(value: object) -> bool:
    try:
        return amount(value, "") == 0
    except Rejected:
        return False


def _item_unless_below_zero(
    line: dict[str, Any], settings: StoreSettings, notes: list[str], *, taxed: bool
) -> Item | None:
    """One line; None for a trade-in or a return at the till, which the order's total holds already."""
    try:
        return _item(line, settings, notes, taxed=taxed)
    except Rejected:
        if not any(_is_below_zero(line.get(key)) for key in (_NUMBERS + _TAXES if taxed else _NUMBERS)):
            raise
    notes.append("negative_line")
    return None


def _is_below_zero(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return False
    return number.is_finite() and number < 0


def _item(line: dict[str, Any], settings: StoreSettings, notes: list[str], *, taxed: bool) -> Item | None:
    """One line as the customer paid it; None where nothing was bought.

    Raises:
        Rejected: `invalid_money`, `invalid_quantity`, `invalid_id`.
    """
    price = amount(line.get("total"), "line_items.total")
    original = amount(line.get("subtotal"), "line_items.subtotal")
    if taxed:
        price += amount(line.get("total_tax"), "line_items.total_tax")
        original += amount(line.get("subtotal_tax"), "line_items.subtotal_tax")
    count = quantity(line.get("quantity"), "line_items.quantity")
    if original < price:  # raised manually in the admin: then nothing was discounted
        notes.append("original_price_raised")
        original = price
    if count == 0:
        if price == 0:
            notes.append("line_without_quantity")
            return None
        notes.append("quantity_rounded")
        count = _ONE
    sku = decoration(line, "sku", notes)
    product = identifier(line.get("product_id"), "line_items.product_id")
    variation = _variation(line, settings, notes)
    told, name = product, None
    if settings.product_id == "sku":
        told = sku or product
    elif settings.product_id == "variant":
        told = variation or product
    elif variation:  # `name` is the variation's, and the product is sent
        name = plain(line, "parent_name", notes)
    return Item(
        product_id=told,
        name=name or plain(line, "name", notes),
        quantity=count,
        price=price,
        price_original=original,
        sku=sku,
        image_url=picture(line.get("image"), notes),
        page_id=product if settings.product_id == "sku" else None,
    )


def _variation(line: dict[str, Any], settings: StoreSettings, notes: list[str]) -> str | None:
    """The variation bought.

    Raises:
        Rejected: `invalid_id` where variations are the products.
    """
    try:
        return identifier(line.get("variation_id"), "line_items.variation_id")
    except Rejected:
        if settings.product_id == "variant":
            raise
        notes.append("variation_unreadable")
        return None


def _counted_once(found: Sequence[tuple[dict[str, Any], Item]], notes: list[str]) -> list[Item]:
    """A bundle stands on the order as itself and as its parts, paid at either: what is free is left out.

    No amount moves between lines: a part with a price of its own stays a line, and so does a bundle.
    """
    containers = [_container(line, notes) for line, _ in found]
    if not any(containers):
        return [item for _, item in found]
    names = [_names(line) for line, _ in found]
    free = [item.price == 0 and item.price_original == 0 for _, item in found]
    on_order = frozenset().union(*names)
    paid_at_parts = {inside for inside, costless in zip(containers, free, strict=True) if not costless}
    kept = [
        item
        for (_, item), inside, own, costless in zip(found, containers, names, free, strict=True)
        if not (costless and (inside in on_order or not paid_at_parts.isdisjoint(own)))
    ]
    if len(kept) < len(found):
        notes.append("bundle_counted_once")
    return kept


def _container(line: dict[str, Any], notes: list[str]) -> str | None:
    """What the line names as the bundle it is part of."""
    for key in _POINTERS:
        value = line.get(key)
        if value and isinstance(value, int | str):
            return str(value)
    metas = _meta_texts(line, notes)
    return next((value for key, value in metas if key in _META_POINTERS), None)


def _names(line: dict[str, Any]) -> frozenset[str]:
    """What parts may call this line by."""
    keys = (value for key, value in _meta_texts(line, []) if key in _META_KEYS)
    return frozenset({str(line.get("id")), *keys})


def _meta_texts(line: dict[str, Any], notes: list[str]) -> Iterator[tuple[str, str]]:
    """Meta data that are texts; plugins put anything there, and none of it may cost the order."""
    for meta in decorations(line, "meta_data", notes):
        key, value = meta.get("key"), meta.get("value")
        if isinstance(key, str) and isinstance(value, str) and value:
            yield key, value
