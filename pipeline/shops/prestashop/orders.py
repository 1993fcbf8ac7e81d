"""PrestaShop orders -> contact, products and purchase, or the retraction of one.

States are the shop's own; the flag `valid` says whether the present one is a sale. An order says neither who
bought nor in which currency: these are other documents. One cart may become several orders under one
reference, each a sale of its own: what was paid for all of them stands with one, and is not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Origin
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.orders import (
    OrderSummary,
    contact_draft,
    coupon_codes,
    order_drafts,
    require_currency,
    retract_draft,
)
from pipeline.shops.php import decoration, mapping, readable_id
from pipeline.shops.prestashop.fields import flag, is_of_other_shop, moment, rows, version_of
from pipeline.shops.prestashop.lines import items_of, places_of, refunds_of
from pipeline.shops.prestashop.lookups import (
    CART_RULES,
    CURRENCIES,
    MAX_RULES,
    ORDERS,
    RULES,
    SLIPS,
    STATES,
    found,
    is_sold,
    those,
)
from pipeline.shops.prestashop.people import is_nobody, order_buyer
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.values import epoch_ms, money, text

#: PrestaShop's own states in which a sale is in question, not undone: by the mail they send, or their module.
_AWAITING_MAILS = frozenset({"bankwire", "cheque", "cashondelivery", "outofstock"})
_AWAITING_MODULES = frozenset(
    {"ps_wirepayment", "ps_checkpayment", "ps_cashondelivery", "bankwire", "cheque"}
)
#: Their ids as PrestaShop installs them, where the state itself cannot be read.
_AWAITING_IDS = frozenset({"1", "10", "12", "13"})


def order(event: RawEvent, documents: Documents, store: PrestashopStore) -> Translation:
    """What the order's present state means: sold, undone, or nothing yet.

    Raises:
        Rejected: `missing_field`, `no_email`, `no_products`, `currency_mismatch`, `invalid_...`,
            `shop_api_error`.
    """
    body = found(documents, ORDERS, event.entity)
    if body is None:
        return Translation(0, ignored="not_found")
    settings = store.settings
    if is_of_other_shop(readable_id(body.get("id_shop")), settings):
        return Translation(0, ignored="other_shop")
    lines = rows(mapping(body, "associations"), "order_rows")
    if not lines:  # modules call while the order is being written: the next call has all, whatever its date
        return Translation(0, ignored="half_written")
    notes: list[str] = []
    version = version_of(body, event, settings, notes)
    if settings.sold_statuses is None and flag(body.get("valid")) is None:
        raise Rejected("missing_field", "valid", "whether the order is sold is not said")
    if not is_sold(body, settings):
        return _unsold(body, documents, store, version, notes)
    return _sold(body, lines, event, documents, store, version, notes)


def _sold(  # noqa: PLR0917 - what a sale is made of
    body: dict[str, Any],
    lines: list[dict[str, Any]],
    event: RawEvent,
    documents: Documents,
    store: PrestashopStore,
    version: int,
    notes: list[str],
) -> Translation:
    """The purchase of a sold order, as far as credit slips left it."""
    settings = store.settings
    total, tax = _total(body, settings)
    refunds = refunds_of(those(documents, SLIPS) or (), tax)
    if refunds.money and refunds.money >= total:
        return Translation(version, (retract_draft(None),), "refunded")
    buyer = order_buyer(body, documents)
    if is_nobody(buyer.email):
        return Translation(version, ignored="anonymised")
    currency = found(documents, CURRENCIES, readable_id(body.get("id_currency"))) or {}
    require_currency(text(currency.get("iso_code"), 10), store, "id_currency", notes)
    counts = bool(refunds.money) and settings.on_partial_refund == "replace"
    given_back = refunds.units if counts else Counter[str]()
    items = items_of(lines, settings, given_back, places_of(currency), notes)
    if counts:
        if not items and given_back:
            return Translation(version, (retract_draft(None),), "all_lines_refunded")
        notes.append("partly_refunded")
        total -= refunds.money
    sale = _summary(body, event, total, documents, settings, notes)
    return Translation(version, order_drafts(sale, buyer, items, store))


def _summary(  # noqa: PLR0917 - what a sale is made of
    body: dict[str, Any],
    event: RawEvent,
    total: Decimal,
    documents: Documents,
    settings: PrestashopSettings,
    notes: list[str],
) -> OrderSummary:
    placed = moment(body, "date_add", settings, notes)
    if placed is None:
        raise Rejected("missing_field", "date_add", "when it was placed is not said")
    coupons, coupon_notes = _coupons(documents)
    return OrderSummary(
        purchase_id=_purchase_id(body, event, settings),
        placed=placed,
        total=total,
        cart_id=readable_id(body.get("id_cart")),
        payment_method=decoration(body, "payment", notes),
        coupons=coupons,
        notes=(*notes, *coupon_notes),
    )


def deleted_order(event: RawEvent, store: PrestashopStore) -> Translation:
    """The purchase goes, or stays where the settings say so."""
    if store.settings.on_order_deleted == "keep":
        return Translation(event.received_ms, ignored="order_kept")
    return Translation(event.received_ms, (retract_draft(None),), "deleted")


def _total(body: Mapping[str, Any], settings: PrestashopSettings) -> tuple[Decimal, str]:
    """What the order came to, and which of a slip's sums are compared with it."""
    excluded = settings.tax == "excluded"
    for name in ("total_paid_tax_excl",) if excluded else ("total_paid", "total_paid_tax_incl"):
        if body.get(name) not in (None, ""):
            return money(body[name], name), "excl" if excluded else "incl"
    raise Rejected("missing_field", "total_paid", "an order without its total")


