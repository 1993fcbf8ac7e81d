"""Products: in lines, visited and searched."""

from __future__ import annotations

import re

from pipeline.check.page.findings import Findings, figure, quoted
from pipeline.check.page.rules import common
from pipeline.check.page.tags import Tag, Tags

_AVAILABILITY = ("InStock", "OutOfStock")
_STARS = 5
_PERCENT = 100
_ROUNDING = 0.011


def visited_and_searched(tags: Tags, domains: tuple[str, ...], findings: Findings) -> None:
    """All `cn_product_visited` and `cn_product_searched`; an element that is both is judged once."""
    seen: set[int] = set()
    for tag in (*tags.visited, *tags.searched):
        if tag.element.index not in seen:
            common.check(tag, findings)
            check(tag, domains, findings)
        seen.add(tag.element.index)
    for tag in tags.visited[1:]:
        said = "a further cn_product_visited: a page is of one product"
        findings.warning(tag.about, "several", said, "a visit is recorded for each", "print one")


def check(tag: Tag, domains: tuple[str, ...], findings: Findings) -> None:
    """What only products have."""
    lost = "the product may be refused, or its page not found"
    common.address(f"{tag.about}.url", tag.text("url"), domains, findings, encoded=True, lost=lost)
    availability = re.sub("^https?://schema.org/", "", tag.text("availability"))
    about = f"{tag.about}.availability"
    common.one_of(about, availability, _AVAILABILITY, findings, folded=True)
    for name in ("image_url", "thumbnail_url"):
        text = tag.text(name)
        if text and not re.match("https?://", text, re.IGNORECASE):
            said = f"{quoted(text)} does not begin with https://"
            findings.note(f"{tag.about}.{name}", "relative", said, "no picture in e-mails", text=text)
    for name, most in (("rating_value", _STARS), ("discounted_percentage", _PERCENT)):
        _at_most(tag, name, most, findings)
    _discount(tag, findings)


def _at_most(tag: Tag, name: str, most: int, findings: Findings) -> None:
    number = tag.number(name)
    if number is not None and number > most:
        said = f"{figure(number)} is above {most}"
        findings.warning(f"{tag.about}.{name}", "too_large", said, "Connectif may not take it")


def _discount(tag: Tag, findings: Findings) -> None:
    original, price, less = (
        tag.number(name) for name in ("unit_price_original", "unit_price", "discounted_amount")
    )
    if original is None or price is None:
        return
    if original < price - _ROUNDING:
        said = f"unit_price_original {figure(original)} is below unit_price {figure(price)}"
        findings.note(f"{tag.about}.unit_price_original", "below_price", said)
    elif less is not None and abs(original - price - less) > _ROUNDING:
        said = f"discounted_amount is {figure(less)}, the prices differ by {original - price:.2f}"
        findings.note(f"{tag.about}.discounted_amount", "discount", said)
