"""What an order of Magento means: sold or not, in which money, what its lines cost, what was given back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Op, RecordKind
from pipeline.shops.base import Audience, Rejected
from pipeline.shops.magento import MAGENTO
from tests.magento import contact, fetched, line, only, order, purchase, sold, store


def lines(body: dict[str, Any], **settings: Any) -> list[tuple[str, int, Decimal]]:
    return [(one.product_id, one.quantity, one.price) for one in purchase(order(body, **settings)).lines]


def refusal(body: dict[str, Any], **settings: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        order(body, **settings)
    return caught.value


def is_retracted(body: dict[str, Any], **settings: Any) -> str:
    """Why the purchase is taken back."""
    said = order(body, **settings)
    assert [draft.op for draft in said.drafts if draft.kind is RecordKind.PURCHASE] == [Op.RETRACT]
    return said.ignored


# Sold


@pytest.mark.parametrize("state", ["processing", "complete"])
def test_a_state_says_that_it_is_sold_whatever_the_status_is_called(state: str) -> None:
    assert purchase(order(sold(state=state, status="fraud?"))).total_price == 25


@pytest.mark.parametrize("state", ["holded", "payment_review", "pending_payment"])
def test_a_sale_in_question_keeps_what_was_told(state: str) -> None:
    said = order(sold(state=state))
    assert (said.drafts, said.ignored) == ((), "not_sold")


@pytest.mark.parametrize("state", ["new", "canceled", "closed", "our_own"])
def test_every_other_state_takes_back_what_was_told(state: str) -> None:
    assert is_retracted(sold(state=state)) in {"not_sold", "canceled", "closed"}


def test_a_store_may_list_states_and_statuses() -> None:
    assert purchase(order(sold(state="new", status="paid_by_phone"), sold_statuses=["paid_by_phone"]))
    assert purchase(order(sold(state="closed"), sold_statuses=["closed"]))
    assert is_retracted(sold(), sold_statuses=["complete"]) == "not_sold"
    assert order(sold(state="holded"), sold_statuses=["complete"]).drafts == ()


def test_closed_is_sold_where_nothing_was_to_be_paid() -> None:
    free = sold(
        state="closed", grand_total=0, base_grand_total=0, items=[line(row_total=0, row_total_incl_tax=0)]
    )
    assert purchase(order(free)).total_price == 0
    assert is_retracted(sold(state="closed")) == "closed"
    assert is_retracted(sold(state="closed", total_refunded=25)) == "refunded"


def test_an_order_of_nothing_waits_until_it_is_moved_on() -> None:
    assert is_retracted(sold(state="new", grand_total=0, base_grand_total=0)) == "not_sold"


def test_an_order_without_a_state_is_refused() -> None:
    refused = refusal(sold(state=None))
    assert (refused.reason, refused.field) == ("missing_field", "state")


def test_the_buyer_of_an_unsold_order_is_a_contact_where_the_store_wants_it() -> None:
    assert (
        contact(order(sold(state="new"), contacts_from_unsold_orders=True)).email == "customer1@example.com"
    )
    assert not order(sold(state="holded", customer_email="?"), contacts_from_unsold_orders=True).drafts


@pytest.mark.parametrize("setting", [{"store_ids": ["2"]}, {"store_ids": ["2", "3"]}])
def test_an_order_of_another_store_view_is_another_shops(setting: dict[str, Any]) -> None:
    assert order(sold(), **setting).ignored == "other_shop"
    assert purchase(order(sold(), store_ids=["1"]))
    assert purchase(order(sold(store_id=None), **setting))


def test_an_order_says_its_shop_its_language_and_both_its_currencies() -> None:
    two = line(base_row_total=9, base_row_total_incl_tax=9, base_tax_amount=0, base_discount_amount=0)
    body = sold(
        store_id=3, base_currency_code="EUR", order_currency_code="USD", base_grand_total=9, items=[two]
    )
    said = order(body, languages={"3": "es_MX"})
    belongs = Audience(("es-mx",), ("3",), ("EUR", "USD"))
    assert {draft.audience for draft in said.drafts} == {belongs}


# Ids


def test_a_purchase_has_the_number_unless_the_store_says_the_id() -> None:
    assert purchase(order(sold())).purchase_id == "000000902"
    assert purchase(order(sold(), purchase_id="id")).purchase_id == "902"
    assert refusal(sold(increment_id=None)).field == "increment_id"
    assert purchase(order(sold(increment_id=None), purchase_id="id")).purchase_id == "902"


def test_an_order_known_by_its_number_alone_is_owned_by_its_id() -> None:
    found = {"items": [sold()], "total_count": 1}
    event = fetched(Kind.ORDER, "number-000000902", found)
    said = MAGENTO.translate(event, store())
    assert only(said, RecordKind.PURCHASE).owner == "order|902"
    assert only(said, RecordKind.CONTACT).owner == "customer|1"
    two = {"items": [sold(), sold(entity_id=903)], "total_count": 2}
    with pytest.raises(Rejected, match="several_documents"):
        MAGENTO.translate(fetched(Kind.ORDER, "number-000000902", two), store())


# Money


def test_one_set_of_amounts_is_read_for_everything() -> None:
    two = line(base_row_total=9, base_row_total_incl_tax=9, base_tax_amount=0, base_discount_amount=0)
    body = sold(
        order_currency_code="USD",
        grand_total=15,
        base_grand_total=13.5,
        total_refunded=3,
        base_total_refunded=2.5,
        items=[two],
    )
    for account, total, price in (("EUR", "11.0", 9), ("USD", "12", 10), (None, "11.0", 9)):
        said = purchase(order(body, currency=account))
        assert (said.total_price, said.lines[0].price) == (Decimal(total), Decimal(price))
    assert refusal(body, currency="GBP").reason == "currency_mismatch"
    assert refusal(body | {"base_grand_total": None}, currency="EUR").field == "base_grand_total"


def test_an_order_that_names_no_currency_passes_where_the_account_has_none() -> None:
    body = sold(base_currency_code=None, order_currency_code=None)
    assert "currency_missing" in only(order(body), RecordKind.PURCHASE).notes
    assert refusal(body, currency="EUR").reason == "missing_field"


@pytest.mark.parametrize("credit", ["gift_cards_amount", "customer_balance_amount", "reward_currency_amount"])
@pytest.mark.parametrize("beside", [False, True])
def test_credit_is_payment_and_lowers_nothing(credit: str, beside: bool) -> None:
    given = {credit: 20, f"base_{credit}": 20}
    changes = given if beside else {"extension_attributes": given}
    draft = only(order(sold(grand_total=5, base_grand_total=5, **changes)), RecordKind.PURCHASE)
    assert purchase(order(sold(grand_total=5, base_grand_total=5, **changes))).total_price == 25
    assert "gift_card_counted" in draft.notes


def test_all_credits_at_once_and_their_return() -> None:
    credit = {"gift_cards_amount": 5, "customer_balance_amount": "6.0000", "reward_currency_amount": 4}
    paid = {"grand_total": 10, "base_grand_total": 10}
    assert purchase(order(sold(**paid, extension_attributes=credit))).total_price == 25
    back = credit | {"customer_balance_refunded": 6}
    assert purchase(order(sold(**paid, extension_attributes=back))).total_price == 19
    whole = credit | {"customer_balance_refunded": 6, "gift_cards_refunded": 9}
    assert is_retracted(sold(**paid, total_refunded=10, extension_attributes=whole)) == "refunded"


def test_a_credit_that_cannot_be_read_costs_no_order() -> None:
    draft = only(order(sold(extension_attributes={"gift_cards_amount": ["?"]})), RecordKind.PURCHASE)
    assert "gift_card_unreadable" in draft.notes


def test_what_was_cancelled_before_it_was_paid_was_not_sold() -> None:
    half = line(1, qty_ordered=2, qty_canceled=1, row_total=20, row_total_incl_tax=20)
    draft = only(order(sold(total_canceled=10, items=[half])), RecordKind.PURCHASE)
    assert "cancelled_part_left_out" in draft.notes
    assert purchase(order(sold(total_canceled=10, items=[half]))).total_price == 15
    assert lines(sold(total_canceled=10, items=[half])) == [("500", 1, Decimal("10.00"))]


# Refunds


def test_what_was_given_back_comes_off_the_total_and_its_units_off_the_lines() -> None:
    body = sold(
        total_refunded=10, items=[line(1, qty_ordered=3, qty_refunded=1, row_total=30, row_total_incl_tax=30)]
    )
    assert purchase(order(body)).total_price == 15
    assert lines(body) == [("500", 2, Decimal("20.00"))]
    assert lines(body, on_partial_refund="keep") == [("500", 3, Decimal(30))]
    assert purchase(order(body, on_partial_refund="keep")).total_price == 25


def test_a_line_that_was_given_back_whole_is_no_line() -> None:
    body = sold(total_refunded=10, items=[line(1, qty_refunded=1), line(2, product_id=501)])
    assert lines(body) == [("501", 1, Decimal(10))]
    assert "line_given_back" in only(order(body), RecordKind.PURCHASE).notes


@pytest.mark.parametrize("state", ["processing", "complete"])
def test_all_units_given_back_take_the_purchase_back_whatever_the_state(state: str) -> None:
    body = sold(state=state, total_refunded=10, items=[line(1, qty_refunded=1)])
    assert is_retracted(body) == "all_lines_refunded"
    assert is_retracted(sold(state=state, total_refunded=25)) == "refunded"


def test_a_refund_above_the_total_takes_the_purchase_back() -> None:
    assert is_retracted(sold(total_refunded="30.0000")) == "refunded"


# Lines


def test_what_hangs_on_another_line_is_none_whatever_its_price() -> None:
    for nothing in (None, 0, "", "0", False):
        parts = [
            line(1, product_id=600, product_type="bundle", parent_item_id=nothing),
            line(2, product_id=601, parent_item_id=1, row_total=6, row_total_incl_tax=6),
            line(3, product_id=602, parent_item_id="1", row_total=4, row_total_incl_tax=4),
        ]
        assert lines(sold(items=parts)) == [("600", 1, Decimal(10))]
    nested = line(2, product_id=601, parent_item={"item_id": 1})
    assert lines(sold(items=[line(1, product_id=600), nested])) == [("600", 1, Decimal(10))]


def test_a_line_whose_parent_is_not_there_is_all_that_is_known() -> None:
    body = sold(items=[line(2, product_id=601, parent_item_id=1)])
    assert lines(body) == [("601", 1, Decimal(10))]
    assert "parent_line_missing" in only(order(body), RecordKind.PURCHASE).notes


def test_a_configurable_products_variant_is_its_child() -> None:
    parts = [
        line(1, product_id=500, product_type="configurable", sku="TSHIRT-M"),
        line(2, product_id=501, parent_item_id=1, row_total=0, row_total_incl_tax=0, sku="TSHIRT-M"),
    ]
    assert [one[0] for one in lines(sold(items=parts))] == ["500"]
    assert [one[0] for one in lines(sold(items=parts), product_id="variant")] == ["501"]
    assert [one[0] for one in lines(sold(items=parts), product_id="sku")] == ["TSHIRT-M"]
    [told] = purchase(order(sold(items=parts), product_id="sku")).lines
    assert told.url == "https://shop.example/catalog/product/view/id/500"


def test_a_gift_stays_a_line_and_a_line_below_zero_is_none() -> None:
    body = sold(
        items=[line(1), line(2, product_id=7, row_total=0, row_total_incl_tax=0), line(3, row_total=-5)]
    )
    assert lines(body) == [("500", 1, Decimal(10)), ("7", 1, Decimal(0))]
    assert "negative_line" in only(order(body), RecordKind.PURCHASE).notes


def test_a_line_repeated_under_its_own_id_counts_once() -> None:
    assert lines(sold(items=[line(1), line(1), line(2)])) == [("500", 2, Decimal(20))]


def test_units_may_have_decimals() -> None:
    body = sold(items=[line(1, qty_ordered="1.5000", row_total=15, row_total_incl_tax=15)])
    [told] = purchase(order(body)).lines
    assert (told.quantity, told.price, told.unit_price) == (2, Decimal(15), Decimal("10.00"))


def test_tax_is_part_of_a_line_unless_the_store_says_otherwise() -> None:
    taxed = line(1, row_total=100, row_total_incl_tax=120, tax_amount=18, discount_amount=10)
    body = sold(grand_total=113, base_grand_total=113, items=[taxed])
    for tax, paid, before in (("as_shown", 108, 120), ("included", 108, 120), ("excluded", 90, 100)):
        [told] = purchase(order(body, tax=tax)).lines
        assert (told.price, told.unit_price_original) == (Decimal(paid), Decimal(before))


@pytest.mark.parametrize(
    ("changes", "paid", "is_noted"),
    [
        ({"discount_amount": 6, "tax_amount": 4}, 18, False),  # 20 + 4 - 6
        ({"discount_amount": 6, "tax_amount": 4, "discount_tax_compensation_amount": 1}, 19, False),
        ({"row_total": 14, "discount_amount": 6, "tax_amount": 4}, 18, True),  # already less the discount
        ({"row_total_incl_tax": 24, "discount_amount": 6, "tax_amount": None}, 18, True),
        ({"row_total": None, "row_total_incl_tax": 24, "discount_amount": 6}, 18, False),
    ],
)
def test_the_reading_counts_whose_lines_agree_with_the_total(
    changes: dict[str, Any], paid: int, is_noted: bool
) -> None:
    one = line(1, qty_ordered=2, row_total=20, row_total_incl_tax=24) | changes
    body = sold(grand_total=paid + 5, base_grand_total=paid + 5, items=[one])
    assert lines(body) == [("500", 2, Decimal(paid))]
    assert ("line_amounts_reread" in only(order(body), RecordKind.PURCHASE).notes) is is_noted


def test_where_no_reading_agrees_the_platforms_own_counts() -> None:
    one = line(1, row_total=20, row_total_incl_tax=24, tax_amount=3, discount_amount=6)
    assert lines(sold(grand_total=99, base_grand_total=99, items=[one])) == [("500", 1, Decimal(17))]


def test_a_line_without_amounts_or_units_is_refused_by_name() -> None:
    assert refusal(sold(items=[line(row_total=None, row_total_incl_tax=None)])).field == "items.row_total"
    without = line()
    del without["qty_ordered"]
    assert refusal(sold(items=[without])).field == "items.qty_ordered"
    assert refusal(sold(items=[line(qty_ordered="many")])).reason == "invalid_quantity"
    missing = sold()
    del missing["items"]
    assert refusal(missing).field == "items"


def test_lists_with_gaps_come_as_objects() -> None:
    body = sold(items={"0": line(1), "2": line(2, product_id=501)})
    assert [one[0] for one in lines(body)] == ["500", "501"]


# People


def test_a_guest_without_a_name_has_that_of_the_bill() -> None:
    body = sold(
        customer_id=None,
        customer_firstname=None,
        customer_lastname=None,
        billing_address={
            "firstname": "Gala",
            "lastname": "Ruiz",
            "telephone": "600123456",
            "country_id": "es",
        },
    )
    told = contact(order(body))
    assert (told.name, told.surname, told.mobile_phone) == ("Gala", "Ruiz", "+34600123456")
    assert only(order(body), RecordKind.CONTACT).owner == ""


def test_a_middle_name_goes_with_the_first_and_guest_is_no_name() -> None:
    assert contact(order(sold(customer_firstname="Ana", customer_middlename="María"))).name == "Ana María"
    told = contact(order(sold(customer_firstname="Guest", billing_address=None)))
    assert (told.name, told.surname) == (None, "Example")


@pytest.mark.parametrize("billing", [None, "", [], "a text", [7]])
def test_an_order_without_a_bill_is_an_order(billing: Any) -> None:
    body = sold(billing_address=billing)
    assert contact(order(body)).email == "customer1@example.com"


def test_the_address_of_the_bill_stands_in() -> None:
    assert (
        contact(order(sold(customer_email="", billing_address={"email": "b@mail.example"}))).email
        == "b@mail.example"
    )
    assert refusal(sold(customer_email=None, billing_address=None)).reason == "no_email"
    assert order(sold(customer_email="gone@shop.invalid")).ignored == "anonymised"
