"""WooCommerce orders -> contact, products and purchase, or the retraction of one.

There are no paid, cancelled or refunded topics: the status of the order says it all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from pipeline.config import StoreSettings
from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation
from pipeline.shops.catalogue import plain_text
from pipeline.shops.orders import (
    Buyer,
    Item,
    Sale,
    contact_draft,
    coupon_codes,
    order_drafts,
    quantity,
    require_currency,
    retract_draft,
)
from pipeline.shops.values import email_text, text
from pipeline.shops.woocommerce.customers import phones
from pipeline.shops.woocommerce.fields import (
    amount,
    identifier,
    mapping,
    moment,
    objects,
    own_id,
    plain,
    version_of,
    web_address,
)

_ZERO = Decimal(0)
_ONE = Decimal(1)
#: Carts that only look like orders: the block checkout makes one as soon as the shopper opens it.
_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})
#: What an order becomes when it is deleted.
_TRASH = "trash"
#: The sale did not happen, or was undone.
_UNDONE = frozenset({"cancelled", "refunded", "failed", _TRASH})
_SOLD = frozenset({"processing", "completed"})
_UNPAID = frozenset({"pending", "on-hold"})
#: Lines of bundles and composites point to the line that contains them: by its id, in meta data by its key.
_POINTERS = ("bundled_by", "composite_parent")
_META_POINTERS = frozenset({"_bundled_by", "_composite_parent"})
_META_KEYS = frozenset({"_bundle_cart_key", "_composite_cart_key"})


def order(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """What the order's present state means: sold, undone, or nothing yet.

    Raises:
        Rejected: `missing_field`, `no_email`, `no_products`, `currency_mismatch`, `invalid_...`.
    """
    own = own_id(body)
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, settings.timezone, notes)
    status = text(body.get("status"), 60)
    if status is None:
        raise Rejected("missing_field", "status", "an order without a status")
    if status in _DRAFTS:
        return Translation(version=version, ignored="draft")
    if status == _TRASH and settings.on_order_deleted == "keep":
        return Translation(version=version, ignored="order_kept")
    if not _is_sold(status, body, settings):
        drafts = (retract_draft(_purchase_id(own, body, settings)),) if status in _UNDONE else ()
        reason = status if status in _UNDONE else "not_sold"
        return Translation(version, (*_unsold_contact(body, settings), *drafts), reason)
    require_currency(body.get("currency"), store)
    total = amount(body.get("total"), "total")
    refunded = _refunded(body)
    if refunded and refunded >= total:  # plugins leave fully refunded orders in their old status
        return Translation(version, (retract_draft(_purchase_id(own, body, settings)),), "refunded")
    if refunded and settings.on_partial_refund == "replace":
        total -= refunded
        notes.append("refunded_lines_kept")  # the body tells what was paid back, not for which line
    placed = moment(body, "date_created", settings.timezone, notes)
    if placed is None:
        raise Rejected("missing_field", "date_created_gmt", "when it was placed is not said")
    items = _items(body, settings, notes)
    coupons, coupon_notes = coupon_codes(body.get("coupon_lines") or [])
    sale = Sale(
        purchase_id=_purchase_id(own, body, settings),
        placed=placed,
        total=total,
        payment_method=_payment_method(body),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
    )
    return Translation(version, order_drafts(sale, _buyer(body), items, store))


def deleted_order(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """An order thrown away: the body holds nothing but its id.

    Raises:
        Rejected: `missing_field` (id).
    """
    own = own_id(body)
    if store.settings.on_order_deleted == "keep":
        return Translation(version=event.received_ms, ignored="order_kept")
    told_as = own if store.settings.purchase_id == "id" else None
    return Translation(event.received_ms, (retract_draft(told_as),), "deleted")


def _is_sold(status: str, body: dict[str, Any], settings: StoreSettings) -> bool:
    """The store's own list of statuses where there is one; else paid, or promised by a shop that ships it.

    Cash on delivery is `processing` without a payment date; shops' own statuses count once they are paid.
    """
    if settings.sold_statuses is not None:
        return status in settings.sold_statuses
    if status in _SOLD:
        return True
    paid = bool(body.get("date_paid_gmt") or body.get("date_paid"))
    return paid and status not in _UNPAID and status not in _UNDONE


def _purchase_id(own: str, body: dict[str, Any], settings: StoreSettings) -> str:
    """The id web tracking sends. WooCommerce has no order name: both other settings mean its number.

    Raises:
        Rejected: `missing_field` (number).
    """
    if settings.purchase_id == "id":
        return own
    number = text(body.get("number"), 200)
    if number is None:
        raise Rejected("missing_field", "number", "the order has no number, and purchase_id asks for it")
    return number


def _refunded(body: dict[str, Any]) -> Decimal:
    """What was paid back so far, as a positive amount; the body has it in negative texts.

    Raises:
        Rejected: `invalid_money`.
    """
    given_back = _ZERO
    for refund in objects(body, "refunds"):
        total = refund.get("total")
        if isinstance(total, str):
            total = total.strip().removeprefix("-")
        elif isinstance(total, int | float) and total < 0:
            total = -total
        given_back += amount(total, "refunds.total")
    return given_back


def _buyer(body: dict[str, Any]) -> Buyer:
    billing = mapping(body, "billing")
    return Buyer(
        email=email_text(billing.get("email")),
        customer_id=identifier(body.get("customer_id"), "customer_id"),
        name=plain(billing.get("first_name")),
        surname=plain(billing.get("last_name")),
        phones=phones(billing),
    )


def _unsold_contact(body: dict[str, Any], settings: StoreSettings) -> tuple[Draft, ...]:
    """The person behind an order that was not sold, where the store wants those and there is an address."""
    if not settings.contacts_from_unsold_orders:
        return ()
    try:
        return (contact_draft(_buyer(body), settings, Origin.ORDER),)
    except Rejected:  # a purchase cannot do without; an order that was none can
        return ()


def _payment_method(body: dict[str, Any]) -> str | None:
    """As the shopper read it (`Direct bank transfer`), else the gateway's code (`bacs`)."""
    title = text(body.get("payment_method_title"), 1_000)
    return (plain_text(title)[0] if title else None) or text(body.get("payment_method"), 200)


