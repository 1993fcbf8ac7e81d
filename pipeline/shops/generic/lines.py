"""The lines of a custom shop's order: what remains of them after refunds, tax as the store asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.shops.base import Rejected, require_few
from pipeline.shops.basket import Item, quantity, share
from pipeline.shops.currencies import rounded
from pipeline.shops.generic.fields import (
    amount,
    as_list,
    currency_code,
    first_name,
    flag,
    identifier,
    names,
    number,
    parts,
    plain,
    readable_id,
    web_address,
)
from pipeline.shops.generic.settings import GenericSettings
from pipeline.shops.lenient import decoration
from pipeline.shops.settings import StoreSettings

_ZERO, _ONE = Decimal(0), Decimal(1)
#: What in a line may be a number below zero.
_NUMBERS = ("quantity", "unit_price", "total")


def items_of(
    data: Mapping[str, Any], currency: str, settings: GenericSettings, notes: list[str], *, as_placed: bool
) -> list[Item] | None:
    """The lines with something left of them; None where there were lines and all were given back.

    A line below zero (a trade-in, a return at the till) is left out and noted: the total holds it. So is a
    line that stands there again under its own id.

    Args:
        data: the order.
        currency: its own; "" where it names none.
        settings: of its store.
        notes: what is left out or rounded is added.
        as_placed: take the quantities ordered, not what refunds left of them.

    Raises:
        Rejected: `missing_field`, `invalid_line`, `invalid_money`, `invalid_quantity`, `invalid_id`,
            `currency_mismatch`, `too_many_records`.
    """
    lines = lines_of(data)
    require_few(lines, "data.line_items")
    back = {} if as_placed else _given_back(data, notes)
    reader = _LineReader(currency, settings, _tax_step(data, settings), notes)
    items: list[Item] = []
    seen: set[str] = set()
    emptied = False
    for index, line in enumerate(lines):
        path = f"data.line_items.{index}"
        if not isinstance(line, dict):
            if line:
                raise Rejected("invalid_line", path, "a line that is not an object")
            notes.append("line_unreadable")
            continue
        line_id = readable_id(line.get("line_id"))
        if line_id is not None and line_id in seen:
            notes.append("line_repeated")
            continue
        seen.update([line_id] if line_id else [])
        if any((number(line.get(key)) or 0) < 0 for key in _NUMBERS):
            notes.append("negative_line")
            continue
        count, returned = quantity(line.get("quantity"), f"{path}.quantity"), back.get(line_id or "", _ZERO)
        if 0 < count <= returned:
            emptied = True
            continue
        item = reader.item(line, path, count, returned)
        if item is not None:
            items.append(item)
    return None if emptied and not items else items


def lines_of(data: Mapping[str, Any]) -> list[Any]:
    """The list of lines.

    Raises:
        Rejected: `missing_field`.
    """
    lines = as_list(data.get("line_items"))
    if not isinstance(lines, list):
        raise Rejected("missing_field", "data.line_items", "the order has no list of lines")
    return lines


def currency_of_lines(data: Mapping[str, Any]) -> str | None:
    """The currency that all lines name which name one; None where none does, or where they differ."""
    found = {
        currency_code(line.get("currency"))
        for line in lines_of(data)
        if isinstance(line, dict) and line.get("currency") is not None
    }
    return found.pop() if len(found) == 1 else None


def all_given_back(data: Mapping[str, Any]) -> bool:
    """Whether refunds name every unit of every line, as far as the lines can be read."""
    back = _given_back(data, [])
    ordered = [
        (units, back.get(readable_id(line.get("line_id")) or "", _ZERO))
        for line in lines_of(data)
        if isinstance(line, dict) and (units := number(line.get("quantity")) or _ZERO) > 0
    ]
    return bool(ordered) and all(returned >= units for units, returned in ordered)


def _given_back(data: Mapping[str, Any], notes: list[str]) -> dict[str, Decimal]:
    """The units given back of each line, by its id; a refund that names no line takes none off."""
    back: dict[str, Decimal] = {}
    seen: set[str] = set()
    for refund in parts(data, "refunds", notes):
        own = readable_id(refund.get("id"))
        if own is not None and own in seen:
            continue
        seen.update([own] if own else [])
        for one in parts(refund, "lines", notes):
            line_id, units = readable_id(one.get("line_id")), number(one.get("quantity"))
            if line_id is None or units is None or units < 0:
                notes.append("refund_line_unreadable")
            else:
                back[line_id] = back.get(line_id, _ZERO) + units
    return back


def _tax_step(data: Mapping[str, Any], settings: StoreSettings) -> int:
    """What becomes of a line's tax: 1 added to its prices, -1 taken out of them, 0 left as shown.

    Raises:
        Rejected: `missing_field`.
    """
    if settings.tax == "as_shown":
        return 0
    included = flag(data.get("prices_include_tax"))
    if included is None:
        raise Rejected("missing_field", "data.prices_include_tax", "whether prices hold the tax is not said")
    if settings.tax == "included":
        return 0 if included else 1
    return -1 if included else 0


@dataclass(frozen=True, slots=True)
class _LineReader:
    """What is the same for all lines of one order."""

    currency: str
    settings: StoreSettings
    tax_step: int
    notes: list[str]

    def item(self, line: Mapping[str, Any], path: str, count: Decimal, returned: Decimal) -> Item | None:
        """One line of `count` units, less those that were returned; None where nothing was bought."""
        price, original = self._prices(line, path, count)
        if count == 0:
            if price == 0:
                self.notes.append("line_without_quantity")
                return None
            self.notes.append("quantity_rounded")
            count = _ONE
        elif returned:
            left = count - returned
            price, original, count = share(price, left, count), share(original, left, count), left
        sku = decoration(line, "sku", self.notes)
        product = identifier(line.get("product_id"), f"{path}.product_id")
        return Item(
            product_id=self._product_id(line, path, sku, product),
            name=plain(line, "name", self.notes) or sku,
            quantity=count,
            price=price,
            price_original=original,
            sku=sku,
            image_url=web_address(line, "image_url", self.notes),
            brand=first_name(line, "brand", self.notes),
            categories=names(line, "categories", self.notes),
            page_id=product,
            page=web_address(line, "product_url", self.notes),
        )

    def _product_id(
        self, line: Mapping[str, Any], path: str, sku: str | None, product: str | None
    ) -> str | None:
        """The product's id, the variant's, or the SKU; where that is missing the next best."""
        if self.settings.product_id == "product":
            return product
        if self.settings.product_id == "sku" and sku is not None:
            return sku
        return identifier(line.get("variant_id"), f"{path}.variant_id") or product

    def _prices(self, line: Mapping[str, Any], path: str, count: Decimal) -> tuple[Decimal, Decimal]:
        """The line's total after its own discounts, and before them: `total`, and units at `unit_price`.

        Raises:
            Rejected: `missing_field` where there is neither, `invalid_money`, `currency_mismatch`.
        """
        own = currency_code(line.get("currency"))
        if own is not None and self.currency and own != self.currency:
            raise Rejected("currency_mismatch", f"{path}.currency", "not in the order's own currency")
        total, unit = line.get("total"), line.get("unit_price")
        if total is None and unit is None:
            raise Rejected("missing_field", f"{path}.total", "a line without a price")
        price = _ZERO if total is None else amount(total, f"{path}.total")
        original = price if unit is None else amount(unit, f"{path}.unit_price") * count
        original = rounded(original, self.currency, [])
        price = original if total is None else rounded(price, self.currency, self.notes)
        if self.tax_step:
            tax = rounded(amount(line.get("tax") or 0, f"{path}.tax"), self.currency, self.notes)
            taxed = max(_ZERO, price + self.tax_step * tax)
            original = share(original, taxed, price) if price else original
            price = taxed
        return price, max(price, original)
