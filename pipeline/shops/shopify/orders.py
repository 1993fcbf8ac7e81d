"""Shopify orders -> contact, products and purchase; an order that is not sold takes its purchase back.

A subscription's `include_fields` cuts bodies, and a field that is absent is not one that is null:

- `cancelled_at`: under the topic `orders/cancelled` its absence means cancelled: the topic speaks. Where it
  is null, the body counts, which is signed. `orders/create` and `orders/paid` are the moments of a sale: the
  order is sent, noted. Under every other topic a sold order without it is refused: it may be cancelled since.
- `financial_status`: refused under every topic, `orders/paid` too: a header is not signed and makes no sale.
- `test`: a sold order without it is refused, unless the store accepts test orders.
- `current_total_price`, `current_quantity`: the amounts at placement are used, noted; after a partial
  refund they would be wrong, and the order is refused.
- `line_items`, `currency`, a line's `price` and `quantity`, both dates: refused.
- what a retraction does not need may be missing from it: it says nothing of money or persons.

An undocumented status neither makes nor deletes a purchase: the order is refused, `unknown_status`, until
the store's `sold_statuses` name what is sold; with them every other status is not sold.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.lenient import part, parts
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    coupon_codes,
    order_drafts,
    require_currency,
    retract_draft,
)
from pipeline.shops.shopify.consents import Statement, stated, ticked_and_confirmed
from pipeline.shops.shopify.fields import (
    ORDER,
    amount,
    mapping,
    number,
    own_id,
    readable,
    require_bare,
    said_ms,
    shop_id,
    texts,
    version_of,
)
from pipeline.shops.shopify.lines import all_came_back, items_of
from pipeline.shops.shopify.people import email_of, home_of, is_erased, is_placeholder, names, once, phones
from pipeline.shops.shopify.settings import ShopifySettings, ShopifyStore
from pipeline.shops.values import email_text, epoch_ms, instant, text

_SOLD = frozenset({"paid", "partially_refunded"})
#: The sale is in question and not undone: a paid order that was edited waits for the rest.
_IN_QUESTION = "partially_paid"
_SILENCE = Statement()
#: Names of payment gateways that are read: no order is paid by more.
_MAX_GATEWAYS = 100
#: Topics that speak of a sale; after them an order can be cancelled, and their bodies are as old as they are.
_OF_A_SALE = frozenset({"orders/create", "orders/paid"})
_NOT_SOLD = frozenset({"pending", "authorized", "expired", "unpaid", _IN_QUESTION, "refunded", "voided"})


def order(body: dict[str, Any], event: RawEvent, store: ShopifyStore) -> Translation:
    """A sold order in full; for one that is taken back, the deletion of its purchase if it was sent.

    A partially paid one says nothing of a purchase, and neither does one whose person was erased.

    Raises:
        Rejected: whatever of it cannot be used.
    """
    settings = store.settings
    order_id = own_id(body, ORDER)
    version, version_notes = version_of(body, event, settings.timezone)
    if body.get("test") is True and not settings.accept_test_orders:
        return Translation(version, ignored="test_order")
    reason = _unsold(body, event.topic, settings)
    if reason is None:
        _require_real(body, settings)
        unsaid: list[str] = []
        currency = require_currency(body.get("currency"), store, notes=unsaid)
        version_notes += tuple(unsaid)
        as_placed = _keeps_original(body, settings)
        items, notes = items_of(body, currency, settings, as_placed=as_placed)
        if as_placed and all_came_back(body):
            items = None
        if items is not None and not _is_paid_back(body):
            sale = _sale(body, order_id, currency, settings, version_notes + notes)
            buyer = _buyer(body, sale.placed, version, settings)
            if _is_anonymous(body, buyer, sale.placed, version):
                return Translation(version, ignored="anonymised")
            return Translation(version, order_drafts(sale, buyer, items, store))
        reason = "all_lines_refunded" if items is None else "refunded"
    contacts = _contact_of_unsold(body, version, store)
    if reason == _IN_QUESTION:
        return Translation(version, contacts, ignored="not_sold")
    gone = retract_draft(_purchase_id(body, order_id, settings), version_notes)
    return Translation(version, (*contacts, gone), ignored=reason)


def deleted_order(body: dict[str, Any], event: RawEvent, store: ShopifyStore) -> Translation:
    """The purchase goes, or stays where the settings say so. The body holds nothing but the id.

    Raises:
        Rejected: `missing_field`, `topic_contradicts_body`.
    """
    own_id(body, ORDER)
    require_bare(body)
    if store.settings.on_order_deleted == "keep":
        return Translation(said_ms(event), ignored="order_kept")
    return Translation(said_ms(event), (retract_draft(None),), ignored="deleted")


def _unsold(body: Mapping[str, Any], topic: str, settings: ShopifySettings) -> str | None:
    """Why this order is no purchase; None where it is one.

    Raises:
        Rejected: `missing_field`, `invalid_date`, `unknown_status`: a delivered purchase must neither stay
            nor go for it.
    """
    if _is_cancelled(body, topic):
        return "cancelled"
    status = body.get("financial_status")
    if not isinstance(status, str) or not status:
        raise Rejected("missing_field", "financial_status", "whether the order is sold is not said")
    sold = _SOLD if settings.sold_statuses is None else settings.sold_statuses
    if "cancelled_at" not in body and topic not in _OF_A_SALE and (status in sold or status == _IN_QUESTION):
        raise Rejected("missing_field", "cancelled_at", "whether the order was cancelled is not said")
    if status in sold:
        return None
    if settings.sold_statuses is None and status not in _NOT_SOLD:
        raise Rejected(
            "unknown_status",
            "financial_status",
            "a status of Shopify's that is new; name it in sold_statuses",
        )
    return status if status in {"refunded", "voided", _IN_QUESTION} else "not_sold"


def _is_cancelled(body: Mapping[str, Any], topic: str) -> bool:
    """By the body, and where that does not say it by the topic."""
    if "cancelled_at" not in body:
        return topic == "orders/cancelled"
    cancelled = body["cancelled_at"]
    if cancelled is None:
        return False
    if not isinstance(cancelled, str) or not cancelled.strip():
        raise Rejected("invalid_date", "cancelled_at", "neither a moment nor null")
    return True


def _require_real(body: Mapping[str, Any], settings: ShopifySettings) -> None:
    """That the body says it is no test, where that matters.

    Raises:
        Rejected: `missing_field`.
    """
    if not settings.accept_test_orders and body.get("test") is not False:
        raise Rejected("missing_field", "test", "whether this is a test order is not said")


def _keeps_original(body: Mapping[str, Any], settings: ShopifySettings) -> bool:
    """Whether a partial refund leaves the purchase as it was placed."""
    return settings.on_partial_refund == "keep" and body.get("financial_status") == "partially_refunded"


def _is_paid_back(body: Mapping[str, Any]) -> bool:
    """Whether a refund that calls itself partial left nothing."""
    if body.get("financial_status") != "partially_refunded":
        return False
    said = mapping(mapping(body.get("current_total_price_set")).get("shop_money")).get("amount")
    left = number(body.get("current_total_price") if said is None else said)
    return left is not None and left <= 0


def _sale(
    body: Mapping[str, Any], order_id: str, currency: str, settings: ShopifySettings, told: tuple[str, ...]
) -> OrderSummary:
    purchase_id = _purchase_id(body, order_id, settings)
    if purchase_id is None:
        raise Rejected(
            "missing_field", settings.purchase_id, "the order lacks what its purchase id comes from"
        )
    notes = list(told)
    if "cancelled_at" not in body:
        notes.append("cancelled_at_missing")
    total = _total(body, currency, notes, as_placed=_keeps_original(body, settings))
    coupons, coupon_notes = coupon_codes(body.get("discount_codes") or [])
    return OrderSummary(
        purchase_id=purchase_id,
        placed=_placed(body, settings, notes),
        total=total,
        cart_id=_cart_id(body, notes),
        payment_method=_payment_method(body, notes),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
        language=text(body.get("customer_locale"), 40),
        currency=currency,
    )


def _total(body: Mapping[str, Any], currency: str, notes: list[str], *, as_placed: bool) -> Decimal:
    """The order's own total, as it is now or as it was placed; a gift card is a payment and lowers neither.

    Raises:
        Rejected: `missing_field`, `invalid_money`, `currency_mismatch`.
    """
    total = None if as_placed else amount(body, "current_total_price", currency)
    if total is not None:
        return total
    if not as_placed:
        if body.get("financial_status") == "partially_refunded":
            raise Rejected("missing_field", "current_total_price", "what the refund left is not said")
        notes.append("current_total_missing")
    total = amount(body, "total_price", currency)
    if total is None:
        raise Rejected("missing_field", "current_total_price", "the order has no total")
    return total


def _purchase_id(body: Mapping[str, Any], order_id: str, settings: ShopifySettings) -> str | None:
    if settings.purchase_id == "id":
        return order_id
    return text(body.get("order_number" if settings.purchase_id == "number" else "name"), 200)


def _placed(body: Mapping[str, Any], settings: ShopifySettings, notes: list[str]) -> datetime:
    """When the order was placed: `processed_at` also for imported orders, whose creation is the import."""
    for field in ("processed_at", "created_at"):
        if body.get(field) is not None:
            return instant(body[field], field, settings.timezone, notes)
    raise Rejected("missing_field", "processed_at", "the order does not say when it was placed")


def _cart_id(body: Mapping[str, Any], notes: list[str]) -> str | None:
    """The cart as web tracking knows it: as Connectif's app wrote it among the attributes, else a token."""
    for attribute in parts(body, "note_attributes", notes):
        name = attribute.get("name")
        if name and not isinstance(name, str):
            notes.append("note_attributes_unreadable")
        if name == "cartId":
            found = text(attribute.get("value"), 200)
            if found is not None:
                return found
            if attribute.get("value"):
                notes.append("cart_id_unreadable")
    return readable(body, "cart_token", 2_000, notes) or readable(body, "checkout_token", 2_000, notes)


