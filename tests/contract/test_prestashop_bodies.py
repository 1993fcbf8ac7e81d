"""Every PrestaShop body we carry, against what the reference says it means. Written by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Contact, Op, Product, RecordKind
from pipeline.shops.base import Look, Rejected, Translation
from pipeline.shops.orders import retract_draft
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.api import needs
from tests.prestashop import (
    BODIES,
    RECEIVED_MS,
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

SECOND = {"/api/customers/2": {"customer": {"id": 2, "email": "customer2@example.com"}}}


def test_a_paid_order_is_a_purchase_and_an_awaited_transfer_is_none() -> None:
    waits = order(read("constructed-ws-order-unpaid.json")["order"])
    assert (waits.drafts, waits.ignored) == ((), "not_sold")
    rules = {"/api/order_cart_rules": read("constructed-ws-order_cart_rules.json")}
    assert sold() == read("constructed-ws-order-paid.json")["order"]
    said = order(sold(), beside=rules, currency="EUR")
    assert said.version == ms("2024-05-07 09:00:00")
    told = purchase(said)
    assert (told.purchase_id, told.total_price, told.total_quantity, told.cart_id) == (
        "41",
        Decimal("29.900000").quantize(Decimal("0.0001")),
        3,
        "131",
    )
    assert (told.purchase_date, told.payment_method) == ("2024-05-06T10:15:00Z", "Bank transfer")
    assert [(line.product_id, line.name, line.quantity, line.price) for line in told.lines] == [
        ("7", "Taza", 2, Decimal("20.0000")),
        ("8", "Camiseta - Talla : M", 1, Decimal("10.0000")),
    ]
    assert contact(said) == Contact(
        email="ana@mail.example", name="Ana", surname="Mora", mobile_phone="+34600123456"
    )
    names = [rule["name"] for rule in read("constructed-ws-order_cart_rules.json")["order_cart_rules"]]
    assert only(said, RecordKind.PURCHASE).coupons == tuple(names)


def test_the_demo_shops_order_is_cancelled() -> None:
    single = read("ws-order-single-airbyte.json")["order"]
    [listed] = read("ws-orders-list-airbyte.json")["orders"]
    for body in (single, listed):
        assert order(body) == Translation(ms("2022-05-17 17:50:34"), (retract_draft(None),), "not_valid")
    assert purchase(order(single | {"valid": "1"}, beside=SECOND)).total_price == Decimal("68.2000")


def test_its_credit_slip_is_money_back() -> None:
    slips = {"/api/order_slip": read("ws-order_slip-airbyte.json")}
    single = read("ws-order-single-airbyte.json")["order"] | {"valid": "1"}
    said = order(single, beside=slips | SECOND)
    assert purchase(said).total_price == Decimal("36.2000")  # 68.20 less 20.00 and 12.00
    assert "refunded_lines_kept" in only(said, RecordKind.PURCHASE).notes


def test_the_demo_shops_customer_was_never_asked() -> None:
    [row] = read("ws-customers-list-airbyte.json")["customers"]
    [draft] = customer(row).drafts
    assert draft.body == Contact(email="anonymous@example.com", name="Anonymous", surname="Anonymous")
    assert (draft.owner, draft.look) == ("customer|1", Look(False, 0))


def test_the_demo_shops_product_with_its_stock_and_special_price() -> None:
    [body] = read("ws-products-list-airbyte.json")["products"]
    stock = read("ws-stock_availables-airbyte.json")["stock_availables"]
    special = read("ws-specific_prices-airbyte.json")["specific_prices"]
    told = article(product(body, stock=stock, special=special))
    assert (told.product_id, told.brand, told.availability) == ("1", "Studio Design", "instock")
    assert (told.unit_price, told.unit_price_original) == (Decimal("19.1200"), Decimal("23.9000"))
    assert told.image_url == "https://shop.example/img/p/1/1.jpg"
    assert told.url is not None
    assert told.url.startswith("https://shop.example/1-")
    assert article(product(body)).availability is None


def test_a_product_of_two_languages_and_the_hour_that_does_not_exist() -> None:
    body = read("constructed-ws-product-multilang.json")["product"]
    said = product(body, timezone="Europe/Madrid")
    assert said.version == ms("2024-03-31 00:30:00")
    assert article(said) == Product(
        product_id="7",
        name="Mug",
        url="https://shop.example/7-mug.html",
        unit_price=Decimal("8.2645"),
        unit_price_original=Decimal("8.2645"),
        discounted_amount=Decimal(0),
        discounted_percentage=Decimal(0),
        image_url="https://shop.example/img/p/1/1/11.jpg",
        description="Mug",
        brand="Example",
        published_at="2024-01-01T09:00:00Z",
        is_blacklisted=False,
    )
    spanish = article(product(body, language_id="2"))
    assert (spanish.name, spanish.url) == ("Taza", "https://shop.example/7-taza.html")


ANNOUNCED = [
    ("module-webhook-order-add-ps_webhooks-constructed.json", {}, "order.created"),
    ("module-webhook-order-created-freshdesk-style.json", {}, "order.created"),
    (
        "module-webhook-order-created-freshdesk-style.json",
        {"x_prestashop_topic": "order.created"},
        "order.created",
    ),
]


@pytest.mark.parametrize(("file", "headers", "topic"), ANNOUNCED)
def test_a_modules_webhook_names_an_order(file: str, headers: dict[str, str], topic: str) -> None:
    event = arrived(read(file), **headers)
    assert (event.topic, event.kind, event.entity) == (topic, Kind.ORDER, "1")
    assert needs(event, {}, store()) == ["/api/orders/1?output_format=JSON"]
    assert PRESTASHOP.translate(event, store()) == Translation(0, ignored="fetched")


def test_a_deleted_product_is_hidden() -> None:
    event = arrived(read("module-webhook-product-delete-ps_webhooks-constructed.json"))
    assert (event.topic, event.entity) == ("product.deleted", "1")
    [draft] = PRESTASHOP.translate(event, store()).drafts
    assert (draft.id, draft.op) == ("1", Op.HIDE)
    assert PRESTASHOP.translate(event, store()).version == RECEIVED_MS


@pytest.mark.parametrize(
    "name",
    [
        "categories",
        "combinations",
        "currencies",
        "languages",
        "order_details",
        "order_histories",
        "order_payments",
        "order_states",
    ],
)
def test_a_list_of_something_else_is_no_document_of_an_entity(name: str) -> None:
    body = read(f"ws-{name}-airbyte.json")
    for kind in Kind:
        event = fetched(kind, "1", {f"/api/{kind}s/1": body})
        assert PRESTASHOP.translate(event, store()) == Translation(0, ignored="not_found")


# What the webservice answers


def answers(name: str) -> list[tuple[int, Any]]:
    found = read(f"pull-{name}.json")["exchanges"]
    return [(one["response"]["status"], one["response"].get("body")) for one in found]


def test_customers_of_a_page_by_their_newsletter() -> None:
    (_, page), *_ = answers("customers-full")
    looks = {}
    for row in page["customers"]:
        said = customer(row)
        looks[row["id"]] = said.drafts[0].look if said.drafts else said.ignored
    assert looks == {
        12: Look(True, ms("2024-05-06 10:14:00"), is_dated=True),
        13: Look(False, ms("2024-05-06 10:31:12")),
        14: None,
        15: "customer_kept",
    }


def test_orders_over_the_hour_that_exists_twice() -> None:
    rows = [row for status, body in answers("orders-page") if status == 200 for row in body["orders"]]
    said = {row["id"]: order(row, timezone="Europe/Madrid") for row in rows}
    assert purchase(said[51]).purchase_date == "2024-10-27T00:29:50Z"
    assert "local_hour_unclear" in only(said[51], RecordKind.PURCHASE).notes
    assert (said[52].drafts, said[52].ignored) == ((), "not_sold")
    assert said[53] == Translation(said[53].version, (retract_draft(None),), "not_valid")


@pytest.mark.parametrize(
    "name", ["customers-empty", "errors", "shop-check", "admin-api-customer", "consent-update"]
)
def test_no_other_answer_breaks_a_reader(name: str) -> None:
    for _, body in answers(name):
        for kind in Kind:
            event = fetched(kind, "12", {f"/api/{kind}s/12": body})
            try:
                said = PRESTASHOP.translate(event, store())
            except Rejected as refused:
                pytest.fail(f"{refused}")
            found = isinstance(body, dict) and str(kind) in body
            assert (said.ignored == "not_found") is not found


def test_every_body_is_read_by_one_of_these_tests() -> None:
    source = (BODIES.parents[2] / "tests" / "contract" / "test_prestashop_bodies.py").read_text(
        encoding="utf-8"
    )
    for path in BODIES.glob("*.json"):
        short = path.stem.removeprefix("pull-").removeprefix("ws-").removesuffix("-airbyte")
        assert short in source, path.name
