"""Shopify products -> Connectif products: one each, or one a variant where the settings say so.

Stock counts are not told: they change with every sale, and each change would cost a call of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Availability, Origin, Product, RecordKind
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation
from pipeline.shops.catalogue import deleted_draft, discount, hide_draft, plain_text, url_part
from pipeline.shops.orders import tidy
from pipeline.shops.shopify.fields import mapping, own_id, said_ms, shop_id, version_of
from pipeline.shops.values import instant, iso, money, text

#: Shopify's name for the only variant of a product without variants.
_UNNAMED = "Default Title"


@dataclass(frozen=True, slots=True)
class _Offer:
    """One variant that can be shown: it has a price."""

    node: Mapping[str, Any]
    price: Decimal
    original: Decimal | None


def product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The product, or that it is to be hidden: drafts, archived and unpublished ones are not created.

    Raises:
        Rejected: `missing_field`, `invalid_money`, `invalid_date`.
    """
    settings = store.settings
    product_id = own_id(body)
    version, notes = version_of(body, event, settings.timezone)
    by_variant = settings.product_id == "variant"
    if not _is_published(body):
        hidden = _variant_ids(body) if by_variant else [product_id]
        return Translation(version, tuple(hide_draft(one, notes) for one in hidden), "unpublished")
    offers = _offers(body)
    if not offers:
        return Translation(version, ignored="no_price")
    common, common_notes = _common(body, settings.domain, settings.timezone)
    notes += common_notes
    if by_variant:
        return Translation(version, tuple(_variant_draft(common, one, body, notes) for one in offers))
    availability, stock_notes = _availability(offers, cut=_is_cut(body))
    best = min(offers, key=lambda offer: offer.price)
    told = _priced(common, best).model_copy(update={"product_id": product_id, "availability": availability})
    return Translation(version, (_draft(told, notes + stock_notes),))


def deleted_product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """Hidden or deleted, by the settings; the body holds the product's id but not its variants'."""
    product_id = own_id(body)
    named = None if store.settings.product_id == "variant" else product_id
    return Translation(said_ms(event), (deleted_draft(named, store.settings),), ignored="deleted")


def _draft(told: Product, notes: Sequence[str]) -> Draft:
    return Draft(
        RecordKind.PRODUCT, told.product_id, Origin.CATALOGUE, told, notes=tuple(dict.fromkeys(notes))
    )


def _is_published(body: Mapping[str, Any]) -> bool:
    """Active, and on the online store; bodies before 2020 have no status.

    Raises:
        Rejected: `missing_field` where the body (cut by a subscription's `include_fields`) says neither.
    """
    status = body.get("status")
    if status is None and "published_at" not in body:
        raise Rejected("missing_field", "status", "whether the product is published is not said")
    if status is not None and status != "active":
        return False
    return "published_at" not in body or body["published_at"] is not None


def _common(body: Mapping[str, Any], domain: str, zone: str) -> tuple[Product, tuple[str, ...]]:
    """What all variants share; the id and the prices are still open."""
    title, handle = text(body.get("title"), 500), text(body.get("handle"), 500)
    if title is None:
        raise Rejected("missing_field", "title", "a product without a name")
    if handle is None:
        raise Rejected("missing_field", "handle", "a product without its page")
    markup = body.get("body_html")
    description, notes = plain_text(markup) if isinstance(markup, str) else (None, ())
    published, date_notes = _published_at(body, zone)
    image, image_notes = _image(body)
    told = Product(
        product_id="",
        name=title,
        url=f"https://{domain}/products/{url_part(handle)}",
        image_url=image,
        description=description,
        brand=text(body.get("vendor"), 200),
        categories=_categories(body),
        tags=_tags(body.get("tags")),
        published_at=published,
        is_blacklisted=False,
    )
    return told, notes + date_notes + image_notes


def _priced(common: Product, offer: _Offer) -> Product:
    original = offer.price if offer.original is None else offer.original
    amount, percentage = discount(offer.price, original)
    return common.model_copy(
        update={
            "unit_price": offer.price,
            "unit_price_original": original,
            "discounted_amount": amount,
            "discounted_percentage": percentage,
        }
    )


