"""The lines of a Magento order, as the customer paid them.

What was bought stands there once for the buyer and, for configurable products and bundles, again for each
part: a line that hangs on another is none, whatever its price. What a line cost is not a field of its own. By
Magento's own arithmetic it is `row_total + tax_amount + discount_tax_compensation_amount - discount_amount`,
whatever its settings of tax; modules are known that write `row_total` after the discount, and bodies that
leave the tax out. So the first reading whose lines agree with the order's total counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.shops.base import Rejected, require_few
from pipeline.shops.basket import Item, quantity, share
from pipeline.shops.lenient import decoration, plain
from pipeline.shops.magento.amounts import AmountSet, number
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.php import each_once, identifier, objects, readable_id
from pipeline.shops.values import text

_BUNDLE = "bundle"
_ZERO = Decimal(0)
_ONE = Decimal(1)
#: Each line of an order is rounded by itself.
_ROUNDING = Decimal("0.02")


class OrderLine(NamedTuple):
    """One line that hangs on no other, with its amounts as they stand there.

    Attributes:
        body: the line.
        variant: the id of the simple product behind a configurable one.
        ordered: units.
        left: units that are neither cancelled nor, where refunds count, refunded.
        refunded: units.
        rows: before tax.
        shown: with tax, before the discount; None where that is not said.
        tax: None where that is not said.
        compensation: the part of the tax that the discount hides.
        discount: as an amount above zero.
    """

    body: dict[str, Any]
    variant: str | None
    ordered: Decimal
    left: Decimal
    refunded: Decimal
    rows: Decimal
    shown: Decimal | None
    tax: Decimal | None
    compensation: Decimal
    discount: Decimal


#: What a line cost, tax included.
Reading = Callable[[OrderLine], Decimal]


def _defined(line: OrderLine) -> Decimal:
    return line.rows + (line.tax or _ZERO) + line.compensation - line.discount


def _rows_after_discount(line: OrderLine) -> Decimal:
    return line.rows + (line.tax or _ZERO) + line.compensation


def _shown_less_discount(line: OrderLine) -> Decimal:
    return (line.rows if line.shown is None else line.shown) - line.discount


_READINGS: tuple[Reading, ...] = (_defined, _rows_after_discount, _shown_less_discount)


def lines_of(
    body: dict[str, Any], amounts: AmountSet, notes: list[str], *, refunds_count: bool
) -> list[OrderLine]:
    """The lines that hang on no other; those below zero are left out, noted.

    Raises:
        Rejected: `missing_field`, `invalid_field`, `invalid_money`, `invalid_quantity`, `too_many_records`.
    """
    if "items" not in body:
        raise Rejected("missing_field", "items", "an order without its lines")
    listed = objects(body, "items")
    require_few(listed, "items")
    lines = each_once(listed, "item_id", notes)
    own = {name for line in lines if (name := readable_id(line.get("item_id")))}
    children: dict[str, list[dict[str, Any]]] = {}
    kept = []
    for line in lines:
        parent = readable_id(line.get("parent_item_id")) or _nested_parent(line)
        if parent is None:
            kept.append(line)
        elif parent in own:
            children.setdefault(parent, []).append(line)
        else:
            notes.append("parent_line_missing")
            kept.append(line)
    read = (
        _read(line, children.get(readable_id(line.get("item_id")) or "", []), amounts, refunds_count)
        for line in kept
    )
    found = [line for line in read if line.rows >= 0 and line.ordered >= 0]
    if len(found) < len(kept):
        notes.append("negative_line")
    return found


def _nested_parent(line: Mapping[str, Any]) -> str | None:
    """The id of the copy of its parent that some bodies put into a line, instead of the id."""
    parent = line.get("parent_item")
    return readable_id(parent.get("item_id")) if isinstance(parent, dict) else None


def _read(
    line: dict[str, Any], parts: Sequence[Mapping[str, Any]], amounts: AmountSet, refunds_count: bool
) -> OrderLine:
    kind = text(line.get("product_type"), 60)
    variant = readable_id(parts[0].get("product_id")) if parts and kind not in {"bundle", "grouped"} else None
    rows, shown = (amounts.find(line, key, "items.") for key in ("row_total", "row_total_incl_tax"))
    if rows is None and shown is None:
        raise Rejected("missing_field", f"items.{amounts.name('row_total')}", "a line without its amount")
    ordered, cancelled, refunded = (
        number(line.get(f"qty_{what}"), f"items.qty_{what}") for what in ("ordered", "canceled", "refunded")
    )
    if "qty_ordered" not in line:
        raise Rejected("missing_field", "items.qty_ordered", "a line without its quantity")
    if kind == _BUNDLE:
        cancelled, refunded = (
            max(known, _of_all_parts(parts, f"qty_{what}", ordered))
            for known, what in ((cancelled, "canceled"), (refunded, "refunded"))
        )
    gone = cancelled + (refunded if refunds_count else _ZERO)
    found = OrderLine(
        body=line,
        variant=variant,
        ordered=ordered,
        left=max(ordered - gone, _ZERO),
        refunded=refunded,
        rows=shown if rows is None and shown is not None else rows or _ZERO,
        shown=shown,
        tax=amounts.find(line, "tax_amount", "items.") if rows is not None else _ZERO,
        compensation=amounts.get(line, "discount_tax_compensation_amount", "items."),
        discount=abs(amounts.get(line, "discount_amount", "items.")),
    )
    return _with_parts(found, parts, amounts) if kind == _BUNDLE else found


def _of_all_parts(parts: Sequence[Mapping[str, Any]], field: str, units: Decimal) -> Decimal:
    """How many of a bundle's units all of its parts are gone of: refunds stand at the parts."""
    counts = [
        (number(part.get(field), field), number(part.get("qty_ordered"), "qty_ordered")) for part in parts
    ]
    whole = (units * gone // bought for gone, bought in counts if bought > 0)
    return min(whole, default=_ZERO)


def _with_parts(line: OrderLine, parts: Sequence[Mapping[str, Any]], amounts: AmountSet) -> OrderLine:
    """A bundle with the tax and discount that stand at its parts, where it has none of its own."""
    if line.tax or line.discount or line.compensation:
        return line
    tax, discount, compensation = (
        sum((amounts.get(part, key, "items.") for part in parts), _ZERO)
        for key in ("tax_amount", "discount_amount", "discount_tax_compensation_amount")
    )
    return line._replace(tax=tax or line.tax, discount=abs(discount), compensation=compensation)


def all_given_back(lines: Sequence[OrderLine]) -> bool:
    """Whether of all that was bought nothing remains, by refunds."""
    return any(line.refunded for line in lines) and not any(
        line.ordered - line.refunded > 0 for line in lines if line.ordered
    )


def reading_of(lines: Sequence[OrderLine], goods: Decimal, notes: list[str]) -> Reading:
    """The first reading whose lines agree with what the order says its goods cost.

    Args:
        lines: of the order.
        goods: its total less postage.
        notes: `line_amounts_reread` is added where it is not the platform's own definition.
    """
    if not any(line.discount or line.tax is None for line in lines):
        return _defined
    room = _ROUNDING * max(len(lines), 1)
    for reading in _READINGS:
        if abs(sum(map(reading, lines), _ZERO) - goods) <= room:
            if reading is not _defined:
                notes.append("line_amounts_reread")
            return reading
    return _defined if all(line.tax is not None for line in lines) else _shown_less_discount


def items_of(
    lines: Sequence[OrderLine],
    reading: Reading,
    amounts: AmountSet,
    settings: MagentoSettings,
    notes: list[str],
) -> list[Item]:
    """What was bought and not given back.

    Raises:
        Rejected: `invalid_money`, `invalid_quantity`, `invalid_id`.
    """
    found = (_item(line, reading, amounts, settings, notes) for line in lines)
    return [item for item in found if item is not None]


def _item(
    line: OrderLine, reading: Reading, amounts: AmountSet, settings: MagentoSettings, notes: list[str]
) -> Item | None:
    paid = reading(line)
    before = line.rows + (line.tax or _ZERO) + line.compensation if line.shown is None else line.shown
    if settings.tax == "excluded":
        paid, before = paid - (line.tax or _ZERO), line.rows
    else:
        paid, before = amounts.whole(paid, notes), amounts.whole(before, [])
    if paid < 0:
        notes.append("negative_line")
        return None
    before = max(before, paid)
    ordered, left = line.ordered, line.left
    if not ordered:
        if not paid:
            notes.append("line_without_quantity")
            return None
        notes.append("quantity_rounded")
        ordered = left = _ONE
    if not left:
        notes.append("line_given_back")
        return None
    product = identifier(line.body.get("product_id"), "items.product_id")
    sku = decoration(line.body, "sku", notes)
    told = product
    if settings.product_id == "sku":
        told = sku or product
    elif settings.product_id == "variant":
        told = line.variant or product
    return Item(
        product_id=told,
        name=plain(line.body, "name", notes),
        quantity=quantity(str(left), "items.qty_ordered"),
        price=share(paid, left, ordered),
        price_original=share(before, left, ordered),
        sku=sku,
        page_id=product if settings.product_id != "product" else None,
    )
