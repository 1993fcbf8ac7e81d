"""The lines of a VTEX order, less what was taken out of it and what came back."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.shops.base import Rejected, require_few
from pipeline.shops.basket import Item, quantity
from pipeline.shops.values import text, web_address
from pipeline.shops.vtex.fields import amount, mapping, objects, plain, whole
from pipeline.shops.vtex.settings import VtexSettings, VtexStore

_ONE = Decimal(1)


class Returned(NamedTuple):
    """What return invoices say: money paid back, and units by the position of their line."""

    money: Decimal
    units: Counter[int]


def returned_of(body: dict[str, Any], settings: VtexSettings) -> Returned:
    """The restitutions of all `Input` packages, as money or as a gift card, each return invoice once.

    A store that pays back by itself has none written: then the invoice's own value says what came off.
    """
    money, units, seen = Decimal(0), Counter[int](), set[str]()
    for package in objects(mapping(body, "packageAttachment"), "packages"):
        number = text(package.get("invoiceNumber"), 100)
        known = f"{number} {package.get('restitutions')} {package.get('items')}"
        if (text(package.get("type"), 20) or "").casefold() != "input" or (number and known in seen):
            continue
        seen.add(known)
        restitutions = [one for one in mapping(package, "restitutions").values() if isinstance(one, dict)]
        for restitution in restitutions:
            if restitution.get("value"):
                money += amount(restitution["value"], "restitutions.value", settings.money_divisor)
        if not any(one.get("value") is not None for one in restitutions) and package.get("invoiceValue"):
            money += amount(package["invoiceValue"], "packages.invoiceValue", settings.money_divisor)
        for item in objects(package, "items"):
            index, count = whole(item.get("itemIndex")), whole(item.get("quantity"))
            if index is not None and count:
                units[index] += count
    return Returned(money, units)


def all_came_back(body: dict[str, Any], returned: Returned) -> bool:
    """Whether return invoices name every unit of every line."""
    lines = objects(body, "items")
    counts = [(whole(line.get("quantity")) or 0, returned.units[index]) for index, line in enumerate(lines)]
    return bool(returned.units) and all(back >= count for count, back in counts)


def items_of(body: dict[str, Any], store: VtexStore, returned: Returned, notes: list[str]) -> list[Item]:
    """What was bought and kept.

    Raises:
        Rejected: `missing_field`, `invalid_money`, `invalid_quantity`.
    """
    if not isinstance(body.get("items"), list):
        raise Rejected("missing_field", "items", "an order without its lines")
    listed = objects(body, "items")
    require_few(listed, "items")
    removed = _removed(body, notes)
    came_back = returned.units if store.settings.on_partial_refund == "replace" else Counter[int]()
    found: list[Item] = []
    seen: set[str] = set()
    for index, line in enumerate(listed):
        unique = text(line.get("uniqueId"), 100)
        if unique is not None and unique in seen:
            notes.append("line_repeated")
            continue
        seen.update(() if unique is None else (unique,))
        if _is_below_zero(line):
            notes.append("negative_line")
            continue
        count = quantity(line.get("quantity"), "items.quantity")
        gone = Decimal(came_back[index]) + _taken(removed, text(line.get("id"), 60), count)
        item = _item(line, count, store, notes)
        if gone >= count:
            continue
        found.append(item if not gone else _rest(item, count - gone))
    return found


def _is_below_zero(line: dict[str, Any]) -> bool:
    """Whether it is a trade-in or a return at the till, which the order's total holds."""
    price = mapping(line, "priceDefinition").get("total")
    given = (line.get("quantity"), line.get("sellingPrice") if price is None else price)
    return any((text(one, 40) or "").startswith("-") and one for one in given)


def _removed(body: dict[str, Any], notes: list[str]) -> Counter[str]:
    """Units that were taken out of the order, by their article: it still lists them, its total does not."""
    found: Counter[str] = Counter()
    for change in objects(mapping(body, "changesAttachment"), "changesData"):
        for item in objects(change, "itemsRemoved"):
            sku, count = text(item.get("id"), 60), whole(item.get("quantity"))
            if sku is not None and count:
                found[sku] += count
        if objects(change, "itemsAdded"):
            notes.append("item_added")
    return found


def _taken(removed: Counter[str], sku: str | None, count: Decimal) -> Decimal:
    """How many of a line's units were taken out; each removal counts once."""
    if sku is None or not removed[sku]:
        return Decimal(0)
    taken = min(Decimal(removed[sku]), count)
    removed[sku] -= int(taken)
    return taken


def _rest(item: Item, left: Decimal) -> Item:
    share = left / item.quantity
    return item._replace(quantity=left, price=item.price * share, price_original=item.price_original * share)


def _item(line: dict[str, Any], count: Decimal, store: VtexStore, notes: list[str]) -> Item:
    """One line as the customer paid it.

    `price` is of a whole unit of measure, and `sellingPrice` is rounded: `priceDefinition.total` is the line.
    """
    settings = store.settings
    if count == 0:
        notes.append("quantity_rounded")
        count = _ONE
    price = _price(line, count, settings)
    original = max(price, _original(line, count, settings))
    if settings.tax == "included" and line.get("tax"):
        tax = amount(line["tax"], "items.tax", settings.money_divisor) * count
        price, original = price + tax, original + tax
    product, sku = text(line.get("productId"), 60), text(line.get("id"), 60)
    reference = text(line.get("refId"), 200)
    told = {"product": product or sku, "variant": sku or product, "sku": reference or product or sku}
    more = mapping(line, "additionalInfo")
    names = (plain(one, "name", notes, 200) for one in objects(more, "categories"))
    return Item(
        product_id=told[settings.product_id],
        name=plain(line, "name", notes),
        quantity=count,
        price=price,
        price_original=original,
        sku=reference,
        image_url=web_address(line.get("imageUrl")),
        brand=plain(more, "brandName", notes, 200),
        categories=tuple(name for name in names if name is not None),
        page_id=product,
        page=page(store, line.get("detailUrl")),
    )


def _price(line: dict[str, Any], count: Decimal, settings: VtexSettings) -> Decimal:
    total = mapping(line, "priceDefinition").get("total")
    if total is not None:
        return amount(total, "items.priceDefinition.total", settings.money_divisor)
    for name in ("sellingPrice", "price"):  # orders from before there were price definitions
        if line.get(name) is not None:
            return amount(line[name], f"items.{name}", settings.money_divisor) * count
    raise Rejected("missing_field", "items.priceDefinition", "a line without a price")


def _original(line: dict[str, Any], count: Decimal, settings: VtexSettings) -> Decimal:
    """What the line would have cost without its own discounts."""
    if line.get("price") is None:
        return Decimal(0)
    measure = line.get("unitMultiplier")
    usable = isinstance(measure, int | float) and not isinstance(measure, bool) and 0 < measure < 1e6  # noqa: PLR2004 - no shop's
    unit = amount(line["price"], "items.price", settings.money_divisor)
    return unit * (Decimal(str(measure)) if usable else _ONE) * count


def page(store: VtexStore, value: object) -> str | None:
    """The path of a page on the store's own domain: VTEX writes it alone, or with a technical host."""
    given = text(value)
    if given is None:
        return None
    try:
        path = urlsplit(given).path
    except ValueError:
        return None
    return f"https://{store.settings.domain}{path}" if path.startswith("/") and len(path) > 1 else None
