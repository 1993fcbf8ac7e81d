"""VTEX orders -> contact, products and purchase, or the retraction of one.

The notification's state is history; the fetched status is the present. Amounts are in hundredths.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    given_name,
    order_drafts,
    require_currency,
)
from pipeline.shops.orders import retract_draft as retracted
from pipeline.shops.php import is_no_date
from pipeline.shops.probe import is_trials_number
from pipeline.shops.values import belongs_to_nobody, epoch_ms, text
from pipeline.shops.vtex.fields import amount, is_alias, mapping, moment, objects, phones, plain, readable
from pipeline.shops.vtex.lines import Returned, all_came_back, items_of, returned_of
from pipeline.shops.vtex.lookups import (
    client_address,
    clients_path,
    found,
    message_address,
    messages_path,
    order_path,
)
from pipeline.shops.vtex.settings import VtexSettings, VtexStore

#: The only one that is final.
_CANCELED = "canceled"
#: The sale is in question, not undone: what was sent stays.
_IN_QUESTION = frozenset(
    {
        "request-cancel",
        "cancellation-requested",
        "cancelation-request",
        "cancel",
        "window-to-change-seller",
        "waiting-for-seller-decision",
    }
)
_KNOWN = _IN_QUESTION | {
    _CANCELED,
    "order-created",
    "on-order-completed",
    "on-order-completed-ffm",
    "order-completed",
    "order-accepted",
    "payment-pending",
    "waiting-for-order-authorization",
    "approve-payment",
    "payment-approved",
    "waiting-ffmt-authorization",
    "waiting-for-authorization",
    "waiting-for-manual-authorization",
    "authorize-fulfillment",
    "order-create-error",
    "order-creation-error",
    "window-to-cancel",
    "waiting-for-mkt-authorization",
    "waiting-seller-handling",
    "ready-for-handling",
    "start-handling",
    "handling",
    "invoice-after-cancellation-deny",
    "invoice",
    "invoiced",
    "replaced",
}
_OF_OTHERS = frozenset({"fulfillment", "chain"})


def order(event: RawEvent, documents: Documents, store: VtexStore) -> Translation:
    """What the order's present state means: sold, undone, or nothing yet.

    Raises:
        Rejected: `document_missing`, `missing_field`, `no_email`, `no_products`, `currency_mismatch`, ...
    """
    body = found(documents, order_path(event.entity))
    if body is None and is_trials_number(event.entity):
        return Translation(version=0, ignored="not_found")  # the check asks for an order that cannot exist
    if not isinstance(body, dict):
        raise Rejected("document_missing", "orderId", "the shop's API knows no such order")
    settings = store.settings
    notes: list[str] = []
    changed = body.get("creationDate") if is_no_date(body.get("lastChange")) else body["lastChange"]
    version = epoch_ms(moment(changed, "lastChange"))
    if _is_marketplaces(body) and not settings.accept_marketplace_orders:
        return Translation(version, ignored="marketplace_order")
    status = (text(body.get("status"), 60) or "").lower()
    if status and status not in _KNOWN:
        notes.append("unknown_status")
    if not _is_sold(status, body, settings):
        return _unsold(status, body, documents, store, version, notes)
    returned = returned_of(body, settings)
    total = amount(body.get("value"), "value", settings.money_divisor)
    items = items_of(body, store, returned, notes)
    if undone := _undone(body, returned, total, left=bool(items)):
        return Translation(version, (retracted(None),), undone)
    if settings.on_partial_refund == "replace":
        total -= returned.money
    buyer = _buyer(body, documents)
    if belongs_to_nobody(buyer.email):
        return Translation(version, ignored="anonymised")
    code = mapping(body, "storePreferencesData").get("currencyCode")
    currency = require_currency(code, store, notes=notes)
    sale = OrderSummary(
        purchase_id=_purchase_id(body, event, settings),
        placed=moment(body.get("creationDate"), "creationDate"),
        total=total,
        cart_id=text(body.get("orderFormId"), 200),
        payment_method=_payment_method(body),
        coupons=_coupons(body),
        notes=tuple(dict.fromkeys(notes)),
        language=text(mapping(body, "clientPreferencesData").get("locale"), 40),
        shop=text(body.get("salesChannel"), 40),
        currency=currency or None,
    )
    return Translation(version, order_drafts(sale, buyer, items, store))


def _undone(body: dict[str, Any], returned: Returned, total: Decimal, *, left: bool) -> str:
    """Why nothing of the sale remains, by amounts and units; "" where something does."""
    if returned.money and returned.money >= total:
        return "refunded"
    is_empty = bool(returned.units) and not left
    return "all_lines_refunded" if is_empty or all_came_back(body, returned) else ""


def _is_marketplaces(body: dict[str, Any]) -> bool:
    """Whether another shop sold it, and this one ships: its buyer is not this store's."""
    origin = (text(body.get("origin"), 40) or "").casefold()
    return origin in _OF_OTHERS and text(body.get("affiliateId"), 40) is not None


