"""What the orders of all shops have in common: lines, units, prices, the buyer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Contact, Origin, Product, Purchase
from pipeline.shops.base import Rejected
from pipeline.shops.basket import Item, merge_items, quantity, share, tidy, whole_units
from pipeline.shops.catalogue import discount, product_page, url_part
from pipeline.shops.orders import (
    Buyer,
    OrderSummary,
    contact_draft,
    first_phone,
    given_name,
    order_drafts,
    require_currency,
    stub_drafts,
)
from pipeline.shops.values import money
from tests.shopify import store


def item(product_id: str | None = "7", units: str = "1", price: str = "10.00", **more: Any) -> Item:
    original = more.pop("price_original", price)
    return Item(
        product_id=product_id,
        name="Shirt",
        quantity=Decimal(units),
        price=Decimal(price),
        price_original=Decimal(original),
        **more,
    )


def basket(*items: Item, total: str = "99.00", **settings: Any) -> Any:
    return merge_items(items, Decimal(total), store(**settings))


def test_lines_of_one_product_are_merged_in_the_order_of_their_first() -> None:
    merged = basket(item("7", "1", "10.00"), item("8", "1", "3.00"), item("7", "3", "24.00"))
    assert [line.product_id for line in merged.lines] == ["7", "8"]
    first = merged.lines[0]
    assert (first.quantity, first.price, first.unit_price) == (4, Decimal("34.00"), Decimal("8.50"))
    assert merged.units == 5
    assert merged.notes == ()


def test_a_unit_price_that_does_not_divide_is_rounded_half_up_and_noted() -> None:
    merged = basket(item(units="3", price="10.00"))
    assert merged.lines[0].unit_price == Decimal("3.33")
    assert merged.notes == ("unit_price_rounded",)


def test_a_fractional_quantity_is_rounded_up_and_leaves_the_prices_alone() -> None:
    merged = basket(item(units="1.5", price="30.00"))
    line = merged.lines[0]
    assert (line.quantity, line.price, line.unit_price) == (2, Decimal("30.00"), Decimal("20.00"))
    assert merged.notes == ("quantity_rounded",)


def test_fractions_of_one_product_are_summed_before_they_are_rounded() -> None:
    assert basket(item(units="0.5"), item(units="0.5")).lines[0].quantity == 1
    assert whole_units(Decimal("0.2")) == 1


def test_a_line_without_product_is_left_out_but_its_units_count() -> None:
    merged = basket(item("7"), item(None, "2"))
    assert [line.product_id for line in merged.lines] == ["7"]
    assert merged.units == 3
    assert merged.notes == ("line_without_product",)


def test_without_any_product_the_placeholder_stands_for_the_lines() -> None:
    merged = basket(
        item(None, "2", "8.00", price_original="9.00"), item(None, "1", "1.00"), placeholder_product="other"
    )
    [line] = merged.lines
    assert (line.product_id, line.name, line.quantity, line.price) == ("other", "other", 3, Decimal("9.00"))
    assert line.unit_price_original == Decimal("3.33")
    assert set(merged.notes) == {"line_without_product", "placeholder_product"}


def test_without_any_line_the_placeholder_costs_the_total() -> None:
    [line] = basket(total="12.50", placeholder_product="other").lines
    assert (line.quantity, line.price, line.unit_price) == (1, Decimal("12.50"), Decimal("12.50"))


def test_without_product_and_placeholder_the_order_is_refused() -> None:
    with pytest.raises(Rejected, match="no_products"):
        basket(item(None))


def test_lines_that_sum_to_an_implausible_amount_are_refused() -> None:
    with pytest.raises(Rejected, match="invalid_money"):
        basket(item(price="9e11"), item(price="9e11"))


def test_a_line_without_a_name_bears_the_products_id() -> None:
    merged = basket(item()._replace(name=None))
    assert merged.lines[0].name == "7"
    assert merged.notes == ("name_missing",)


def test_a_stub_has_the_price_before_discounts_and_stays_out_of_recommendations() -> None:
    merged = basket(item(units="2", price="16.00", price_original="20.00", brand="Acme"))
    [draft] = stub_drafts(merged.lines)
    assert draft.origin is Origin.ORDER
    assert draft.body == Product(
        product_id="7",
        name="Shirt",
        url="https://acme.example/products/7",
        unit_price=Decimal("10.00"),
        brand="Acme",
        is_blacklisted=True,
    )


@pytest.mark.parametrize(
    ("amount", "plain"),
    [("1E+2", "100"), ("0.30000000000000004", "0.3000"), ("12.5", "12.5"), ("0.0000", "0.0000")],
)
def test_an_amount_is_sent_without_exponent_and_with_four_decimals_at_most(amount: str, plain: str) -> None:
    assert str(tidy(Decimal(amount))) == plain


def test_a_share_is_rounded_to_cents_or_to_the_amounts_own_scale() -> None:
    assert share(Decimal(10), Decimal(1), Decimal(3)) == Decimal("3.33")
    with pytest.raises(Rejected) as caught:
        share(Decimal(10), Decimal(10), Decimal("1e-27"))
    assert caught.value.reason == "invalid_money"
    assert share(Decimal("0.005"), Decimal(1), Decimal(2)) == Decimal("0.003")
    assert share(Decimal("1.123456"), Decimal(1), Decimal(2)) == Decimal("0.5617")
    assert share(Decimal("1.123456"), Decimal(2), Decimal(2)) == Decimal("1.123456")


@pytest.mark.parametrize(
    "value", [True, None, [], {}, "", "two", "1_0", "NaN", "sNaN", "-1", -1, 1e308, "1e-9", "Infinity"]
)
def test_a_quantity_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(Rejected, match="invalid_quantity"):
        quantity(value, "quantity")


@pytest.mark.parametrize(
    ("value", "number"), [(2, "2"), ("2", "2"), (0.25, "0.25"), (" 3 ", "3"), ("0.0", "0")]
)
def test_a_quantity_may_be_a_number_or_its_text(value: object, number: str) -> None:
    assert quantity(value, "quantity") == Decimal(number)


@pytest.mark.parametrize(
    "value", ["1_000.50", "1.000,50", "-0.01", "NaN", "1e400", "", True, None, [], 1e300]
)
def test_an_amount_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(Rejected, match="invalid_money"):
        money(value, "total")


def test_an_account_without_currency_lets_every_currency_pass() -> None:
    assert require_currency("JPY", store()) == "JPY"
    assert require_currency("EUR", store("EUR")) == "EUR"
    assert require_currency("eur", store("EUR")) == "EUR"


@pytest.mark.parametrize("currency", ["USD", "usd", "example string"])
def test_another_currency_than_the_accounts_is_refused(currency: str) -> None:
    with pytest.raises(Rejected) as refusal:
        require_currency(currency, store("EUR"))
    assert refusal.value.reason == "currency_mismatch"
    assert "EUR" in refusal.value.detail


@pytest.mark.parametrize("currency", [None, "", 978])
def test_an_order_that_names_no_currency_passes_only_where_the_account_names_none(currency: object) -> None:
    notes: list[str] = []
    assert not require_currency(currency, store(), notes=notes)
    assert notes == ["currency_missing"]
    with pytest.raises(Rejected, match="missing_field"):
        require_currency(currency, store("EUR"), notes=notes)


def test_a_contact_is_known_by_its_address_in_lower_case() -> None:
    draft = contact_draft(Buyer(" Ada@Example.COM ", "5"), store().settings, Origin.CUSTOMER)
    assert draft.id == "ada@example.com"
    assert draft.body == Contact(email="ada@example.com")


def test_the_customer_id_is_sent_only_where_it_may_identify() -> None:
    by_id = store(guests_without_email="external_id").settings
    assert contact_draft(Buyer("a@example.com", "5"), by_id, Origin.ORDER).body == Contact(
        email="a@example.com", external_id="5"
    )
    nameless = contact_draft(Buyer(None, "5"), by_id, Origin.ORDER)
    assert (nameless.id, nameless.body) == ("5", Contact(email="", external_id="5"))


def test_without_address_a_contact_is_refused_unless_its_id_may_identify() -> None:
    for settings, customer_id in (
        (store().settings, "5"),
        (store(guests_without_email="external_id").settings, None),
    ):
        with pytest.raises(Rejected, match="no_email"):
            contact_draft(Buyer(None, customer_id), settings, Origin.ORDER)


def test_an_impossible_address_is_refused() -> None:
    with pytest.raises(Rejected, match="invalid_email"):
        contact_draft(Buyer("x" * 300 + "@example.com"), store().settings, Origin.ORDER)


def test_the_first_number_that_can_be_one_is_sent() -> None:
    assert first_phone([("612 345 678", "ES")]) == ("+34612345678", ())
    assert first_phone([("12", "ES"), ("+44 20 7946 0958", None)]) == ("+442079460958", ("phone_invalid",))
    assert first_phone([("call me", "XX")]) == (None, ("phone_invalid",))
    assert first_phone([]) == (None, ())


def test_a_guest_has_no_first_name_and_a_middle_name_goes_with_the_first() -> None:
    assert given_name("Guest") is None
    assert given_name("Ana", "Maria") == "Ana Maria"
    assert given_name("guest", "Maria") == "Maria"
    assert given_name(None) is None


def test_the_page_of_a_line_known_by_its_sku_is_found_by_the_shops_id() -> None:
    merged = basket(item("MUG", page_id="7"))
    assert (merged.lines[0].product_id, merged.lines[0].url) == ("MUG", "https://acme.example/products/7")


def test_an_order_tells_contact_products_and_purchase_in_this_order() -> None:
    sale = OrderSummary("9", datetime(2024, 5, 6, 8, tzinfo=UTC), Decimal("25.00"), payment_method="card")
    drafts = order_drafts(sale, Buyer("a@example.com"), [item("7"), item("8")], store())
    assert [(draft.kind.value, draft.id) for draft in drafts] == [
        ("contact", "a@example.com"),
        ("product", "7"),
        ("product", "8"),
        ("purchase", "9"),
    ]
    purchase = drafts[-1].body
    assert isinstance(purchase, Purchase)
    assert (purchase.cart_id, purchase.purchase_date) == ("9", "2024-05-06T08:00:00Z")
    assert (purchase.contact_email, purchase.contact_external_id) == ("a@example.com", None)


def test_a_guest_by_id_buys_under_that_id() -> None:
    sale = OrderSummary("9", datetime(2024, 5, 6, 8, tzinfo=UTC), Decimal("25.00"))
    context = store(guests_without_email="external_id")
    purchase = order_drafts(sale, Buyer(None, "5"), [item()], context)[-1].body
    assert isinstance(purchase, Purchase)
    assert (purchase.contact_email, purchase.contact_external_id) == (None, "5")


def test_a_note_of_several_lines_is_given_once() -> None:
    placed = datetime(2024, 5, 6, 8, tzinfo=UTC)
    sale = OrderSummary("9", placed, Decimal("1E+1"), notes=("amount_rounded",) * 2)
    draft = order_drafts(sale, Buyer("a@example.com"), [item(units="2.5"), item("8", "2.5", "5")], store())[
        -1
    ]
    assert sorted(draft.notes) == ["amount_rounded", "quantity_rounded"]


def test_the_page_of_a_product_follows_the_stores_template() -> None:
    here = store(product_url="https://{domain}/p/{sku}?id={id}")
    assert product_page(here, "7", "A/B 1") == "https://acme.example/p/A%2FB%201?id=7"
    assert product_page(here, "7") == "https://acme.example/p/7?id=7"


def test_letters_of_any_script_stand_in_a_url_as_they_are() -> None:
    assert url_part("camisa-españa.é_1~") == "camisa-españa.é_1~"
    assert url_part("a b/c?d#e%f") == "a%20b%2Fc%3Fd%23e%25f"


def test_outside_a_sale_the_discount_is_sent_as_zero() -> None:
    assert discount(Decimal("19.99"), Decimal("24.99")) == (Decimal("5.00"), Decimal("20.01"))
    assert discount(Decimal(0), Decimal(3)) == (Decimal(3), Decimal("100.00"))
    for original in (Decimal("19.99"), Decimal(1), Decimal(0)):
        assert discount(Decimal("19.99"), original) == (Decimal(0), Decimal(0))
