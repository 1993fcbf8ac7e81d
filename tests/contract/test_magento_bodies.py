"""Every Magento body we carry, against what the reference says it means. Written by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Contact, Line, Op, Origin, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, Look, Rejected, Translation, WebhookRequest
from pipeline.shops.magento import MAGENTO
from pipeline.shops.magento.api import needs
from pipeline.shops.orders import retract_draft
from tests.drafts import wherever
from tests.magento import (
    BODIES,
    RECEIVED_MS,
    adobe,
    arrived,
    customer,
    ms,
    order,
    outcome,
    product,
    read,
    store,
)

#: The phone of every body was replaced by zeros.
NO_PHONE = ("phone_invalid",)
PAGE = "https://shop.example/catalog/product/view/id/"
CLIENT = "ca7b36f23be94dcb9d2ebb97f0276e3f"
AS_ENTERED = ("catalogue_price_as_entered",)


def buyer(email: str, name: str | None, surname: str, number: str, placed: str, *notes: str) -> Draft:
    told = Contact(email=email, name=name, surname=surname)
    owner = f"customer|{number}" if number else ""
    said_ms = ms(placed)
    return Draft(RecordKind.CONTACT, email, Origin.ORDER, told, notes=notes, owner=owner, said_ms=said_ms)


def stub(product_id: str, name: str, price: str) -> Draft:
    told = Product(
        product_id=product_id,
        name=name,
        url=PAGE + product_id,
        unit_price=Decimal(price),
        is_blacklisted=True,
    )
    return Draft(RecordKind.PRODUCT, product_id, Origin.ORDER, told)


def line(  # noqa: PLR0917 - as an order lists them
    product_id: str, name: str, units: int, price: str, unit: str, original: str
) -> Line:
    return Line(
        product_id=product_id,
        name=name,
        url=PAGE + product_id,
        unit_price=Decimal(unit),
        unit_price_original=Decimal(original),
        quantity=units,
        price=Decimal(price),
    )


def test_a_paid_order_of_a_configurable_product_is_one_line() -> None:
    purchase = Purchase(
        purchase_id="000000902",
        contact_email="customer1@example.com",
        cart_id="77",
        purchase_date="2024-05-06T08:15:00Z",
        total_price=Decimal("44.9"),
        total_quantity=2,
        payment_method="Check / Money order",
        lines=(line("500", "T-shirt", 2, "39.9", "19.95", "19.95"),),
    )
    assert wherever(order(read("constructed-rest-order-processing.json"))) == Translation(
        ms("2024-05-06 08:20:31"),
        (
            buyer("customer1@example.com", "Ada", "Example", "1", "2024-05-06 08:15:00", *NO_PHONE),
            stub("500", "T-shirt", "19.95"),
            Draft(RecordKind.PURCHASE, "000000902", Origin.ORDER, purchase, notes=("line_amounts_reread",)),
        ),
    )


def test_an_order_that_is_not_moved_on_waits_and_once_it_is_has_its_coupon() -> None:
    body = read("constructed-rest-order-guest-configurable-coupon.json")
    waits = Translation(ms("2024-05-06 08:15:00"), (retract_draft(None),), "not_sold")
    assert order(body) == waits
    [searched] = read("constructed-rest-orders-search-page.json")["items"]
    assert order(searched) == waits
    assert order(read("constructed-rest-orders-search-page.json")) == waits
    contact, _, sold = wherever(order(body | {"state": "processing"})).drafts
    assert contact == buyer("guest1@example.com", None, "Buyer", "", "2024-05-06 08:15:00", *NO_PHONE)
    assert sold.coupons == ("MAY4",)
    assert isinstance(sold.body, Purchase)
    assert (sold.body.total_price, sold.body.lines) == (
        Decimal("40.9"),
        (line("500", "T-shirt", 2, "35.9", "17.95", "19.95"),),
    )


def test_the_documentations_orders_wait_and_mean_what_they_cost() -> None:
    body = read("rest-order-docs-bundle-logged-in.json")
    assert order(body).ignored == "not_sold"
    contact, _, sold = wherever(order(body | {"state": "complete"})).drafts
    assert contact == buyer("jdoe@example.com", "Jane", "Doe", "3", "2017-08-21 22:22:19", *NO_PHONE)
    assert isinstance(sold.body, Purchase)
    assert (sold.body.purchase_id, sold.body.total_price, sold.body.payment_method) == (
        "000000003",
        Decimal(165),
        "Bank Transfer Payment",
    )
    assert sold.body.lines == (line("1553", "Radiant Tee-M-Orange", 1, "22", "22", "22"),)


def test_a_guests_order_with_tax_and_discount() -> None:
    [body] = read("rest-orders-search-guest-discount-storefront.json")["items"]
    assert order(body).ignored == "not_sold"
    contact, _, sold = wherever(order(body | {"state": "processing"})).drafts
    assert contact == buyer("customer28@example.com", "John", "Doe", "", "2018-01-23 15:30:04")
    assert isinstance(sold.body, Purchase)
    assert (sold.body.total_price, sold.notes) == (Decimal(28), ())
    assert sold.body.lines == (line("1546", "Radiant Tee-XS-Blue", 1, "23.0", "23.0", "27.06"),)


PEOPLE: list[tuple[str, str, str, str, str, str, bool | None]] = [
    (
        "rest-customer-docs-created-is_subscribed.json",
        "2",
        "jdoe@example.com",
        "Jane",
        "Doe",
        "2020-07-22 23:13:15",
        False,
    ),
    ("rest-customer-docs-created.json", "2", "jdoe@example.com", "Jane", "Doe", "2017-01-31 01:18:13", None),
    (
        "rest-customer-storefront.json",
        "158",
        "customer1@example.com",
        "John",
        "Doe",
        "2018-03-29 10:46:03",
        None,
    ),
]


@pytest.mark.parametrize(("file", "number", "email", "name", "surname", "changed", "subscribed"), PEOPLE)
def test_a_customer_is_a_contact(  # noqa: PLR0917 - a row of the table
    file: str, number: str, email: str, name: str, surname: str, changed: str, subscribed: bool | None
) -> None:
    body = read(file)
    look = None if subscribed is None else Look(subscribed, ms(body["created_at"]) if subscribed else 0)
    notes = NO_PHONE if body["addresses"][0]["telephone"] else ()
    told = Contact(email=email, name=name, surname=surname)
    draft = Draft(
        RecordKind.CONTACT, email, Origin.CUSTOMER, told, notes=notes, owner=f"customer|{number}", look=look
    )
    assert wherever(customer(body)) == Translation(ms(changed), (draft,))


def test_a_variant_is_no_product_and_a_configurable_one_without_variants_has_no_price() -> None:
    hidden = Draft(
        RecordKind.PRODUCT,
        "2079",
        Origin.CATALOGUE,
        Product(product_id="2079", availability="outofstock", is_blacklisted=True),
        Op.HIDE,
        if_emitted=True,
    )
    simple = product(read("rest-product-docs-simple.json"))
    assert simple == Translation(ms("2017-11-29 20:40:07"), (hidden,), "not_visible")
    parent = product(read("rest-product-docs-configurable.json"))
    assert (parent.drafts, parent.ignored) == ((), "no_price")


def test_every_field_of_a_database_row_is_read_too() -> None:
    body = read("ioevents-catalog_product_save_after-full-value.json")
    event = arrived(body)
    assert (event.topic, event.entity) == ("rest/product", "3")
    [draft] = MAGENTO.translate(event, store()).drafts
    assert draft.body == Product(
        product_id="3",
        name="test2",
        url="https://shop.example/test2.html",
        unit_price=Decimal("123.000000").quantize(Decimal("0.0001")),
        unit_price_original=Decimal("123.000000").quantize(Decimal("0.0001")),
        discounted_amount=Decimal(0),
        discounted_percentage=Decimal(0),
        availability="instock",
        published_at="2022-07-28T14:13:40Z",
        is_blacklisted=False,
    )


NAMED = [
    ("constructed-ioevents-customer_save_commit_after.json", Kind.CUSTOMER, "158", "customers/158"),
    ("constructed-ioevents-sales_order_save_commit_after-guest.json", Kind.ORDER, "102", "orders/102"),
    ("constructed-ioevents-sales_order_save_commit_after-update.json", Kind.ORDER, "102", "orders/102"),
    (
        "ioevents-catalog_product_save_commit_after-cloudevent.json",
        Kind.PRODUCT,
        "sku-eventtest1",
        "products/eventtest1",
    ),
]


@pytest.mark.parametrize(("file", "kind", "entity", "path"), NAMED)
def test_an_event_of_adobe_names_the_document_to_fetch(file: str, kind: Kind, entity: str, path: str) -> None:
    body = read(file)
    event = arrived(body)
    assert (event.kind, event.entity) == (kind, entity)
    assert event.delivery == f"{event.topic}:{body['eventid']}"
    assert needs(event, {}, store()) == (f"/rest/all/V1/{path}",)
    assert MAGENTO.translate(event, store()) == Translation(0, ignored="fetched")


FILTER = "searchCriteria[filterGroups][0][filters][0]"
SEARCH = f"?{FILTER}[field]={{}}&{FILTER}[value]={{}}"
KITS = [
    ("customer-created", "observer.customer_save_commit_after", "1", "customers/1"),
    ("customer-updated", "observer.customer_save_commit_after", "1", "customers/1"),
    (
        "order-created",
        "observer.sales_order_save_commit_after",
        "number-ORRDER_INCREMENTAL_ID",
        "orders" + SEARCH.format("increment_id", "ORRDER_INCREMENTAL_ID"),
    ),
    (
        "order-updated",
        "observer.sales_order_save_commit_after",
        "number-ORRDER_INCREMENTAL_ID",
        "orders" + SEARCH.format("increment_id", "ORRDER_INCREMENTAL_ID"),
    ),
    (
        "product-created",
        "observer.catalog_product_save_commit_after",
        "sku-2_4_7_TestProduct",
        "products/2_4_7_TestProduct",
    ),
    (
        "product-updated",
        "observer.catalog_product_save_commit_after",
        "sku-2_4_7_TestProduct",
        "products/2_4_7_TestProduct",
    ),
    (
        "stock-updated",
        "observer.cataloginventory_stock_item_save_commit_after",
        "1",
        "products" + SEARCH.format("entity_id", "1"),
    ),
]


@pytest.mark.parametrize(("name", "topic", "entity", "path"), KITS)
def test_the_few_fields_of_the_starter_kit_name_a_document(
    name: str, topic: str, entity: str, path: str
) -> None:
    event = arrived(adobe(topic, read(f"ioevents-starterkit-{name}-value.json")))
    assert event.entity == entity
    [asked] = needs(event, {}, store())
    assert asked.startswith(f"/rest/all/V1/{path}")


def test_an_invoice_names_its_order_and_is_none() -> None:
    nested = read("ioevents-sales_order_invoice_save_after-0.json")["event"]["data"]["value"]
    event = arrived(adobe("observer.sales_order_invoice_save_after", nested))
    assert event.entity == "8"
    assert needs(event, {}, store()) == ("/rest/all/V1/orders/8",)
    for body in (read("ioevents-sales_order_invoice_save_after-0.json"), read("rest-invoice-docs.json")):
        assert refusal(body) == "missing_topic"
    assert refusal(read("rest-invoice-docs.json"), "topic=sales.order.updated") == "topic_contradicts_body"


def refusal(body: Any, query: str = "", **settings: Any) -> str:
    with pytest.raises(Rejected) as caught:
        MAGENTO.translate(arrived(body, query), store(**settings))
    return caught.value.reason


@pytest.mark.parametrize(
    "file",
    [
        "constructed-commerce-webhook-success-response.json",
        "rest-creditmemo-request-docs.json",
        "ioevents-starterkit-customer-created-value.json",
        "ioevents-starterkit-order-created-value.json",
        "ioevents-starterkit-stock-updated-value.json",
    ],
)
def test_what_says_nothing_of_itself_is_refused_with_the_way_out(file: str) -> None:
    assert refusal(read(file)) == "missing_topic"


def test_a_deleted_product_is_hidden_and_must_be_named_by_its_id() -> None:
    hidden = Product(product_id="3", availability="outofstock", is_blacklisted=True)
    draft = Draft(RecordKind.PRODUCT, "3", Origin.CATALOGUE, hidden, Op.HIDE)
    event = arrived(read("constructed-ioevents-catalog_product_delete_commit_after.json"))
    assert MAGENTO.translate(event, store()) == Translation(RECEIVED_MS, (draft,), "deleted")
    kit = adobe(
        "observer.catalog_product_delete_commit_after",
        read("ioevents-starterkit-product-deleted-value.json"),
    )
    assert refusal(kit) == "missing_field"
    [by_sku] = MAGENTO.translate(arrived(kit), store(product_id="sku")).drafts
    assert (by_sku.id, by_sku.op) == ("2_4_7_TestProduct", Op.HIDE)


def test_a_deleted_customer_is_kept_or_taken_back() -> None:
    value = read("ioevents-starterkit-customer-deleted-value.json")
    event = arrived(adobe("observer.customer_delete_commit_after", value))
    assert event.entity == "1"
    assert MAGENTO.translate(event, store()) == Translation(RECEIVED_MS, ignored="customer_kept")
    gone = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    deletes = store(on_customer_deleted="delete")
    assert MAGENTO.translate(event, deletes) == Translation(RECEIVED_MS, (gone,), "deleted")


def test_the_address_that_confirms_a_registration_is_a_greeting() -> None:
    body = (BODIES / "constructed-ioevents-validationUrl-request.json").read_bytes()
    request = WebhookRequest({"content-type": "application/json"}, body)
    assert MAGENTO.greeting is not None
    assert MAGENTO.to_open is not None
    assert MAGENTO.greeting(request) == ""
    assert MAGENTO.to_open(request) == (
        "https://csm.adobe.io/csm/registration/validate?id=00000000&challenge=neutral"
    )


@pytest.mark.parametrize("path", sorted(BODIES.glob("schema-*.json")), ids=lambda path: path.stem)
def test_a_schema_in_place_of_values_makes_no_record(path: Any) -> None:
    topic = path.stem.removeprefix("schema-ioevents-")
    event = arrived(adobe(topic, read(path.name)))
    assert MAGENTO.topics.get(event.topic) is not None
    assert event.entity.startswith(("unread-", "sku-", "number-"))
    assert outcome(event) in {"fetched", "customer_kept", "missing_field"}


def test_every_body_is_read_by_one_of_these_tests() -> None:
    places = (Path(__file__), Path(__file__).with_name("test_magento_answers.py"))
    source = "".join(place.read_text(encoding="utf-8") for place in places)
    signatures = "constructed-ioevents-signature-vectors.json"
    for path in BODIES.glob("*.json"):
        short = path.stem.removeprefix("pull-").removeprefix("ioevents-starterkit-").removesuffix("-value")
        assert short in source or path.name == signatures or path.name.startswith("schema-"), path.name
