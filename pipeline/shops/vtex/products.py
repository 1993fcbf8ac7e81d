"""VTEX products -> Connectif's. An article's news is not the product's: all its articles are looked at."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Availability, Origin, Product, RecordKind
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.basket import tidy
from pipeline.shops.catalogue import deleted_draft, discount, hide_draft, product_page
from pipeline.shops.php import is_no_date
from pipeline.shops.values import epoch_ms, instant, iso, money, text, web_address
from pipeline.shops.vtex.fields import mapping, objects, plain
from pipeline.shops.vtex.lines import page
from pipeline.shops.vtex.lookups import (
    active_articles,
    article_path,
    articles_path,
    found,
    price_path,
    stock_path,
)
from pipeline.shops.vtex.settings import VtexStore

_ARTICLE = article_path("")


def product(event: RawEvent, documents: Documents, store: VtexStore) -> Translation:
    """The product, as it was when it was fetched: VTEX's catalogue has no clock.

    Raises:
        Rejected: `missing_field`, `invalid_money`.
    """
    version = event.received_ms
    by_product = store.settings.product_id == "product"
    details = _details(documents)
    if by_product:
        if not isinstance(found(documents, articles_path(event.entity)), list):
            return Translation(version, (deleted_draft(event.entity, store.settings),), "deleted")
        told, articles = event.entity, active_articles(event.entity, documents)
    else:
        if details is None:
            return Translation(version, (deleted_draft(None, store.settings),), "deleted")
        sku = _own_id(details, "Id")
        reference = text(mapping(details, "AlternateIds").get("RefId"), 200)
        told = reference or event.entity if store.settings.product_id == "sku" else sku
        articles = [sku] if details.get("IsActive") is True else []
    if not articles or details is None or details.get("ProductIsVisible") is False:
        return Translation(version, (hide_draft(told),), "unpublished")
    return _upsert(told, details, articles, event, documents, store)


def _details(documents: Documents) -> dict[str, Any] | None:
    """The first article that was found, with all of its product."""
    bodies = (found(documents, path) for path in documents if path.startswith(_ARTICLE))
    return next((body for body in bodies if isinstance(body, dict)), None)


def _own_id(details: dict[str, Any], key: str) -> str:
    own = text(details.get(key), 60)
    if own is None:
        raise Rejected("missing_field", key, "an article without its id")
    return own


def _upsert(  # noqa: PLR0917 - what a product is made of
    told: str,
    details: dict[str, Any],
    articles: list[str],
    event: RawEvent,
    documents: Documents,
    store: VtexStore,
) -> Translation:
    notes: list[str] = []
    asked = (_price(found(documents, price_path(sku)), event.received_ms, store, notes) for sku in articles)
    prices = [pair for pair in asked if pair is not None]
    if not prices:
        return Translation(event.received_ms, ignored="no_price")
    price, original = min(prices)
    amount, percentage = discount(price, original)
    by_product = store.settings.product_id == "product"
    field = "ProductName" if by_product else "NameComplete"
    name = plain(details, field, notes)
    if name is None:
        raise Rejected("missing_field", field, "an article without it")
    address = page(store, details.get("DetailUrl"))
    if address is None:
        notes.append("url_missing")
        own = text(details.get("ProductId"), 60) or told
        address = product_page(store, own, text(mapping(details, "AlternateIds").get("RefId"), 200))
    body = Product(
        product_id=told,
        name=name,
        url=address,
        unit_price=tidy(price),
        unit_price_original=tidy(original),
        discounted_amount=tidy(amount),
        discounted_percentage=percentage,
        availability=_availability(articles, documents, notes),
        image_url=web_address(details.get("ImageUrl")),
        brand=plain(details, "BrandName", notes, 200),
        categories=_categories(details, notes),
        published_at=_published_at(details, notes),
        is_blacklisted=False,
    )
    draft = Draft(RecordKind.PRODUCT, told, Origin.CATALOGUE, body, notes=tuple(dict.fromkeys(notes)))
    return Translation(event.received_ms, (draft,))


def _price(row: object, now_ms: int, store: VtexStore, notes: list[str]) -> tuple[Decimal, Decimal] | None:
    """Price and former price: the sales channel's fixed one in force, else the base price.

    Raises:
        Rejected: `invalid_money`.
    """
    if not isinstance(row, dict):
        return None
    for fixed in objects(row, "fixedPrices"):
        if text(fixed.get("tradePolicyId"), 20) != store.settings.sales_channel:
            continue
        if fixed.get("value") is None or not _is_in_force(mapping(fixed, "dateRange"), now_ms):
            continue
        least = fixed.get("minQuantity")
        if isinstance(least, int | float) and least > 1:
            continue
        return _pair(fixed["value"], fixed.get("listPrice"), notes)
    return None if row.get("basePrice") is None else _pair(row["basePrice"], row.get("listPrice"), notes)


def _pair(price: object, former: object, notes: list[str]) -> tuple[Decimal, Decimal]:
    """The price, and the one before; a former one that cannot be read is left out, noted."""
    now = money(price, "price")
    try:
        before = now if former is None else money(former, "listPrice")
    except Rejected:
        notes.append("list_price_unreadable")
        before = now
    return now, max(now, before)


def _is_in_force(between: dict[str, Any], now_ms: int) -> bool:
    try:
        begins = epoch_ms(instant(between["from"], "from")) if between.get("from") else 0
        ends = epoch_ms(instant(between["to"], "to")) if between.get("to") else now_ms
    except Rejected:
        return False
    return begins <= now_ms <= ends


def _availability(articles: list[str], documents: Documents, notes: list[str]) -> Availability | None:
    """In stock while one article that is on sale is; not said where no stock was found."""
    known = [found(documents, stock_path(sku)) for sku in articles]
    rows = [row for row in known if isinstance(row, dict)]
    if not rows:
        notes.append("stock_unknown")
        return None
    return "instock" if any(_is_there(row) for row in rows) else "outofstock"


def _is_there(stock: dict[str, Any]) -> bool:
    return any(
        one.get("hasUnlimitedQuantity") is True
        or _units(one, "totalQuantity") > _units(one, "reservedQuantity")
        for one in objects(stock, "balance")
    )


def _units(row: dict[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _categories(details: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    listed = mapping(details, "ProductCategories").values()
    names = (plain({"category": name}, "category", notes, 200) for name in listed)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _published_at(details: dict[str, Any], notes: list[str]) -> str | None:
    """The release date has no offset; one that cannot be read costs this field, not the product."""
    if is_no_date(details.get("ReleaseDate")):
        return None
    try:
        return iso(instant(details["ReleaseDate"], "ReleaseDate").replace(tzinfo=UTC))
    except Rejected:
        notes.append("published_at_invalid")
        return None
