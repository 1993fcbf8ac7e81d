"""The lines of an order: amounts that may be fractional, and one line a product, whatever the shop lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from math import ceil
from typing import NamedTuple

from pipeline.records import Line
from pipeline.shops import values
from pipeline.shops.base import Rejected, StoreContext
from pipeline.shops.catalogue import product_page

_ZERO = Decimal(0)
_ONE = Decimal(1)
_MAX_QUANTITY_INT = 10**9
_MAX_QUANTITY = Decimal(_MAX_QUANTITY_INT)
_MIN_QUANTITY = Decimal("1e-6")
_CENTS = Decimal("0.01")
_PLACES = (_ONE, Decimal("0.1"), _CENTS, Decimal("0.001"), Decimal("0.0001"))
_FINEST = 4


class Item(NamedTuple):
    """One line of an order, before lines of one product are merged.

    `price` and `price_original` are totals of the whole line, after and before its own discounts;
    `product_id` is None where the shop names no product (custom lines, tips, deleted products); `page_id` is
    the id its page is found by at the shop, where `product_id` is another (`product_id = "sku"`); `page` is
    its page's address where the order says it.
    """

    product_id: str | None
    name: str | None
    quantity: Decimal
    price: Decimal
    price_original: Decimal
    sku: str | None = None
    image_url: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()
    page_id: str | None = None
    page: str | None = None


class Basket(NamedTuple):
    """The merged lines, and the units of all items, also of those that no line could hold."""

    lines: tuple[Line, ...]
    units: int
    notes: tuple[str, ...]


def quantity(value: object, field: str) -> Decimal:
    """A quantity that may be fractional or zero.

    Raises:
        Rejected: `invalid_quantity` for anything that is not a plausible, non-negative number.
    """
    if type(value) is int and 0 <= value <= _MAX_QUANTITY_INT:
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Rejected("invalid_quantity", field, f"a {type(value).__name__} is not a quantity")
    written = str(value).strip()
    if "_" in written or len(written) > values.MAX_NUMBER:  # Python's notation of numbers, no shop's
        raise Rejected("invalid_quantity", field, "not a number")
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise Rejected("invalid_quantity", field, "not a number") from None
    if number.is_zero():
        return _ZERO
    if not number.is_finite() or not _MIN_QUANTITY <= number <= _MAX_QUANTITY:
        raise Rejected("invalid_quantity", field, "negative, not finite or implausible")
    return number


def whole_units(number: Decimal) -> int:
    """Connectif takes whole units: rounded up, at least one."""
    return max(1, ceil(number))


def tidy(amount: Decimal) -> Decimal:
    """The amount without exponent and with four decimals at most (rounded half up)."""
    places = _places(amount)
    if places > _FINEST:
        return amount.quantize(_PLACES[_FINEST], ROUND_HALF_UP)
    return amount.quantize(_ONE) if places < 0 else amount


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`amount * part / whole`, rounded half up to cents, or to the amount's own scale where it is finer.

    Raises:
        Rejected: `invalid_money` where it has more digits than money has.
    """
    if part == whole:
        return amount
    places = min(max(2, _places(amount)), _FINEST)
    try:
        return (amount * part / whole).quantize(_PLACES[places], ROUND_HALF_UP)
    except InvalidOperation:
        raise Rejected("invalid_money", detail=f"a share of {part:.3g} in {whole:.3g}") from None


def _places(amount: Decimal) -> int:
    """Digits after the point; below zero where the amount has an exponent."""
    if amount.same_quantum(_CENTS):  # as most are: to ask for the exponent takes eight times as long
        return 2
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 2


def merge_items(items: Iterable[Item], total: Decimal, store: StoreContext) -> Basket:
    """One line a product; what has none is left out, or stands under the placeholder where nothing else does.

    Raises:
        Rejected: `no_products` where no line remains and the store has no placeholder product.
    """
    notes: list[str] = []
    groups: dict[str, list[Item]] = {}
    homeless: list[Item] = []
    for item in items:
        if item.product_id is None:
            homeless.append(item)
        else:
            groups.setdefault(item.product_id, []).append(item)
    lines = [_line(product_id, group, store, notes) for product_id, group in groups.items()]
    if homeless:
        notes.append("line_without_product")
    units = sum(line.quantity for line in lines)
    if lines:
        units += sum(whole_units(item.quantity) for item in homeless)
    else:
        lines = [_placeholder(homeless, total, store, notes)]
        units = lines[0].quantity
    return Basket(tuple(lines), units, tuple(notes))


def _line(product_id: str, group: Sequence[Item], store: StoreContext, notes: list[str]) -> Line:
    first = group[0]
    count, price, original = first.quantity, first.price, first.price_original
    for item in group[1:]:
        count += item.quantity
        price += item.price
        original += item.price_original
    if max(price, original) > values.MAX_MONEY:
        raise Rejected("invalid_money", "line_items", "the lines of one product sum to an implausible amount")
    name = first.name
    if name is None:
        notes.append("name_missing")
        name = product_id
    units = whole_units(count)
    if units != count:
        notes.append("quantity_rounded")
    paid = tidy(price)
    # Fractions round the units up, but a unit still cost what the shop asked for one.
    unit, unit_original = share(paid, _ONE, count), share(tidy(original), _ONE, count)
    if paid != price:
        notes.append("amount_rounded")
    if unit * count != paid:
        notes.append("unit_price_rounded")
    return Line(
        product_id=product_id,
        name=name,
        url=first.page or product_page(store, first.page_id or product_id, first.sku),
        unit_price=unit,
        unit_price_original=unit_original,
        quantity=units,
        price=paid,
        image_url=first.image_url,
        brand=first.brand,
        categories=first.categories,
    )


def _placeholder(homeless: Sequence[Item], total: Decimal, store: StoreContext, notes: list[str]) -> Line:
    product_id = store.settings.placeholder_product
    if product_id is None:
        raise Rejected("no_products", "line_items", "no line names a product; set placeholder_product")
    notes.append("placeholder_product")
    stand_in = Item(
        product_id=product_id,
        name=product_id,
        quantity=sum((item.quantity for item in homeless), _ZERO) or _ONE,
        price=sum((item.price for item in homeless), _ZERO) if homeless else total,
        price_original=sum((item.price_original for item in homeless), _ZERO) if homeless else total,
    )
    return _line(product_id, [stand_in], store, notes)
