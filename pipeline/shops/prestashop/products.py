"""PrestaShop products -> Connectif's. A product's own quantity is always zero: its stock is other documents.

Neither its page nor its pictures have an address in the webservice: these are written as the shop does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

from pipeline.events import RawEvent
from pipeline.records import Availability, Op, Origin, Product, RecordKind
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Rejected, Translation, require_few
from pipeline.shops.catalogue import deleted_draft, hide_draft, url_part
from pipeline.shops.orders import tidy
from pipeline.shops.php import NOTHING, decoration, plain, prose, readable_id
from pipeline.shops.prestashop.fields import flag, listed, moment, said_in, version_of
from pipeline.shops.prestashop.lines import told_id
from pipeline.shops.prestashop.lookups import (
    CATEGORIES,
    COMBINATIONS,
    PRODUCTS,
    STOCK,
    category_ids,
    found,
    those,
)
from pipeline.shops.prestashop.settings import ALL_SHOPS, PrestashopSettings, PrestashopStore
from pipeline.shops.values import iso, money, text

_CENTS = Decimal("0.01")
_HUNDRED = Decimal(100)
#: Of `out_of_stock` in a row of stock: orders are taken at zero.
_TAKES_ORDERS = "1"
#: Of `visibility`: for sale by its address only.
_NOWHERE = "none"
#: The two levels of categories that are every product's: the root and the shop's front page.
_TOP_LEVELS = frozenset({"0", "1"})
_SLUG_LIMIT = 500


class _Offer(NamedTuple):
    """A product or one of its combinations, as it is sold.

    Attributes:
        told: what Connectif knows it by.
        combination: its id; None for the product itself.
        impact: what it adds to the product's price, without tax; may be below zero.
    """

    told: str
    combination: str | None
    impact: Decimal


def product(event: RawEvent, documents: Documents, store: PrestashopStore) -> Translation:
    """The product, or its combinations where these are told by themselves.

    Raises:
        Rejected: `missing_field` (name, active), `invalid_money`, `invalid_date`, `shop_api_error`.
    """
    settings = store.settings
    body = found(documents, PRODUCTS, event.entity)
    if body is None:  # gone, or sold in other shops of the installation only
        return Translation(event.received_ms, (hide_draft(None),), "not_found")
    notes: list[str] = []
    version = version_of(body, event, settings, notes)
    active = flag(body.get("active"))
    if active is None:
        raise Rejected("missing_field", "active", "whether it is for sale is not said")
    if not active:
        return Translation(version, (_hidden(body, event, settings, notes),), "unpublished")
    combinations = those(documents, COMBINATIONS) or []
    require_few(combinations, "combinations")
    offers = _offers(body, event.entity, combinations, settings, notes)
    base = _base_price(body, combinations)
    if base is None:
        return Translation(version, ignored="no_price")
    common = _common(body, event, documents, store, notes)
    stock = _stock(documents, settings)
    drafts = [
        _draft(told, group, base, common, stock, settings, notes) for told, group in _grouped(offers).items()
    ]
    return Translation(version, tuple(drafts))


def deleted_product(event: RawEvent, store: PrestashopStore) -> Translation:
    """Hidden or deleted, as the store says."""
    told = event.entity if store.settings.product_id == "product" else None
    return Translation(event.received_ms, (deleted_draft(told, store.settings),), "deleted")


def _hidden(
    body: Mapping[str, Any], event: RawEvent, settings: PrestashopSettings, notes: list[str]
) -> Draft:
    """What was told of it leaves the shelf; by its own id also where nothing was."""
    once = tuple(dict.fromkeys(notes))
    if settings.product_id == "product":
        return hide_draft(event.entity, once)
    if settings.product_id == "sku" and not listed(body.get("associations"), COMBINATIONS):
        return hide_draft(text(body.get("reference"), 200) or event.entity, once)
    return hide_draft(None, once)


def _offers(
    body: Mapping[str, Any],
    own: str,
    combinations: Sequence[Mapping[str, Any]],
    settings: PrestashopSettings,
    notes: list[str],
) -> list[_Offer]:
    """What is told of a product: itself, or its combinations; one without a reference has the product's."""
    reference = decoration(dict(body), "reference", notes, 200)
    whole = _Offer(told_id(own, None, reference, settings) or own, None, Decimal(0))
    if settings.product_id == "product":  # whose combinations are only known where it has no price of its own
        return [whole._replace(impact=_impact(one, notes)) for one in combinations] or [whole]
    found_offers = []
    for one in combinations:
        number = readable_id(one.get("id"))
        if number is None:
            notes.append("combination_unreadable")
            continue
        sku = decoration(dict(one), "reference", notes, 200) or reference
        found_offers.append(_Offer(told_id(own, number, sku, settings) or own, number, _impact(one, notes)))
    return found_offers or [whole]