def _payment_method(body: Mapping[str, Any], notes: list[str]) -> str | None:
    given = body.get("payment_gateway_names")
    if not isinstance(given, list):
        if given:
            notes.append("payment_gateway_names_unreadable")
        return readable(body, "gateway", 200, notes)
    gateways = texts(given[:_MAX_GATEWAYS], "payment_gateway_names", 100, notes)
    return text(", ".join(gateways), 200)


def _buyer(body: Mapping[str, Any], placed: datetime, version: int, settings: ShopifySettings) -> Buyer:
    """Who bought, as of the placement; nothing here costs the order, what cannot be read is noted."""
    notes: list[str] = []
    customer = part(body, "customer", notes)
    billing = part(body, "billing_address", notes)
    home = home_of(customer, notes)
    email = email_of(notes, body.get("email"), body.get("contact_email"), customer.get("email"))
    name, surname = names(notes, customer, home, billing, part(body, "shipping_address", notes))
    customer_id = shop_id(customer.get("id"), customer.get("admin_graphql_api_id"))
    if customer_id is None and customer.get("id"):
        notes.append("customer_id_unreadable")
    numbers = phones(notes, customer, home, billing)
    said = _SILENCE
    if (
        settings.consent_from_orders
        or "email_marketing_consent" in customer
        or "accepts_marketing" in customer
    ):
        said = _newsletters(body, customer, email, (epoch_ms(placed), version), settings)
    return Buyer(
        email=email,
        customer_id=customer_id,
        name=name,
        surname=surname,
        phones=numbers,
        newsletter=said.newsletter,
        newsletter_ms=said.at_ms,
        notes=once(notes, said.notes),
    )


