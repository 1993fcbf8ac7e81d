"""Every WooCommerce body we carry, against what the reference says it means. Written by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Contact, Line, Op, Origin, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.woocommerce import WOOCOMMERCE
from tests.drafts import wherever
from tests.platforms import greets, verifies
from tests.woocommerce import BODIES, RECEIVED_MS, arrive, ms, read, translate

IDEA_NAME = "Ship Your Idea \N{EN DASH} Color: Black, Size: M Test"
PROSE = "Pellentesque habitant morbi tristique senectus et netus et malesuada fames ac turpis egestas."


#: The phone of every body was replaced by zeros.
NO_PHONE = ("phone_invalid",)


def contact(origin: Origin, email: str, name: str, customer: str, placed: str = "") -> Draft:
    first, _, last = name.partition(" ")
    told = Contact(email=email, name=first, surname=last)
    owner = f"customer|{customer}" if customer else ""
    said_ms = ms(placed) if placed else 0
    return Draft(RecordKind.CONTACT, email, origin, told, notes=NO_PHONE, owner=owner, said_ms=said_ms)


def stub(product_id: str, name: str, price: str) -> Draft:
    told = Product(
        product_id=product_id,
        name=name,
        url=f"https://shop.example/?p={product_id}",
        unit_price=Decimal(price),
        is_blacklisted=True,
    )
    return Draft(RecordKind.PRODUCT, product_id, Origin.ORDER, told)


def line(product_id: str, name: str, unit: str, quantity: int, price: str) -> Line:
    return Line(
        product_id=product_id,
        name=name,
        url=f"https://shop.example/?p={product_id}",
        unit_price=Decimal(unit),
        unit_price_original=Decimal(unit),
        quantity=quantity,
        price=Decimal(price),
    )


def sold(number: str, email: str, customer: str) -> tuple[Draft, ...]:
    """The documentation's paid order: 2 x 3.00 and 12.00 before tax, 1.35 tax, 10.00 shipping."""
    purchase = Purchase(
        purchase_id=number,
        contact_email=email,
        cart_id=number,
        purchase_date="2017-03-22T19:28:02Z",
        total_price=Decimal("29.35"),
        total_quantity=3,
        payment_method="Direct Bank Transfer",
        lines=(
            line("93", "Woo Single #1", "3.00", 2, "6.00"),
            line("22", IDEA_NAME, "12.00", 1, "12.00"),
        ),
    )
    return (
        contact(Origin.ORDER, email, "John Doe", customer, purchase.purchase_date),
        stub("93", "Woo Single #1", "3.00"),
        stub("22", IDEA_NAME, "12.00"),
        Draft(RecordKind.PURCHASE, number, Origin.ORDER, purchase),
    )


PARTLY_REFUNDED = (
    contact(Origin.ORDER, "joao.silva@example.com", "João Silva", "26", "2017-03-21T19:16:00Z"),
    stub("87", "Woo Album #2", "9.00"),
    stub("34", "Woo Ninja", "20.00"),
    Draft(
        RecordKind.PURCHASE,
        "723",
        Origin.ORDER,
        Purchase(
            purchase_id="723",
            contact_email="joao.silva@example.com",
            cart_id="723",
            purchase_date="2017-03-21T19:16:00Z",
            total_price=Decimal("20.00"),  # 39.00 less 10.00 and 9.00 paid back
            total_quantity=2,
            payment_method="Direct bank transfer",
            lines=(
                line("87", "Woo Album #2", "9.00", 1, "9.00"),
                line("34", "Woo Ninja", "20.00", 1, "20.00"),
            ),
        ),
        notes=("refunded_lines_kept",),
    ),
)


def premium(price: str) -> Draft:
    told = Product(
        product_id="794",
        name="Premium Quality",
        url="https://example.com/product/premium-quality-19/",
        unit_price=Decimal(price),
        unit_price_original=Decimal(price),
        discounted_amount=Decimal(0),
        discounted_percentage=Decimal(0),
        availability="instock",
        image_url="https://example.com/wp-content/uploads/2017/03/T_2_front-4.jpg",
        description=PROSE,
        categories=("Clothing", "T-shirts"),
        published_at="2017-03-23T20:01:14Z",
        is_blacklisted=False,
        rating_count=0,
    )
    return Draft(RecordKind.PRODUCT, "794", Origin.CATALOGUE, told)


