"""WooCommerce orders -> contact, products and purchase, or the retraction of one.

There are no paid, cancelled or refunded topics: the status of the order says it all.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation
from pipeline.shops.catalogue import plain_text
from pipeline.shops.lenient import decoration
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    coupon_codes,
    order_drafts,
    require_currency,
    retract_draft,
)
from pipeline.shops.php import entries, is_no_date, mapping, readable_id
from pipeline.shops.settings import StoreSettings
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms, text
from pipeline.shops.woocommerce.customers import names, phones
from pipeline.shops.woocommerce.fields import language_of, moment, own_id, version_of
from pipeline.shops.woocommerce.lines import items_of
from pipeline.shops.woocommerce.payments import refunded_of, total_of
from pipeline.shops.woocommerce.suborders import is_sub_order

#: Plugins add up net amounts of more places.
_ROUNDING = Decimal("0.0005")
#: Carts that only look like orders: the block checkout makes one as soon as the shopper opens it.
_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})
#: What an order becomes when it is deleted.
_TRASH = "trash"
#: The sale did not happen, or was undone.
_UNDONE = frozenset({"cancelled", "refunded", "failed", _TRASH})
_SOLD = frozenset({"processing", "completed"})
#: The sale is in question, not undone: what was sent stays.
_IN_QUESTION = frozenset({"pending", "on-hold"})
_KNOWN = _DRAFTS | _UNDONE | _SOLD | _IN_QUESTION
#: MarketKing's status for a main order of several vendors, whatever its parts' statuses.
_COMPOSITE = "composite"


def order(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """What the order's present state means: sold, undone, or nothing yet.

    Raises:
        Rejected: `missing_field`, `no_email`, `no_products`, `currency_mismatch`, `invalid_...`.
    """
    own = own_id(body)
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, settings.timezone, notes)
    if is_sub_order(body, notes):
        return Translation(version, (retract_draft(None),), "sub_order")
    status = (text(body.get("status"), 60) or "").removeprefix("wc-")
    if not status:
        raise Rejected("missing_field", "status", "an order without a status")
    if status == _TRASH and settings.on_order_deleted == "keep":
        return Translation(version=version, ignored="order_kept")
    if not _is_sold(status, body, settings, notes):
        return _unsold(status, body, settings, version, notes)
    total = total_of(body, notes)
    refunded = refunded_of(body)
    if refunded and refunded > total - _ROUNDING:  # plugins leave fully refunded orders in their old status
        return Translation(version, (retract_draft(None),), "refunded")
    buyer = _buyer(body)
    if belongs_to_nobody(buyer.email) or (buyer.email is None and _is_marked_erased(body)):
        return Translation(version, ignored="anonymised")
    currency = require_currency(body.get("currency"), store, notes=notes)
    if refunded and settings.on_partial_refund == "replace":
        total -= refunded
        notes.append("refunded_lines_kept")  # the body says what was paid back, not for which line
    placed = moment(body, "date_created", settings.timezone, notes)
    if placed is None:
        raise Rejected("missing_field", "date_created_gmt", "when it was placed is not said")
    items = items_of(body, settings, notes)
    listed = entries(body.get("coupon_lines"))
    coupons, coupon_notes = coupon_codes(body["coupon_lines"] if listed is None else listed)
    sale = OrderSummary(
        purchase_id=_purchase_id(own, body, settings),
        placed=placed,
        total=total,
        payment_method=_payment_method(body, notes),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
        language=language_of(body),
        currency=currency or None,
    )
    return Translation(version, order_drafts(sale, buyer, items, store))


def deleted_order(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """An order thrown away: the body holds nothing but its id.

    Raises:
        Rejected: `missing_field` (id).
    """
    own_id(body)
    if store.settings.on_order_deleted == "keep":
        return Translation(version=event.received_ms, ignored="order_kept")
    return Translation(event.received_ms, (retract_draft(None),), "deleted")


def _is_sold(status: str, body: dict[str, Any], settings: StoreSettings, notes: list[str]) -> bool:
    """The store's own list of statuses where there is one; else paid, or promised by a shop that ships it.

    Cash on delivery is `processing` without a payment date. Statuses of the shop's own or of a plugin count
    once they are paid, and are noted. A cart is never sold.

    Raises:
        Rejected: `missing_field` if only the payment date decides, and the body lacks it.
    """
    if status in _DRAFTS:
        return False
    if settings.sold_statuses is not None:
        return not settings.sold_statuses.isdisjoint((status, f"wc-{status}"))
    if status in _KNOWN:
        return status in _SOLD
    if status != _COMPOSITE:
        notes.append("unknown_status")
    elif body.get("payment_method") == "cod":  # what it would be `processing` for
        return True
    if not (is_no_date(body.get("date_paid_gmt")) and is_no_date(body.get("date_paid"))):
        return True
    if "date_paid_gmt" not in body and "date_paid" not in body:
        raise Rejected(
            "missing_field", "date_paid_gmt", f"whether an order in status {status} is paid is not said"
        )
    return False


def _unsold(
    status: str, body: dict[str, Any], settings: StoreSettings, version: int, notes: list[str]
) -> Translation:
    """An order that is no purchase: it takes back what was sent, unless the sale is only in question."""
    gone = retract_draft(None, tuple(dict.fromkeys(notes)))
    if status in _DRAFTS:
        return Translation(version, (gone,), "draft")
    contact = _unsold_contact(body, settings)
    if status in _IN_QUESTION or status == _COMPOSITE:
        return Translation(version, contact, "not_sold")
    return Translation(version, (*contact, gone), status if status in _UNDONE else "not_sold")


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


def _is_marked_erased(body: dict[str, Any]) -> bool:
    """Whether the shop's privacy tools erased the person; most leave `deleted@site.invalid`, too."""
    metas = (meta for meta in entries(body.get("meta_data")) or () if isinstance(meta, dict))
    return any(meta.get("key") == "_anonymized" and meta.get("value") == "yes" for meta in metas)


def _buyer(body: dict[str, Any]) -> Buyer:
    """The billing person, as of the checkout.

    Raises:
        Rejected: `invalid_field`.
    """
    billing = mapping(body, "billing")
    notes: list[str] = []
    name, surname = names(billing, notes)
    customer = body.get("customer_id")
    known = readable_id(customer)
    if known is None and customer and customer != "0":
        notes.append("customer_id_unreadable")
    return Buyer(
        email=email_text(billing.get("email")),
        customer_id=known,
        name=name,
        surname=surname,
        phones=phones(billing, notes),
        notes=tuple(dict.fromkeys(notes)),
    )


def _unsold_contact(body: dict[str, Any], settings: StoreSettings) -> tuple[Draft, ...]:
    """The person behind an order that was not sold, where the store wants those and there is an address."""
    if not settings.contacts_from_unsold_orders:
        return ()
    try:
        placed = moment(body, "date_created", settings.timezone, [])
        said_ms = 0 if placed is None else epoch_ms(placed)
        buyer = _buyer(body)
        if belongs_to_nobody(buyer.email):
            return ()
        return (contact_draft(buyer, settings, Origin.ORDER, said_ms=said_ms),)
    except Rejected:  # a purchase cannot do without; an order that was none can
        return ()


def _payment_method(body: dict[str, Any], notes: list[str]) -> str | None:
    """As the shopper read it (`Direct bank transfer`), else the gateway's code (`bacs`)."""
    title = decoration(body, "payment_method_title", notes, 1_000)
    return (plain_text(title)[0] if title else None) or decoration(body, "payment_method", notes)
