"""Magento orders -> contact, products and purchase, or the retraction of one.

`state` says whether it is sold; `status` is a label of the merchant's own. An edited order is two: the old
one is cancelled, the new one has the old one's number and `-1`. Each stands by its own state, so one sale is
one purchase. Orders are never deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.lenient import decoration, part
from pipeline.shops.magento.amounts import codes_of, set_of
from pipeline.shops.magento.fields import moment, own_id, version_of
from pipeline.shops.magento.lines import OrderLine, all_given_back, items_of, lines_of, reading_of
from pipeline.shops.magento.payments import Payment, payment_of
from pipeline.shops.magento.people import names, phones
from pipeline.shops.magento.settings import MagentoSettings, MagentoStore
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    coupon_codes,
    order_drafts,
    retract_draft,
)
from pipeline.shops.php import NOTHING, decorations, entries, readable_id
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms, text

_SOLD = frozenset({"processing", "complete"})
#: The sale is in question, not undone: what was sent stays.
_IN_QUESTION = frozenset({"holded", "payment_review", "pending_payment"})
_CLOSED = "closed"
_UNDONE = frozenset({"canceled", _CLOSED})


def order(body: dict[str, Any], event: RawEvent, store: MagentoStore) -> Translation:
    """What the order's present state means: sold, undone, or nothing yet.

    Raises:
        Rejected: `missing_field`, `topic_contradicts_body`, `no_email`, `no_products`, `currency_mismatch`,
            `invalid_...`.
    """
    own = own_id(body, "entity_id")
    if "order_id" in body:
        raise Rejected(
            "topic_contradicts_body", "order_id", "an invoice, shipment or credit memo, and no order"
        )
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, notes)
    if is_of_other_shop(body, "store_id", settings.store_ids):
        return Translation(version, ignored="other_shop")
    state, status = (text(body.get(key), 60) or "" for key in ("state", "status"))
    if not state:
        raise Rejected("missing_field", "state", "an order without a state")
    listed = settings.sold_statuses is not None
    if not _is_listed(state, status, settings) and (listed or state != _CLOSED):
        return _unsold(state, body, settings, version, notes)
    amounts = set_of(body, store, notes)
    payment = payment_of(body, amounts, notes)
    replaces = settings.on_partial_refund == "replace"
    lines = lines_of(body, amounts, notes, refunds_count=replaces)
    if undone := _undone(payment, lines, closed=state == _CLOSED and not listed):
        return Translation(version, (retract_draft(None),), undone)
    buyer = _buyer(body, settings)
    if belongs_to_nobody(buyer.email):
        return Translation(version, ignored="anonymised")
    placed = moment(body, "created_at")
    if placed is None:
        raise Rejected("missing_field", "created_at", "when it was placed is not said")
    items = items_of(lines, reading_of(lines, payment.goods, notes), amounts, settings, notes)
    code = body.get("coupon_code")
    coupons, coupon_notes = coupon_codes([] if code in NOTHING else [{"code": code}])
    sale = OrderSummary(
        purchase_id=_purchase_id(own, body, settings),
        placed=placed,
        total=_remaining(payment, notes, refunds_count=replaces),
        cart_id=readable_id(body.get("quote_id")),
        payment_method=_payment_method(body, notes),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
    )
    drafts = order_drafts(sale, buyer, items, store)
    # Each account reads the set of its own currency: the order belongs to both.
    codes = codes_of(body)
    return Translation(
        version, tuple(one._replace(audience=one.audience._replace(currencies=codes)) for one in drafts)
    )


def _undone(payment: Payment, lines: Sequence[OrderLine], *, closed: bool) -> str:
    """Why nothing of the sale remains; "" where something does.

    By amounts and quantities: `complete` may be all returned, and `closed` nothing if nothing was to be paid.
    """
    if payment.returned and payment.returned + payment.cancelled >= payment.total:
        return "refunded"
    if all_given_back(lines):
        return "all_lines_refunded"
    return _CLOSED if closed and (payment.returned or payment.grand_total) else ""


def is_of_other_shop(body: Mapping[str, Any], key: str, ours: frozenset[str] | None) -> bool:
    """Whether the body belongs to a store view or website that is not this store's; unknown ones do not."""
    found = readable_id(body.get(key))
    return ours is not None and found is not None and found not in ours


