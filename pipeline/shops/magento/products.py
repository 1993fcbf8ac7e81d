"""Magento products -> Connectif products.

A product's document has ids where the shop shows names of categories and makers: these are left out. Prices
are as they were entered, with or without tax as the shop has it; a catalogue rule's price is in no document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events import RawEvent
from pipeline.records import Availability, Op, Origin, Product, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.basket import tidy
from pipeline.shops.catalogue import deleted_draft, discount, hide_draft, url_part
from pipeline.shops.lenient import plain
from pipeline.shops.magento.fields import attributes, extension, flag, moment, own_id, version_of
from pipeline.shops.magento.parts import (
    COMPOSITE,
    GIFT_CARD,
    any_in_stock,
    cheapest,
    kind_of,
    lowest_amount,
    own_price,
)
from pipeline.shops.magento.settings import MagentoSettings, MagentoStore
from pipeline.shops.php import NOTHING, decorations, entries, has_amount, prose, readable_id
from pipeline.shops.values import iso, money, text

_CENTS = Decimal("0.01")
_HUNDRED = Decimal(100)
_ENABLED, _DISABLED = "1", "2"
_NOT_VISIBLE = "1"
#: What a shop writes where a picture was not chosen.
_NO_PICTURE = "no_selection"
_PAGE = "https://{domain}/catalog/product/view/id/{id}"


def product(
    body: dict[str, Any], parts: Sequence[dict[str, Any]], event: RawEvent, store: MagentoStore
) -> Translation:
    """The product of its own document.

    Args:
        body: the document.
        parts: the documents of what it is made of, where its price is theirs.
        event: that brought them.
        store: its store.

    Raises:
        Rejected: `missing_field` (name, status), `invalid_...` and what the fields' readers raise.
    """
    own = own_id(body, "id", "entity_id")
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, notes)
    told = text(body.get("sku"), 200) or own if settings.product_id == "sku" else own
    if _is_of_other_websites(body, settings, notes):
        return Translation(version, (hide_draft(told)._replace(if_emitted=True),), "other_shop")
    status, visibility = (str(body.get(key)) for key in ("status", "visibility"))
    if status not in {_ENABLED, _DISABLED}:
        raise Rejected("missing_field", "status", "whether it is enabled is not said")
    if status == _DISABLED:
        return Translation(version, (hide_draft(told, _once(notes)),), "unpublished")
    if visibility == _NOT_VISIBLE:  # a part of another product: its own page does not exist
        return Translation(version, (hide_draft(told)._replace(if_emitted=True),), "not_visible")
    name = plain(body, "name", notes)
    if name is None:
        raise Rejected("missing_field", "name", "a product without a name")
    custom = attributes(body, notes)
    price, original = _prices(body, custom, parts, event, settings, notes)
    if price is None:
        return Translation(version, ignored="no_price")
    reduction, percentage = discount(price, original)
    record = Product(
        product_id=told,
        name=name,
        url=_page(own, custom, store, notes),
        unit_price=price,
        unit_price_original=original,
        discounted_amount=reduction,
        discounted_percentage=percentage,
        availability=_availability(body, parts, notes),
        image_url=_picture(body, custom, settings, notes),
        description=prose(custom.get("short_description"), notes) or prose(custom.get("description"), notes),
        published_at=_published_at(body, notes),
        is_blacklisted=False,
    )
    draft = Draft(RecordKind.PRODUCT, told, Origin.CATALOGUE, record, Op.UPSERT, notes=_once(notes))
    return Translation(version, (draft,))


def deleted_product(value: Mapping[str, Any], event: RawEvent, store: MagentoStore) -> Translation:
    """Hidden or deleted, as the store says.

    Raises:
        Rejected: `missing_field`: nothing says which product it was.
    """
    settings = store.settings
    sku = text(value.get("sku"), 200)
    if event.entity.isdigit():
        told = event.entity if settings.product_id != "sku" else sku
    elif settings.product_id == "sku" and sku is not None:
        told = sku
    else:
        raise Rejected(
            "missing_field", "entity_id", "the event does not name it: give it the field entity_id"
        )
    return Translation(event.received_ms, (deleted_draft(told, settings),), "deleted")


def _once(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


def _is_of_other_websites(body: Mapping[str, Any], settings: MagentoSettings, notes: list[str]) -> bool:
    """Whether the product is sold on other websites only; where none is named, it is not known to be."""
    if settings.website_ids is None:
        return False
    listed = entries(extension(body, notes).get("website_ids")) or ()
    found = {own for one in listed if (own := readable_id(one)) is not None}
    return bool(found) and found.isdisjoint(settings.website_ids)


def _prices(  # noqa: PLR0917 - as the body has them
    body: Mapping[str, Any],
    custom: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]],
    event: RawEvent,
    settings: MagentoSettings,
    notes: list[str],
) -> tuple[Decimal | None, Decimal]:
    """What it costs now and what it cost before a special price; None where nothing says the first."""
    regular = own_price(body)
    kind = kind_of(body)
    if regular is None and kind == GIFT_CARD:
        regular = lowest_amount(body)
    elif kind not in COMPOSITE and has_amount(body.get("price")):
        regular = money(body.get("price"), "price")  # which may be zero
    if regular is None:
        found = cheapest(body, parts, lambda part: _part_price(part, event, settings, notes))
        if found is None:
            return None, Decimal(0)
        notes.append("price_of_parts")
        price = original = found
    else:
        special = _special_price(custom, event, settings, notes)
        price, original = (regular if special is None else min(special, regular)), regular
    if settings.tax_rate is None:
        notes.append("catalogue_price_as_entered")
        return tidy(price), tidy(original)
    notes.append("catalogue_tax_added")
    return _with_tax(price, settings.tax_rate), _with_tax(original, settings.tax_rate)


def _with_tax(amount: Decimal, rate: Decimal) -> Decimal:
    return (amount * (_HUNDRED + rate) / _HUNDRED).quantize(_CENTS, ROUND_HALF_UP)


def _part_price(
    part: Mapping[str, Any], event: RawEvent, settings: MagentoSettings, notes: list[str]
) -> Decimal | None:
    """What a part costs now; None where it is not for sale."""
    regular = own_price(part) if str(part.get("status")) == _ENABLED else None
    if regular is None:
        return None
    special = _special_price(attributes(part, notes), event, settings, notes)
    return regular if special is None else min(special, regular)


def _special_price(
    custom: Mapping[str, Any], event: RawEvent, settings: MagentoSettings, notes: list[str]
) -> Decimal | None:
    """The special price while it is in force, by the days that the shop's own calendar has.

    A special price or date that cannot be read is left out, noted.
    """
    given = custom.get("special_price")
    if given in NOTHING:
        return None
    try:
        price = money(given, "special_price")
        begins, ends = (_day(custom, key, settings) for key in ("special_from_date", "special_to_date"))
    except Rejected:
        notes.append("special_price_unreadable")
        return None
    now = datetime.fromtimestamp(event.received_ms / 1_000, UTC)
    if (begins is not None and now < begins) or (ends is not None and now >= ends + timedelta(days=1)):
        return None
    return price or None


def _day(custom: Mapping[str, Any], key: str, settings: MagentoSettings) -> datetime | None:
    """The beginning of a day of the shop's calendar: Magento writes these dates without its UTC."""
    found = moment(custom, key)
    if found is None:
        return None
    return found.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=ZoneInfo(settings.timezone))


