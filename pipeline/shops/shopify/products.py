"""Shopify products -> Connectif products: one each, or one a variant where the settings say so.

Stock counts are not sent: they change with every sale, and each change would cost a call of the budget.

`active` is public where it is published on the online store. `unlisted` (API 2025-10) is for sale by its
link: sent, and kept out of recommendations. So is an undocumented status, noted `unknown_status`: it
is known neither as public nor as withdrawn. `draft`, `archived` and what is not published are hidden.

A subscription's `include_fields` cuts bodies, and a field that is absent is not one that is null:

- `published_at`, `variants`: refused if they are needed.
- `status`: bodies before 2020 have none; the publication decides, noted. Without both it is refused.
- `title`, `handle`: what Connectif knows of the product changes, and it is not created; noted.
- a variant's stock: nothing is said of availability, noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, Product, RecordKind
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation, require_few
from pipeline.shops.catalogue import MAX_NAMES, deleted_draft, discount, hide_draft, plain_text, url_part
from pipeline.shops.lenient import part, parts
from pipeline.shops.settings import StoreSettings
from pipeline.shops.shopify.fields import PRODUCT, own_id, readable, require_bare, said_ms, texts, version_of
from pipeline.shops.shopify.variants import Offer, availability, is_cut, objects, offers_of, variant_id
from pipeline.shops.values import instant, iso, text

#: Shopify's name for the only variant of a product without variants.
_UNNAMED = "Default Title"
_WITHDRAWN = frozenset({"draft", "archived"})


def product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The product, or that it is to be hidden: drafts, archived and unpublished ones are not created.

    Raises:
        Rejected: `missing_field`, `invalid_field`, `invalid_money`, `invalid_date`, `topic_contradicts_body`.
    """
    settings = store.settings
    product_id = own_id(body, PRODUCT)
    version, version_notes = version_of(body, event, settings.timezone)
    notes = list(version_notes)
    listed = _listed(body, notes)
    if listed is None:
        return Translation(
            version, _hidden(body, product_id, settings.product_id, tuple(notes)), "unpublished"
        )
    offers = offers_of(body, notes)
    if not offers:
        return Translation(version, ignored="no_price")
    common = _common(body, settings, notes, listed=listed)
    if settings.product_id != "product":
        if is_cut(body):
            notes.append("variants_cut")
        return Translation(version, _variant_drafts(common, offers, body, settings.product_id, notes))
    best = min(offers, key=lambda offer: offer.price)
    stock = availability(offers, notes, cut=is_cut(body))
    told = _priced(common, best).model_copy(update={"product_id": product_id, "availability": stock})
    return Translation(version, (_draft(told, notes),))