def _is_sold(status: str, body: dict[str, Any], settings: VtexSettings) -> bool:
    """Authorised and not cancelled; or as the store's own list of statuses says."""
    if settings.sold_statuses is not None:
        return status in {one.lower() for one in settings.sold_statuses}
    is_authorised = not is_no_date(body.get("authorizedDate"))
    return is_authorised and status not in _IN_QUESTION and status != _CANCELED


def _unsold(  # noqa: PLR0917 - what an order is made of
    status: str,
    body: dict[str, Any],
    documents: Documents,
    store: VtexStore,
    version: int,
    notes: list[str],
) -> Translation:
    """An order that is no purchase: it takes back what was sent, unless the sale is only in question."""
    contact = _unsold_contact(body, documents, store.settings)
    if status in _IN_QUESTION:
        return Translation(version, contact, "not_sold")
    gone = retracted(None, tuple(dict.fromkeys(notes)))
    return Translation(version, (*contact, gone), "cancelled" if status == _CANCELED else "not_sold")


def _unsold_contact(body: dict[str, Any], documents: Documents, settings: VtexSettings) -> tuple[Draft, ...]:
    if not settings.contacts_from_unsold_orders:
        return ()
    try:
        placed = epoch_ms(moment(body.get("creationDate"), "creationDate"))
        buyer = _buyer(body, documents)
        if belongs_to_nobody(buyer.email):
            return ()
        return (contact_draft(buyer, settings, Origin.ORDER, said_ms=placed),)
    except Rejected:  # a purchase cannot do without; an order that was none can
        return ()


def _purchase_id(body: dict[str, Any], event: RawEvent, settings: VtexSettings) -> str:
    """What web tracking sends: the order's id, or its sequence where the store says so."""
    if settings.purchase_id == "id":
        return event.entity
    number = text(body.get("sequence"), 200)
    if number is None:
        raise Rejected("missing_field", "sequence", "the order has no number, and purchase_id asks for it")
    return number


def _buyer(body: dict[str, Any], documents: Documents) -> Buyer:
    """The person behind the order; where the order shows an alias, as the client or a mail says."""
    profile = mapping(body, "clientProfileData")
    given = text(profile.get("email"), 300)
    user = text(profile.get("userProfileId"), 100)
    notes: list[str] = []
    address = readable(given)
    if address is None and given is not None and is_alias(given):
        address = client_address(found(documents, clients_path(user))) if user else None
        order_id = text(body.get("orderId"), 100) or ""
        address = address or message_address(found(documents, messages_path(order_id)), given)
        notes.append("address_behind_alias")
    lives = mapping(mapping(body, "shippingData"), "address").get("country")
    return Buyer(
        email=address,
        customer_id=user,
        name=given_name(plain(profile, "firstName", notes, 200)),
        surname=plain(profile, "lastName", notes, 200),
        phones=phones(profile.get("phone"), lives, mapping(body, "storePreferencesData").get("countryCode")),
        notes=tuple(dict.fromkeys(notes)),
    )


def _payment_method(body: dict[str, Any]) -> str | None:
    """The name of the payment that paid most; a split order may have none of its own."""
    payments = [
        payment
        for transaction in objects(mapping(body, "paymentData"), "transactions")
        for payment in objects(transaction, "payments")
    ]
    best = max(payments, key=_paid, default=None)
    return None if best is None else text(best.get("paymentSystemName"), 200)


def _paid(payment: dict[str, Any]) -> Decimal:
    try:
        return amount(payment.get("value"), "value", 1)
    except Rejected:
        return Decimal(0)


def _coupons(body: dict[str, Any]) -> tuple[str, ...]:
    code = text(mapping(body, "marketingData").get("coupon"), 255)
    return () if code is None else (code,)
