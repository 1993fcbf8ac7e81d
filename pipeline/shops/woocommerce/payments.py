"""What a WooCommerce order cost, what of it gift cards paid, and what was paid back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pipeline.shops.base import Rejected
from pipeline.shops.php import NOTHING, decorations, entries, objects, readable_id
from pipeline.shops.values import text
from pipeline.shops.woocommerce.fields import amount

_ZERO = Decimal(0)
#: Where plugins list the cards an order was paid with, each with its `amount`: WooCommerce Gift Cards, and PW
#: Gift Cards. Both take the amounts off the order's own total.
_CARDS = ("gift_cards", "pw_gift_cards_redeemed")
#: YITH Gift Cards takes the cards off the total, too, and keeps their sum in the order's meta data.
_CARDS_TOTAL = "_ywgc_applied_gift_cards_totals"


def total_of(body: dict[str, Any], notes: list[str]) -> Decimal:
    """What the customer paid, by whatever means: the order's total with the gift cards that lowered it.

    A card that cannot be read is left out and noted; the order is not lost for it.

    Raises:
        Rejected: `missing_field`, `invalid_money`.
    """
    if "total" not in body:
        raise Rejected("missing_field", "total", "an order without its total")
    total = amount(body["total"], "total")
    cards = _cards(body, notes)
    if cards:
        notes.append("gift_card_counted")
    return total + cards


def _cards(body: dict[str, Any], notes: list[str]) -> Decimal:
    paid = _ZERO
    for key in _CARDS:
        if key not in body:
            continue
        seen: set[str] = set()
        for card in decorations(body, key, notes, "gift_card"):
            own = text(card.get("id"), 40)
            if own is None or own not in seen:
                paid += _card(card.get("amount"), notes)
            seen.update([own] if own else [])
    for meta in entries(body.get("meta_data")) or ():
        if isinstance(meta, dict) and meta.get("key") == _CARDS_TOTAL:
            paid += _card(meta.get("value"), notes)
    return paid


def _card(value: object, notes: list[str]) -> Decimal:
    """The amount of one card, which some plugins write as they take it off: below zero."""
    if value in NOTHING:
        return _ZERO
    try:
        return amount(without_minus(value), "gift_cards.amount")
    except Rejected:
        notes.append("gift_card_unreadable")
        return _ZERO


def refunded_of(body: dict[str, Any]) -> Decimal:
    """What was paid back so far, as a positive amount; the body has it in negative texts.

    A refund that stands there again under its own id counts once.

    Raises:
        Rejected: `missing_field`, `invalid_money`: without them, the purchase would stay what it was before.
    """
    if "refunds" not in body:
        raise Rejected("missing_field", "refunds", "what was paid back is not said")
    given_back, seen = _ZERO, set[str]()
    for refund in objects(body, "refunds"):
        own = readable_id(refund.get("id"))
        if own is None or own not in seen:
            given_back += amount(without_minus(refund.get("total")), "refunds.total")
        seen.update([own] if own else [])
    return given_back


def without_minus(value: object) -> object:
    """A number, or its text, without its sign; anything else as it is."""
    if isinstance(value, str):
        return value.strip().removeprefix("-")
    return -value if isinstance(value, int | float) and value < 0 else value