def _items(body: dict[str, Any], settings: StoreSettings, notes: list[str]) -> list[Item]:
    if "line_items" not in body:
        raise Rejected("missing_field", "line_items", "an order without its lines")
    taxed = _with_tax(body, settings)
    found: list[tuple[dict[str, Any], Item]] = []
    for line in objects(body, "line_items"):
        item = _item(line, settings, notes, taxed=taxed)
        if item is not None:
            found.append((line, item))
    return _counted_once(found, notes)


def _with_tax(body: dict[str, Any], settings: StoreSettings) -> bool:
    """Whether a line's price holds its tax: the setting, else as the shop shows its prices.

    Raises:
        Rejected: `missing_field`.
    """
    if settings.tax != "as_shown":
        return settings.tax == "included"
    shown = body.get("prices_include_tax")
    if not isinstance(shown, bool):
        raise Rejected(
            "missing_field", "prices_include_tax", "not said; the store's `tax` setting can say it"
        )
    return shown


def _item(line: dict[str, Any], settings: StoreSettings, notes: list[str], *, taxed: bool) -> Item | None:
    """One line as the customer paid it; None where nothing was bought.

    Raises:
        Rejected: `invalid_money`, `invalid_quantity`, `invalid_id`.
    """
    price = amount(line.get("total"), "line_items.total")
    original = amount(line.get("subtotal"), "line_items.subtotal")
    if taxed:
        price += amount(line.get("total_tax"), "line_items.total_tax")
        original += amount(line.get("subtotal_tax"), "line_items.subtotal_tax")
    if original < price:  # raised by hand in the admin: then nothing was discounted
        notes.append("original_price_raised")
        original = price
    count = quantity(line.get("quantity"), "line_items.quantity")
    if count == 0:
        if price == 0:
            notes.append("line_without_quantity")
            return None
        notes.append("quantity_rounded")
        count = _ONE
    product = identifier(line.get("product_id"), "line_items.product_id")
    variation = identifier(line.get("variation_id"), "line_items.variation_id")
    by_variant = settings.product_id == "variant"
    name = plain(line.get("name"))
    if variation and not by_variant:  # `name` is the variation's, and the product is told of
        name = plain(line.get("parent_name")) or name
    return Item(
        product_id=(variation or product) if by_variant else product,
        name=name,
        quantity=count,
        price=price,
        price_original=original,
        sku=text(line.get("sku"), 200),
        image_url=web_address(mapping(line, "image").get("src")),
    )


def _counted_once(found: Sequence[tuple[dict[str, Any], Item]], notes: list[str]) -> list[Item]:
    """A bundle stands on the order as itself and as its parts, paid at either: what is free is left out.

    No amount moves between lines: a part with a price of its own stays a line, and so does a bundle.
    """
    containers = [_container(line) for line, _ in found]
    if not any(containers):
        return [item for _, item in found]
    names = [_names(line) for line, _ in found]
    free = [item.price == 0 and item.price_original == 0 for _, item in found]
    on_order = frozenset().union(*names)
    paid_at_parts = {inside for inside, costless in zip(containers, free, strict=True) if not costless}
    kept = [
        item
        for (_, item), inside, own, costless in zip(found, containers, names, free, strict=True)
        if not (costless and (inside in on_order or not paid_at_parts.isdisjoint(own)))
    ]
    if len(kept) < len(found):
        notes.append("bundle_counted_once")
    return kept


def _container(line: dict[str, Any]) -> str | None:
    """What the line names as the bundle it is part of."""
    for key in _POINTERS:
        value = line.get(key)
        if value and isinstance(value, int | str):
            return str(value)
    return next((value for key, value in _meta_texts(line) if key in _META_POINTERS), None)


def _names(line: dict[str, Any]) -> frozenset[str]:
    """What parts may call this line by."""
    keys = (value for key, value in _meta_texts(line) if key in _META_KEYS)
    return frozenset({str(line.get("id")), *keys})


def _meta_texts(line: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Meta data that are texts; plugins put anything there, and none of it may cost the order."""
    metas = line.get("meta_data")
    for meta in metas if isinstance(metas, list) else ():
        if isinstance(meta, dict):
            key, value = meta.get("key"), meta.get("value")
            if isinstance(key, str) and isinstance(value, str) and value:
                yield key, value