def _variant_draft(common: Product, offer: _Offer, body: Mapping[str, Any], notes: tuple[str, ...]) -> Draft:
    variant = offer.node
    variant_id = shop_id(variant.get("id"), variant.get("admin_graphql_api_id"))
    if variant_id is None:
        raise Rejected("missing_field", "variants.id", "a variant without an id")
    availability, stock_notes = _availability([offer], cut=False)
    title = text(variant.get("title"), 200)
    told = _priced(common, offer).model_copy(
        update={
            "product_id": variant_id,
            "name": common.name if title in {None, _UNNAMED} else f"{common.name} - {title}",
            "url": f"{common.url}?variant={variant_id}",
            "availability": availability,
            "image_url": _image_of(variant, body) or common.image_url,
        }
    )
    return _draft(told, notes + stock_notes)


def _offers(body: Mapping[str, Any]) -> list[_Offer]:
    offers = []
    for index, variant in enumerate(_objects(body.get("variants"))):
        if variant.get("price") is None:
            continue
        price = tidy(money(variant["price"], f"variants.{index}.price"))
        before = variant.get("compare_at_price")
        original = None if before is None else tidy(money(before, f"variants.{index}.compare_at_price"))
        reduced = original is not None and original > price
        offers.append(_Offer(variant, price, original if reduced else None))
    return offers


def _variant_ids(body: Mapping[str, Any]) -> list[str]:
    found = (
        shop_id(one.get("id"), one.get("admin_graphql_api_id")) for one in _objects(body.get("variants"))
    )
    return [one for one in found if one is not None]


def _is_cut(body: Mapping[str, Any]) -> bool:
    """Whether the body leaves variants out: the first hundred come in full, the rest as ids."""
    return len(_objects(body.get("variant_gids"))) > len(_objects(body.get("variants")))


def _availability(offers: Sequence[_Offer], *, cut: bool) -> tuple[Availability | None, tuple[str, ...]]:
    """In stock where one variant can be bought; nothing is said where the body may hide that one."""
    notes = ("variants_cut",) if cut else ()
    if any(_is_buyable(offer.node) for offer in offers):
        return "instock", notes
    if cut:
        return None, notes
    tracked = all(offer.node.get("inventory_management") is not None for offer in offers)
    return "outofstock", () if tracked else ("stock_tracking_unknown",)


def _is_buyable(variant: Mapping[str, Any]) -> bool:
    """Untracked, sold beyond its stock, or in stock. Newer bodies no longer say whether stock is tracked."""
    if "inventory_management" in variant and variant["inventory_management"] is None:
        return True
    if variant.get("inventory_policy") == "continue":
        return True
    left = variant.get("inventory_quantity")
    return left is None or (isinstance(left, int | float) and left > 0)


def _published_at(body: Mapping[str, Any], zone: str) -> tuple[str | None, tuple[str, ...]]:
    said = body.get("published_at")
    if said is None:
        return None, ()
    try:
        return iso(instant(said, "published_at", zone)), ()
    except Rejected:
        return None, ("published_at_invalid",)


def _categories(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The taxonomy's path, with Connectif's separator, and the merchant's own product type."""
    path = text(mapping(body.get("category")).get("full_name"), 500)
    found = (path.replace(" > ", "/") if path else None, text(body.get("product_type"), 200))
    return tuple(dict.fromkeys(one for one in found if one))


def _tags(tags: object) -> tuple[str, ...]:
    parts = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else ()
    found = (text(part, 200) for part in parts)
    return tuple(dict.fromkeys(tag for tag in found if tag))


def _image(body: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """The first picture that has an address: the main one, the gallery's, the media's preview."""
    previews = (mapping(media.get("preview_image")) for media in _objects(body.get("media")))
    for picture in (mapping(body.get("image")), *_objects(body.get("images")), *previews):
        source = picture.get("src")
        if source:
            url = _web_address(source)
            return url, () if url else ("image_invalid",)
    return None, ()


def _image_of(variant: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    wanted = variant.get("image_id")
    if wanted is None:
        return None
    found = (one for one in _objects(body.get("images")) if one.get("id") == wanted)
    return _web_address(next(found, {}).get("src"))


def _web_address(source: object) -> str | None:
    address = text(source)
    if address is None:
        return None
    address = f"https:{address}" if address.startswith("//") else address
    return address if address.startswith(("https://", "http://")) else None


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
