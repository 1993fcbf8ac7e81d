"""Every PrestaShop body we carry, against what the reference says it means. Written by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.records import Contact, Op, Origin, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, Look, Rejected, Translation
from pipeline.shops.orders import retract_draft
from pipeline.shops.prestashop.platform import PRESTASHOP
from pipeline.shops.values import epoch_ms, instant
from tests.prestashop import BODIES, READ_MS, asked, call, meaning, read, store

#: What the other documents of the constructed orders say.
PERSON = {"id": 12, "email": "ada@mail.example", "firstname": "Ada", "lastname": "Example", "is_guest": "0"}
EUROS = {"currencies": [{"id": 1, "iso_code": "EUR", "precision": "2"}]}


def ms(moment: str) -> int:
    return epoch_ms(instant(moment, ""))


def ordered(order: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An order's documents."""
    body = order["order"]
    return {
        f"/api/orders/{body['id']}": order,
        f"/api/customers/{body['id_customer']}": {"customer": PERSON | {"id": body["id_customer"]}},
        "/api/currencies/1": {"currency": EUROS["currencies"][0]},
        "/api/order_slip": [],
        **more,
    }


def of_kind(said: Translation, kind: RecordKind) -> list[Draft]:
    return [draft for draft in said.drafts if draft.kind is kind]


def purchase_of(said: Translation) -> Purchase:
    [draft] = of_kind(said, RecordKind.PURCHASE)
    assert isinstance(draft.body, Purchase)
    return draft.body


def contact_of(said: Translation) -> Contact:
    [draft] = of_kind(said, RecordKind.CONTACT)
    assert isinstance(draft.body, Contact)
    return draft.body


def test_a_paid_order_is_a_purchase_with_its_coupon() -> None:
    order = read("constructed-ws-order-paid.json")
    rules = read("constructed-ws-order_cart_rules.json")
    said = meaning(Kind.ORDER, "41", ordered(order, **{"/api/order_cart_rules": rules}), currency="EUR")
    purchase = purchase_of(said)
    assert said.version == ms("2024-05-07T07:00:00Z")
    assert (purchase.purchase_id, purchase.contact_email, purchase.cart_id) == (
        "41",
        "ada@mail.example",
        "131",
    )
    assert purchase.purchase_date == "2024-05-06T08:15:00Z"
    assert (purchase.total_price, purchase.total_quantity) == (Decimal("29.9"), 3)
    assert purchase.payment_method == "Bank transfer"
    assert [
        (line.product_id, line.name, line.quantity, line.unit_price, line.price) for line in purchase.lines
    ] == [
        ("7", "Taza", 2, Decimal(10), Decimal(20)),
        ("8", "Camiseta - Talla : M", 1, Decimal(10), Decimal(10)),
    ]
    [draft] = of_kind(said, RecordKind.PURCHASE)
    assert draft.coupons == ("WELCOME5",)


def test_an_order_that_awaits_a_transfer_tells_nothing_and_undoes_nothing() -> None:
    said = meaning(Kind.ORDER, "41", ordered(read("constructed-ws-order-unpaid.json")))
    assert (said.drafts, said.ignored) == ((), "not_sold")
    assert said.version == ms("2024-05-06T08:15:00Z")


@pytest.mark.parametrize("name", ["ws-order-single-airbyte.json", "ws-orders-list-airbyte.json"])
def test_a_cancelled_order_is_taken_back_if_it_was_told(name: str) -> None:
    answers = {"/api/orders/1": read(name), "/api/order_states/6": {"order_state": {"id": 6, "paid": "0"}}}
    said = meaning(Kind.ORDER, "1", answers)
    assert said == Translation(ms("2022-05-17T15:50:34Z"), (retract_draft(None),), "not_sold")


def test_an_order_of_the_demonstration_shop_counts_what_its_reference_module_sends() -> None:
    order = read("ws-order-single-airbyte.json")
    order["order"] |= {"valid": "1", "current_state": "2"}
    order["order"]["total_paid_real"] = "999.000000"
    currency = {"/api/currencies/1": {"currency": read("ws-currencies-airbyte.json")["currencies"][0]}}
    purchase = purchase_of(meaning(Kind.ORDER, "1", ordered(order, **currency), currency="USD"))
    assert purchase.total_price == Decimal("61.8")
    assert [(line.product_id, line.unit_price) for line in purchase.lines] == [
        ("1", Decimal("23.9")),
        ("2", Decimal("35.9")),
    ]


def test_what_a_credit_slip_gave_back_is_goods_and_postage_with_tax() -> None:
    order = read("ws-order-single-airbyte.json")
    order["order"] |= {"valid": "1", "current_state": "2"}
    slips = {"/api/order_slip": read("ws-order_slip-airbyte.json")}
    assert purchase_of(meaning(Kind.ORDER, "1", ordered(order, **slips))).total_price == Decimal("29.8")
    kept = meaning(Kind.ORDER, "1", ordered(order, **slips), on_partial_refund="keep")
    assert purchase_of(kept).total_price == Decimal("61.8")


