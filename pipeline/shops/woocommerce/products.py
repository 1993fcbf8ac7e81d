"""WooCommerce products and their variations -> Connectif products.

A variation's event names its parent (`parent_id`). Where products are the identity (`product_id =
"product"`), all that is certain of the parent from one variation is this: while a variation can be bought,
the parent is in stock. Nothing follows from one that cannot be (others may), and nothing of a price (the
parent shows the lowest of all). WooCommerce announces the parent itself with the rest.

Where SKUs are the identity (`"sku"`), a variation is a product of its own under its SKU, as in the lines of
orders, and its parent one under its own. WooCommerce gives a variation without a SKU that of its parent, and
the body does not distinguish them: the last of both to change is what Connectif holds. Where neither has
one, orders name the parent's id, and the variation's event makes no record.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Availability, Op, Origin, Product, RecordKind
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation, audience, require_few
from pipeline.shops.basket import tidy
from pipeline.shops.catalogue import MAX_NAMES, deleted_draft, discount, hide_draft
from pipeline.shops.lenient import decoration, plain
from pipeline.shops.php import NOTHING, decorations, entries, identifier, picture, prose, readable_id
from pipeline.shops.values import iso, text, web_address
from pipeline.shops.woocommerce.fields import amount, language_of, moment, own_id, version_of

_PARENT_LINK = re.compile(r"/products/([1-9][0-9]{0,19})/?$")
#: Statuses of WordPress that are not public.
_HIDDEN = frozenset({"draft", "pending", "private", "future", "trash", "auto-draft", "inherit"})
#: Whose own price of 0 says nothing: they cost what their parts do.
_OF_PARTS = frozenset({"grouped", "bundle", "composite", "woosb", "yith_bundle", "mix-and-match"})
_TOP_RATING = Decimal(5)
_MOST_UNITS = Decimal(10) ** 9


def product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The product of its own event, or what a variation's event says of it.

    Raises:
        Rejected: `missing_field` (name, permalink, status), `invalid_money` and what the readers raise.
    """
    own = own_id(body)
    notes: list[str] = []
    version = version_of(body, event, store.settings.timezone, notes)
    published = _is_published(body, notes)
    identity = store.settings.product_id
    parent = _parent_of(body, notes)
    if parent is not None and identity == "product":
        return _told_of_parent(body, parent, version, notes, published=published)
    if parent is None and identity == "variant" and body.get("type") == "variable":
        return _parent_of_variants(body, own, version, notes, published=published)
    told = own
    if identity == "sku":
        sku = decoration(body, "sku", notes)
        if sku is None and parent is not None:
            return Translation(version=version, ignored="variation_tells_nothing")
        told = sku or own
    if not published:
        hidden = hide_draft(told, tuple(dict.fromkeys(notes)))
        return Translation(version=version, drafts=(hidden,), ignored="unpublished")
    return _upsert(body, told, version, notes, store, is_variation=parent is not None)


def deleted_product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """Hidden or deleted, as the store says, under its own id: a deleted variation leaves its parent alone.

    The body does not say the SKU: if that is the identity, all that was sent of it is hidden or deleted.

    Raises:
        Rejected: `missing_field` (id).
    """
    own = own_id(body)
    draft = deleted_draft(None if store.settings.product_id == "sku" else own, store.settings)
    return Translation(version=event.received_ms, drafts=(draft,), ignored="deleted")


def _is_published(body: dict[str, Any], notes: list[str]) -> bool:
    """`publish` alone is public; early API versions give a variation's as a boolean.

    A status of a plugin's is not public either, as WordPress has it, and is noted.

    Raises:
        Rejected: `missing_field`.
    """
    status = body.get("status")
    if isinstance(status, bool):
        return status
    said = text(status)
    if said is None:
        raise Rejected("missing_field", "status", "whether it is published is not said")
    if said != "publish" and said not in _HIDDEN:
        notes.append("unknown_status")
    return said == "publish"


def _parent_of(body: dict[str, Any], notes: list[str]) -> str | None:
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
        links = body.get("_links")
        up = decorations(links, "up", notes, "links") if isinstance(links, dict) else []
        if not isinstance(links, dict) and links not in NOTHING:
            notes.append("links_unreadable")
        link = _PARENT_LINK.search(text(up[0].get("href")) or "") if up else None
        parent = link.group(1) if link else None
    if parent is None and kind == "variation":
        raise Rejected("missing_field", "parent_id", "a variation without its product")
    return parent


def _told_of_parent(
    body: dict[str, Any], parent: str, version: int, notes: list[str], *, published: bool
) -> Translation:
    buyable = published and body.get("purchasable") is not False
    if not buyable or _availability(body, notes) != "instock":
        return Translation(version=version, ignored="variation_tells_nothing")
    draft = Draft(
        kind=RecordKind.PRODUCT,
        id=parent,
        origin=Origin.CATALOGUE,
        body=Product(product_id=parent, availability="instock"),
        op=Op.PATCH,
        notes=tuple(dict.fromkeys((*notes, "known_from_variation"))),
    )
    return Translation(version=version, drafts=(draft,))


