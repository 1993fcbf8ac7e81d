"""Purchases and carts with their lines: are they sent, and do they add up?"""

from __future__ import annotations

from pipeline.check.page import values
from pipeline.check.page.findings import Findings, figure
from pipeline.check.page.rules import common, products
from pipeline.check.page.tags import Tag, Tags

_SOURCES = ("marketplace", "digital-store", "point-of-sale", "third-party", "other")
#: A total that lies more than this above the lines, in their sum and in money, is not explained by shipping.
_FAR_TIMES = 2.0
_FAR_MONEY = 20.0
#: Rounding of one line.
_ROUNDING = 0.011


def purchases(tags: Tags, domains: tuple[str, ...], findings: Findings) -> None:
    """All `cn_purchase`."""
    seen: dict[str, str] = {}
    for tag in tags.purchases:
        common.check(tag, findings)
        _lines(tag, domains, findings)
        common.one_of(f"{tag.about}.source_type", tag.text("source_type"), _SOURCES, findings, folded=False)
        if not tag.text("cart_id"):
            findings.warning(
                f"{tag.about}.cart_id",
                "missing",
                "no cart_id: Connectif does not learn which cart was bought",
                "the cart later counts as abandoned",
                "print the cart's id in an element of class cart_id",
            )
        _several(tag, seen, findings)
        _without_lines(tag, findings)
        _adds_up(tag, findings)


def _several(tag: Tag, seen: dict[str, str], findings: Findings) -> None:
    own = tag.text("purchase_id")
    if own and own in seen:
        said = f"the same purchase_id as {seen[own]}"
        findings.warning(
            tag.about, "same_purchase", said, "the purchase is sent twice", "print each purchase once"
        )
    elif seen:
        findings.note(tag.about, "several", "a further purchase; all of a page are sent")
    if tag.nested:
        said = "it stands inside another cn_purchase"
        effect = "the outer one takes its lines, and what it lacks itself, from the inner one"
        findings.warning(tag.about, "nested", said, effect, "print them beside one another")
    if own:
        seen.setdefault(own, tag.about)


def _without_lines(tag: Tag, findings: Findings) -> None:
    if not tag.lines and not tag.lost and tag.number("total_quantity") != 0:
        findings.warning(
            f"{tag.about}.items",
            "no_lines",
            "no element of class product_basket_item",
            f"the {common.kind_of(tag)} is recorded without its products",
            "print one for each line",
        )


def cart(tags: Tags, domains: tuple[str, ...], findings: Findings) -> None:
    """The first `cn_cart`; the others are ignored."""
    for tag in tags.carts:
        common.check(tag, findings)
        _lines(tag, domains, findings)
        lost = "the recovery address is not stored"
        about = f"{tag.about}.cart_recovery_url"
        common.address(about, tag.text("cart_recovery_url"), domains, findings, encoded=False, lost=lost)
        _without_lines(tag, findings)
        if tag.lines and tag.number("total_quantity") == 0 and tag.number("total_price") == 0:
            said = "the totals are zero, but there are lines"
            findings.warning("cart", "not_empty", said, "an emptied cart has none", "print no lines then")
        else:
            _adds_up(tag, findings)
    count = tags.counts["cn_cart"]
    if count > 1:
        said = f"{count} elements of class cn_cart: the first is read, the others are ignored"
        findings.warning("cart", "duplicate", said, "a wrong cart may be sent", "print one")


def _lines(tag: Tag, domains: tuple[str, ...], findings: Findings) -> None:
    for line in tag.lines:
        common.check(line, findings)
        products.check(line, domains, findings)
        for name in ("quantity", "price"):
            if not line.text(name):
                findings.error(
                    f"{line.about}.{name}",
                    "missing",
                    f"{name} is missing, which every line must have",
                    "what Connectif makes of the line is not documented",
                    f"print an element of class {name}",
                )
        if line.nested:
            said = "it stands inside another line, which may be read as having its values"
            findings.warning(line.about, "nested", said, hint="close each line before the next begins")


def _adds_up(tag: Tag, findings: Findings) -> None:
    """Totals against lines; only where nothing else is wrong, since the cause is named then."""
    if not tag.lines or not tag.whole or tag.lost or findings.has_error(f"{tag.about}.total_price"):
        return
    if findings.has_error(f"{tag.about}.items") or findings.has_error(f"{tag.about}.total_quantity"):
        return
    for line in tag.lines:
        _line_adds_up(line, findings)
    units, total = _sum(tag, "quantity"), tag.number("total_quantity")
    if units is not None and total is not None and total != units:
        said = f"total_quantity is {figure(total)}, the lines hold {figure(units)}"
        findings.warning(f"{tag.about}.total_quantity", "quantities", said, "one of them is wrong")
    money, paid = _sum(tag, "price"), tag.number("total_price")
    if money is not None and paid is not None:
        _money(tag, paid, money, findings)
        _thousands_throughout(tag, findings)


def _thousands_throughout(tag: Tag, findings: Findings) -> None:
    """Amounts that agree may all be wrong in the same way."""
    texts = [tag.text("total_price"), *(line.text("price") for line in tag.lines)]
    if all(map(values.may_be_thousands, texts)):
        said = "every amount has three digits behind its point, which then parts thousands"
        effect = "recorded a thousand times too low, unless the currency has three decimals"
        findings.warning(f"{tag.about}.total_price", "thousands", said, effect, "print 1250.00")


def _sum(tag: Tag, name: str) -> float | None:
    numbers = [line.number(name) for line in tag.lines]
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _money(tag: Tag, paid: float, money: float, findings: Findings) -> None:
    about, said = (
        f"{tag.about}.total_price",
        f"total_price is {figure(paid)}, the lines add up to {money:.2f}",
    )
    slack = _ROUNDING * len(tag.lines)
    if paid < money - slack:
        effect = "a wrong amount, unless a discount explains it"
        findings.warning(about, "below_lines", said, effect, _thousand(paid, money))
    elif paid > _FAR_TIMES * money and paid - money > _FAR_MONEY:
        effect = "a wrong amount: shipping does not explain that much"
        findings.warning(about, "above_lines", said, effect, "compare with the order in the shop")
    elif paid > money + slack:
        what = f"{paid - money:.2f} above the lines: shipping or tax, usually"
        findings.note(about, "shipping", what)


def _thousand(paid: float, money: float) -> str:
    """The point may be one that parts thousands, or have slipped."""
    slipped = [times for times in (10, 100, 1_000) if 0.9 < paid * times / money < 1.5]  # noqa: PLR2004 - about as much
    if slipped:
        return f"{figure(paid * slipped[0])} would fit: look where the decimal point is printed"
    return "compare with the order in the shop"


def _line_adds_up(line: Tag, findings: Findings) -> None:
    count, price, each = (line.number(name) for name in ("quantity", "price", "unit_price"))
    if count is None or price is None or each is None or count < 0:
        return
    if abs(count * each - price) > _ROUNDING * max(1.0, count):
        said = (
            f"price is {figure(price)}, {figure(count)} times unit_price is {count * each:.2f}; "
            "price is that of the whole line"
        )
        findings.note(f"{line.about}.price", "line_price", said)
