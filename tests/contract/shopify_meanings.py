"""The meaning of every Shopify body of the package, worked out by hand from the platform's field tables."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline.events import Kind
from pipeline.records import Line, Origin, Product
from pipeline.shops.base import Draft
from tests.shopify import (
    RECEIVED,
    bought,
    hide,
    load,
    ms,
    person,
    retract,
    told,
)


@dataclass(frozen=True)
class Meaning:
    """What one body must come to. `at` is the version, as text or in epoch ms."""

    topic: str
    entity: str
    at: str | int = 0
    ignored: str = "nothing_to_tell"
    drafts: tuple[Draft, ...] = ()
    kind: Kind = Kind.ORDER
    clock: str = "entity"
    rejected: tuple[str, str] | None = None


YEAR_END = "2022-01-01T00:00:00Z"  # the bodies have 2021-12-31T19:00:00-05:00


SAMPLE_ORDER, ROUNDED_ORDER = "820982911946154508", "820982911946154500"


SAMPLE_CUSTOMER, ROUNDED_CUSTOMER = "706405506930370084", "706405506930370000"


BOB_BILLER = person(
    Origin.CUSTOMER,
    "phone_invalid",
    customer=SAMPLE_CUSTOMER,
    email="customer1@example.com",
    name="Bob",
    surname="Biller",
)


T_SHIRT = told(
    Origin.CATALOGUE,
    Product(
        product_id="788032119674292922",
        name="Example T-Shirt",
        url="https://acme.example/products/example-t-shirt",
        unit_price=Decimal("19.99"),
        unit_price_original=Decimal("24.99"),
        discounted_amount=Decimal("5.00"),
        discounted_percentage=Decimal("20.01"),
        availability="instock",
        description="An example T-Shirt",
        brand="Acme",
        categories=("Shirts",),
        tags=("example", "mens", "t-shirt"),
        published_at=YEAR_END,
        is_blacklisted=False,
    ),
)


def ipod(product_id: str) -> Draft:
    return told(
        Origin.CATALOGUE,
        Product(
            product_id=product_id,
            name="IPod Nano - 8GB",
            url="https://acme.example/products/ipod-nano",
            unit_price=Decimal("199.00"),
            unit_price_original=Decimal("199.00"),
            discounted_amount=Decimal(0),
            discounted_percentage=Decimal(0),
            availability="instock",
            image_url="http://static.shopify.com/s/files/1/6909/3384/products/ipod-nano.png?0",
            description=(
                "It's the small iPod with one very big idea: Video. Now the world's most popular music"
                " player, available in 4GB and 8GB models, lets you enjoy TV shows, movies, video podcasts,"
                " and more. The larger, brighter display means amazing picture quality. In six eye-catching"
                " colors, iPod nano is stunning all around. And with models starting at just $149, little"
                " speaks volumes."
            ),
            brand="Apple",
            categories=("Cult Products",),
            tags=("Emotive", "Flash Memory", "MP3", "Music"),
            published_at="2008-01-01T00:00:00Z",
            is_blacklisted=False,
        ),
        "status_missing",
    )


def ipod_event(product_id: str) -> Meaning:
    return Meaning(
        "products/update",
        product_id,
        "2011-10-20T18:05:13Z",
        kind=Kind.PRODUCT,
        drafts=(ipod(product_id),),
    )


def consent(at: str, newsletter: str) -> Meaning:
    return Meaning(
        "customers_email_marketing_consent/update",
        "7012345678901234564",
        at,
        kind=Kind.CUSTOMER,
        clock="consent",
        drafts=(
            person(
                Origin.CUSTOMER,
                customer="7012345678901234564",
                email="customer1@example.com",
                newsletter=newsletter,
                newsletter_ms=ms(at),
            ),
        ),
    )


def ignored_as(topic: str, entity: str, ignored: str, kind: Kind) -> Meaning:
    return Meaning(topic, entity, ignored=ignored, kind=kind)


def sample_order(topic: str) -> Meaning:
    return Meaning(topic, SAMPLE_ORDER, YEAR_END, ignored="test_order")


SHIRTS_SOLD = (
    person(
        Origin.ORDER,
        "phone_invalid",
        email="customer1@example.com",
        name="Ada",
        surname="Example",
        customer="7012345678901234564",
        placed="2024-05-06T08:14:58Z",
    ),
    told(
        Origin.ORDER,
        Product(
            product_id="8012345678901234562",
            name="T-shirt",
            url="https://acme.example/products/8012345678901234562",
            unit_price=Decimal("19.95"),
            brand="Example",
            is_blacklisted=True,
        ),
    ),
    bought(
        purchase_id="5912345678901234567",
        contact_email="customer1@example.com",
        cart_id="neutral-cart_token",
        purchase_date="2024-05-06T08:14:58Z",
        total_price=Decimal("40.85"),
        total_quantity=2,
        payment_method="bogus",
        coupons=("MAY4",),
        lines=(
            Line(
                product_id="8012345678901234562",
                name="T-shirt",
                url="https://acme.example/products/8012345678901234562",
                unit_price=Decimal("17.95"),  # (2 x 19.95 - 4.00) / 2
                unit_price_original=Decimal("19.95"),
                quantity=2,
                price=Decimal("35.90"),
                brand="Example",
            ),
        ),
    ),
)


EXPECTED: dict[str, Meaning | list[Meaning]] = {
    "anonymised-real-2025-04_orders_1": Meaning(
        "orders/updated", "123", rejected=("unknown_status", "financial_status")
    ),
    "anonymised-real-2025-04_orders_2": ignored_as("orders/edited", "123", "order_event_follows", Kind.ORDER),
    "anonymised-real-2025-04_products_1": Meaning(
        "products/update",
        "123",
        "2019-01-01T00:00:00Z",
        kind=Kind.PRODUCT,
        ignored="unpublished",
        drafts=(hide("123"),),
    ),
    "anonymised-real-2025-04_refunds_1": ignored_as(
        "refunds/create", "123", "order_event_follows", Kind.ORDER
    ),
    "constructed-webhook-consent-subscribed": consent("2024-05-06T08:14:00Z", "subscribed"),
    "constructed-webhook-consent-unsubscribed": consent("2024-06-01T10:00:00Z", "unsubscribed"),
    "constructed-webhook-orders_cancelled": Meaning(
        "orders/cancelled",
        "5912345678901234567",
        "2024-05-09T07:00:00Z",
        ignored="cancelled",
        drafts=(retract("5912345678901234567"),),
    ),
    "constructed-webhook-orders_create-pending": Meaning(
        "orders/create",
        "5912345678901234567",
        "2024-05-06T08:15:00Z",
        ignored="not_sold",
        drafts=(retract("5912345678901234567"),),
    ),
    "constructed-webhook-orders_paid": Meaning(
        "orders/paid", "5912345678901234567", "2024-05-06T08:20:30Z", drafts=SHIRTS_SOLD
    ),
    "realistic-order-full-0-webhookdb": Meaning(
        "orders/updated", "450789469", "2012-08-24T18:02:15Z", ignored="test_order"
    ),
    "realistic-order-without-customer-key-webhookdb": Meaning(
        "orders/updated", "450789469", "2012-08-24T18:02:15Z", ignored="test_order"
    ),
    "rest-customer-shopify_python_api": Meaning(
        "customers/update",
        "207119551",
        "2015-05-27T22:11:24Z",
        kind=Kind.CUSTOMER,
        drafts=(
            person(
                Origin.CUSTOMER,
                "phone_invalid",
                customer="207119551",
                email="customer2@example.com",
                name="Bob",
                surname="Norman",
            ),
        ),
    ),
    "rest-order-shopify_api_ruby": Meaning(
        "orders/updated",
        "450789469",
        "2008-01-10T16:00:00Z",
        ignored="not_sold",
        drafts=(retract("450789469"),),
    ),
    "rest-order-shopify_python_api": Meaning(
        "orders/updated",
        "450789469",
        "2008-01-10T16:00:00Z",
        ignored="not_sold",
        drafts=(retract("450789469"),),
    ),
    "rest-orders-shopify_python_api": [
        Meaning("orders/updated", "450789469", rejected=("missing_field", "line_items"))
    ],
    "rest-product-shopify_python_api": ipod_event("632910392"),
    "rest-products-shopify_python_api": [ipod_event(str(number)) for number in (1, 2, 3, 4)],
    "rest-refund-shopify_api_ruby": ignored_as(
        "refunds/create", "450789469", "order_event_follows", Kind.ORDER
    ),
    "rest-refund-shopify_python_api": ignored_as(
        "refunds/create", "450789469", "order_event_follows", Kind.ORDER
    ),
    **{
        f"webhook-orders_{name}-{version}": sample_order(f"orders/{name}")
        for name in ("create", "updated", "paid", "cancelled")
        for version in ("2024-04", "2026-04")
    },
    **{
        f"webhook-customers_{name}-{version}": Meaning(
            f"customers/{name}", SAMPLE_CUSTOMER, YEAR_END, kind=Kind.CUSTOMER, drafts=(BOB_BILLER,)
        )
        for name in ("create", "update")
        for version in ("2024-04", "2026-04")
    },
    **{
        f"webhook-products_{name}-{version}": Meaning(
            f"products/{name}", "788032119674292922", YEAR_END, kind=Kind.PRODUCT, drafts=(T_SHIRT,)
        )
        for name in ("create", "update")
        for version in ("2024-04", "2026-04")
    },
    "webhook-customers_purchasing_summary-2026-04": ignored_as(
        "customers/purchasing_summary", "1", "not_told", Kind.CUSTOMER
    ),
}


for _version in ("2024-04", "2026-04"):
    EXPECTED |= {
        f"webhook-customer_tags_added-{_version}": ignored_as(
            "customer.tags_added", "1", "not_told", Kind.CUSTOMER
        ),
        f"webhook-customers_delete-{_version}": Meaning(
            "customers/delete", SAMPLE_CUSTOMER, RECEIVED, ignored="customer_kept", kind=Kind.CUSTOMER
        ),
        f"webhook-customers_email_marketing_consent_update-{_version}": Meaning(
            "customers_email_marketing_consent/update",
            ROUNDED_CUSTOMER,
            ignored="no_statement",
            kind=Kind.CUSTOMER,
            clock="consent",
        ),
        f"webhook-customers_marketing_consent_update-{_version}": ignored_as(
            "customers_marketing_consent/update", ROUNDED_CUSTOMER, "sms_consent", Kind.CUSTOMER
        ),
        f"webhook-customers_merge-{_version}": ignored_as(
            "customers/merge", "1", "customer_merge", Kind.CUSTOMER
        ),
        f"webhook-customers_redact-{_version}": ignored_as(
            "customers/redact", "191167", "erasure_request", Kind.CUSTOMER
        ),
        f"webhook-orders_delete-{_version}": Meaning(
            "orders/delete", ROUNDED_ORDER, RECEIVED, ignored="deleted", drafts=(retract(None),)
        ),
        f"webhook-orders_edited-{_version}": ignored_as(
            "orders/edited", ROUNDED_ORDER, "order_event_follows", Kind.ORDER
        ),
        f"webhook-products_delete-{_version}": Meaning(
            "products/delete",
            "788032119674292900",
            RECEIVED,
            ignored="deleted",
            kind=Kind.PRODUCT,
            drafts=(hide("788032119674292900"),),
        ),
        f"webhook-refunds_create-{_version}": ignored_as(
            "refunds/create", ROUNDED_ORDER, "order_event_follows", Kind.ORDER
        ),
        f"webhook-variants_out_of_stock-{_version}": ignored_as(
            "variants/out_of_stock", "788032119674292900", "product_event_follows", Kind.PRODUCT
        ),
    }


def cases() -> list[tuple[str, Any, Meaning]]:
    """(name, body, meaning): answers of the REST API stand under the name of their resource."""
    found = []
    for name, expected in EXPECTED.items():
        body = load(name)
        if name.startswith("rest-") and isinstance(body, dict):
            [body] = body.values()
        bodies, meanings = (body, expected) if isinstance(expected, list) else ([body], [expected])
        found += [(name, one, meaning) for one, meaning in zip(bodies, meanings, strict=True)]
    return found


CASES = cases()
