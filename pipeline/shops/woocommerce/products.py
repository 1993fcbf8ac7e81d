"""WooCommerce products and their variations -> Connectif products.

A variation's event names its parent (`parent_id`). Where products are the identity (`product_id =
"product"`), all that is certain of the parent from one variation is this: while a variation can be bought,
the parent is in stock. Nothing follows from one that cannot be (others may), and nothing of a price (the
parent shows the lowest of all). WooCommerce announces the parent itself with the rest.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Availability, Op, Origin, Product, RecordKind
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation
from pipeline.shops.catalogue import deleted_draft, discount, hide_draft
from pipeline.shops.orders import tidy
from pipeline.shops.values import iso, text
from pipeline.shops.woocommerce.fields import (
    amount,
    identifier,
    mapping,
    moment,
    objects,
    own_id,
    plain,
    prose,
    version_of,
    web_address,
)

_PARENT_LINK = re.compile(r"/products/([1-9][0-9]{0,19})/?$")
_TOP_RATING = Decimal(5)
_MOST_UNITS = Decimal(10) ** 9


def product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The product of its own event, or what a variation's event tells.

    Raises:
        Rejected: `missing_field` (name, permalink, status), `invalid_money` and what the readers raise.
    """
    own = own_id(body)
    notes: list[str] = []
    version = version_of(body, event, store.settings.timezone, notes)
    published = _is_published(body)
    by_variant = store.settings.product_id == "variant"
    parent = _parent_of(body)
    if parent is not None and not by_variant:
        return _told_of_parent(body, parent, version, notes, published=published)
    if parent is None and by_variant and body.get("type") == "variable":
        return _parent_of_variants(body, version, published=published)
    if not published:
        return Translation(version=version, drafts=(hide_draft(own, tuple(notes)),), ignored="unpublished")
    return _upsert(body, own, version, notes, store)


def deleted_product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """Hidden or deleted, as the store says, under its own id: a deleted variation leaves its parent alone.

    Raises:
        Rejected: `missing_field` (id).
    """
    draft = deleted_draft(own_id(body), store.settings)
    return Translation(version=event.received_ms, drafts=(draft,), ignored="deleted")


def _is_published(body: dict[str, Any]) -> bool:
    """`publish` alone is public; early API versions give a variation's as a boolean.

    Raises:
        Rejected: `missing_field`.
    """
    status = body.get("status")
    if isinstance(status, bool):
        return status
    if text(status) is None:
        raise Rejected("missing_field", "status", "whether it is published is not said")
    return status == "publish"


def _parent_of(body: dict[str, Any]) -> str | None:
    """The parent's id where the body is a variation; None for every other product.

    A `parent_id` alone does not make one: grouped products gave one to simple products. Variations read
    through their own endpoint have no type, early ones no parent_id either, but a link up to the parent.

    Raises:
        Rejected: `missing_field`.
    """
    kind = body.get("type")
    if kind is not None and kind != "variation":
        return None
    parent = identifier(body.get("parent_id"), "parent_id")
    if parent is None:
        up = objects(mapping(body, "_links"), "up")
        link = _PARENT_LINK.search(text(up[0].get("href")) or "") if up else None
        parent = link.group(1) if link else None
    if parent is None and kind == "variation":
        raise Rejected("missing_field", "parent_id", "a variation without its product")
    return parent


def _told_of_parent(
    body: dict[str, Any], parent: str, version: int, notes: list[str], *, published: bool
) -> Translation:
    buyable = published and body.get("purchasable") is not False
    if not buyable or _availability(body) != "instock":
        return Translation(version=version, ignored="variation_tells_nothing")
    draft = Draft(
        kind=RecordKind.PRODUCT,
        id=parent,
        origin=Origin.CATALOGUE,
        body=Product(product_id=parent, availability="instock"),
        op=Op.PATCH,
        notes=(*notes, "known_from_variation"),
    )
    return Translation(version=version, drafts=(draft,))


def _parent_of_variants(body: dict[str, Any], version: int, *, published: bool) -> Translation:
    """Variations are the products: their parent is none, but none of them outlives its publication."""
    if published:
        return Translation(version=version, ignored="parent_of_variants")
    children = body.get("variations")
    ids = [identifier(child, "variations") for child in children] if isinstance(children, list) else []
    drafts = tuple(hide_draft(child) for child in ids if child is not None)
    return Translation(version=version, drafts=drafts, ignored="unpublished")