def deleted_product(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """Hidden or deleted, by the settings; the body holds the product's id but not its variants'.

    Raises:
        Rejected: `missing_field`, `topic_contradicts_body`.
    """
    product_id = own_id(body, PRODUCT)
    require_bare(body)
    named = product_id if store.settings.product_id == "product" else None
    return Translation(said_ms(event), (deleted_draft(named, store.settings),), ignored="deleted")


def _draft(told: Product, notes: Sequence[str]) -> Draft:
    """What can be created is sent whole; without name or page it only changes what Connectif has."""
    op = Op.PATCH if told.name is None or told.url is None else Op.UPSERT
    return Draft(
        RecordKind.PRODUCT, told.product_id, Origin.CATALOGUE, told, op, notes=tuple(dict.fromkeys(notes))
    )


def _listed(body: Mapping[str, Any], notes: list[str]) -> bool | None:
    """Whether the product is shown to all (True) or sold by its link (False); None where it is withdrawn.

    Raises:
        Rejected: `missing_field` where the body does not say it, `invalid_field`, `invalid_date`.
    """
    status = body.get("status")
    if status is None:
        if "published_at" not in body:
            raise Rejected("missing_field", "status", "whether the product is published is not said")
        notes.append("status_missing")
        status = "active"
    if not isinstance(status, str) or not status:
        raise Rejected("invalid_field", "status", "no word")
    status = status.lower()
    if status in _WITHDRAWN:
        return None
    if "published_at" not in body:
        raise Rejected("missing_field", "published_at", "whether the product is published is not said")
    published = body["published_at"]
    if published is None:
        return None
    if not isinstance(published, str) or not published:
        raise Rejected("invalid_date", "published_at", "neither a moment nor null")
    if status not in {"active", "unlisted"}:
        notes.append("unknown_status")
    return status == "active"


def _hidden(
    body: Mapping[str, Any], product_id: str, wanted: str, notes: tuple[str, ...]
) -> tuple[Draft, ...]:
    """The product is hidden, or its variants; if the body names none, all that were sent."""
    if wanted == "product":
        return (hide_draft(product_id, notes),)
    variants = body.get("variants")
    if not isinstance(variants, list):
        return (hide_draft(None, notes),)
    require_few(variants, "variants")
    ids = (variant_id(one, wanted) for one in parts(body, "variants", []))
    return tuple(hide_draft(one, notes) for one in dict.fromkeys(ids) if one is not None)


def _common(body: Mapping[str, Any], settings: StoreSettings, notes: list[str], *, listed: bool) -> Product:
    """What all variants share; the id and the prices are still open."""
    title, handle = readable(body, "title", 500, notes), readable(body, "handle", 500, notes)
    if title is None:
        notes.append("title_missing")
    if handle is None:
        notes.append("handle_missing")
    return Product(
        product_id="",
        name=title,
        url=None if handle is None else f"https://{settings.domain}/products/{url_part(handle)}",
        image_url=_image(body, notes),
        description=_description(body, notes),
        brand=readable(body, "vendor", 200, notes),
        categories=_categories(body, notes),
        tags=_tags(body.get("tags"), notes),
        published_at=_published_at(body, settings.timezone, notes),
        is_blacklisted=not listed,
    )


def _description(body: Mapping[str, Any], notes: list[str]) -> str | None:
    markup = body.get("body_html")
    if isinstance(markup, str):
        description, cut = plain_text(markup)
        notes += cut
        return description
    if markup:
        notes.append("body_html_unreadable")
    return None


def _priced(common: Product, offer: Offer) -> Product:
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


def _variant_drafts(
    common: Product, offers: Sequence[Offer], body: Mapping[str, Any], wanted: str, notes: Sequence[str]
) -> tuple[Draft, ...]:
    """One product a variant; of variants that share an SKU the first."""
    shared = tuple(dict.fromkeys(notes))
    pictures = _pictures_by_id(body) if any("image_id" in offer.node for offer in offers) else {}
    found: dict[str | None, Draft] = {}
    for offer in offers:
        draft = _variant_draft(common, offer, pictures, wanted, shared)
        if draft.id in found:
            first = found[draft.id]
            draft = first._replace(notes=tuple(dict.fromkeys((*first.notes, "sku_repeated"))))
        found[draft.id] = draft
    return tuple(found.values())


def _variant_draft(
    common: Product, offer: Offer, pictures: Mapping[str, str | None], wanted: str, shared: Sequence[str]
) -> Draft:
    variant, notes = offer.node, list(shared)
    told_id, shop_own = variant_id(variant, wanted), variant_id(variant, "variant")
    if told_id is None:
        raise Rejected("missing_field", "variants.id", "a variant without an id")
    if wanted == "sku" and told_id == shop_own:
        notes.append("sku_missing")
    title = readable(variant, "title", 200, notes)
    name, url = common.name, common.url
    told = _priced(common, offer).model_copy(
        update={
            "product_id": told_id,
            "name": name if name is None or title in {None, _UNNAMED} else f"{name} - {title}",
            "url": url if url is None or shop_own is None else f"{url}?variant={shop_own}",
            "availability": availability([offer], notes, cut=False),
            "image_url": pictures.get(repr(variant.get("image_id"))) or common.image_url,
        }
    )
    return _draft(told, notes)


def _published_at(body: Mapping[str, Any], zone: str, notes: list[str]) -> str | None:
    try:
        return iso(instant(body["published_at"], "published_at", zone))
    except Rejected:
        notes.append("published_at_invalid")
        return None


def _categories(body: Mapping[str, Any], notes: list[str]) -> tuple[str, ...]:
    """The taxonomy's path, with Connectif's separator, and the merchant's own product type."""
    path = readable(part(body, "category", notes), "full_name", 500, notes)
    found = (path.replace(" > ", "/") if path else None, readable(body, "product_type", 200, notes))
    return tuple(dict.fromkeys(one for one in found if one))


def _tags(tags: object, notes: list[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        pieces: list[Any] = tags.split(",", MAX_NAMES)
    elif isinstance(tags, list):
        pieces = tags[: MAX_NAMES + 1]
    else:
        pieces = []
        if tags:
            notes.append("tags_unreadable")
    if len(pieces) > MAX_NAMES:
        notes.append("tags_cut")
    return texts(pieces[:MAX_NAMES], "tags", 200, notes)


def _image(body: Mapping[str, Any], notes: list[str]) -> str | None:
    """The first picture that has an address: the main one, the gallery's, the media's preview."""
    for picture in _pictures(body):
        source = picture.get("src") if isinstance(picture, dict) else picture
        url = _web_address(source)
        if url is not None:
            return url
        if source:
            notes.append("image_invalid")
    notes += (f"{key}_unreadable" for key in ("images", "media") if isinstance(body.get(key), dict))
    return None


def _pictures(body: Mapping[str, Any]) -> Iterator[object]:
    """Everything that may be one: as an object with `src`, or as the address itself."""
    yield body.get("image")
    images = body.get("images")
    yield from images if isinstance(images, list) else (images,)
    media = body.get("media")
    for one in media if isinstance(media, list) else (media,):
        yield one.get("preview_image") if isinstance(one, dict) else one


def _pictures_by_id(body: Mapping[str, Any]) -> dict[str, str | None]:
    """The addresses of the gallery by the ids that variants name, as `repr` writes them: once for all.

    Numbers themselves could be chosen so that they all collide in a dictionary.
    """
    found: dict[str, str | None] = {}
    for one in objects(body.get("images")):
        own = one.get("id")
        if isinstance(own, (str, int)) and repr(own) not in found:
            found[repr(own)] = _web_address(one.get("src"))
    return found


def _web_address(source: object) -> str | None:
    address = text(source)
    if address is None:
        return None
    address = f"https:{address}" if address.startswith("//") else address
    return address if address.startswith(("https://", "http://")) else None
