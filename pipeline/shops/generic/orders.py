"""Orders of custom shops -> contact, products and purchase, or the retraction of one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.currencies import rounded
from pipeline.shops.generic.fields import (
    amount,
    as_list,
    currency_code,
    flag,
    identifier,
    moment,
    own_id,
    parts,
    readable_id,
    version_of,
    word,
)
from pipeline.shops.generic.lines import all_given_back, currency_of_lines, items_of
from pipeline.shops.generic.people import buyer_of
from pipeline.shops.generic.settings import GenericSettings, GenericStore
from pipeline.shops.generic.topics import CANCELLED
from pipeline.shops.lenient import decoration, part
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    coupon_codes,
    order_drafts,
    require_currency,
    retract_draft,
)
from pipeline.shops.values import belongs_to_nobody, epoch_ms, text

_ZERO = Decimal(0)
_SOLD = frozenset({"paid", "partially_refunded"})
#: The sale is in question, not undone: what was told stays.
_IN_QUESTION = "partially_paid"
_UNDONE = frozenset({"cancelled", "canceled"})
_NOT_SOLD = frozenset(
    {"pending", "authorized", "unpaid", "failed", "expired", "voided", "refunded", _IN_QUESTION, *_UNDONE}
)
#: How customer ids say that there is no customer, in shops that have no null.
_NOBODY = frozenset({"0"})


def order(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """A sold order in full; for one that is taken back, the deletion of its purchase if it was sent.

    Raises:
        Rejected: whatever of it cannot be used.
    """
    own = own_id(data)
    if flag(data.get("deleted")) is True:
        return deleted_order(data, event, store)
    settings = store.settings
    notes: list[str] = []
    version = version_of(data, event, notes)
    if _is_test(data, notes) and not settings.accept_test_orders:
        return Translation(version, ignored="test_order")
    reason = _unsold(data, event.topic, settings)
    if reason is None:
        currency = _currency(data, store, notes)
        placed_total, left = _totals(data, currency, notes)
        as_placed = settings.on_partial_refund == "keep"
        items = items_of(data, currency, settings, notes, as_placed=as_placed)
        if as_placed and all_given_back(data):
            items = None
        if items is not None and (left > 0 or placed_total == 0):
            buyer = _buyer(data, notes)
            if belongs_to_nobody(buyer.email):
                return Translation(version, ignored="anonymised")
            sale = _sale(data, own, placed_total if as_placed else left, settings, notes)
            sale = sale._replace(currency=currency)
            return Translation(version, order_drafts(sale, buyer, items, store))
        reason = "all_lines_refunded" if items is None else "refunded"
    contacts = _contact_of_unsold(data, store)
    if reason == _IN_QUESTION:
        return Translation(version, contacts, ignored="not_sold")
    return Translation(version, (*contacts, retract_draft(None)), ignored=reason)


def deleted_order(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """The purchase goes, or stays where the settings say so. The document need not hold more than the id.

    Raises:
        Rejected: `missing_field`, `invalid_id`, `invalid_date`.
    """
    own_id(data)
    version = version_of(data, event, [])
    if store.settings.on_order_deleted == "keep":
        return Translation(version, ignored="order_kept")
    return Translation(version, (retract_draft(None),), ignored="deleted")


def _is_test(data: Mapping[str, Any], notes: list[str]) -> bool:
    said = flag(data.get("test"))
    if said is None and data.get("test"):
        notes.append("test_unreadable")
    return said is True


def _unsold(data: Mapping[str, Any], topic: str, settings: GenericSettings) -> str | None:
    """Why this order is no purchase; None where it is one.

    Raises:
        Rejected: `missing_field`, `unknown_status`: a delivered purchase must neither stay nor go for it.
    """
    status, payment = word(data.get("status")), word(data.get("payment_status"))
    if topic == CANCELLED or status in _UNDONE:
        return "cancelled"
    if settings.sold_statuses is not None:
        if not payment and not status:
            raise Rejected("missing_field", "data.payment_status", "whether the order is sold is not said")
        if not {payment, status}.isdisjoint(map(word, settings.sold_statuses)):
            return None
        return payment if payment in {_IN_QUESTION, "refunded"} else "not_sold"
    if not payment:
        raise Rejected("missing_field", "data.payment_status", "whether the order is sold is not said")
    if payment in _SOLD:
        return None
    if payment not in _NOT_SOLD:
        raise Rejected(
            "unknown_status", "data.payment_status", "not a word of the contract; name it in sold_statuses"
        )
    return payment if payment in {_IN_QUESTION, "refunded"} else "not_sold"


def _currency(data: Mapping[str, Any], store: GenericStore, notes: list[str]) -> str:
    """The order's currency, else the one that its lines name; "" where none is named.

    Raises:
        Rejected: `missing_field`, `currency_mismatch`.
    """
    said = data.get("currency")
    code = currency_code(said)
    if code is None:
        if said:
            notes.append("currency_unreadable")
        code = currency_of_lines(data)
        notes.extend(("currency_from_lines",) if code is not None else ())
    return require_currency(code, store, "data.currency", notes)


def _totals(data: Mapping[str, Any], currency: str, notes: list[str]) -> tuple[Decimal, Decimal]:
    """What the order cost when it was placed, and what is left of that after refunds.

    Raises:
        Rejected: `missing_field`, `invalid_money`: without them the purchase would stay what it was before.
    """
    if data.get("total") is None:
        raise Rejected("missing_field", "data.total", "an order without its total")
    total = rounded(amount(data["total"], "data.total"), currency, notes)
    refunds, given_back = parts(data, "refunds", notes), data.get("total_refunded")
    said = None if given_back is None or given_back == "" else amount(given_back, "data.total_refunded")
    if said or (said is not None and not refunds):
        back = said
    elif refunds:  # a sum of 0 beside them is one that lags behind
        each = {readable_id(one.get("id")) or index: one.get("amount") for index, one in enumerate(refunds)}
        back = sum((amount(one, "data.refunds.amount") for one in each.values()), _ZERO)
    elif word(data.get("payment_status")) == "partially_refunded":
        raise Rejected("missing_field", "data.total_refunded", "what was paid back is not said")
    else:
        back = _ZERO
    return total, total - rounded(back, currency, notes)


def _sale(
    data: Mapping[str, Any], own: str, total: Decimal, settings: GenericSettings, notes: list[str]
) -> OrderSummary:
    placed = data.get("created_at")
    if placed is None:
        raise Rejected("missing_field", "data.created_at", "when the order was placed is not said")
    coupons, coupon_notes = coupon_codes(_coupons(data.get("coupons")))
    return OrderSummary(
        purchase_id=_purchase_id(data, own, settings),
        placed=moment(placed, "data.created_at"),
        total=total,
        cart_id=decoration(data, "cart_id", notes),
        payment_method=decoration(data, "payment_method", notes),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
        language=text(data.get("locale"), 40),
        shop=text(data.get("shop")),
    )


def _coupons(listed: object) -> object:
    """The codes as objects, whether they are given as those or as texts."""
    listed = as_list(listed)
    if not isinstance(listed, list):
        return listed or []
    return [one if isinstance(one, dict) else {"code": one} for one in listed]


def _purchase_id(data: Mapping[str, Any], own: str, settings: GenericSettings) -> str:
    """The id that web tracking sends: the order's, or its number, which is its name here too.

    Raises:
        Rejected: `missing_field`, `invalid_id` (number).
    """
    if settings.purchase_id == "id":
        return own
    found = identifier(data.get("number"), "data.number")
    if found is None:
        raise Rejected("missing_field", "data.number", "the order has no number, and purchase_id asks for it")
    return found


def _buyer(data: Mapping[str, Any], notes: list[str]) -> Buyer:
    """Who bought. What is said of newsletters there is the customer's own, with its own moment.

    Without its time a withdrawal is taken at the order's placement.
    """
    person = part(data, "customer", notes)
    customer_id = readable_id(person.get("id"))
    if customer_id is None and person.get("id"):
        notes.append("customer_id_unreadable")
    return buyer_of(person, None if customer_id in _NOBODY else customer_id, _placed_ms(data), [])


def _placed_ms(data: Mapping[str, Any]) -> int:
    try:
        return epoch_ms(moment(data.get("created_at"), "data.created_at"))
    except Rejected:
        return 0


def _contact_of_unsold(data: Mapping[str, Any], store: GenericStore) -> tuple[Draft, ...]:
    """The contact of an order that is no purchase, where the settings want it and it can be one."""
    if not store.settings.contacts_from_unsold_orders:
        return ()
    try:
        buyer = _buyer(data, [])
        if belongs_to_nobody(buyer.email):
            return ()
        return (contact_draft(buyer, store.settings, Origin.ORDER, said_ms=_placed_ms(data)),)
    except Rejected:
        return ()
