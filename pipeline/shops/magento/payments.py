"""What a Magento order cost, what of it cards and credit paid, and what was paid back or never taken."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.shops.base import Rejected
from pipeline.shops.magento.amounts import AmountSet
from pipeline.shops.magento.fields import extension

_ZERO = Decimal(0)
#: Money that Adobe Commerce takes off the total though it is paid: cards, store credit, reward points.
_CREDITS = ("gift_cards_amount", "customer_balance_amount", "reward_currency_amount")
_CREDITS_RETURNED = ("gift_cards_refunded", "customer_balance_refunded", "reward_currency_amount_refunded")


class Payment(NamedTuple):
    """An order's sums in one currency.

    Attributes:
        grand_total: as the order says it.
        total: with what cards and credit paid.
        goods: of that, all but the postage.
        returned: what was paid back, to whatever account.
        cancelled: what was cancelled before it was paid.
    """

    grand_total: Decimal
    total: Decimal
    goods: Decimal
    returned: Decimal
    cancelled: Decimal


def payment_of(body: Mapping[str, Any], amounts: AmountSet, notes: list[str]) -> Payment:
    """The order's sums.

    Raises:
        Rejected: `missing_field`, `invalid_money`.
    """
    grand_total = amounts.find(body, "grand_total")
    if grand_total is None:
        raise Rejected("missing_field", amounts.name("grand_total"), "an order without its total")
    if grand_total < 0:
        raise Rejected("invalid_money", amounts.name("grand_total"), "below zero")
    extended = extension(body, notes)
    credit = sum((_of_either(body, extended, key, amounts, notes) for key in _CREDITS), _ZERO)
    if credit:
        notes.append("gift_card_counted")
    credit_returned = sum(
        (_of_either(body, extended, key, amounts, notes) for key in _CREDITS_RETURNED), _ZERO
    )
    total = amounts.whole(grand_total + credit, notes)
    returned = abs(amounts.get(body, "total_refunded")) + min(credit_returned, credit)
    return Payment(
        grand_total=grand_total,
        total=total,
        goods=total - _postage(body, amounts),
        returned=amounts.whole(returned, []),
        cancelled=amounts.whole(abs(amounts.get(body, "total_canceled")), []),
    )


def _of_either(
    body: Mapping[str, Any], extended: Mapping[str, Any], key: str, amounts: AmountSet, notes: list[str]
) -> Decimal:
    """A credit, from the extension attributes or beside them; what cannot be read is left out, noted."""
    for parent in (extended, body):
        try:
            found = amounts.find(parent, key)
        except Rejected:
            notes.append("gift_card_unreadable")
            return _ZERO
        if found is not None:
            return abs(found)
    return _ZERO


def _postage(body: Mapping[str, Any], amounts: AmountSet) -> Decimal:
    """What the delivery cost after discounts; lines are compared with the rest, so nothing rests on it."""
    try:
        postage = amounts.find(body, "shipping_incl_tax")
        if postage is None:
            postage = amounts.get(body, "shipping_amount") + amounts.get(body, "shipping_tax_amount")
        return postage - abs(amounts.get(body, "shipping_discount_amount"))
    except Rejected:
        return _ZERO
