"""PrestaShop products -> Connectif products.

A product says neither its stock, which has rows of its own, nor the addresses of its page and picture, which
follow from its ids and texts. Its price is without tax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Availability, Op, Origin, Product, RecordKind
from pipeline.shops.base import Audience, Draft, Rejected, Translation, audience
from pipeline.shops.basket import tidy
from pipeline.shops.catalogue import deleted_draft, discount, hide_draft, url_part
from pipeline.shops.lenient import decoration
from pipeline.shops.php import NOTHING, has_amount, prose, readable_id
from pipeline.shops.prestashop.documents import (
    flag,
    in_language,
    languages_in,
    moment,
    name_of,
    own_id,
    rows,
    version_of,
)
from pipeline.shops.prestashop.people import is_of_other_shop
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.values import iso, money, text

_ZERO = Decimal(0)
_ONE = Decimal(1)
_CENTS = Decimal("0.01")
_HUNDRED = Decimal(100)
#: Rows of special prices that are for everybody have none of these.
_CONDITIONS = ("id_cart", "id_customer", "id_group", "id_country", "id_currency", "id_product_attribute")
_PAGE = "https://{domain}/index.php?controller=product&id_product={id}"


def product(
    body: dict[str, Any],
    stock: Sequence[Mapping[str, Any]],
    special: Sequence[Mapping[str, Any]],
    event: RawEvent,
    store: PrestashopStore,
) -> Translation:
    """The product of its own document.

    Args:
        body: the document.
        stock: its rows of stock.
        special: its special prices.
        event: that brought them.
        store: its store.

    Raises:
        Rejected: `missing_field` (active, name, price), `invalid_...` and what the fields' readers raise.
    """
    own = own_id(body)
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, settings.timezone, notes)
    told = text(body.get("reference"), 200) or own if settings.product_id == "sku" else own
    active = flag(body.get("active"))
    if active is None:
        raise Rejected("missing_field", "active", "whether it is for sale is not said")
    is_draft = flag(body.get("state")) is False  # its page was opened in the back office, and never saved
    if not active or is_draft or is_of_other_shop(body, settings):
        return Translation(version, (hide_draft(told, tuple(dict.fromkeys(notes))),), "unpublished")
    languages = _languages_of(store)
    name = name_of(in_language(body.get("name"), languages), "name", notes)
    if name is None:
        raise Rejected("missing_field", "name", "a product without a name")
    if not has_amount(body.get("price")) or _is_priced_by_parts(body):
        return Translation(version, ignored="no_price")
    price, original = _prices(body, special, event, settings, notes)
    reduction, percentage = discount(price, original)
    record = Product(
        product_id=told,
        name=name,
        url=_page(own, body, languages, settings, notes),
        unit_price=price,
        unit_price_original=original,
        discounted_amount=reduction,
        discounted_percentage=percentage,
        availability=_availability(body, stock),
        image_url=_picture(body, settings),
        description=_described(body, languages, notes),
        brand=decoration(body, "manufacturer_name", notes, 300),
        published_at=_published_at(body, settings, notes),
        # A page that no list of the shop leads to.
        is_blacklisted=text(body.get("visibility"), 20) == "none",
    )
    draft = Draft(
        RecordKind.PRODUCT,
        told,
        Origin.CATALOGUE,
        record,
        Op.UPSERT,
        notes=tuple(dict.fromkeys(notes)),
        audience=_audience_of(body, settings),
    )
    return Translation(version, (draft,))


def _is_priced_by_parts(body: Mapping[str, Any]) -> bool:
    """Whether it costs nothing by itself and is bought as a combination or a pack, which have prices."""
    if money(body.get("price"), "price"):
        return False
    inside = body.get("associations")
    parts = (
        (inside.get(name) for name in ("combinations", "product_bundle")) if isinstance(inside, dict) else ()
    )
    return text(body.get("type"), 20) == "pack" or any(rows(part, "") for part in parts)


def _languages_of(store: PrestashopStore) -> list[str]:
    """The ids of the languages a product is told in, best first: the account's, then the store's."""
    settings = store.settings
    tags = {number: audience(name).languages[0] for number, name in (settings.languages or {}).items()}
    found = [number for wanted in store.languages for number, tag in tags.items() if tag == wanted]
    found += [
        number for wanted in store.languages for number, tag in tags.items() if tag.startswith(f"{wanted}-")
    ]
    return found + ([settings.language_id] if settings.language_id else [])


def _audience_of(body: Mapping[str, Any], settings: PrestashopSettings) -> Audience:
    """The languages the product has a name in, as far as the store says which they are."""
    numbers = languages_in(body.get("name"))
    tags = [audience(settings.language(number)).languages for number in numbers]
    return Audience(tuple(dict.fromkeys(tag for found in tags for tag in found)))


def deleted_product(event: RawEvent, store: PrestashopStore) -> Translation:
    """Hidden or deleted, as the store says; by SKU, all that was sent of it."""
    by_sku = store.settings.product_id == "sku"
    draft = deleted_draft(None if by_sku else event.entity, store.settings)
    return Translation(event.received_ms, (draft,), "deleted")


def _prices(
    body: Mapping[str, Any],
    special: Sequence[Mapping[str, Any]],
    event: RawEvent,
    settings: PrestashopSettings,
    notes: list[str],
) -> tuple[Decimal, Decimal]:
    """What it costs now and what it costs without a special price.

    Raises:
        Rejected: `invalid_money`.
    """
    original = money(body.get("price"), "price")
    price = min(
        (_reduced(original, row, settings, notes) for row in _in_force(special, event, settings, notes)),
        default=original,
    )
    if settings.tax_rate is None:
        notes.append("catalogue_price_as_entered")
        return tidy(min(price, original)), tidy(original)
    notes.append("catalogue_tax_added")
    factor = (_HUNDRED + settings.tax_rate) / _HUNDRED
    with_tax = [(one * factor).quantize(_CENTS, ROUND_HALF_UP) for one in (min(price, original), original)]
    return with_tax[0], with_tax[1]


def _in_force(
    special: Sequence[Mapping[str, Any]], event: RawEvent, settings: PrestashopSettings, notes: list[str]
) -> list[Mapping[str, Any]]:
    """The special prices that everybody gets for one unit now; one that cannot be read is left out, noted."""
    now = datetime.fromtimestamp(event.received_ms / 1_000, UTC)
    found = []
    for row in special:
        if any(readable_id(row.get(key)) is not None for key in _CONDITIONS):
            continue
        try:
            begins, ends = (moment(row, key, settings.timezone, []) for key in ("from", "to"))
            units = money(row.get("from_quantity", 1), "from_quantity")
        except Rejected:
            notes.append("special_price_unreadable")
            continue
        shop = readable_id(row.get("id_shop"))
        ours = shop is None or settings.shop_id in {None, shop}
        if ours and units <= 1 and (begins is None or begins <= now) and (ends is None or now <= ends):
            found.append(row)
    return found


def _reduced(
    original: Decimal, row: Mapping[str, Any], settings: PrestashopSettings, notes: list[str]
) -> Decimal:
    """The price by one row: its own, or the product's less a percentage or an amount."""
    try:
        own = text(row.get("price"), 40)
        base = money(own, "price") if own and not own.startswith("-") else original
        reduction = money(row.get("reduction") or 0, "reduction")
    except Rejected:
        notes.append("special_price_unreadable")
        return original
    if row.get("reduction_type") == "percentage":
        return base * (_ONE - min(reduction, _ONE))
    if flag(row.get("reduction_tax")) and reduction:
        rate = settings.tax_rate
        if rate is None:  # an amount with tax off a price without: by how much is not known
            notes.append("special_price_left_out")
            return base
        reduction = reduction * _HUNDRED / (_HUNDRED + rate)
    return max(base - reduction, _ZERO)


