"""What PrestaShop's orders, customers and products mean."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Op, RecordKind
from pipeline.shops.base import Audience, Look, Rejected
from pipeline.shops.prestashop import PRESTASHOP
from tests.prestashop import (
    arrived,
    article,
    contact,
    customer,
    fetched,
    ms,
    only,
    order,
    product,
    purchase,
    read,
    sold,
    store,
)

ROW = sold()["associations"]["order_rows"][0]
NOON = ms("2025-06-15 12:00:00")


def rows(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"order_rows": list(listed)}


def slips(**amounts: str) -> dict[str, Any]:
    return {"/api/order_slip": {"order_slips": [{"id": 4, **amounts}]}}


def refusal(body: dict[str, Any], **given: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        order(body, **given)
    return caught.value


# Orders


@pytest.mark.parametrize("valid", ["1", 1, True, "true"])
def test_valid_says_that_it_is_sold_in_whatever_type(valid: Any) -> None:
    assert purchase(order(sold(valid=valid)))


@pytest.mark.parametrize("valid", ["0", 0, False, ""])
def test_what_is_not_valid_awaits_or_is_taken_back_by_its_state(valid: Any) -> None:
    for state, ops in (("10", []), ("1", []), ("0", []), ("6", [Op.RETRACT]), ("99", [Op.RETRACT])):
        said = order(sold(valid=valid, current_state=state))
        assert [draft.op for draft in said.drafts] == ops
    assert order(sold(valid=valid, current_state="99"), awaiting_states=["99"]).drafts == ()


def test_a_store_may_list_its_states() -> None:
    assert purchase(order(sold(valid="0", current_state="99"), sold_statuses=["99"]))
    assert order(sold(current_state="98"), sold_statuses=["99"]).ignored == "not_valid"


def test_valid_that_is_missing_or_odd_is_refused() -> None:
    assert (refusal(sold(valid=None)).reason, refusal(sold(valid="maybe")).reason) == (
        "missing_field",
        "invalid_field",
    )


@pytest.mark.parametrize("associations", [None, "", [], {}, {"order_rows": ""}, {"order_rows": []}])
def test_an_order_that_is_being_written_says_nothing_and_has_no_version(associations: Any) -> None:
    for changes in ({"valid": "0", "current_state": "0"}, {"valid": "1"}):
        said = order(sold(associations=associations, **changes))
        assert (said.version, said.drafts, said.ignored) == (0, (), "half_written")
    assert order(sold(associations=associations, valid="0", current_state="6")).ignored == "not_valid"


@pytest.mark.parametrize("form", [[ROW], ROW, {"order_row": ROW}, {"order_row": [ROW]}, {"1": ROW}])
def test_rows_come_in_every_form_of_a_list(form: Any) -> None:
    told = purchase(order(sold(associations={"order_rows": form})))
    assert [(line.product_id, line.quantity) for line in told.lines] == [("7", 2)]


def test_a_row_under_an_earlier_ones_id_counts_once() -> None:
    assert purchase(order(sold(associations=rows(ROW, ROW)))).total_quantity == 2


def test_what_is_paid_back_comes_off_and_nothing_is_ever_below_zero() -> None:
    part = slips(total_products_tax_incl="10.000000", total_shipping_tax_incl="0.000000")
    assert purchase(order(sold(), beside=part)).total_price == Decimal("19.9000")
    assert purchase(order(sold(), beside=part, on_partial_refund="keep")).total_price == Decimal("29.9000")
    goods = slips(total_products_tax_incl="30.000000", total_shipping_tax_incl="0.000000")
    assert order(sold(total_paid_tax_incl="34.900000"), beside=goods).ignored == "all_lines_refunded"
    more = slips(total_products_tax_incl="40.000000", total_shipping_tax_incl="4.900000")
    assert order(sold(), beside=more).ignored == "refunded"
    old = {"/api/order_slip": {"order_slips": {"order_slip": {"id": 4, "amount": "5.00"}}}}
    assert purchase(order(sold(), beside=old)).total_price == Decimal("24.9000")


def test_the_currency_is_that_of_another_document_and_nothing_is_converted() -> None:
    assert refusal(sold(), currency="PLN").reason == "currency_mismatch"
    missing: dict[str, Any] = {"/api/currencies/1": {}}
    assert refusal(sold(), beside=missing, currency="EUR").reason == "missing_field"
    assert "currency_missing" in only(order(sold(), beside=missing), RecordKind.PURCHASE).notes


def test_ids_are_the_orders_own_unless_the_store_says_the_reference() -> None:
    assert purchase(order(sold())).purchase_id == "41"
    assert purchase(order(sold(), purchase_id="number")).purchase_id == "ABCDEFGHI"
    assert refusal(sold(reference=""), purchase_id="name").field == "reference"


def test_a_row_is_its_product_its_combination_or_its_reference() -> None:
    row = ROW | {"product_id": "8", "product_attribute_id": "15", "product_reference": "TSHIRT-M"}
    body = sold(associations=rows(row))
    for identity, told in (("product", "8"), ("variant", "8-15"), ("sku", "TSHIRT-M")):
        assert [line.product_id for line in purchase(order(body, product_id=identity)).lines] == [told]
    assert purchase(order(body, tax="excluded")).lines[0].unit_price == Decimal("8.2645")


def test_an_order_of_another_shop_or_an_erased_person_is_ignored() -> None:
    assert order(sold(), shop_id="2").ignored == "other_shop"
    assert purchase(order(sold(), shop_id="1"))
    erased = {"/api/customers/12": {"customer": {"id": 12, "email": "Anonymous@psgdpr.com"}}}
    assert order(sold(), beside=erased).ignored == "anonymised"
    gone: dict[str, Any] = {"/api/customers/12": {}}
    assert refusal(sold(), beside=gone).reason == "no_email"


def test_an_order_and_a_customer_say_their_shop_language_and_currency() -> None:
    body = sold(id_shop="2", id_lang="3")
    said = order(body, languages={"3": "pt_PT"})
    assert all(draft.audience == Audience(("pt-pt",), ("2",), ("EUR",)) for draft in said.drafts)
    [person] = customer(row(id_shop="2", id_lang="3"), languages={"3": "pt"}).drafts
    assert person.audience == Audience(("pt",), ("2",))


def test_a_guests_order_is_known_by_the_address_and_the_bill_has_the_name() -> None:
    guest = {"id": 12, "email": "ana@mail.example", "is_guest": "1"}
    bill = {"id": 5, "id_country": "6", "firstname": "Gala", "lastname": "Ruiz", "phone": "600123456"}
    said = order(
        sold(), beside={"/api/customers/12": {"customer": guest}, "/api/addresses/5": {"address": bill}}
    )
    assert only(said, RecordKind.CONTACT).owner == ""
    told = contact(said)
    assert (told.name, told.surname, told.mobile_phone) == ("Gala", "Ruiz", "+34600123456")


def test_a_deleted_order_takes_its_purchase_back_unless_the_store_keeps_it() -> None:
    event = arrived({"action": "delete", "entity": "Order", "data": {"id": 41}})
    assert PRESTASHOP.translate(event, store()).drafts[0].op is Op.RETRACT
    assert PRESTASHOP.translate(event, store(on_order_deleted="keep")).ignored == "order_kept"


def test_a_document_that_is_not_there_says_nothing() -> None:
    event = fetched(Kind.ORDER, "41", {"/api/orders/41": {"errors": [{"code": 131}]}})
    assert PRESTASHOP.translate(event, store()).ignored == "not_found"


# People


def row(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = read("pull-customers-full.json")["exchanges"][0]["response"]["body"]["customers"][
        0
    ]
    return body | changes


ZERO = "0000-00-00 00:00:00"


@pytest.mark.parametrize(
    ("changes", "look"),
    [
        ({}, Look(True, ms("2024-05-06 10:14:00"), is_dated=True)),
        ({"newsletter_date_add": ZERO}, Look(True, ms("2024-01-01 10:00:00"))),
        ({"newsletter": "0"}, Look(False, ms("2024-05-06 10:14:00"))),
        ({"newsletter": "0", "newsletter_date_add": ZERO}, Look(False, 0)),
        ({"newsletter": "0", "newsletter_date_add": ZERO, "optin": "1"}, Look(False, 0)),
        ({"newsletter": None}, None),
        ({"newsletter": "maybe"}, None),
        ({"is_guest": "1"}, None),
    ],
)
def test_the_newsletters_flag_and_its_date_say_when(changes: dict[str, Any], look: Look | None) -> None:
    assert customer(row(**changes)).drafts[0].look == look


def test_a_row_that_is_deleted_softly_is_a_deleted_customer() -> None:
    assert customer(row(deleted="1")).ignored == "customer_kept"
    assert customer(row(deleted="1"), on_customer_deleted="delete").drafts[0].op is Op.RETRACT


def test_placeholders_and_other_shops_customers_are_ignored() -> None:
    assert customer(row(email="anonymous@psgdpr.com")).ignored == "anonymised"
    assert customer(row(), shop_id="9").ignored == "other_shop"
    with pytest.raises(Rejected, match="no_email"):
        customer(row(email=""))


# Products


def mug(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = read("constructed-ws-product-multilang.json")["product"]
    return body | changes


@pytest.mark.parametrize(
    ("stock", "changes", "availability"),
    [
        ([{"quantity": "12"}], {}, "instock"),
        ([{"quantity": "0", "out_of_stock": "2"}], {}, "outofstock"),
        ([{"quantity": "0", "out_of_stock": "1"}], {}, "instock"),
        ([{"quantity": "0"}, {"quantity": "3", "id_product_attribute": "5"}], {}, "instock"),
        ([{"quantity": "12"}], {"available_for_order": "0"}, "outofstock"),
        ([{"quantity": "many"}], {}, "outofstock"),
        ([], {}, None),
    ],
)
def test_stock_is_said_by_its_rows(
    stock: list[dict[str, Any]], changes: dict[str, Any], availability: str | None
) -> None:
    assert article(product(mug(**changes), stock=stock)).availability == availability


def test_what_is_not_active_is_hidden_and_what_no_list_shows_not_recommended() -> None:
    assert product(mug(active="0")).drafts[0].op is Op.HIDE
    assert article(product(mug(visibility="none"))).is_blacklisted is True
    with pytest.raises(Rejected, match="active"):
        product(mug(active=None))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Mug &amp; Co", "Mug & Co"),
        ([{"id": "1", "value": ""}, {"id": "2", "value": "Taza"}], "Taza"),
        ({"1": "Mug", "2": "Taza"}, "Mug"),
        ({"language": [{"@attributes": {"id": "1"}, "value": "Mug"}]}, "Mug"),
        ({"language": {"attrs": {"id": "1"}, "value": "Mug"}}, "Mug"),
    ],
)
def test_a_name_comes_in_several_forms(name: Any, told: str) -> None:
    assert article(product(mug(name=name))).name == told


def test_an_account_gets_the_product_in_its_own_language() -> None:
    own = store(languages={"1": "en", "2": "es-MX"})
    event = fetched(Kind.PRODUCT, "7", {"/api/products/7": {"product": mug()}})
    said = PRESTASHOP.translate(event, own)
    assert said.drafts[0].audience.languages == ("en", "es-mx")
    assert article(said).name == "Mug"


SPECIAL = {
    "price": "-1.000000",
    "reduction": "0.200000",
    "reduction_type": "percentage",
    "from_quantity": "1",
}


@pytest.mark.parametrize(
    ("changes", "price"),
    [
        ({}, "6.6116"),
        ({"from": "2025-06-16 00:00:00"}, "8.2645"),
        ({"to": "2025-06-14 00:00:00"}, "8.2645"),
        ({"from": ZERO, "to": ZERO}, "6.6116"),
        ({"id_group": "3"}, "8.2645"),
        ({"id_product_attribute": "5"}, "8.2645"),
        ({"from_quantity": "10"}, "8.2645"),
        ({"reduction": "2.00", "reduction_type": "amount", "reduction_tax": "0"}, "6.2645"),
        ({"reduction": "2.42", "reduction_type": "amount", "reduction_tax": "1"}, "8.2645"),
        ({"price": "5.00", "reduction": "0"}, "5.00"),
        ({"reduction": "?"}, "8.2645"),
        ({"from": "soon"}, "8.2645"),
    ],
)
def test_a_special_price_counts_for_everybody_while_it_is_in_force(
    changes: dict[str, str], price: str
) -> None:
    told = article(product(mug(), special=[SPECIAL | changes], received_ms=NOON))
    assert (told.unit_price, told.unit_price_original) == (Decimal(price), Decimal("8.2645"))


def test_tax_is_added_where_the_store_says_the_rate() -> None:
    taxed = SPECIAL | {"reduction": "2.42", "reduction_type": "amount", "reduction_tax": "1"}
    told = article(product(mug(), special=[taxed], received_ms=NOON, tax_rate=21))
    assert (told.unit_price, told.unit_price_original) == (Decimal("7.58"), Decimal("10.00"))


def test_its_page_has_the_form_of_the_shops_addresses() -> None:
    assert article(product(mug(), friendly_url="{rewrite}-{id}")).url == "https://shop.example/mug-7"
    assert article(product(mug(link_rewrite=""))).url == (
        "https://shop.example/index.php?controller=product&id_product=7"
    )
