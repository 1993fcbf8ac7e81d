"""Shopify orders -> contact, products and purchase; an order that is not sold takes its purchase back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.config import StoreSettings
from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation
from pipeline.shops.orders import (
    Buyer,
    Sale,
    contact_draft,
    coupon_codes,
    order_drafts,
    require_currency,
    retract_draft,
)
from pipeline.shops.shopify.customers import confirms_checkout, names, phones
from pipeline.shops.shopify.fields import amount, mapping, own_id, said_ms, shop_id, version_of
from pipeline.shops.shopify.lines import items_of
from pipeline.shops.values import email_text, epoch_ms, instant, text

_SOLD = frozenset({"paid", "partially_refunded"})


def order(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """A sold order in full; of one that is taken back, that its purchase is to go if it was told.

    A partially paid one says nothing of a purchase: a paid one that was edited waits for the rest.

    Raises:
        Rejected: whatever of it cannot be used.
    """
    settings = store.settings
    order_id = own_id(body)
    version, notes = version_of(body, event, settings.timezone)
    if body.get("test") is True and not settings.accept_test_orders:
        return Translation(version, ignored="test_order")
    reason = _unsold(body, settings)
    if reason is None:
        currency = require_currency(body.get("currency"), store)
        items, item_notes = items_of(body, currency, settings, as_placed=_keeps_original(body, settings))
        if items is not None:
            sale = _sale(body, order_id, currency, settings, notes + item_notes)
            return Translation(version, order_drafts(sale, _buyer(body, sale.placed), items, store))
        reason = "all_lines_refunded"
    contacts = _contact_of_unsold(body, store)
    if reason == "not_sold" and body["financial_status"] == "partially_paid":
        return Translation(version, contacts, ignored=reason)
    gone = retract_draft(_purchase_id(body, order_id, settings), notes)
    return Translation(version, (*contacts, gone), ignored=reason)


def deleted_order(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The purchase goes, or stays where the settings say so. The body holds nothing but the id."""
    own_id(body)
    if store.settings.on_order_deleted == "keep":
        return Translation(said_ms(event), ignored="order_kept")
    return Translation(said_ms(event), (retract_draft(None),), ignored="deleted")


def _unsold(body: Mapping[str, Any], settings: StoreSettings) -> str | None:
    """Why this order is no purchase; None where it is one.

    Raises:
        Rejected: `missing_field`; without a status a delivered purchase must neither stay nor go.
    """
    if body.get("cancelled_at") is not None:
        return "cancelled"
    status = body.get("financial_status")
    if not isinstance(status, str) or not status:
        raise Rejected("missing_field", "financial_status", "whether the order is sold is not said")
    if status in (_SOLD if settings.sold_statuses is None else settings.sold_statuses):
        return None
    return status if status in {"refunded", "voided"} else "not_sold"


def _keeps_original(body: Mapping[str, Any], settings: StoreSettings) -> bool:
    """Whether a partial refund leaves the purchase as it was placed."""
    return settings.on_partial_refund == "keep" and body.get("financial_status") == "partially_refunded"


def _sale(
    body: Mapping[str, Any], order_id: str, currency: str, settings: StoreSettings, notes: tuple[str, ...]
) -> Sale:
    purchase_id = _purchase_id(body, order_id, settings)
    if purchase_id is None:
        raise Rejected(
            "missing_field", settings.purchase_id, "the order lacks what its purchase id comes from"
        )
    total = None if _keeps_original(body, settings) else amount(body, "current_total_price", currency)
    if total is None:
        total = amount(body, "total_price", currency)
        if not _keeps_original(body, settings):
            notes += ("current_total_missing",)
    if total is None:
        raise Rejected("missing_field", "current_total_price", "the order has no total")
    coupons, coupon_notes = coupon_codes(body.get("discount_codes") or [])
    return Sale(
        purchase_id=purchase_id,
        placed=_placed(body, settings),
        total=total,
        cart_id=text(body.get("cart_token")) or text(body.get("checkout_token")),
        payment_method=_payment_method(body),
        coupons=coupons,
        notes=notes + coupon_notes,
    )


def _purchase_id(body: Mapping[str, Any], order_id: str, settings: StoreSettings) -> str | None:
    if settings.purchase_id == "id":
        return order_id
    return text(body.get("order_number" if settings.purchase_id == "number" else "name"), 200)


def _placed(body: Mapping[str, Any], settings: StoreSettings) -> datetime:
    """When the order was placed: `processed_at` also for imported orders, whose creation is the import."""
    for field in ("processed_at", "created_at"):
        if body.get(field) is not None:
            return instant(body[field], field, settings.timezone)
    raise Rejected("missing_field", "processed_at", "the order does not say when it was placed")


def _payment_method(body: Mapping[str, Any]) -> str | None:
    names_ = body.get("payment_gateway_names")
    if not isinstance(names_, list):
        return text(body.get("gateway"), 200)
    said = (text(name, 100) for name in names_)
    return text(", ".join(dict.fromkeys(name for name in said if name)), 200)


def _buyer(body: Mapping[str, Any], placed: datetime) -> Buyer:
    """Who bought, and whether they asked for newsletters at that moment.

    The tick does not count where the customer's own consent says otherwise (a double opt-in still pending).
    """
    customer = mapping(body.get("customer"))
    billing = mapping(body.get("billing_address"))
    name, surname = names(customer, billing, mapping(body.get("shipping_address")))
    ticked = body.get("buyer_accepts_marketing") is True
    agreed = ticked and confirms_checkout(customer)
    return Buyer(
        email=_email(body, customer),
        customer_id=shop_id(customer.get("id"), customer.get("admin_graphql_api_id")),
        name=name,
        surname=surname,
        phones=phones(customer, billing),
        newsletter="subscribed" if agreed else None,
        newsletter_ms=epoch_ms(placed) if agreed else None,
        notes=("checkout_consent_unconfirmed",) if ticked and not agreed else (),
    )


def _email(body: Mapping[str, Any], customer: Mapping[str, Any]) -> str | None:
    said = (body.get("email"), body.get("contact_email"), customer.get("email"))
    return next(filter(None, map(email_text, said)), None)


def _contact_of_unsold(body: Mapping[str, Any], store: StoreContext) -> tuple[Draft, ...]:
    """The contact of an order that is no purchase, where the settings want it and it can be one."""
    if not store.settings.contacts_from_unsold_orders:
        return ()
    try:
        return (contact_draft(_buyer(body, _placed(body, store.settings)), store.settings, Origin.ORDER),)
    except Rejected:
        return ()