PARENT_IN_STOCK = Draft(
    RecordKind.PRODUCT,
    "22",
    Origin.CATALOGUE,
    Product(product_id="22", availability="instock"),
    Op.PATCH,
    notes=("known_from_variation",),
)
HIDDEN_727 = Draft(
    RecordKind.PRODUCT,
    "727",
    Origin.CATALOGUE,
    Product(product_id="727", availability="outofstock", is_blacklisted=True),
    Op.HIDE,
)
RETRACTED = Draft(RecordKind.PURCHASE, None, Origin.ORDER, None, Op.RETRACT, if_emitted=True)
JOHN_DOE = "john.doe@example.com"
JOHN = contact(Origin.CUSTOMER, "john.doe@example.com", "John Doe", "25")
JAMES = contact(Origin.CUSTOMER, "john.doe@example.com", "James Doe", "25")
JOAO = contact(Origin.CUSTOMER, "joao.silva@example.com", "João Silva", "26")

#: (file, topic, the translation's version, its drafts, why nothing follows where nothing does)
MEANINGS: list[tuple[str, str, str | int, tuple[Draft, ...], str]] = [
    (
        "order-processing-paid-docs.json",
        "order.created",
        "2017-03-22T19:28:08Z",
        sold("727", JOHN_DOE, ""),
        "",
    ),
    (
        "order-list-item0-docs.json",
        "order.updated",
        "2017-03-22T19:28:08Z",
        sold("727", JOHN_DOE, ""),
        "",
    ),
    (
        "order-completed-docs.json",
        "order.updated",
        "2017-03-22T19:30:35Z",
        sold("727", JOHN_DOE, ""),
        "",
    ),
    (
        "order-guest-constructed.json",
        "order.updated",
        "2017-03-22T19:28:08Z",
        sold("729", "guest1@example.com", ""),
        "",
    ),
    ("order-list-item1-docs.json", "order.updated", "2017-03-21T19:54:51Z", PARTLY_REFUNDED, ""),
    ("customer-docs.json", "customer.created", "2017-03-21T19:09:30Z", (JOHN,), ""),
    ("customer-list-item0-docs.json", "customer.updated", "2017-03-21T19:11:16Z", (JOAO,), ""),
    ("customer-list-item1-docs.json", "customer.updated", "2017-03-21T19:09:30Z", (JOHN,), ""),
    ("customer-updated-docs.json", "customer.updated", "2017-03-21T19:12:28Z", (JAMES,), ""),
    ("product-simple-docs.json", "product.created", "2017-03-23T20:01:14Z", (premium("21.99"),), ""),
    ("product-list-item1-docs.json", "product.updated", "2017-03-23T20:01:14Z", (premium("21.99"),), ""),
    ("product-updated-docs.json", "product.updated", "2017-03-23T20:01:14Z", (premium("24.54"),), ""),
    # Variable products without variations have no price yet.
    ("product-variable-docs.json", "product.created", "2017-03-23T20:03:12Z", (), "no_price"),
    ("product-list-item0-docs.json", "product.updated", "2017-03-23T20:03:12Z", (), "no_price"),
    ("product-variation-docs.json", "product.updated", "2017-03-23T03:36:38Z", (PARENT_IN_STOCK,), ""),
    ("webhook-deleted-body.json", "order.deleted", RECEIVED_MS, (RETRACTED,), "deleted"),
    ("webhook-deleted-body.json", "customer.deleted", RECEIVED_MS, (), "customer_kept"),
    ("webhook-deleted-body.json", "product.deleted", RECEIVED_MS, (HIDDEN_727,), "deleted"),
    ("webhook-action-topic-body.json", "action.woocommerce_order_status_completed", 0, (), "action_topic"),
]

