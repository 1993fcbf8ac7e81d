"""What WooCommerce orders mean, rule by rule: statuses, money, lines, the buyer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation
from tests.woocommerce import RECEIVED_MS, contact_of, line, ms, only, order, purchase_of, translate


def sold(body: dict[str, Any], **settings: Any) -> Translation:
    return translate(body, "order.updated", **settings)


def refused(body: dict[str, Any], **settings: Any) -> tuple[str, str]:
    with pytest.raises(Rejected) as rejected:
        sold(body, **settings)
    return rejected.value.reason, rejected.value.field


#: Takes back what was told of the order, under whatever id, and is dropped where nothing was.
GONE = Draft(RecordKind.PURCHASE, None, Origin.ORDER, None, Op.RETRACT, if_emitted=True)


@pytest.mark.parametrize("status", ["checkout-draft", "auto-draft"])
def test_drafts_are_dropped_before_anything_else(status: str) -> None:
    cart = {
        "id": 1,
        "date_modified_gmt": "2024-03-01T10:00:00",
        "status": status,
        "currency": "XXX",
        "billing": {"email": ""},
        "line_items": "none",
    }
    translation = sold(cart, currency="EUR", sold_statuses={"checkout-draft", "auto-draft"})
    assert (translation.drafts, translation.ignored) == ((GONE,), "draft")


@pytest.mark.parametrize(
    ("status", "paid", "is_sold"),
    [
        ("processing", None, True),  # cash on delivery is paid at the door
        ("completed", None, True),
        ("shipped", "2024-03-01T10:04:00", True),  # a status of a plugin
        ("shipped", None, False),
        ("pending", None, False),
        ("pending", "2024-03-01T10:04:00", False),
        ("on-hold", "2024-03-01T10:04:00", False),
        ("failed", "2024-03-01T10:04:00", False),
    ],
)
def test_what_is_sold_by_default(status: str, paid: str | None, is_sold: bool) -> None:
    translation = sold(order(status=status, date_paid_gmt=paid))
    upserts = [draft for draft in translation.drafts if draft.op is Op.UPSERT]
    assert bool(upserts) is is_sold


def test_the_stores_own_list_of_statuses_replaces_the_default() -> None:
    assert sold(order(status="on-hold", date_paid_gmt=None), sold_statuses={"on-hold"}).drafts
    translation = sold(order(status="processing"), sold_statuses={"on-hold"})
    assert (translation.drafts, translation.ignored) == ((GONE,), "not_sold")


@pytest.mark.parametrize("status", ["cancelled", "refunded", "failed", "trash"])
def test_an_undone_order_takes_its_purchase_back_if_it_was_sent(status: str) -> None:
    translation = sold(order(status=status, billing={"email": ""}, currency="XXX"), currency="EUR")
    assert (translation.drafts, translation.ignored) == ((GONE,), status)


def test_a_waiting_order_takes_nothing_back() -> None:
    assert sold(order(status="on-hold")).drafts == ()


def test_a_thrown_away_order_is_retracted_or_kept_by_the_settings() -> None:
    gone = translate({"id": 727}, "order.deleted")
    assert (gone.version, gone.drafts) == (RECEIVED_MS, (GONE,))
    kept = translate({"id": 727}, "order.deleted", on_order_deleted="keep")
    assert (kept.drafts, kept.ignored) == ((), "order_kept")
    binned = sold(order(status="trash"), on_order_deleted="keep")  # some shops announce it this way
    assert (binned.drafts, binned.ignored) == ((), "order_kept")


def test_a_partial_refund_leaves_what_remains() -> None:
    body = order(refunds=[{"id": 1, "total": "-4.50"}, {"id": 2, "total": -1}])
    translation = sold(body)
    assert purchase_of(translation).total_price == Decimal("10.50")
    assert "refunded_lines_kept" in only(translation, RecordKind.PURCHASE).notes
    kept = sold(body, on_partial_refund="keep")
    assert purchase_of(kept).total_price == Decimal("16.00")
    assert only(kept, RecordKind.PURCHASE).notes == ()


def test_a_full_refund_in_an_old_status_is_one_all_the_same() -> None:
    for keep in ("replace", "keep"):
        translation = sold(order(refunds=[{"total": "-16.00"}]), on_partial_refund=keep)
        assert only(translation, RecordKind.PURCHASE).op is Op.RETRACT
        assert translation.ignored == "refunded"


def test_an_order_that_cost_nothing_is_sold() -> None:
    free = line(subtotal="0.00", subtotal_tax="0.00", total="0.00", total_tax="0.00")
    assert purchase_of(sold(order(free, total="0.00"))).total_price == 0


@pytest.mark.parametrize(
    ("shown_with_tax", "tax", "price", "before"),
    [
        (False, "as_shown", "10.00", "12.00"),
        (True, "as_shown", "11.00", "13.20"),
        (False, "included", "11.00", "13.20"),
        (True, "excluded", "10.00", "12.00"),
    ],
)
def test_prices_of_lines_hold_the_tax_as_the_shop_shows_it(
    shown_with_tax: bool, tax: str, price: str, before: str
) -> None:
    (told,) = purchase_of(sold(order(prices_include_tax=shown_with_tax), tax=tax)).lines
    assert (told.price, told.unit_price, told.unit_price_original) == (
        Decimal(price),
        Decimal(price) / 2,
        Decimal(before) / 2,
    )


def test_whether_prices_hold_tax_is_never_guessed() -> None:
    assert refused(order(prices_include_tax=None)) == ("missing_field", "prices_include_tax")
    assert purchase_of(sold(order(prices_include_tax=None), tax="excluded")).lines


def test_lines_of_one_product_are_one_line() -> None:
    body = order(line(22, variation_id=23), line(22, variation_id=24, quantity=1, total="7.00"), line(93))
    first, second = purchase_of(sold(body)).lines
    assert (first.product_id, first.quantity, first.price) == ("22", 3, Decimal("17.00"))
    assert second.product_id == "93"


def test_variations_are_lines_of_their_own_where_they_are_the_products() -> None:
    body = order(line(22, variation_id=23), line(22, variation_id=24), line(93))
    ids = [told.product_id for told in purchase_of(sold(body, product_id="variant")).lines]
    assert ids == ["23", "24", "93"]


def test_a_variations_line_bears_the_products_name_where_the_product_is_meant() -> None:
    body = order(line(22, variation_id=23, name="Pens - Red", parent_name="Pens &amp; Ink"))
    assert purchase_of(sold(body)).lines[0].name == "Pens & Ink"
    assert purchase_of(sold(body, product_id="variant")).lines[0].name == "Pens - Red"


def test_names_lose_their_html_escapes_once() -> None:
    body = order(line(name="&lt;Variable&gt; Fun Pens! &amp;amp; more"))
    assert purchase_of(sold(body)).lines[0].name == "<Variable> Fun Pens! &amp; more"


def test_a_sku_may_be_a_number() -> None:
    body = order(line(sku=123456))
    assert purchase_of(sold(body, product_url="https://x.example/{sku}")).lines[0].url.endswith("/123456")


def test_fractions_round_the_units_up_and_leave_the_money_alone() -> None:
    translation = sold(order(line(quantity=1.5, total="15.00", subtotal="15.00")))
    (told,) = purchase_of(translation).lines
    assert (told.quantity, told.price, told.unit_price) == (2, Decimal("15.00"), Decimal("10.00"))
    assert "quantity_rounded" in only(translation, RecordKind.PURCHASE).notes


def test_nothing_bought_is_no_line() -> None:
    body = order(line(94, quantity=0, total="0", subtotal="0"), line(93))
    translation = sold(body)
    assert [told.product_id for told in purchase_of(translation).lines] == ["93"]
    assert "line_without_quantity" in only(translation, RecordKind.PURCHASE).notes


def test_a_line_without_quantity_that_was_paid_counts_one() -> None:
    translation = sold(order(line(quantity=0)))
    assert purchase_of(translation).lines[0].quantity == 1
    assert "quantity_rounded" in only(translation, RecordKind.PURCHASE).notes


def test_a_price_raised_by_hand_was_no_discount() -> None:
    translation = sold(order(line(subtotal="8.00")))
    assert purchase_of(translation).lines[0].unit_price_original == Decimal("5.00")
    assert "original_price_raised" in only(translation, RecordKind.PURCHASE).notes


def test_product_zero_is_no_product() -> None:
    translation = sold(order(line(0), line(93)))
    told = purchase_of(translation)
    assert [one.product_id for one in told.lines] == ["93"]
    assert (told.total_price, told.total_quantity) == (Decimal("16.00"), 4)
    assert "line_without_product" in only(translation, RecordKind.PURCHASE).notes


def test_an_order_without_products_needs_the_placeholder() -> None:
    assert refused(order(line(0))) == ("no_products", "line_items")
    assert purchase_of(sold(order(line(0)), placeholder_product="other")).lines[0].product_id == "other"


FREE = {"total": "0.00", "total_tax": "0.00", "subtotal": "0.00", "subtotal_tax": "0.00"}


def test_a_bundle_paid_as_a_whole_is_its_own_line_alone() -> None:
    parts = [line(2, id=11, bundled_by=10, **FREE), line(3, id=12, bundled_by=10, **FREE)]
    translation = sold(order(line(1, id=10, bundled_by="", bundled_items=[11, 12]), *parts))
    assert [told.product_id for told in purchase_of(translation).lines] == ["1"]
    assert purchase_of(translation).total_quantity == 2
    assert "bundle_counted_once" in only(translation, RecordKind.PURCHASE).notes


def test_a_bundle_paid_by_its_parts_is_the_parts() -> None:
    parts = [line(2, id=11, composite_parent=10), line(3, id=12, composite_parent=10)]
    translation = sold(order(line(1, id=10, **FREE), *parts))
    assert [told.product_id for told in purchase_of(translation).lines] == ["2", "3"]


def test_a_bundle_paid_at_both_keeps_both() -> None:
    translation = sold(order(line(1, id=10), line(2, id=11, bundled_by=10)))
    assert sum(told.price for told in purchase_of(translation).lines) == Decimal("20.00")
    assert only(translation, RecordKind.PURCHASE).notes == ()


def test_a_bundle_is_known_by_its_meta_data_too() -> None:
    parent = line(1, id=10, meta_data=[{"key": "_bundle_cart_key", "value": "abc"}, "odd", {"key": ["x"]}])
    part = line(2, id=11, meta_data=[{"key": "_bundled_by", "value": "abc"}], **FREE)
    assert [told.product_id for told in purchase_of(sold(order(parent, part))).lines] == ["1"]


def test_a_gift_outside_of_any_bundle_stays() -> None:
    translation = sold(order(line(1, id=10), line(2, id=11, **FREE), line(3, id=12, bundled_by=99, **FREE)))
    assert [told.product_id for told in purchase_of(translation).lines] == ["1", "2", "3"]


def test_another_currency_than_the_accounts_is_refused() -> None:
    assert refused(order(currency="USD"), currency="EUR") == ("currency_mismatch", "currency")
    assert sold(order(currency="USD")).drafts


def test_a_guest_without_an_address_is_refused() -> None:
    assert refused(order(billing={"email": ""}))[0] == "no_email"
    assert refused(order(billing=[]))[0] == "no_email"


def test_the_contact_of_an_order_is_the_billing_person_without_consent() -> None:
    told = contact_of(sold(order()))
    assert told.model_dump(exclude_none=True) == {
        "email": "ana@example.com",
        "name": "Ana",
        "surname": "O'Neill",
        "mobile_phone": "+34612345678",
        "custom": {},
    }


def test_an_unusable_phone_is_dropped_and_noted() -> None:
    billing = {"email": "ana@example.com", "phone": "call me", "country": "ES"}
    draft = only(sold(order(billing=billing)), RecordKind.CONTACT)
    assert draft.notes == ("phone_invalid",)


def test_an_unsold_order_makes_a_contact_only_where_the_store_wants_it() -> None:
    waiting = order(status="pending", date_paid_gmt=None)
    assert sold(waiting).drafts == ()
    assert contact_of(sold(waiting, contacts_from_unsold_orders=True)).email == "ana@example.com"
    assert sold(waiting | {"billing": {"email": "no"}}, contacts_from_unsold_orders=True).drafts == ()


def test_a_customer_without_an_address_can_be_known_by_the_id() -> None:
    body = order(customer_id=26, billing={"email": ""})
    told = purchase_of(sold(body, guests_without_email="external_id"))
    assert (told.contact_email, told.contact_external_id) == (None, "26")


def test_the_purchase_id_is_the_id_or_the_number() -> None:
    assert purchase_of(sold(order())).purchase_id == "727"
    for setting in ("number", "name"):
        assert purchase_of(sold(order(), purchase_id=setting)).purchase_id == "1727"
    assert refused(order(number=None), purchase_id="number") == ("missing_field", "number")


def test_the_payment_method_is_what_the_shopper_read() -> None:
    assert purchase_of(sold(order())).payment_method == "Pago contra reembolso"
    assert purchase_of(sold(order(payment_method_title=""))).payment_method == "cod"


def test_the_purchase_date_is_when_it_was_placed_in_utc() -> None:
    assert purchase_of(sold(order())).purchase_date == "2024-03-01T10:00:00Z"


def test_local_time_is_read_with_the_stores_zone_and_noted() -> None:
    local = {"date_created": "2024-07-01T12:00:00", "date_modified": "2024-07-01T12:05:00"}
    body = order(date_created_gmt=None, date_modified_gmt="", **local)
    translation = sold(body, timezone="Europe/Madrid")
    assert translation.version == ms("2024-07-01T10:05:00Z")
    assert purchase_of(translation).purchase_date == "2024-07-01T10:00:00Z"
    assert only(translation, RecordKind.PURCHASE).notes == ("local_time_used",)


def test_the_version_falls_back_to_creation_then_to_arrival() -> None:
    assert sold(order(date_modified_gmt=None)).version == ms("2024-03-01T10:00:00Z")
    cart = sold({"id": 1, "status": "pending"})
    assert cart.version == RECEIVED_MS


def test_a_restored_order_is_not_older_than_its_deletion() -> None:
    """Both may wait in the shop's queue for an hour; the deletion has no clock but its arrival."""
    assert translate(order(), "order.restored").version == RECEIVED_MS


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"id": None}, "missing_field", "id"),
        ({"id": -1}, "invalid_id", "id"),
        ({"status": None}, "missing_field", "status"),
        ({"refunds": "none"}, "invalid_field", "refunds"),
        ({"total": "-1"}, "invalid_money", "total"),
        ({"total": None}, "invalid_money", "total"),
        ({"date_created_gmt": None}, "missing_field", "date_created_gmt"),
        ({"date_created_gmt": "0000-00-00T00:00:00"}, "missing_field", "date_created_gmt"),
        ({"date_modified_gmt": "soon"}, "invalid_date", "date_modified_gmt"),
        ({"line_items": "many"}, "invalid_field", "line_items"),
        ({"line_items": [1]}, "invalid_field", "line_items"),
        ({"billing": "Ana"}, "invalid_field", "billing"),
        ({"billing": {"email": "ana@"}}, "invalid_email", "email"),
        ({"refunds": [{"total": "all"}]}, "invalid_money", "refunds.total"),
        ({"line_items": [line(total="much")]}, "invalid_money", "line_items.total"),
        ({"line_items": [line(quantity="two")]}, "invalid_quantity", "line_items.quantity"),
        ({"line_items": [line({"a": 1})]}, "invalid_id", "line_items.product_id"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(changes: dict[str, Any], reason: str, field: str) -> None:
    assert refused(order(**changes)) == (reason, field)


def test_an_order_cut_of_its_lines_is_refused() -> None:
    body = order()
    del body["line_items"]
    assert refused(body) == ("missing_field", "line_items")


def test_php_may_write_the_list_of_lines_as_an_object() -> None:
    body = order(line_items={"0": line(1), "2": line(2)})
    assert [told.product_id for told in purchase_of(sold(body)).lines] == ["1", "2"]


def test_the_shops_own_error_in_place_of_the_order_says_so() -> None:
    error = {"code": "woocommerce_rest_cannot_view", "message": "Sorry ...", "data": {"status": 401}}
    assert refused(error) == ("shop_api_error", "code")


def test_an_amount_of_minus_nothing_is_nothing() -> None:
    body = order(line(subtotal="-0.00", subtotal_tax="-0.00", total="-0.00", total_tax="0"), total="-0.00")
    told = purchase_of(sold(body))
    assert str(told.total_price) == "0.00"
    assert str(told.lines[0].price) == "0.00"


def test_an_address_with_control_characters_is_not_made_another_persons() -> None:
    assert refused(order(billing={"email": "a\x00na@example.com"})) == ("invalid_email", "email")