def _unsold(
    body: Mapping[str, Any], documents: Documents, store: PrestashopStore, version: int, notes: list[str]
) -> Translation:
    """An order that is no purchase: it takes back what was sent, unless the sale is only in question."""
    contact = _unsold_contact(body, documents, store.settings)
    if _is_awaiting(body, documents):
        return Translation(version, contact, "not_sold")
    return Translation(version, (*contact, retract_draft(None, tuple(dict.fromkeys(notes)))), "not_sold")


def _is_awaiting(body: Mapping[str, Any], documents: Documents) -> bool:
    """Whether the order waits for a transfer, a cheque, cash or goods, in one of PrestaShop's own states."""
    number = readable_id(body.get("current_state"))
    state = found(documents, STATES, number)
    if state is None:
        return number in _AWAITING_IDS
    mail, module = (text(state.get(name), 60) for name in ("template", "module_name"))
    return flag(state.get("paid")) is not True and (mail in _AWAITING_MAILS or module in _AWAITING_MODULES)


def _unsold_contact(
    body: Mapping[str, Any], documents: Documents, settings: PrestashopSettings
) -> tuple[Draft, ...]:
    if not settings.contacts_from_unsold_orders:
        return ()
    try:
        placed = moment(body, "date_add", settings)
        buyer = order_buyer(body, documents)
        if placed is None or is_nobody(buyer.email):
            return ()
        return (contact_draft(buyer, settings, Origin.ORDER, said_ms=epoch_ms(placed)),)
    except Rejected:  # a purchase cannot do without; an order that was none can
        return ()


def _purchase_id(body: Mapping[str, Any], event: RawEvent, settings: PrestashopSettings) -> str:
    """What web tracking sends: the order's id, or its reference where the store says so."""
    if settings.purchase_id == "id":
        return event.entity
    reference = text(body.get("reference"), 200)
    if reference is None:
        raise Rejected("missing_field", "reference", "the order has none, and purchase_id asks for it")
    return reference


def _coupons(documents: Documents) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The codes of an order's discounts; one that needs no code is none.

    The order's own row has the discount's name, which is its code in many shops: it stands in where the
    discount was deleted.
    """
    given: list[dict[str, object]] = []
    for row in (those(documents, CART_RULES) or ())[:MAX_RULES]:
        rule = found(documents, RULES, readable_id(row.get("id_cart_rule")))
        if rule is None:
            given.append({"code": row.get("name")})
        elif rule.get("code") not in (None, "", False):
            given.append({"code": rule["code"]})
    return coupon_codes(given)