def _upsert(
    body: dict[str, Any], own: str, version: int, notes: list[str], store: StoreContext
) -> Translation:
    price = _price(body, notes)
    if price is None:
        return Translation(version=version, ignored="no_price")
    url = web_address(body.get("permalink"))
    if url is None:
        raise Rejected("missing_field", "permalink", "no absolute address of its page")
    name = plain(body.get("name"))
    if name is None and _parent_of(body) is None:
        raise Rejected("missing_field", "name", "a product without a name")
    if name is None:  # a variation read through its own endpoint: it can complete one, not create it
        notes.append("name_missing")
    original = _original(body, price)
    reduction, percentage = discount(price, original)
    rating, rating_count = _rating(body, notes)
    brands = _names(body, "brands")
    if len(brands) > 1:
        notes.append("further_brands_left_out")
    # Hidden in the shop's own lists, though it can be bought: then it is not to be recommended either.
    unlisted = body.get("catalog_visibility") == "hidden"
    if unlisted:
        notes.append("hidden_in_catalogue")
    record = Product(
        product_id=own,
        name=name,
        url=url,
        unit_price=price,
        unit_price_original=original,
        discounted_amount=reduction,
        discounted_percentage=percentage,
        availability=_availability(body),
        image_url=_image(body),
        description=prose(body.get("short_description"), notes) or prose(body.get("description"), notes),
        brand=brands[0] if brands else None,
        categories=_names(body, "categories"),
        tags=_names(body, "tags"),
        published_at=_published_at(body, store, notes),
        is_blacklisted=unlisted,
        rating=rating,
        rating_count=rating_count,
    )
    draft = Draft(
        kind=RecordKind.PRODUCT,
        id=own,
        origin=Origin.CATALOGUE,
        body=record,
        op=Op.UPSERT if name is not None else Op.PATCH,
        notes=tuple(dict.fromkeys(notes)),
    )
    return Translation(version=version, drafts=(draft,))


def _price(body: dict[str, Any], notes: list[str]) -> Decimal | None:
    """`price`, which is the sale's while there is one; else the regular one; None where there is neither."""
    if _is_given(body.get("price")):
        return tidy(amount(body["price"], "price"))
    if _is_given(body.get("regular_price")):
        notes.append("regular_price_used")
        return tidy(amount(body["regular_price"], "regular_price"))
    return None


def _original(body: dict[str, Any], price: Decimal) -> Decimal:
    """The regular price during a sale; else the price itself, so that an old sale's does not remain."""
    if body.get("on_sale") is True and _is_given(body.get("regular_price")):
        return tidy(amount(body["regular_price"], "regular_price"))
    return price


def _is_given(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _availability(body: dict[str, Any]) -> Availability | None:
    """In stock, on back-order, or out of stock with back-orders taken: it can be bought."""
    status = body.get("stock_status")
    if status is None and isinstance(body.get("in_stock"), bool):  # API v2
        status = "instock" if body["in_stock"] else "outofstock"
    if status in ("instock", "onbackorder"):
        return "instock"
    if status == "outofstock":
        tracked = body.get("manage_stock") not in (False, None)
        return "instock" if tracked and body.get("backorders_allowed") is True else "outofstock"
    return None


def _rating(body: dict[str, Any], notes: list[str]) -> tuple[Decimal | None, int | None]:
    """The average of 0 to 5, only where somebody rated: WooCommerce writes "0.00" for nobody."""
    count = body.get("rating_count")
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST_UNITS:
        return None, None
    if count == 0:
        return None, 0
    try:
        average = amount(body.get("average_rating"), "average_rating")
    except Rejected:
        average = _TOP_RATING + 1
    if average > _TOP_RATING:
        notes.append("rating_invalid")
        return None, count
    return average, count


def _names(body: dict[str, Any], key: str) -> tuple[str, ...]:
    found = (plain(item.get("name"), 300) for item in objects(body, key))
    return tuple(dict.fromkeys(name for name in found if name))


def _image(body: dict[str, Any]) -> str | None:
    """The first picture; a variation through its own endpoint has one `image`."""
    pictures = [*objects(body, "images"), mapping(body, "image")]
    return next((src for picture in pictures if (src := web_address(picture.get("src")))), None)


def _published_at(body: dict[str, Any], store: StoreContext, notes: list[str]) -> str | None:
    """When it was created; a date that cannot be read costs this field, not the product."""
    try:
        found = moment(body, "date_created", store.settings.timezone, notes)
    except Rejected:
        notes.append("published_at_invalid")
        return None
    return iso(found) if found else None
