"""The lines of a Shopify order as they are now: after edits, refunds and discounts, tax as the store asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipeline.shops.base import Rejected, require_few
from pipeline.shops.basket import Item, quantity, share
from pipeline.shops.settings import StoreSettings
from pipeline.shops.shopify.fields import amount, mapping, number, perhaps_rounded, readable, shop_id
from pipeline.shops.values import text

_ZERO = Decimal(0)
MAX_SKU = 200
#: What in a line, and in the entries of its lists, may be a number below zero.
_NUMBERS = ("quantity", "current_quantity", "price", "total_discount", "amount")


def items_of(
    body: Mapping[str, Any], currency: str, settings: StoreSettings, *, as_placed: bool
) -> tuple[list[Item] | None, tuple[str, ...]]:
    """The lines with something left of them; None where there were lines and nothing is left of any.

    A line below zero (a trade-in, a return at the till) is left out and noted: the total holds it. So is a
    line that stands there again under its own id.

    Args:
        body: the order.
        currency: the order's own; every amount is checked against it.
        settings: whether products or variants are sent, and whether prices include tax.
        as_placed: take the quantities ordered, not what refunds and edits left of them.

    Raises:
        Rejected: `missing_field`, `invalid_line`, `invalid_quantity`, `invalid_money`, `currency_mismatch`.
    """
    lines = body.get("line_items")
    if not isinstance(lines, list):
        raise Rejected("missing_field", "line_items", "the body has no list of lines")
    require_few(lines, "line_items")
    refunded = body.get("financial_status") == "partially_refunded"
    reader = _LineReader(currency, settings, _tax_step(body, settings), as_placed, refunded)
    items, emptied = [], False
    seen: set[str] = set()
    for index, line in enumerate(lines):
        if not isinstance(line, dict):
            if line is None:
                reader.notes.append("line_unreadable")
                continue
            raise Rejected("invalid_line", f"line_items.{index}", "a line that is not an object")
        if _repeated(line, seen):
            reader.notes.append("line_repeated")
            continue
        try:
            item = reader.item(line, f"line_items.{index}.")
        except Rejected:
            if not _has_number_below_zero(line):
                raise
            reader.notes.append("negative_line")
            continue
        if item is None:
            emptied = True
        else:
            items.append(item)
    if emptied and not items:
        return None, ()
    return items, tuple(reader.notes)


def all_came_back(body: Mapping[str, Any]) -> bool:
    """Whether refunds and edits left no unit of any line, as far as the lines say it."""
    lines = body.get("line_items")
    ordered = [
        line
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, dict) and (number(line.get("quantity")) or 0) > 0
    ]
    return bool(ordered) and all(number(line.get("current_quantity")) == 0 for line in ordered)


def _repeated(line: Mapping[str, Any], seen: set[str]) -> bool:
    """Whether a line of this id came before. Ids that JavaScript rounded are not compared: two may be one.

    Ids are kept as texts: numbers can be chosen so that they all collide in a set.
    """
    line_id = line.get("admin_graphql_api_id") or line.get("id")
    kind = type(line_id)
    if kind is not str and kind is not int:
        return False
    known = repr(line_id)
    if known not in seen:
        seen.add(known)
        return False
    return not (isinstance(line_id, int) and perhaps_rounded(line_id))


def _has_number_below_zero(line: Mapping[str, Any]) -> bool:
    nodes: list[Any] = [line]
    for name in ("discount_allocations", "tax_lines"):
        entries = line.get(name)
        nodes += entries if isinstance(entries, list) else []
    return any(
        (number(said) or 0) < 0
        for node in map(mapping, nodes)
        for name in _NUMBERS
        for said in (
            node.get(name),
            mapping(mapping(node.get(f"{name}_set")).get("shop_money")).get("amount"),
        )
    )


def _tax_step(body: Mapping[str, Any], settings: StoreSettings) -> int:
    """What becomes of a line's tax: 1 added to its prices, -1 taken out of them, 0 left as shown."""
    if settings.tax == "as_shown":
        return 0
    included = body.get("taxes_included")
    if not isinstance(included, bool):
        raise Rejected("missing_field", "taxes_included", "whether prices hold the tax is not said")
    if settings.tax == "included":
        return 0 if included else 1
    return -1 if included else 0