#: (file, topic, reason, field)
REFUSALS = [
    ("order-list-docs.json", "order.updated", "invalid_json", ""),  # a page of the API, not a webhook
    ("refund-docs.json", "order.updated", "missing_field", "status"),  # no webhook sends refunds
    ("webhook-ping-request.json", "order.updated", "missing_field", "id"),  # a description of a request
    ("constructed-signature-vectors.json", "order.updated", "invalid_json", ""),
]


@pytest.mark.parametrize(("name", "topic", "version", "drafts", "ignored"), MEANINGS)
def test_a_body_means_what_the_reference_says(
    name: str, topic: str, version: str | int, drafts: tuple[Draft, ...], ignored: str
) -> None:
    expected = Translation(
        version if isinstance(version, int) else ms(version), drafts, ignored or "nothing_to_tell"
    )
    assert wherever(translate(read(name), topic)) == expected


@pytest.mark.parametrize(("name", "topic", "reason", "field"), REFUSALS)
def test_a_body_of_another_kind_is_refused_with_its_reason(
    name: str, topic: str, reason: str, field: str
) -> None:
    with pytest.raises(Rejected) as refused:
        translate(read(name), topic)
    assert (refused.value.reason, refused.value.field) == (reason, field)


def test_no_body_is_left_out() -> None:
    named = {name for name, *_ in MEANINGS} | {name for name, *_ in REFUSALS}
    assert {path.name for path in BODIES.glob("*.json")} == named


def test_every_body_has_its_source_and_licence() -> None:
    licences = (BODIES / "LICENSES.md").read_text(encoding="utf-8")
    assert [path.name for path in BODIES.glob("*.json") if f"| {path.name} |" not in licences] == []


def vectors() -> list[Any]:
    found = read("constructed-signature-vectors.json")
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("vector", vectors(), ids=lambda one: one["headers"]["X-WC-Webhook-Topic"])
def test_a_signed_delivery_is_genuine_and_not_one_byte_of_it_may_change(vector: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    secret, body = vector["secret"].encode(), vector["body"].encode()
    assert verifies(WOOCOMMERCE, [secret], headers, body)
    assert verifies(WOOCOMMERCE, [b"the older one", secret], headers, body)
    assert not verifies(WOOCOMMERCE, [b"another"], headers, body)
    assert not verifies(WOOCOMMERCE, [secret], headers, body + b" ")
    assert not verifies(WOOCOMMERCE, [secret], headers, body.replace(b"7", b"8", 1))
    signature = headers["x-wc-webhook-signature"]
    for wrong in ("", signature[:-1], signature.swapcase(), signature + "=", "é" + signature[1:]):
        assert not verifies(WOOCOMMERCE, [secret], headers | {"x-wc-webhook-signature": wrong}, body)


ARRIVALS = [
    ("order.created", Kind.ORDER, "727"),
    ("order.updated", Kind.ORDER, "727"),
    ("customer.updated", Kind.CUSTOMER, "25"),
    ("product.updated", Kind.PRODUCT, "794"),
    ("product.deleted", Kind.PRODUCT, "727"),
]


@pytest.mark.parametrize(("vector", "expected"), list(zip(vectors(), ARRIVALS, strict=True)))
def test_a_signed_delivery_names_its_entity(vector: dict[str, Any], expected: tuple[str, Kind, str]) -> None:
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    arrival = arrive(headers, vector["body"].encode())
    assert (arrival.topic, arrival.kind, arrival.entity) == expected
    assert "x-wc-webhook-signature" not in arrival.headers
    assert arrival.headers["x-wc-webhook-source"] == "https://shop.example.com/"


def test_the_ping_of_a_new_webhook_is_known() -> None:
    request = read("webhook-ping-request.json")
    headers = {name.lower(): value for name, value in request["headers"].items()}
    assert greets(WOOCOMMERCE, headers, request["body"].encode())
    assert not verifies(WOOCOMMERCE, [b"not-a-secret-test-key"], headers, request["body"].encode())
