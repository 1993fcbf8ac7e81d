"""What PrestaShop's orders and customers mean, where only it says things so."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Contact, Purchase, RecordKind
from pipeline.shops.base import Rejected, Translation
from pipeline.shops.orders import retract_draft
from pipeline.shops.prestashop.fields import flag, rows
from pipeline.shops.prestashop.platform import PRESTASHOP
from pipeline.shops.values import epoch_ms, instant
from tests.contract.platform_events import Entities
from tests.prestashop import meaning
from tests.shop_bodies import CHANGED, Person, Sale
from tests.shop_bodies.prestashop import BODIES

SALE = BODIES.order(Sale())


def ms(moment: str) -> int:
    return epoch_ms(instant(moment, ""))


def order(
    body: dict[str, Any] | None = None, answers: dict[str, Any] | None = None, **settings: Any
) -> Translation:
    """What an order means with these fields and answers instead of its own."""
    assert SALE.announced is not None
    announced = SALE.announced(SALE.document | (body or {}))
    return meaning(Kind.ORDER, "1001", announced.answers | (answers or {}), **settings)


def purchase_of(said: Translation) -> Purchase:
    [found] = [draft.body for draft in said.drafts if isinstance(draft.body, Purchase)]
    return found


def purchase_notes(said: Translation) -> tuple[str, ...]:
    [found] = [draft.notes for draft in said.drafts if draft.kind is RecordKind.PURCHASE]
    return found


def row(**changes: Any) -> dict[str, Any]:
    first: dict[str, Any] = SALE.document["associations"]["order_rows"][0]
    return first | changes


# Half-written and odd forms


@pytest.mark.parametrize("associations", [None, "", [], {}, {"order_rows": []}, {"order_rows": ""}, False])
def test_an_order_without_its_rows_tells_nothing_and_has_no_part_in_the_clock(associations: Any) -> None:
    assert order({"associations": associations}) == Translation(0, ignored="half_written")


@pytest.mark.parametrize(
    "written",
    [
        [row()],
        {"order_row": row()},
        {"order_row": [row()]},
        {"0": row(), "3": None},
        row(),
    ],
)
def test_rows_are_read_in_every_form_of_php_and_xml(written: Any) -> None:
    assert purchase_of(order({"associations": {"order_rows": written}})).total_quantity == 2


def test_a_row_that_is_none_is_refused() -> None:
    with pytest.raises(Rejected, match="no list of objects"):
        rows({"order_rows": ["a text"]}, "order_rows")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", True),
        (1, True),
        (True, True),
        ("true", True),
        ("0", False),
        (0, False),
        ("", False),
        (False, False),
    ],
)
def test_a_flag_is_read_in_every_form(value: object, expected: bool) -> None:
    assert flag(value) is expected


@pytest.mark.parametrize("value", [None, "2", "perhaps", [], {}, 1.5])
def test_what_is_no_flag_says_nothing(value: object) -> None:
    assert flag(value) is None


def test_an_order_that_does_not_say_whether_it_is_sold_is_refused() -> None:
    with pytest.raises(Rejected, match="valid"):
        order({"valid": None})


# States


@pytest.mark.parametrize(
    ("state", "awaited"),
    [
        ({"template": "bankwire", "module_name": "", "paid": "0"}, True),
        ({"template": "cheque", "paid": "0"}, True),
        ({"template": "cashondelivery", "paid": "0"}, True),
        ({"template": "outofstock", "paid": "0"}, True),
        ({"template": "", "module_name": "ps_wirepayment", "paid": "0"}, True),
        ({"template": "outofstock", "paid": "1"}, False),
        ({"template": "order_canceled", "paid": "0"}, False),
        ({"template": [{"id": "1", "value": "bankwire"}], "paid": "0"}, False),
    ],
)
def test_a_sale_is_in_question_in_the_states_that_await_money_or_goods(
    state: dict[str, Any], awaited: bool
) -> None:
    said = order(
        {"valid": "0", "current_state": "55"}, {"/api/order_states/55": {"order_state": {"id": 55, **state}}}
    )
    assert said.drafts == (() if awaited else (retract_draft(None),))


def test_states_that_cannot_be_read_are_known_by_the_ids_they_are_installed_with() -> None:
    assert order({"valid": "0", "current_state": "13"}).drafts == ()
    assert order({"valid": "0", "current_state": "6"}).drafts == (retract_draft(None),)


def test_a_store_may_list_the_states_that_are_sold() -> None:
    assert (
        purchase_of(order({"valid": "0", "current_state": "20"}, sold_statuses={"20"})).purchase_id == "1001"
    )
    assert order({"current_state": "2"}, sold_statuses={"20"}).drafts == (retract_draft(None),)


# Money


def slips(*details: dict[str, Any], goods: str, postage: str = "0.000000") -> dict[str, Any]:
    slip = {
        "id": 1,
        "total_products_tax_incl": goods,
        "total_shipping_tax_incl": postage,
        "total_products_tax_excl": goods,
        "total_shipping_tax_excl": postage,
        "amount": "0.01",
        "associations": {"order_slip_details": list(details)},
    }
    return {"/api/order_slip": {"order_slips": [slip]}}


def test_a_credit_slip_takes_its_money_and_its_units_off() -> None:
    detail = {"id": "1", "id_order_detail": "1", "product_quantity": "1"}
    said = order(answers=slips(detail, goods="10.000000"))
    purchase = purchase_of(said)
    assert (purchase.total_price, purchase.total_quantity) == (Decimal("10.00"), 1)
    assert purchase.lines[0].price == Decimal("10.00")
    assert "partly_refunded" in purchase_notes(said)


def test_a_slip_that_names_no_row_takes_its_money_off_and_leaves_the_lines() -> None:
    purchase = purchase_of(order(answers=slips(goods="0.000000", postage="4.950000")))
    assert (purchase.total_price, purchase.total_quantity) == (Decimal("15.05"), 2)


def test_with_every_unit_given_back_only_postage_remains_and_that_is_no_purchase() -> None:
    detail = {"id_order_detail": "1", "product_quantity": "2"}
    said = order({"total_paid": "24.950000"}, slips(detail, goods="20.000000"))
    assert (said.drafts, said.ignored) == ((retract_draft(None),), "all_lines_refunded")


def test_a_slip_of_more_than_was_paid_takes_all_of_it_back() -> None:
    said = order(answers=slips(goods="22.94", postage="8.40"))
    assert (said.drafts, said.ignored) == ((retract_draft(None),), "refunded")


def test_amounts_without_tax_are_those_that_the_shop_says() -> None:
    document = {
        "total_paid_tax_excl": "16.528926",
        "associations": {"order_rows": [row(unit_price_tax_excl="8.264463")]},
    }
    purchase = purchase_of(order(document, tax="excluded"))
    assert (purchase.total_price, purchase.lines[0].price) == (Decimal("16.5289"), Decimal("16.53"))


def test_a_rows_own_discount_shows_in_its_price_before() -> None:
    discounted = row(
        product_price="12.396694", unit_price_tax_incl="12.000000", unit_price_tax_excl="9.917355"
    )
    [line] = purchase_of(order({"associations": {"order_rows": [discounted]}})).lines
    assert (line.unit_price, line.unit_price_original) == (Decimal("12.00"), Decimal("15.00"))


def test_the_shops_rate_of_exchange_is_never_used() -> None:
    said = order({"conversion_rate": "4.320000", "total_paid_real": "999.0"})
    assert purchase_of(said).total_price == Decimal("20.00")


def test_a_row_that_stands_there_twice_counts_once_and_one_below_zero_not_at_all() -> None:
    listed = [row(), row(), row(id="2", unit_price_tax_incl="-5.000000")]
    said = order({"associations": {"order_rows": listed}})
    assert purchase_of(said).total_quantity == 2
    assert {"line_repeated", "negative_line"} <= set(purchase_notes(said))


def test_a_combination_is_told_under_an_id_that_no_product_has() -> None:
    listed = [row(product_attribute_id="15"), row(id="2", product_attribute_id="16")]
    document = {"associations": {"order_rows": listed}}
    told = purchase_of(order(document, product_id="variant")).lines
    assert [line.product_id for line in told] == ["77-15", "77-16"]
    assert all(line.url.endswith("id_product=77") for line in told)
    assert [line.product_id for line in purchase_of(order(document)).lines] == ["77"]
    named = purchase_of(order(document, product_id="variant", combination_id="{product}_{combination}")).lines
    assert named[0].product_id == "77_15"


# Ids, coupons, people


def test_a_purchase_may_be_known_by_its_reference() -> None:
    assert purchase_of(order(purchase_id="number")).purchase_id == "ABCDEFGHI"
    with pytest.raises(Rejected, match="reference"):
        order({"reference": ""}, purchase_id="number")


def test_a_discount_without_a_code_is_no_coupon() -> None:
    applied = {
        "order_cart_rules": [
            {"id": 1, "id_cart_rule": "8", "name": "3 for 2"},
            {"id": 2, "id_cart_rule": "9", "name": "Welcome to our shop"},
            {"id": 3, "id_cart_rule": "10", "name": "DELETED"},
        ]
    }
    said = order(
        {"total_discounts": "5.000000"},
        {
            "/api/order_cart_rules": applied,
            "/api/cart_rules/8": {"cart_rule": {"id": 8, "code": ""}},
            "/api/cart_rules/9": {"cart_rule": {"id": 9, "code": "WELCOME5"}},
        },
    )
    [sold] = [draft for draft in said.drafts if draft.kind is RecordKind.PURCHASE]
    assert sold.coupons == ("WELCOME5", "DELETED")


def test_the_phone_is_read_with_the_country_of_its_address() -> None:
    [contact] = [draft.body for draft in order().drafts if isinstance(draft.body, Contact)]
    assert contact.mobile_phone == "+34612345678"


def test_an_order_whose_buyer_is_gone_waits_as_a_dead_letter() -> None:
    with pytest.raises(Rejected, match="no_email"):
        order({"id_customer": "99"})


@pytest.mark.parametrize("address", ["anonymous@psgdpr.com", " Anonymous@PSGDPR.com", "gone@shop.invalid"])
def test_an_erased_persons_order_is_nobodys(address: str) -> None:
    person = {"/api/customers/12": {"customer": {"id": 12, "email": address}}}
    assert order(answers=person).ignored == "anonymised"
    assert meaning(Kind.CUSTOMER, "12", person).ignored == "anonymised"


def test_what_is_of_another_shop_of_the_installation_is_ignored() -> None:
    assert order({"id_shop": "2"}, shop_id="1").ignored == "other_shop"
    assert purchase_of(order({"id_shop": "2"}, shop_id="2")).purchase_id == "1001"
    person = {"/api/customers/12": {"customer": {"id": 12, "email": "a@mail.example", "id_shop": "2"}}}
    assert meaning(Kind.CUSTOMER, "12", person, shop_id="1").ignored == "other_shop"


# The hour that exists twice


def test_in_the_hour_that_exists_twice_what_is_read_later_is_newer() -> None:
    first = order({"date_upd": "2024-10-27 02:50:00"}, read_ms=ms("2024-10-27T00:50:05Z"))
    second = order({"date_upd": "2024-10-27 02:10:00", "valid": "0"}, read_ms=ms("2024-10-27T01:10:05Z"))
    assert (first.version, second.version) == (ms("2024-10-27T00:50:00Z"), ms("2024-10-27T01:10:00Z"))


# Consent


def test_who_ticks_and_unticks_the_box_is_heard_each_time() -> None:
    shop = Entities(PRESTASHOP)
    values = []
    for seconds, consent in enumerate(("subscribed", "left", "subscribed")):
        said = CHANGED + timedelta(seconds=seconds)
        heard = shop.hear(BODIES.customer(Person(consent=consent, consented=said, changed=said)))
        values.append(
            [
                word
                for word in (b'"subscribed"', b'"unsubscribed"')
                if any(word in one.value for one in heard.emissions)
            ]
        )
    assert values[0] == [b'"subscribed"']
    assert values[1] == [b'"unsubscribed"']
    assert values[2] == [b'"subscribed"']


def test_zero_after_one_is_a_withdrawal_also_without_a_date() -> None:
    shop = Entities(PRESTASHOP)
    shop.hear(BODIES.customer(Person(consent="1")))
    [gone] = shop.hear(BODIES.customer(Person(consent="0"))).emissions
    assert b'"unsubscribed"' in gone.value