def test_a_state_of_payment_is_none_that_is_awaited() -> None:
    order = read("constructed-ws-order-unpaid.json")
    order["order"]["current_state"] = "2"
    state = {"/api/order_states/2": {"order_state": read("ws-order_states-airbyte.json")["order_states"][0]}}
    said = meaning(Kind.ORDER, "41", ordered(order, **state))
    assert said.drafts == (retract_draft(None),)


@pytest.mark.parametrize(
    ("number", "placed", "version"),
    [("51", "2024-10-27T00:29:50Z", "2024-10-27T01:30:00Z"), ("52", None, "2024-10-27T01:30:00Z")],
)
def test_orders_of_the_hour_that_exists_twice(number: str, placed: str | None, version: str) -> None:
    first = read("pull-orders-page.json")["exchanges"][0]["response"]["body"]["orders"]
    [order] = [one for one in first if str(one["id"]) == number]
    said = meaning(Kind.ORDER, number, ordered({"order": order}))
    assert said.version == ms(version)
    if placed is None:
        assert (said.drafts, said.ignored) == ((), "not_sold")
    else:
        assert purchase_of(said).purchase_date == placed
        assert "local_hour_unclear" in of_kind(said, RecordKind.PURCHASE)[0].notes


def test_the_cancelled_order_of_the_second_page_is_taken_back() -> None:
    [order] = read("pull-orders-page.json")["exchanges"][1]["response"]["body"]["orders"]
    said = meaning(Kind.ORDER, "53", {"/api/orders/53": {"order": order}})
    assert said.drafts == (retract_draft(None),)


def row(number: int) -> dict[str, Any]:
    rows = read("pull-customers-full.json")["exchanges"][0]["response"]["body"]["customers"]
    [found] = [one for one in rows if one["id"] == number]
    return {f"/api/customers/{number}": {"customer": found}}


def test_a_subscriber_counts_from_the_moment_of_the_subscription() -> None:
    said = meaning(Kind.CUSTOMER, "12", row(12))
    [draft] = said.drafts
    since = ms("2024-05-06T08:14:00Z")
    assert draft == Draft(
        RecordKind.CONTACT,
        "customer1@example.com",
        Origin.CUSTOMER,
        Contact(
            email="customer1@example.com",
            name="Ada",
            surname="Example",
            newsletter="subscribed",
            newsletter_ms=since,
        ),
        owner="customer|12",
        look=Look(subscribed=True, since_ms=since, given=True),
    )


def test_who_left_is_unsubscribed_as_of_the_change() -> None:
    said = meaning(Kind.CUSTOMER, "13", row(13))
    assert (contact_of(said).newsletter, contact_of(said).newsletter_ms) == (
        "unsubscribed",
        ms("2024-05-06T08:31:12Z"),
    )


def test_a_guests_row_makes_the_contact_and_says_nothing_of_the_newsletter() -> None:
    said = meaning(Kind.CUSTOMER, "14", row(14))
    assert contact_of(said) == Contact(email="customer1@example.com", name="Ada", surname="Example")
    assert (said.drafts[0].look, said.drafts[0].owner) == (None, "")


def test_a_deleted_row_is_a_deleted_customer() -> None:
    assert meaning(Kind.CUSTOMER, "15", row(15)).ignored == "customer_kept"
    [gone] = meaning(Kind.CUSTOMER, "15", row(15), on_customer_deleted="delete").drafts
    assert (gone.op, gone.if_emitted) == (Op.RETRACT, True)


def test_the_customer_of_the_demonstration_shop_never_decided() -> None:
    body = read("ws-customers-list-airbyte.json")
    contact = contact_of(meaning(Kind.CUSTOMER, "1", {"/api/customers/1": body}))
    assert contact == Contact(email="anonymous@example.com", name="Anonymous", surname="Anonymous")


def test_an_address_that_no_account_has_is_known_to_the_form_alone() -> None:
    body = read("pull-customers-empty.json")["exchanges"][0]["response"]["body"]
    event = call({"hook": "actionNewsletterRegistrationBefore", "email": "new@mail.example", "action": "1"})
    after = asked(event, {"/api/customers": body})
    assert after is not None
    said = PRESTASHOP.translate(after, store())
    assert (said.version, said.drafts, said.ignored) == (0, (), "not_found")


