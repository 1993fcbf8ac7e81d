"""What the products of all shops have in common: pages, prices, plain text, and how they leave."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from html import unescape
from urllib.parse import quote

from pipeline.records import Op, Origin, Product, RecordKind
from pipeline.shops import values
from pipeline.shops.base import Draft, StoreContext
from pipeline.shops.settings import StoreSettings

#: Notes of a body that does not list all variants.
PARTIAL = frozenset({"variants_cut", "variant_without_price", "variant_unreadable"})
_UNSAFE = re.compile(r"[^\w.~-]+")
_BLANKS = re.compile(r"\s+")
_TAG = re.compile(r"<[a-z/!?][^<>]*>", re.IGNORECASE)
#: Tags that stand within a word, such as `H<sub>2</sub>O`; all others separate words. Their form is checked
#: before their names, which takes a tenth of the time over what is none.
_WITHIN_WORDS = re.compile(
    r"<(?=/?[a-z]{1,6}\b[^<>]*>)/?"
    r"(?:a|abbr|b|bdi|bdo|cite|code|del|em|font|i|ins|mark|q|s|small|span|strike|strong|sub|sup|u|wbr)\b"
    r"[^<>]*>",
    re.IGNORECASE,
)
#: Where text stops and starts again: comments, scripts and styles are not text.
_SECTION = re.compile(r"(<!--|-->|</?(?:script|style)\b[^<>]*>)", re.IGNORECASE)
#: Beyond Unicode, and `unescape` raises on thousands of digits.
_NO_CHARACTER = re.compile(r"&#x?[0-9a-f]{8,};?", re.IGNORECASE)
_CENTS = Decimal("0.01")
#: Longer descriptions are cut before they are read: shops paste whole pages into them.
_MAX_HTML = 20_000
_MAX_TEXT = 2_000
_MAX_NAME_MARKUP = 4_000
#: Tags and the like of one product that are sent; shops allow 250. Each variant repeats them.
MAX_NAMES = 1_000


def url_part(piece: str) -> str:
    """One path segment or query value; letters of any script stay, as Connectif wants URLs unencoded."""
    if piece.isascii():
        return quote(piece, safe="")
    return _UNSAFE.sub(_encoded, piece)


def _encoded(unsafe: re.Match[str]) -> str:
    return "%" + unsafe[0].encode().hex("%").upper()


def product_page(store: StoreContext, product_id: str, sku: str | None = None) -> str:
    """The page of a product that only orders named."""
    return _filled(store.product_page, store.settings.domain, product_id, sku or product_id)


@lru_cache(maxsize=65_536)
def _filled(template: str, domain: str, product_id: str, sku: str) -> str:
    page = template.replace("{domain}", domain).replace("{id}", url_part(product_id))
    return page.replace("{sku}", url_part(sku)) if "{sku}" in page else page


def discount(price: Decimal, original: Decimal) -> tuple[Decimal, Decimal]:
    """The discounted amount and percentage; sent as 0 outside a sale, or an ended sale's would remain."""
    if original <= price:
        return Decimal(0), Decimal(0)
    amount = original - price
    return amount, (amount * 100 / original).quantize(_CENTS, ROUND_HALF_UP)


def plain_text(markup: str) -> tuple[str | None, tuple[str, ...]]:
    """HTML as one paragraph of text; a note where it was cut.

    Time is linear in the length whatever the markup: a parser of HTML takes seconds over 20 kB of `<a <a <a`.
    """
    return _plain_text(markup[: _MAX_HTML + 1])


@lru_cache(maxsize=1_024)
def _plain_text(markup: str) -> tuple[str | None, tuple[str, ...]]:
    text = _without_tags(markup[:_MAX_HTML])
    text = _BLANKS.sub(" ", unescape(_NO_CHARACTER.sub(" ", text))).strip()
    cut = len(markup) > _MAX_HTML or len(text) > _MAX_TEXT
    return values.text(text, _MAX_TEXT), (("description_cut",) if cut else ())


def _without_tags(markup: str) -> str:
    """A blank for each tag; comments, scripts and styles go whole."""
    text, inside = "", ""
    for piece in _SECTION.split(markup):
        mark = piece.lower()
        if inside:
            if mark.startswith(inside):
                inside = ""
        elif mark == "<!--":
            inside = "-->"
        elif mark.startswith(("<script", "<style")) and _SECTION.fullmatch(piece):
            inside = "</script" if mark.startswith("<script") else "</style"
        else:
            text += _TAG.sub(" ", piece)
    return text


def plain_name(markup: str) -> tuple[str | None, bool]:
    """A name without its tags and with its escapes read once, and whether tags were taken out.

    Escaped brackets are text: `&lt;Variable&gt; mug` is `<Variable> mug`. Linear in the length.
    """
    text = markup = markup[:_MAX_NAME_MARKUP]
    if "<" in text:
        text = _without_tags(_WITHIN_WORDS.sub("", text) if _SECTION.search(text) is None else text)
    changed = text != markup
    if changed:
        text = _BLANKS.sub(" ", text)
    return values.text(unescape(_NO_CHARACTER.sub(" ", text))), changed


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