def _is_listed(state: str, status: str, settings: MagentoSettings) -> bool:
    """The store's own list of states and statuses where there is one, else Magento's states."""
    if settings.sold_statuses is None:
        return state in _SOLD
    return not settings.sold_statuses.isdisjoint((state, status))


def _unsold(
    state: str, body: dict[str, Any], settings: MagentoSettings, version: int, notes: list[str]
) -> Translation:
    """An order that is no purchase: it takes back what was sent, unless the sale is only in question."""
    contact = _unsold_contact(body, settings)
    if state in _IN_QUESTION:
        return Translation(version, contact, "not_sold")
    gone = retract_draft(None, tuple(dict.fromkeys(notes)))
    return Translation(version, (*contact, gone), state if state in _UNDONE else "not_sold")


def _remaining(payment: Payment, notes: list[str], *, refunds_count: bool) -> Decimal:
    """The total less what was paid back, and less what was cancelled and never paid."""
    if payment.cancelled:
        notes.append("cancelled_part_left_out")
    if payment.returned and refunds_count:
        notes.append("partly_refunded")
    total = payment.total - payment.cancelled - (payment.returned if refunds_count else 0)
    return max(total, Decimal(0))


def _purchase_id(own: str, body: Mapping[str, Any], settings: MagentoSettings) -> str:
    """The id web tracking sends; Magento has no order name: both other settings mean its number.

    Raises:
        Rejected: `missing_field`.
    """
    if settings.purchase_id == "id":
        return own
    number = text(body.get("increment_id"), 200)
    if number is None:
        raise Rejected("missing_field", "increment_id", "no number, and purchase_id asks for it")
    return number


def _buyer(body: dict[str, Any], settings: MagentoSettings) -> Buyer:
    """The person as of the checkout; guests' fields are often empty, and the billing address has the name."""
    notes: list[str] = []
    billing = part(body, "billing_address", notes)
    name, surname = names(body, "customer_", notes)
    if not (name and surname):
        billed_name, billed_surname = names(billing, "", notes)
        name, surname = name or billed_name, surname or billed_surname
    return Buyer(
        email=email_text(body.get("customer_email")) or email_text(billing.get("email")),
        customer_id=readable_id(body.get("customer_id")),
        name=name,
        surname=surname,
        phones=phones([billing], notes),
        notes=tuple(dict.fromkeys(notes)),
        shop=(view := readable_id(body.get("store_id"))),
        language=settings.language(view),
    )


def _unsold_contact(body: dict[str, Any], settings: MagentoSettings) -> tuple[Draft, ...]:
    """The person behind an order that was not sold, where the store wants those and there is an address."""
    if not settings.contacts_from_unsold_orders:
        return ()
    try:
        placed = moment(body, "created_at")
        said_ms = 0 if placed is None else epoch_ms(placed)
        buyer = _buyer(body, settings)
        if belongs_to_nobody(buyer.email):
            return ()
        return (contact_draft(buyer, settings, Origin.ORDER, said_ms=said_ms),)
    except Rejected:  # a purchase cannot do without; an order that was none can
        return ()


def _payment_method(body: dict[str, Any], notes: list[str]) -> str | None:
    """As the shopper read it (`Check / Money order`), else the method's code (`checkmo`)."""
    listed = decorations({"payment": [body.get("payment")]}, "payment", notes)
    payment = listed[0] if listed else {}
    titles = entries(payment.get("additional_information"))
    if titles is None:
        notes.append("additional_information_unreadable")
    title = text(titles[0], 200) if titles and isinstance(titles[0], str) else None
    return title or decoration(payment, "method", notes)