def _impact(combination: Mapping[str, Any], notes: list[str]) -> Decimal:
    value = combination.get("price")
    if value in NOTHING:
        return Decimal(0)
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            written = str(value).strip()
            amount = money(written.removeprefix("-"), "combinations.price")
            return -amount if written.startswith("-") else amount
    except (Rejected, InvalidOperation):
        pass
    notes.append("combination_price_unreadable")
    return Decimal(0)


def _base_price(body: Mapping[str, Any], combinations: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """The product's own price without tax; with none, zero where its combinations have one, else None.

    Raises:
        Rejected: `invalid_money`.
    """
    value = body.get("price")
    price = Decimal(0) if value in NOTHING else money(value, "price")
    if price:
        return price
    if any(_impact(one, []) > 0 for one in combinations):
        return Decimal(0)
    made_of_parts = bool(listed(body.get("associations"), COMBINATIONS))
    return None if value in NOTHING or made_of_parts else price


def _grouped(offers: Sequence[_Offer]) -> dict[str, list[_Offer]]:
    groups: dict[str, list[_Offer]] = {}
    for offer in offers:
        groups.setdefault(offer.told, []).append(offer)
    return groups


def _draft(  # noqa: PLR0917 - what a product is made of
    told: str,
    group: Sequence[_Offer],
    base: Decimal,
    common: Product,
    stock: Mapping[str, bool] | None,
    settings: PrestashopSettings,
    notes: list[str],
) -> Draft:
    prices = [max(base + offer.impact, Decimal(0)) for offer in group]
    price = min([one for one in prices if one] or prices)
    extra = ["catalogue_price_without_tax" if settings.tax_rate is None else "catalogue_tax_added"]
    availability: Availability | None = None
    if stock is None:
        extra.append("stock_unknown")
    else:
        numbers = [offer.combination for offer in group]
        there = stock.values() if None in numbers else (stock.get(one or "", False) for one in numbers)
        availability = "instock" if any(there) else "outofstock"
    if common.availability == "outofstock":  # shown, and not for sale
        availability = "outofstock"
    taxed = _with_tax(price, settings)
    record = common.model_copy(
        update={
            "product_id": told,
            "unit_price": taxed,
            "unit_price_original": taxed,
            "discounted_amount": Decimal(0),
            "discounted_percentage": Decimal(0),
            "availability": availability,
        }
    )
    said = tuple(dict.fromkeys((*notes, *extra)))
    return Draft(RecordKind.PRODUCT, told, Origin.CATALOGUE, record, Op.UPSERT, notes=said)


def _with_tax(price: Decimal, settings: PrestashopSettings) -> Decimal:
    if settings.tax_rate is None:
        return tidy(price)
    return (price * (_HUNDRED + settings.tax_rate) / _HUNDRED).quantize(_CENTS, ROUND_HALF_UP)


def _common(
    body: dict[str, Any], event: RawEvent, documents: Documents, store: PrestashopStore, notes: list[str]
) -> Product:
    """What all that is told of a product have in common.

    Raises:
        Rejected: `missing_field`.
    """
    settings = store.settings
    name = plain({"name": said_in(body.get("name"), settings)}, "name", notes)
    if name is None:
        raise Rejected("missing_field", "name", "a product without a name")
    rewrite = decoration(
        {"link_rewrite": said_in(body.get("link_rewrite"), settings)}, "link_rewrite", notes, _SLUG_LIMIT
    )
    categories = _categories(body, documents, settings, notes)
    texts = [said_in(body.get(key), settings) for key in ("description_short", "description")]
    sold = flag(body.get("available_for_order"))
    return Product(
        product_id=event.entity,
        name=name,
        url=_page(event.entity, rewrite, categories, store),
        image_url=_picture(body, rewrite or "image", settings, notes),
        brand=_brand(body, notes),
        description=prose(texts[0], notes) or prose(texts[1], notes),
        categories=tuple(one.name for one in categories),
        published_at=_published_at(body, settings, notes),
        availability="outofstock" if sold is False else None,
        is_blacklisted=text(body.get("visibility"), 20) == _NOWHERE,
    )


class _Category(NamedTuple):
    number: str
    name: str
    rewrite: str


def _categories(
    body: Mapping[str, Any], documents: Documents, settings: PrestashopSettings, notes: list[str]
) -> list[_Category]:
    """The categories of a product, that of its address first; not those that every product is in."""
    own = set(category_ids(body))
    known = []
    for one in those(documents, CATEGORIES) or ():
        number = readable_id(one.get("id"))
        name = plain({"name": said_in(one.get("name"), settings)}, "name", notes, 200)
        if number not in own or name is None or number is None:
            continue
        if str(one.get("level_depth")) not in _TOP_LEVELS and not flag(one.get("is_root_category")):
            known.append(_Category(number, name, text(said_in(one.get("link_rewrite"), settings), 200) or ""))
    chosen = readable_id(body.get("id_category_default"))
    return sorted(known, key=lambda category: category.number != chosen)


def _page(own: str, rewrite: str | None, categories: Sequence[_Category], store: PrestashopStore) -> str:
    """Its page as the shop writes addresses; by its id alone where it has no friendly URL."""
    settings = store.settings
    pattern = settings.page_url
    if (rewrite is None and "{rewrite}" in pattern) or ("{category}" in pattern and not categories):
        return (
            store.product_page.replace("{domain}", settings.domain).replace("{id}", own).replace("{sku}", own)
        )
    parts = {
        "domain": settings.domain,
        "id": own,
        "rewrite": url_part(rewrite or ""),
        "category": url_part(categories[0].rewrite) if categories else "",
        "lang": next(iter(settings.languages.values()), ""),
    }
    return _filled(pattern, parts)


def _filled(pattern: str, parts: Mapping[str, str]) -> str:
    for name, part in parts.items():
        pattern = pattern.replace(f"{{{name}}}", part)
    return pattern


def _picture(
    body: Mapping[str, Any], rewrite: str, settings: PrestashopSettings, notes: list[str]
) -> str | None:
    """The cover, else the first picture."""
    number = readable_id(body.get("id_default_image"))
    if number is None and body.get("id_default_image") not in (*NOTHING, 0, "0"):
        notes.append("image_unreadable")
    images = listed(body.get("associations"), "images")
    number = number or next((one for image in images if (one := readable_id(image.get("id")))), None)
    if number is None:
        return None
    return _filled(
        settings.image_url, {"domain": settings.domain, "image": number, "rewrite": url_part(rewrite)}
    )


def _brand(body: Mapping[str, Any], notes: list[str]) -> str | None:
    value = body.get("manufacturer_name")
    return None if value is False else plain({"manufacturer_name": value}, "manufacturer_name", notes, 200)


def _stock(documents: Documents, settings: PrestashopSettings) -> Mapping[str, bool] | None:
    """Whether the product ("0") and each of its combinations can be bought; None where no row says."""
    said: dict[str, bool] = {}
    for row in those(documents, STOCK) or ():
        shop = readable_id(row.get("id_shop"))
        if settings.shop_id not in {None, ALL_SHOPS} and shop not in {None, settings.shop_id}:
            continue
        number = readable_id(row.get("id_product_attribute")) or "0"
        there = str(row.get("out_of_stock")) == _TAKES_ORDERS or _is_positive(row.get("quantity"))
        said[number] = said.get(number, False) or there
    return said or None


def _is_positive(value: object) -> bool:
    try:
        return not isinstance(value, bool) and Decimal(str(value)) > 0
    except InvalidOperation:
        return False


def _published_at(body: Mapping[str, Any], settings: PrestashopSettings, notes: list[str]) -> str | None:
    """When it was made; a date that cannot be read costs this field, not the product."""
    try:
        made = moment(body, "date_add", settings)
    except Rejected:
        notes.append("published_at_invalid")
        return None
    return None if made is None else iso(made)
