"""Products of custom shops -> Connectif products: one each, or one a variant where the settings say so.

Stock counts are not sent: they change with every sale, and each change would cost a call of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Availability, Op, Origin, Product, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation, require_few
from pipeline.shops.catalogue import deleted_draft, discount, hide_draft, product_page
from pipeline.shops.currencies import rounded
from pipeline.shops.generic.fields import (
    amount,
    as_list,
    currency_code,
    first_name,
    flag,
    moment,
    names,
    number,
    own_id,
    plain,
    prose,
    readable_id,
    version_of,
    web_address,
)
from pipeline.shops.generic.languages import audience_of, in_language
from pipeline.shops.generic.settings import GenericSettings, GenericStore
from pipeline.shops.lenient import decoration
from pipeline.shops.values import iso


def product(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """The product or its variants; one that is not published is hidden.

    Raises:
        Rejected: `missing_field`, `invalid_id`, `invalid_field`, `invalid_money`, `invalid_date`,
            `currency_mismatch`, `too_many_records`.
    """
    own = own_id(data)
    if flag(data.get("deleted")) is True:
        return deleted_product(data, event, store)
    settings = store.settings
    notes: list[str] = []
    version = version_of(data, event, notes)
    variants = _variants(data, notes) if settings.product_id != "product" else []
    if not _is_published(data):
        return Translation(version, _hidden(data, own, variants, settings, notes), "unpublished")
    currency = _currency(data, store, notes)
    price = _price(data, currency, notes)
    drafts: tuple[Draft, ...] = ()
    if variants:
        common = _described(data, own, store, notes)
        drafts = _of_variants(common, variants, _Priced(data, settings, price, currency, notes))
    elif price is not None:
        product_id = _id_of(data, own, settings)
        told = _described(data, own, store, notes).model_copy(update={"product_id": product_id})
        drafts = (_draft(_with_price(told, data, price, currency, notes), data, notes),)
    return Translation(version, drafts, "no_price" if not drafts else "nothing_to_tell")


def deleted_product(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """Hidden or deleted, by the settings. The document need not hold more than the id.

    Raises:
        Rejected: `missing_field`, `invalid_id`, `invalid_date`.
    """
    own = own_id(data)
    version = version_of(data, event, [])
    named = own if store.settings.product_id == "product" else None
    return Translation(version, (deleted_draft(named, store.settings),), ignored="deleted")


def _is_published(data: Mapping[str, Any]) -> bool:
    """What is not said is published.

    Raises:
        Rejected: `invalid_field` for what is neither yes nor no.
    """
    said = data.get("published")
    if said is None:
        return True
    found = flag(said)
    if found is None:
        raise Rejected("invalid_field", "data.published", "neither true nor false")
    return found


def _variants(data: Mapping[str, Any], notes: list[str]) -> list[dict[str, Any]]:
    """The variants that have an id or a SKU.

    Raises:
        Rejected: `too_many_records`.
    """
    listed = as_list(data.get("variants"))
    if not isinstance(listed, list):
        notes.extend(("variant_unreadable",) if listed else ())
        return []
    require_few(listed, "data.variants")
    found = [one for one in listed if isinstance(one, dict) and _own_id_of(one) is not None]
    if len(found) < len(listed):
        notes.append("variant_unreadable")
    return found


def _own_id_of(variant: Mapping[str, Any]) -> str | None:
    return readable_id(variant.get("id")) or readable_id(variant.get("sku"))


def _id_of(node: Mapping[str, Any], own: str, settings: GenericSettings) -> str:
    """The id of a product or a variant: its own, or its SKU where there is one and it is wanted."""
    return (settings.product_id == "sku" and decoration(node, "sku", [])) or own


def _hidden(
    data: Mapping[str, Any],
    own: str,
    variants: Sequence[dict[str, Any]],
    settings: GenericSettings,
    notes: Sequence[str],
) -> tuple[Draft, ...]:
    noted = tuple(dict.fromkeys(notes))
    if settings.product_id == "product" or (not variants and "variants" in data):
        return (hide_draft(_id_of(data, own, settings), noted),)
    if not variants:
        return (hide_draft(None, noted),)
    ids = (_id_of(one, _own_id_of(one) or own, settings) for one in variants)
    return tuple(hide_draft(one, noted) for one in dict.fromkeys(ids))


def _currency(data: Mapping[str, Any], store: GenericStore, notes: list[str]) -> str:
    """The currency of the product's prices: its own, else the account's; "" where neither says one.

    Raises:
        Rejected: `currency_mismatch`.
    """
    said = currency_code(data.get("currency"))
    if said is None:
        notes.extend(("currency_unreadable",) if data.get("currency") else ())
        return store.currency or ""
    if store.currency is not None and said != store.currency:
        raise Rejected(
            "currency_mismatch", "data.currency", f"{said}, but the account holds {store.currency}"
        )
    return said


def _price(data: Mapping[str, Any], currency: str, notes: list[str]) -> Decimal | None:
    """The product's own price, else the lowest of its variants'; None where there is none.

    A price of 0 where variants have others says that it has none of its own.

    Raises:
        Rejected: `invalid_money`.
    """
    own = (
        rounded(amount(data["price"], "data.price"), currency, notes)
        if _is_given(data.get("price"))
        else None
    )
    if own:
        return own
    listed = as_list(data.get("variants"))
    found = [
        rounded(amount(one["price"], "data.variants.price"), currency, notes)
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and _is_given(one.get("price"))
    ]
    if own is not None:
        found = [price for price in found if price]
    if found:
        notes.append("price_from_variants")
    return min(found, default=own)


def _is_given(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _described(data: Mapping[str, Any], own: str, store: GenericStore, notes: list[str]) -> Product:
    """What all variants share, in the account's language; the id and the prices are still open."""
    data = in_language(data, store.languages, notes)
    name, url = plain(data, "name", notes), web_address(data, "url", notes)
    if name is None:
        notes.append("name_missing")
    if url is None and store.settings.product_url is not None:
        url = product_page(store, own, decoration(data, "sku", notes))
    if url is None:
        notes.append("url_missing")
    return Product(
        product_id="",
        name=name,
        url=url,
        image_url=web_address(data, "image_url", notes),
        description=prose(data, "description", notes),
        brand=first_name(data, "brand", notes),
        categories=names(data, "categories", notes),
        tags=names(data, "tags", notes),
        published_at=_published_at(data, notes),
        is_blacklisted=False,
    )