def _parent_of_variants(
    body: dict[str, Any], own: str, version: int, notes: list[str], *, published: bool
) -> Translation:
    """Variations are the products: their parent is none, but none of them outlives its publication.

    A parent that was sent before (as a simple product, or under another setting) is hidden.
    """
    former = hide_draft(own)._replace(if_emitted=True)
    if published:
        return Translation(version=version, drafts=(former,), ignored="parent_of_variants")
    children = entries(body.get("variations"))
    require_few(children or (), "variations")
    ids = [readable_id(child.get("id") if isinstance(child, dict) else child) for child in children or ()]
    if children is None or None in ids:
        notes.append("variations_unreadable")
    known = tuple(dict.fromkeys(notes))
    # As their own events would say it: a variation has one parent.
    drafts = tuple(
        hide_draft(child, known)._replace(owner=f"product|{child}") for child in ids if child is not None
    )
    reason = "variations_unreadable" if children is None else "unpublished"
    return Translation(version=version, drafts=(*drafts, former), ignored=reason)


def _upsert(
    body: dict[str, Any],
    told: str,
    version: int,
    notes: list[str],
    store: StoreContext,
    *,
    is_variation: bool,
) -> Translation:
    price = _price(body, notes)
    if price is None or (price == 0 and str(body.get("type")) in _OF_PARTS):
        return Translation(version=version, ignored="no_price")
    url = web_address(body.get("permalink"))
    if url is None:
        raise Rejected("missing_field", "permalink", "no absolute address of its page")
    name = plain(body, "name", notes)
    if name is None and not is_variation and body.get("type") is not None:
        raise Rejected("missing_field", "name", "a product without a name")
    if name is None:  # a variation read through its own endpoint: it can complete one, not create it
        notes.append("name_missing")
    original = _original(body, price, notes)
    reduction, percentage = discount(price, original)
    rating, rating_count = _rating(body, notes)
    brands = _names(body, "brands", notes)
    if len(brands) > 1:
        notes.append("further_brands_left_out")
    # Hidden in the shop's own lists, though it can be bought: then it is not to be recommended either.
    unlisted = body.get("catalog_visibility") == "hidden"
    if unlisted:
        notes.append("hidden_in_catalogue")
    record = Product(
        product_id=told,
        name=name,
        url=url,
        unit_price=price,
        unit_price_original=original,
        discounted_amount=reduction,
        discounted_percentage=percentage,
        availability=_availability(body, notes),
        image_url=picture(body.get("images"), notes) or picture(body.get("image"), notes),
        description=prose(body.get("short_description"), notes) or prose(body.get("description"), notes),
        brand=brands[0] if brands else None,
        categories=_names(body, "categories", notes),
        tags=_names(body, "tags", notes),
        published_at=_published_at(body, store, notes),
        is_blacklisted=unlisted,
        rating=rating,
        rating_count=rating_count,
    )
    draft = Draft(
        kind=RecordKind.PRODUCT,
        id=told,
        origin=Origin.CATALOGUE,
        body=record,
        op=Op.UPSERT if name is not None else Op.PATCH,
        notes=tuple(dict.fromkeys(notes)),
        audience=audience(language_of(body)),
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


def _original(body: dict[str, Any], price: Decimal, notes: list[str]) -> Decimal:
    """The regular price during a sale; else the price itself, so that an old sale's does not remain."""
    if body.get("on_sale") is True and _is_given(body.get("regular_price")):
        try:
            return tidy(amount(body["regular_price"], "regular_price"))
        except Rejected:
            notes.append("regular_price_unreadable")
    return price


def _is_given(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _availability(body: dict[str, Any], notes: list[str]) -> Availability | None:
    """In stock, on back-order, or out of stock with back-orders taken: it can be bought.

    A plugin's status says neither, and is noted: what Connectif holds stays.
    """
    status = body.get("stock_status")
    if status is None and isinstance(body.get("in_stock"), bool):  # API v2
        status = "instock" if body["in_stock"] else "outofstock"
    if status in ("instock", "onbackorder"):
        return "instock"
    if status == "outofstock":
        tracked = body.get("manage_stock") not in (False, None)
        return "instock" if tracked and body.get("backorders_allowed") is True else "outofstock"
    if status not in NOTHING:
        notes.append("unknown_stock_status")
    return None


def _rating(body: dict[str, Any], notes: list[str]) -> tuple[Decimal | None, int | None]:
    """The average of 0 to 5, only if there are ratings: WooCommerce writes "0.00" for none."""
    count = body.get("rating_count")
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST_UNITS:
        if count not in NOTHING:
            notes.append("rating_invalid")
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


def _names(body: dict[str, Any], key: str, notes: list[str]) -> tuple[str, ...]:
    """The names in a list of terms, the first thousand; a term without one is left out and noted."""
    terms = decorations(body, key, notes)
    if len(terms) > MAX_NAMES:
        notes.append(f"{key}_cut")
        terms = terms[:MAX_NAMES]
    found = [plain(term, "name", notes, 300) for term in terms]
    if None in found and any(term and name is None for term, name in zip(terms, found, strict=True)):
        notes.append(f"{key}_unreadable")
    return tuple(dict.fromkeys(name for name in found if name))


def _published_at(body: dict[str, Any], store: StoreContext, notes: list[str]) -> str | None:
    """When it was created; a date that cannot be read costs this field, not the product."""
    try:
        found = moment(body, "date_created", store.settings.timezone, notes)
    except Rejected:
        notes.append("published_at_invalid")
        return None
    return iso(found) if found else None