def _page(own: str, custom: Mapping[str, Any], store: MagentoStore, notes: list[str]) -> str:
    """Its page: by its key in addresses, else by its id, which works in every shop."""
    settings = store.settings
    key = custom.get("url_key")
    if isinstance(key, str) and key.strip():
        path = "/".join(url_part(part) for part in key.strip().split("/"))
        return f"https://{settings.domain}/{path[:1_000]}{settings.url_suffix}"
    if key not in NOTHING:
        notes.append("url_key_unreadable")
    return _PAGE.replace("{domain}", settings.domain).replace("{id}", own)


def _picture(
    body: dict[str, Any], custom: Mapping[str, Any], settings: MagentoSettings, notes: list[str]
) -> str | None:
    """The picture of its page, else the first of the gallery that is shown."""
    chosen = custom.get("image")
    if isinstance(chosen, str) and chosen.strip() not in {"", _NO_PICTURE}:
        return _media(chosen, settings)
    if chosen not in (*NOTHING, _NO_PICTURE):
        notes.append("image_unreadable")
    for entry in decorations(body, "media_gallery_entries", notes, "image"):
        file = entry.get("file")
        if isinstance(file, str) and file.strip() and flag(entry.get("disabled")) is not True:
            return _media(file, settings)
    return None


def _media(file: str, settings: MagentoSettings) -> str | None:
    if file.startswith(("https://", "http://")):
        return text(file)
    host = settings.domain.partition("/")[0]
    media = (settings.media_url or f"https://{host}/media").replace("{domain}", host).rstrip("/")
    return text(f"{media}/catalog/product/{file.strip().lstrip('/')}")


def _availability(
    body: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], notes: list[str]
) -> Availability | None:
    """Whether it can be bought; of a product made of parts, whether one of these can."""
    available = _is_available(body, notes)
    if available is not False and kind_of(body) in COMPOSITE and parts:
        of_parts = any_in_stock(parts, lambda part: _is_available(part, notes))
        available = available if of_parts is None else of_parts
    return None if available is None else "instock" if available else "outofstock"


def _is_available(body: Mapping[str, Any], notes: list[str]) -> bool | None:
    """By the stock row: not tracked, back-orders taken, or something left. None where nothing is said."""
    stock = extension(body, notes).get("stock_item", body.get("stock_data"))
    if not isinstance(stock, dict):
        if stock not in NOTHING:
            notes.append("stock_unreadable")
        return None
    if flag(stock.get("manage_stock")) is False:
        return True
    in_stock = flag(stock.get("is_in_stock"))
    if in_stock is None:
        notes.append("stock_unreadable")
        return None
    if not in_stock or kind_of(body) in COMPOSITE:  # whose own quantity is always zero
        return in_stock
    if str(stock.get("backorders") or 0) not in {"0", "0.0"}:
        return True
    quantity = stock.get("qty")
    return not _is_nothing(quantity)


def _is_nothing(quantity: object) -> bool:
    try:
        return Decimal(str(quantity)) <= 0
    except ArithmeticError:
        return False


def _published_at(body: Mapping[str, Any], notes: list[str]) -> str | None:
    """When it was made; a date that cannot be read costs this field, not the product."""
    try:
        found = moment(body, "created_at")
    except Rejected:
        notes.append("published_at_invalid")
        return None
    return iso(found) if found else None
