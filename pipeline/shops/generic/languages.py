"""A product in several languages: where it belongs, and its texts in the language of an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.shops.base import Audience, audience
from pipeline.shops.catalogue import MAX_NAMES
from pipeline.shops.generic.fields import currency_code
from pipeline.shops.values import text

#: What a product can have in several languages.
_TEXTS = ("name", "url", "description", "categories", "tags", "image_url")


def audience_of(data: Mapping[str, Any]) -> Audience:
    """Where the product belongs: its language and those it is translated to, its shop and its currency."""
    shop, currency = text(data.get("shop")), currency_code(data.get("currency"))
    own = audience(_locale(data), shop, currency)
    others = tuple(_by_tag(data)) if own.languages else ()
    return own._replace(languages=tuple(dict.fromkeys((*own.languages, *others))))


def in_language(data: Mapping[str, Any], languages: Sequence[str], notes: list[str]) -> Mapping[str, Any]:
    """The product with its texts in the first of some languages that it has.

    Args:
        data: the product.
        languages: of the account, best first; with none the product stays as it is.
        notes: `not_translated` is added where it has none of them.
    """
    if not data.get("translations") or not languages:
        return data
    by_tag = _by_tag(data)
    if not by_tag:
        notes.append("translations_unreadable")
    own = _primary((audience(_locale(data)).languages or ("",))[0])
    for language in languages:
        texts = by_tag.get(language) or by_tag.get(_primary(language))
        if texts is not None:
            return {**data, **{name: texts[name] for name in _TEXTS if name in texts}}
        if _primary(language) == own:
            return data
    notes.append("not_translated")
    return data


def _by_tag(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The translations by their tags, and by the language alone where it has none of its own."""
    translations = data.get("translations")
    found: dict[str, dict[str, Any]] = {}
    for name, texts in list(translations.items())[:MAX_NAMES] if isinstance(translations, dict) else ():
        for tag in audience(text(name, 40)).languages if isinstance(texts, dict) else ():
            found[tag] = texts
    for tag, texts in list(found.items()):
        found.setdefault(_primary(tag), texts)
    return found


def _locale(data: Mapping[str, Any]) -> str | None:
    return text(data.get("locale"), 40)


def _primary(language: str) -> str:
    return language.partition("-")[0]
