"""What the products of all shops have in common: pages, prices, plain text, and how they leave."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from html.parser import HTMLParser
from urllib.parse import quote

from pipeline.config import StoreSettings
from pipeline.records import Op, Origin, Product, RecordKind
from pipeline.shops.base import Draft

_UNSAFE = re.compile(r"[^\w.~-]")
_BLANKS = re.compile(r"\s+")
_CENTS = Decimal("0.01")
#: Longer descriptions are cut before they are read: shops paste whole pages into them.
_MAX_HTML = 20_000
_MAX_TEXT = 2_000


def url_part(piece: str) -> str:
    """One path segment or query value; letters of any script stay, as Connectif wants URLs unencoded."""
    return _UNSAFE.sub(lambda match: quote(match[0], safe=""), piece)


def product_page(settings: StoreSettings, product_id: str, sku: str | None = None) -> str:
    """The page of a product that only orders named, by the store's template."""
    return _filled(settings.product_url, settings.domain, product_id, sku or product_id)


@lru_cache(maxsize=65_536)
def _filled(template: str, domain: str, product_id: str, sku: str) -> str:
    page = template.replace("{domain}", domain).replace("{id}", url_part(product_id))
    return page.replace("{sku}", url_part(sku))


def discount(price: Decimal, original: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    """The discounted amount and percentage, both None where the product is not reduced."""
    if original is None or original <= price:
        return None, None
    amount = original - price
    return amount, (amount * 100 / original).quantize(_CENTS, ROUND_HALF_UP)


class _Text(HTMLParser):
    """Collects the text between tags; scripts and styles are not text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._silent = tag in {"script", "style"}
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._silent = False
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)

    def parse_html_declaration(self, i: int) -> int:
        """Every `<!...>` is a comment to us; the library's own reading asserts on unknown ones."""
        if self.rawdata.startswith("<!--", i):
            return self.parse_comment(i)
        return self.parse_bogus_comment(i)


@lru_cache(maxsize=4_096)
def plain_text(markup: str) -> tuple[str | None, tuple[str, ...]]:
    """HTML as one paragraph of text; a note where it was cut."""
    parser = _Text()
    parser.feed(markup[:_MAX_HTML])
    parser.close()
    text = _BLANKS.sub(" ", "".join(parser.parts)).strip()
    cut = len(markup) > _MAX_HTML or len(text) > _MAX_TEXT
    return text[:_MAX_TEXT] or None, (("description_cut",) if cut else ())


def hide_draft(product_id: str | None, notes: tuple[str, ...] = ()) -> Draft:
    """A product no longer on sale: out of stock and out of recommendations, if Connectif knows it."""
    body = None if product_id is None else hidden(product_id)
    return Draft(
        RecordKind.PRODUCT,
        product_id,
        Origin.CATALOGUE,
        body,
        Op.HIDE,
        notes=notes,
        if_emitted=product_id is None,
    )


def hidden(product_id: str) -> Product:
    """The body of `Op.HIDE`."""
    return Product(product_id=product_id, availability="outofstock", is_blacklisted=True)


def deleted_draft(product_id: str | None, settings: StoreSettings, notes: tuple[str, ...] = ()) -> Draft:
    """A product the shop deleted: hidden, or deleted for good where the settings say so."""
    if settings.on_product_deleted == "hide":
        return hide_draft(product_id, notes)
    body = None if product_id is None else Product(product_id=product_id)
    return Draft(
        RecordKind.PRODUCT,
        product_id,
        Origin.CATALOGUE,
        body,
        Op.RETRACT,
        notes=notes,
        if_emitted=product_id is None,
    )
