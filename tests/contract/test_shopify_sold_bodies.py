"""The samples Shopify shows unsold or as tests, once they are sold: worked out by hand like the others."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline.records import Line, Origin, Product, Purchase
from pipeline.shops.base import Draft, Rejected
from tests.drafts import wherever
from tests.shopify import bought, load, person, store, told, translate

SAMPLE_ORDER = "820982911946154508"
YEAR_END = "2022-01-01T00:00:00Z"
SOLD = {"test": False, "cancelled_at": None, "financial_status": "paid"}


def sunglasses_and_furniture() -> tuple[Draft, ...]:
    """The newest sample, sold: three lines of one product, two without any."""
    name, url = "Aviator sunglasses", "https://acme.example/products/788032119674292900"
    return (
        person(
            Origin.ORDER,
            "phone_invalid",
            email="jon@example.com",  # the order's own address, not the customer's john@
            name="John",
            surname="Smith",
            customer="115310627314723954",
            placed=YEAR_END,
        ),
        told(
            Origin.ORDER,
            Product(
                product_id="788032119674292900",
                name=name,
                url=url,
                unit_price=Decimal("123.32"),
                is_blacklisted=True,
            ),
        ),
        bought(
            "unit_price_rounded",
            "line_without_product",
            purchase_id=SAMPLE_ORDER,
            contact_email="jon@example.com",
            cart_id=SAMPLE_ORDER,
            purchase_date=YEAR_END,
            total_price=Decimal("414.95"),
            total_quantity=5,
            payment_method="visa, bogus",
            lines=(
                Line(
                    product_id="788032119674292900",
                    name=name,
                    url=url,
                    unit_price=Decimal("123.32"),  # 369.97 / 3
                    unit_price_original=Decimal("123.32"),
                    quantity=3,
                    price=Decimal("369.97"),  # 89.99 + 159.99 + 119.99
                ),
            ),
        ),
    )


def two_ipods() -> tuple[Draft, ...]:
    """The sample of 2024, sold: its customer is not subscribed, and the box at checkout is no consent."""
    name, url = "IPod Nano - 8GB", "https://acme.example/products/632910392"
    return (
        person(
            Origin.ORDER,
            "phone_invalid",
            customer="115310627314723954",
            placed=YEAR_END,
            email="jon@example.com",
            name="John",
            surname="Smith",
        ),
        told(
            Origin.ORDER,
            Product(
                product_id="632910392", name=name, url=url, unit_price=Decimal("199.00"), is_blacklisted=True
            ),
        ),
        bought(
            purchase_id=SAMPLE_ORDER,
            contact_email="jon@example.com",
            cart_id=SAMPLE_ORDER,
            purchase_date=YEAR_END,
            total_price=Decimal("398.00"),
            total_quantity=2,
            payment_method="visa, bogus",
            lines=(
                Line(
                    product_id="632910392",
                    name=name,
                    url=url,
                    unit_price=Decimal("199.00"),
                    unit_price_original=Decimal("199.00"),
                    quantity=2,
                    price=Decimal("398.00"),
                ),
            ),
        ),
    )


def three_old_ipods() -> tuple[Draft, ...]:
    """The REST fixtures of 2008, sold: neither current totals and quantities nor `processed_at`."""
    name, url = "IPod Nano - 8gb", "https://acme.example/products/632910392"
    return (
        person(
            Origin.ORDER,
            "phone_invalid",
            customer="207119551",
            placed="2008-01-10T16:00:00Z",
            email="customer2@example.com",
            name="Bob",
            surname="Norman",
        ),
        told(
            Origin.ORDER,
            Product(
                product_id="632910392", name=name, url=url, unit_price=Decimal("199.00"), is_blacklisted=True
            ),
        ),
        bought(
            "current_quantity_missing",
            "discount_missing",
            "current_total_missing",
            purchase_id="450789469",
            contact_email="customer2@example.com",
            cart_id="neutral-cart_token",
            purchase_date="2008-01-10T16:00:00Z",
            total_price=Decimal("409.94"),
            total_quantity=3,
            payment_method="authorize_net",
            coupons=("TENOFF",),
            lines=(
                Line(
                    product_id="632910392",
                    name=name,
                    url=url,
                    unit_price=Decimal("199.00"),
                    unit_price_original=Decimal("199.00"),
                    quantity=3,
                    price=Decimal("597.00"),
                ),
            ),
        ),
    )


def engraved_ipod() -> tuple[Draft, ...]:
    """The order without a customer, sold: names from the shipping address, whose phone is not the buyer's."""
    name, url = "IPod Nano", "https://acme.example/products/7513594"
    return (
        person(
            Origin.ORDER,
            placed="2008-01-10T16:00:00Z",
            email="customer1@example.com",
            name="Bob",
            surname="Bobsen",
        ),
        told(
            Origin.ORDER,
            Product(
                product_id="7513594",
                name=name,
                url=url,
                unit_price=Decimal("199.99"),
                brand="Apple",
                is_blacklisted=True,
            ),
        ),
        bought(
            "current_quantity_missing",
            purchase_id="450789469",
            contact_email="customer1@example.com",
            cart_id="neutral-cart_token",
            purchase_date="2008-01-10T16:00:00Z",
            total_price=Decimal("10.00"),
            total_quantity=1,
            payment_method="authorize_net, Cash on Delivery (COD)",
            coupons=("SPRING30",),
            lines=(
                Line(
                    product_id="7513594",
                    name=name,
                    url=url,
                    unit_price=Decimal("194.99"),  # 5.00 of SUMMERSALE fell on this line
                    unit_price_original=Decimal("199.99"),
                    quantity=1,
                    price=Decimal("194.99"),
                    brand="Apple",
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("name", "drafts"),
    [
        ("webhook-orders_updated-2026-04", sunglasses_and_furniture()),
        ("webhook-orders_updated-2024-04", two_ipods()),
        ("rest-order-shopify_api_ruby", three_old_ipods()),
        ("rest-order-shopify_python_api", three_old_ipods()),
        ("realistic-order-without-customer-key-webhookdb", engraved_ipod()),
    ],
)
def test_an_unsold_sample_once_sold_is_a_purchase(name: str, drafts: tuple[Draft, ...]) -> None:
    body = load(name)
    if name.startswith("rest-"):
        [body] = body.values()
    translation = translate("orders/updated", body | SOLD)
    assert [draft.notes for draft in translation.drafts] == [draft.notes for draft in drafts]
    assert wherever(translation).drafts == drafts


def test_an_order_whose_amounts_are_in_two_currencies_is_refused() -> None:
    """The sample says USD, prices its lines in USD and its totals in CAD: no sum of it can be trusted."""
    with pytest.raises(Rejected) as refusal:
        translate("orders/updated", load("realistic-order-full-0-webhookdb") | SOLD)
    assert refusal.value.reason == "currency_mismatch"
    assert refusal.value.field == "current_total_price_set"


def test_the_partially_refunded_sample_needs_a_placeholder_for_its_missing_lines() -> None:
    [body] = load("rest-orders-shopify_python_api")["orders"]
    with pytest.raises(Rejected, match="current_total_price"):  # what the refund left is not said
        translate("orders/updated", body | {"line_items": []}, store(placeholder_product="other"))
    kept = store(placeholder_product="other", on_partial_refund="keep")
    translation = translate("orders/updated", body | {"line_items": []}, kept)
    purchase = translation.drafts[-1].body
    assert isinstance(purchase, Purchase)
    assert purchase.total_price == Decimal("598.94")
    assert [(line.product_id, line.quantity, line.price) for line in purchase.lines] == [
        ("other", 1, Decimal("598.94"))
    ]