def _page(
    own: str,
    body: Mapping[str, Any],
    languages: Sequence[str],
    settings: PrestashopSettings,
    notes: list[str],
) -> str:
    """Its page in the form of the shop's friendly addresses, else by its id, which works in every shop."""
    rewrite = in_language(body.get("link_rewrite"), languages)
    if isinstance(rewrite, str) and rewrite.strip():
        form = settings.friendly_url.replace("{id}", own).replace(
            "{rewrite}", url_part(rewrite.strip()[:500])
        )
        return f"https://{settings.domain}/{form}"
    if rewrite not in NOTHING:
        notes.append("link_rewrite_unreadable")
    return _PAGE.replace("{domain}", settings.domain).replace("{id}", own)


def _picture(body: Mapping[str, Any], settings: PrestashopSettings) -> str | None:
    """The picture by its id, in a folder for each digit; the first one where none was chosen."""
    inside = body.get("associations")
    others = rows(inside.get("images"), "image") if isinstance(inside, dict) else []
    chosen = readable_id(body.get("id_default_image"))
    own = chosen or next((one for other in others if (one := readable_id(other.get("id")))), None)
    if own is None:
        return None
    return f"https://{settings.domain.partition('/')[0]}/img/p/{'/'.join(own)}/{own}.jpg"


def _described(body: Mapping[str, Any], languages: Sequence[str], notes: list[str]) -> str | None:
    for key in ("description_short", "description"):
        if found := prose(in_language(body.get(key), languages), notes):
            return found
    return None


def _availability(body: Mapping[str, Any], stock: Sequence[Mapping[str, Any]]) -> Availability | None:
    """By its rows of stock, of which those of combinations count where there are any.

    The product's own `quantity` is always 0. None where there are no rows.
    """
    if flag(body.get("available_for_order")) is False:
        return "outofstock"
    of_combinations = [row for row in stock if readable_id(row.get("id_product_attribute")) is not None]
    known = [row for row in of_combinations or stock if row.get("quantity") is not None]
    if not known:
        return None
    takes_orders = any(str(row.get("out_of_stock")) == "1" for row in known)
    return "instock" if takes_orders or any(_is_some(row.get("quantity")) for row in known) else "outofstock"


def _is_some(units: object) -> bool:
    try:
        return Decimal(str(units)) > 0
    except ArithmeticError:
        return False


def _published_at(body: Mapping[str, Any], settings: PrestashopSettings, notes: list[str]) -> str | None:
    """When it was made; a date that cannot be read costs this field, not the product."""
    try:
        found = moment(body, "date_add", settings.timezone, notes)
    except Rejected:
        notes.append("published_at_invalid")
        return None
    return iso(found) if found else None
