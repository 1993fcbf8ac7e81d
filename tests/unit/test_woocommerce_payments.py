"""What an order cost, of which gift cards paid a part."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Rejected, Translation
from tests.woocommerce import line, only, order, purchase_of, translate


def told(body: dict[str, Any], **settings: Any) -> Translation:
    return translate(body, "order.updated", **settings)


def notes(translation: Translation) -> tuple[str, ...]:
    return only(translation, RecordKind.PURCHASE).notes


CARD = {"id": 1, "code": "GIFT-0001", "amount": 10.0}


@pytest.mark.parametrize(
    "paid",
    [
        {"gift_cards": [CARD]},
        {"gift_cards": {"2": CARD}},
        {"gift_cards": CARD},
        {"gift_cards": [CARD | {"amount": "10.00"}]},
        {"gift_cards": [CARD | {"amount": "4.00"}, {"id": 2, "amount": 6}]},
        {"gift_cards": [CARD, CARD, None]},
        {"pw_gift_cards_redeemed": [{"number": "A", "amount": "-4"}, {"number": "B", "amount": "6"}]},
        {"meta_data": [{"key": "_ywgc_applied_gift_cards_totals", "value": "10"}]},
    ],
)
def test_a_gift_card_does_not_lower_what_was_paid(paid: dict[str, Any]) -> None:
    translation = told(order(total="6.00", **paid))
    assert purchase_of(translation).total_price == Decimal("16.00")
    assert "gift_card_counted" in notes(translation)


@pytest.mark.parametrize("cards", [[], None, "", False, {}, [{"id": 1, "amount": 0}], [{"id": 1}]])
def test_without_a_card_the_total_is_the_orders(cards: Any) -> None:
    translation = told(order(gift_cards=cards))
    assert purchase_of(translation).total_price == Decimal("16.00")
    assert notes(translation) == ()


@pytest.mark.parametrize(
    "cards", ["GIFT", 7, [7], ["GIFT"], [CARD | {"amount": "ten"}], [CARD | {"amount": [1]}]]
)
def test_a_card_that_cannot_be_read_is_noted_and_the_order_sent(cards: Any) -> None:
    translation = told(order(gift_cards=cards))
    assert purchase_of(translation).total_price == Decimal("16.00")
    assert notes(translation) == ("gift_card_unreadable",)


def test_an_order_paid_wholly_by_a_card_is_sold_without_a_payment_date() -> None:
    translation = told(order(total="0.00", date_paid_gmt=None, gift_cards=[CARD | {"amount": 16}]))
    assert purchase_of(translation).total_price == Decimal("16.00")


def test_a_refund_is_compared_with_the_total_that_counts_the_card() -> None:
    body = order(total="6.00", gift_cards=[CARD], refunds=[{"id": 1, "total": "-6.00"}])
    assert purchase_of(told(body)).total_price == Decimal("10.00")
    whole = body | {"refunds": [{"id": 1, "total": "-16.00"}]}
    assert told(whole).ignored == "refunded"
    assert only(told(whole), RecordKind.PURCHASE).op is Op.RETRACT


def test_a_gift_card_that_was_bought_is_a_line() -> None:
    body = order(line(55, name="Gift card", total="10.00"), gift_cards=[])
    assert [one.name for one in purchase_of(told(body)).lines] == ["Gift card"]


@pytest.mark.parametrize("field", ["refunds", "total"])
def test_a_body_cut_of_its_money_changes_nothing_and_says_so(field: str) -> None:
    body = order()
    del body[field]
    with pytest.raises(Rejected) as refused:
        told(body)
    assert (refused.value.reason, refused.value.field) == ("missing_field", field)