@dataclass(slots=True)
class _LineReader:
    """What is the same for all lines of one order; `path` is a line's position in the body, for errors."""

    currency: str
    settings: StoreSettings
    tax_step: int
    as_placed: bool
    refunded: bool
    notes: list[str] = field(default_factory=list)

    def item(self, line: Mapping[str, Any], path: str) -> Item | None:
        placed, now = self._quantities(line, path)
        if not now:
            return None
        unit = amount(line, "price", self.currency, path)
        if unit is None:
            raise Rejected("missing_field", f"{path}price", "a line without a price")
        price = original = unit * now
        discount = share(self._discount(line, path), now, placed)
        if discount:
            if discount > original:
                self.notes.append("discount_exceeds_price")
            price = max(_ZERO, original - discount)
        if self.tax_step:
            tax = share(self._tax(line, path), now, placed)
            taxed = max(_ZERO, price + self.tax_step * tax)
            original = share(original, taxed, price) if price else original
            price = taxed
        return Item(
            product_id=self._product_id(line),
            name=self._name(line),
            quantity=now,
            price=price,
            price_original=original,
            sku=readable(line, "sku", MAX_SKU, self.notes),
            brand=readable(line, "vendor", 200, self.notes),
        )

    def _quantities(self, line: Mapping[str, Any], path: str) -> tuple[Decimal, Decimal]:
        """The quantity that discounts and taxes were given for, and the one that counts now."""
        placed = quantity(line.get("quantity"), f"{path}quantity")
        if self.as_placed:
            return placed, placed
        left = line.get("current_quantity")
        if left is None:
            if self.refunded:
                raise Rejected("missing_field", f"{path}current_quantity", "what the refund left is not said")
            self.notes.append("current_quantity_missing")
            return placed, placed
        now = quantity(left, f"{path}current_quantity")
        return max(placed, now), now

    def _discount(self, line: Mapping[str, Any], path: str) -> Decimal:
        """All discounts that fell on this line, order-wide ones too; the older total where none is listed."""
        given = line.get("discount_allocations")
        if given:
            return self._sum(given, "amount", f"{path}discount_allocations")
        total = amount(line, "total_discount", self.currency, path)
        if total is None and "discount_allocations" not in line:
            self.notes.append("discount_missing")
        return total or _ZERO

    def _tax(self, line: Mapping[str, Any], path: str) -> Decimal:
        given = line.get("tax_lines")
        if given is not None:
            return self._sum(given, "price", f"{path}tax_lines")
        self.notes.append("tax_lines_missing")
        return _ZERO

    def _sum(self, entries: object, name: str, path: str) -> Decimal:
        if not isinstance(entries, list):
            raise Rejected(
                "invalid_field", path, f"a {type(entries).__name__} where a list of amounts belongs"
            )
        total = _ZERO
        for entry in entries:
            if entry is None:
                continue
            said = amount(entry, name, self.currency, f"{path}.") if isinstance(entry, dict) else None
            if said is None:
                raise Rejected("missing_field", f"{path}.{name}", "an entry without an amount")
            total += said
        return total

    def _product_id(self, line: Mapping[str, Any]) -> str | None:
        """The product's id, the variant's, or the SKU; where that is missing the next best, noted."""
        wanted = self.settings.product_id
        if wanted == "product":
            return shop_id(line.get("product_id"))
        sku = text(line.get("sku"), MAX_SKU) if wanted == "sku" else None
        if sku is not None:
            return sku
        product_id = shop_id(line.get("product_id"))
        if product_id is None:
            return None
        if wanted == "sku":
            self.notes.append("sku_missing")
        variant_id = shop_id(line.get("variant_id"))
        if variant_id is None:
            self.notes.append("variant_missing")
        return variant_id or product_id

    def _name(self, line: Mapping[str, Any]) -> str | None:
        """The product's title, or with its variant where variants are the products."""
        by_product = self.settings.product_id == "product"
        first, second = ("title", "name") if by_product else ("name", "title")
        return (
            readable(line, first, 500, self.notes)
            or readable(line, second, 500, self.notes)
            or text(line.get("sku"), MAX_SKU)
        )