def test_a_product_is_read_in_the_stores_language() -> None:
    answers = {
        "/api/products/7": read("constructed-ws-product-multilang.json"),
        "/api/stock_availables": {
            "stock_availables": [{"id": 40, "id_product": "7", "id_product_attribute": "0", "quantity": "4"}]
        },
    }
    [draft] = meaning(Kind.PRODUCT, "7", answers, languages={"2": "es", "1": "en"}).drafts
    assert draft == Draft(
        RecordKind.PRODUCT,
        "7",
        Origin.CATALOGUE,
        Product(
            product_id="7",
            name="Taza",
            url="https://shop.example/7-taza.html",
            unit_price=Decimal("8.2645"),
            unit_price_original=Decimal("8.2645"),
            discounted_amount=Decimal(0),
            discounted_percentage=Decimal(0),
            availability="instock",
            image_url="https://shop.example/11-large_default/taza.jpg",
            brand="Example",
            description="Taza",
            published_at="2024-01-01T09:00:00Z",
            is_blacklisted=False,
        ),
        notes=("catalogue_price_without_tax",),
    )
    [english] = meaning(Kind.PRODUCT, "7", answers, tax_rate=21).drafts
    assert isinstance(english.body, Product)
    assert (english.body.name, english.body.unit_price) == ("Mug", Decimal("10.00"))


def test_a_product_of_the_demonstration_shop() -> None:
    answers = {
        "/api/products/1": read("ws-products-list-airbyte.json"),
        "/api/stock_availables": read("ws-stock_availables-airbyte.json"),
        "/api/categories": read("ws-categories-airbyte.json"),
    }
    [draft] = meaning(Kind.PRODUCT, "1", answers).drafts
    product = draft.body
    assert isinstance(product, Product)
    assert product.name == "Hummingbird printed t-shirt"
    assert product.url == "https://shop.example/1-hummingbird-printed-t-shirt.html"
    assert (product.unit_price, product.availability, product.brand) == (
        Decimal("23.9"),
        "instock",
        "Studio Design",
    )
    assert product.categories == ()  # the root is every product's
    assert (
        product.description
        == "Regular fit, round neckline, short sleeves. Made of extra long staple pima cotton."
    )


def test_a_combination_is_told_by_itself_where_the_store_wants_it() -> None:
    answers = {
        "/api/products/1": read("ws-products-list-airbyte.json"),
        "/api/combinations": read("ws-combinations-airbyte.json"),
    }
    [variant] = meaning(Kind.PRODUCT, "1", answers, product_id="variant").drafts
    [sku] = meaning(Kind.PRODUCT, "1", answers, product_id="sku").drafts
    assert (variant.id, sku.id) == ("1-1", "demo_1")
    assert "stock_unknown" in variant.notes


@pytest.mark.parametrize(
    ("name", "headers", "kind", "entity", "topic"),
    [
        ("module-webhook-order-add-ps_webhooks-constructed.json", {}, Kind.ORDER, "1", "order.created"),
        (
            "module-webhook-order-created-freshdesk-style.json",
            {"x-prestashop-topic": "order.created"},
            Kind.ORDER,
            "1",
            "order.created",
        ),
        (
            "module-webhook-product-delete-ps_webhooks-constructed.json",
            {},
            Kind.PRODUCT,
            "1",
            "product.deleted",
        ),
    ],
)
def test_a_modules_call_is_a_hint(
    name: str, headers: dict[str, str], kind: Kind, entity: str, topic: str
) -> None:
    event = call(read(name), headers)
    assert (event.kind, event.entity, event.topic) == (kind, entity, topic)
    said = PRESTASHOP.translate(event, store())
    if topic == "product.deleted":
        assert [(draft.op, draft.id) for draft in said.drafts] == [(Op.HIDE, "1")]
    else:
        assert (said.drafts, said.ignored) == ((), "fetched")


def test_an_error_of_the_webservice_is_no_document() -> None:
    for exchange in read("pull-errors.json")["exchanges"]:
        with pytest.raises(Rejected) as caught:
            meaning(Kind.CUSTOMER, "12", {"/api/customers/12": exchange["response"]["body"]})
        assert caught.value.reason == "shop_api_error"


#: Answers to a pull, a check or a write-back, and documents that nothing here asks for.
NOT_ASKED = {
    "pull-admin-api-customer.json",
    "pull-consent-update.json",
    "pull-shop-check.json",
    "ws-languages-airbyte.json",
    "ws-order_details-airbyte.json",
    "ws-order_histories-airbyte.json",
    "ws-order_payments-airbyte.json",
    "ws-specific_prices-airbyte.json",
}


@pytest.mark.parametrize("name", sorted(NOT_ASKED))
def test_a_document_that_nothing_asks_for_makes_no_record(name: str) -> None:
    event = call(read(name))
    assert event.entity.startswith("unread-")
    with pytest.raises(Rejected) as caught:
        PRESTASHOP.translate(event, store())
    assert caught.value.reason == "missing_topic"
    assert event.received_ms == READ_MS


def test_every_body_has_an_expectation() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in BODIES.glob("*.json") if path.name not in here] == []
