"""The rows of a PrestaShop order as the customer paid them, less what credit slips gave back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

from pipeline.shops.base import Rejected, require_few
from pipeline.shops.orders import Item, quantity
from pipeline.shops.php import decoration, identifier, plain, readable_id
from pipeline.shops.prestashop.fields import amount, listed
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.values import MAX_MONEY, money

_ZERO, _ONE = Decimal(0), Decimal(1)
_CENTS = 2
_FINEST = 4


class Refunds(NamedTuple):
    """What an order's credit slips gave back: money with postage, and units by the row they were of."""

    money: Decimal
    units: Counter[str]


def refunds_of(slips: Sequence[Mapping[str, Any]], tax: str) -> Refunds:
    """The sums of credit slips. `amount` alone is the goods, and says not whether with tax.

    Raises:
        Rejected: `invalid_money`.
    """
    total, units = _ZERO, Counter[str]()
    for slip in slips:
        for name in ("total_products", "total_shipping"):
            field = f"{name}_tax_{tax}"
            total += amount(slip.get(field), f"order_slip.{field}")
        for one in listed(slip.get("associations"), "order_slip_details"):
            row, count = readable_id(one.get("id_order_detail")), readable_id(one.get("product_quantity"))
            if row is not None and count is not None:
                units[row] += min(int(count), 10**9)
    return Refunds(total, units)


def items_of(
    rows: Sequence[dict[str, Any]],
    settings: PrestashopSettings,
    given_back: Counter[str],
    places: int,
    notes: list[str],
) -> list[Item]:
    """What was bought and not given back; each row once.

    Args:
        rows: of the order.
        settings: the store's.
        given_back: units by the row's id.
        places: decimals that the currency has.
        notes: gets what departs from the rows.

    Raises:
        Rejected: `missing_field`, `invalid_money`, `invalid_quantity`, `invalid_id`, `too_many_records`.
    """
    require_few(rows, "order_rows")
    items: list[Item] = []
    seen: set[str] = set()
    for row in rows:
        own = readable_id(row.get("id"))
        if own is not None and own in seen:
            notes.append("line_repeated")
            continue
        seen.update(() if own is None else (own,))
        count = _count(row, notes)
        left = count - (given_back[own] if own is not None else 0)
        if left <= 0:
            notes.append("line_given_back")
            continue
        if (item := _item(row, left, settings, places, notes)) is not None:
            items.append(item)
    return items


def _count(row: Mapping[str, Any], notes: list[str]) -> Decimal:
    if "product_quantity" not in row:
        raise Rejected("missing_field", "order_rows.product_quantity", "a row without its quantity")
    count = quantity(row["product_quantity"], "order_rows.product_quantity")
    if not count:
        notes.append("quantity_rounded")
    return count or _ONE


def _item(
    row: dict[str, Any], count: Decimal, settings: PrestashopSettings, places: int, notes: list[str]
) -> Item | None:
    with_tax = settings.tax != "excluded"
    field = f"unit_price_tax_{'incl' if with_tax else 'excl'}"
    if row.get(field) in (None, ""):
        raise Rejected("missing_field", f"order_rows.{field}", "a row without its price")
    if _is_negative(row[field]):
        notes.append("negative_line")
        return None
    unit = money(row[field], f"order_rows.{field}")
    before = max(unit, _unit_before(row, unit, notes))
    product = identifier(row.get("product_id"), "order_rows.product_id")
    sku = decoration(row, "product_reference", notes)
    return Item(
        product_id=told_id(product, readable_id(row.get("product_attribute_id")), sku, settings),
        name=plain(row, "product_name", notes),
        quantity=count,
        price=_rounded(unit * count, places, notes),
        price_original=_rounded(before * count, places, []),
        sku=sku,
        page_id=product if settings.product_id != "product" else None,
    )


def told_id(
    product: str | None, combination: str | None, sku: str | None, settings: PrestashopSettings
) -> str | None:
    """What Connectif knows a product or combination by."""
    if product is None or settings.product_id == "product":
        return product
    if settings.product_id == "sku":
        return sku or product
    if combination is None:
        return product
    pattern = settings.combination_id
    return pattern.replace("{product}", product).replace("{combination}", combination)


def _unit_before(row: Mapping[str, Any], unit: Decimal, notes: list[str]) -> Decimal:
    """What one would have cost without its own discounts: `product_price` is without tax, and is scaled."""
    try:
        plain_price, net = (amount(row.get(name), name) for name in ("product_price", "unit_price_tax_excl"))
    except Rejected:
        notes.append("product_price_unreadable")
        return unit
    if not net or plain_price <= net or not unit:
        return unit
    scaled = plain_price * unit / net
    return scaled if scaled <= MAX_MONEY else unit


def _is_negative(value: object) -> bool:
    try:
        return isinstance(value, str | int | float) and Decimal(str(value).strip()) < 0
    except InvalidOperation:
        return False


def _rounded(value: Decimal, places: int, notes: list[str]) -> Decimal:
    """To what the currency has: rows only say what one unit cost, with six decimals."""
    if value > MAX_MONEY:
        raise Rejected("invalid_money", "order_rows", "a row of an implausible amount")
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if rounded != value:
        notes.append("amount_rounded")
    return rounded


def places_of(currency: Mapping[str, Any]) -> int:
    """Decimals that amounts in a currency are rounded to."""
    said = readable_id(currency.get("precision"))
    return min(max(_CENTS, int(said)), _FINEST) if said is not None else _CENTS