def _newsletters(
    body: Mapping[str, Any],
    customer: Mapping[str, Any],
    email: str | None,
    placed_and_now_ms: tuple[int, int],
    settings: ShopifySettings,
) -> Statement:
    """The customer's own consent if the body still holds it, for the customer's own address; else the box."""
    placed_ms, now_ms = placed_and_now_ms
    own = stated(customer, now_ms, settings.timezone)
    if own.newsletter is not None and not _same(email_text(customer.get("email")), email):
        own = Statement(notes=("consent_of_another_address",))
    if not settings.consent_from_orders:
        return own
    ticked, confirmed = ticked_and_confirmed(body, customer)
    if confirmed and own.newsletter != "unsubscribed":
        return Statement("subscribed", placed_ms)
    return (
        Statement(own.newsletter, own.at_ms, (*own.notes, "checkout_consent_unconfirmed")) if ticked else own
    )


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.lower() == other.lower()


def _is_anonymous(body: Mapping[str, Any], buyer: Buyer, placed: datetime, version: int) -> bool:
    """Whether the shop erased the buyer: then nothing can be corrected, and what was sent stays."""
    if buyer.email is not None:
        return is_placeholder(buyer.email)
    return is_erased(mapping(body.get("customer")), epoch_ms(placed), version)


def _contact_of_unsold(body: Mapping[str, Any], version: int, store: ShopifyStore) -> tuple[Draft, ...]:
    """The contact of an order that is no purchase, where the settings want it and it can be one."""
    settings = store.settings
    if not settings.contacts_from_unsold_orders:
        return ()
    try:
        placed = _placed(body, settings, [])
        buyer = _buyer(body, placed, version, settings)
        if _is_anonymous(body, buyer, placed, version):
            return ()
        return (contact_draft(buyer, settings, Origin.ORDER, said_ms=epoch_ms(placed)),)
    except Rejected:
        return ()