def _published_at(data: Mapping[str, Any], notes: list[str]) -> str | None:
    said = data.get("created_at")
    if said is None:
        return None
    try:
        return iso(moment(said, "data.created_at"))
    except Rejected:
        notes.append("published_at_invalid")
        return None


@dataclass(frozen=True, slots=True)
class _Priced:
    """A product's document with what was read of it: its own price, and the notes on all of it."""

    data: Mapping[str, Any]
    settings: GenericSettings
    price: Decimal | None
    currency: str
    notes: list[str]


def _with_price(
    told: Product, node: Mapping[str, Any], price: Decimal, currency: str, notes: list[str]
) -> Product:
    """With the price of a product or a variant, the one before a reduction, and whether it can be bought."""
    original = price
    if node.get("compare_at_price") is not None:
        try:
            before = rounded(amount(node["compare_at_price"], "compare_at_price"), currency, notes)
            original = max(price, before)
        except Rejected:
            notes.extend(("compare_at_price_unreadable",) if node["compare_at_price"] else ())
    off, percentage = discount(price, original)
    return told.model_copy(
        update={
            "unit_price": price,
            "unit_price_original": original,
            "discounted_amount": off,
            "discounted_percentage": percentage,
            "availability": _availability(node, notes),
        }
    )


def _availability(node: Mapping[str, Any], notes: list[str]) -> Availability:
    """As `available` says it, else by the stock; in stock where that is not tracked."""
    said = flag(node.get("available"))
    if said is None and node.get("available") is not None:
        notes.append("available_unreadable")
    if said is None:
        stock = number(node.get("stock"))
        if stock is None and node.get("stock") is not None:
            notes.append("stock_unreadable")
        said = stock is None or stock > 0
    return "instock" if said else "outofstock"


def _of_variants(common: Product, variants: Sequence[dict[str, Any]], priced: _Priced) -> tuple[Draft, ...]:
    """One product a variant; of variants that share an SKU the first."""
    found: dict[str | None, Draft] = {}
    for variant in variants:
        draft = _of_variant(common, variant, priced)
        if draft is None:
            priced.notes.append("variant_without_price")
        elif draft.id in found:
            first = found[draft.id]
            found[draft.id] = first._replace(notes=tuple(dict.fromkeys((*first.notes, "sku_repeated"))))
        else:
            found[draft.id] = draft
    return tuple(found.values())


def _of_variant(common: Product, variant: Mapping[str, Any], priced: _Priced) -> Draft | None:
    """The variant as a product; None where neither it nor its product has a price."""
    notes = list(priced.notes)
    price = priced.price
    if _is_given(variant.get("price")):
        price = rounded(amount(variant["price"], "data.variants.price"), priced.currency, notes)
    if price is None:
        return None
    node = {"compare_at_price": priced.data.get("compare_at_price"), **variant}
    told = _with_price(common, node, price, priced.currency, notes)
    told = told.model_copy(
        update={
            "product_id": _id_of(variant, _own_id_of(variant) or "", priced.settings),
            "name": (plain(variant, "name", notes) or common.name) if common.name else None,
            "url": web_address(variant, "url", notes) or common.url,
            "image_url": web_address(variant, "image_url", notes) or common.image_url,
            "availability": "outofstock"
            if flag(priced.data.get("available")) is False
            else told.availability,
        }
    )
    return _draft(told, priced.data, notes)


def _draft(told: Product, data: Mapping[str, Any], notes: Sequence[str]) -> Draft:
    """What can be created is sent whole; without name or page it only changes what Connectif has."""
    op = Op.PATCH if told.name is None or told.url is None else Op.UPSERT
    return Draft(
        RecordKind.PRODUCT,
        told.product_id,
        Origin.CATALOGUE,
        told,
        op,
        notes=tuple(dict.fromkeys(notes)),
        audience=audience_of(data),
    )
