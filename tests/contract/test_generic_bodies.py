"""Every body of a custom shop that we carry, against what the contract says it means. Written by hand."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import pipeline
from pipeline.events import RawEvent
from pipeline.records import Contact, Line, Op, Origin, Product, Purchase, RecordKind
from pipeline.schemas import files
from pipeline.shops.base import Draft, Translation, WebhookRequest
from pipeline.shops.generic import GENERIC
from pipeline.shops.platform import raw_event
from tests.drafts import wherever
from tests.generic import store

FOLDER = Path(pipeline.__file__).parent / "bodies" / "generic"
RECEIVED_MS = 1_800_000_000_000
SCHEMA = jsonschema.Draft202012Validator(
    json.loads(files()["shop-event.json"]), format_checker=jsonschema.FormatChecker()
)
PAGE = "https://shop.example.com/p/t-shirt"
IMAGE = "https://shop.example.com/img/t-shirt.jpg"
#: The phone of every body was replaced by zeros.
NO_PHONE = ("phone_invalid",)


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_bytes())


def rows(name: str) -> list[dict[str, Any]]:
    """The documents of a list's pages."""
    return [row for one in load(name)["exchanges"] for row in one["response"]["body"]["items"]]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000


def translate(body: Any, **settings: Any) -> Translation:
    request = WebhookRequest({"webhook-id": "msg_1"}, json.dumps(body).encode(), RECEIVED_MS)
    event = raw_event("acme", GENERIC, request)
    kept = RawEvent.from_kafka(event.body, event.to_kafka_headers())
    return GENERIC.translate(kept, store(currency="EUR", **settings))


def in_envelope(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": "2024-05-06T09:00:00Z", "data": row}


def buyer(email: str, name: str, surname: str, owner: str, *notes: str, subscribed: str = "") -> Draft:
    contact = Contact(
        email=email,
        name=name,
        surname=surname,
        newsletter="subscribed" if subscribed else None,
        newsletter_ms=ms(subscribed) if subscribed else None,
    )
    placed = ms("2024-05-06T08:15:00+00:00")
    return Draft(RecordKind.CONTACT, email, Origin.ORDER, contact, notes=notes, owner=owner, said_ms=placed)


STUB = Draft(
    RecordKind.PRODUCT,
    "P-100",
    Origin.ORDER,
    Product(
        product_id="P-100",
        name="T-shirt, size M",
        url=PAGE,
        unit_price=Decimal("19.95"),
        image_url=IMAGE,
        categories=("Clothing/T-shirts",),
        is_blacklisted=True,
    ),
)


def purchase(purchase_id: str, email: str, total: str, quantity: int, price: str) -> Draft:
    line = Line(
        product_id="P-100",
        name="T-shirt, size M",
        url=PAGE,
        unit_price=Decimal("19.95"),
        unit_price_original=Decimal("19.95"),
        quantity=quantity,
        price=Decimal(price),
        image_url=IMAGE,
        categories=("Clothing/T-shirts",),
    )
    told = Purchase(
        purchase_id=purchase_id,
        contact_email=email,
        cart_id=purchase_id,
        purchase_date="2024-05-06T08:15:00Z",
        total_price=Decimal(total),
        total_quantity=quantity,
        payment_method="card",
        lines=(line,),
    )
    return Draft(RecordKind.PURCHASE, purchase_id, Origin.ORDER, told)


ADA = "customer1@example.com"
ADA_BUYS = buyer(ADA, "Ada", "Example", "customer|C-1", *NO_PHONE, subscribed="2024-05-06T08:14:00+00:00")
SOLD = (ADA_BUYS, STUB, purchase("O-1001", ADA, "44.85", 2, "39.90"))
#: 19.95 of 44.85 was paid back, for one of the two shirts.
ONE_RETURNED = (ADA_BUYS, STUB, purchase("O-1001", ADA, "24.90", 1, "19.95"))
RETRACTED = (Draft(RecordKind.PURCHASE, None, Origin.ORDER, None, Op.RETRACT, if_emitted=True),)


def customer(number: int, name: str, state: str = "", said: str = "") -> tuple[Draft]:
    email = f"customer{number}@example.com"
    told = Contact(
        email=email,
        name=name,
        surname="Example",
        birthdate="1990-02-28",
        newsletter=state or None,
        newsletter_ms=ms(said) if said else None,
    )
    owner = f"customer|C-{number}"
    return (Draft(RecordKind.CONTACT, email, Origin.CUSTOMER, told, notes=NO_PHONE, owner=owner),)


def shirt(availability: str = "instock") -> tuple[Draft]:
    told = Product(
        product_id="P-100",
        name="T-shirt",
        url=PAGE,
        unit_price=Decimal("19.95"),
        unit_price_original=Decimal("24.95"),
        discounted_amount=Decimal("5.00"),
        discounted_percentage=Decimal("20.04"),
        availability=availability,
        image_url=IMAGE,
        description="Cotton T-shirt",
        brand="Example",
        categories=("Clothing/T-shirts",),
        tags=("summer",),
        published_at="2024-01-01T00:00:00Z",
        is_blacklisted=False,
    )
    return (Draft(RecordKind.PRODUCT, "P-100", Origin.CATALOGUE, told),)


HIDDEN = (
    Draft(
        RecordKind.PRODUCT,
        "P-100",
        Origin.CATALOGUE,
        Product(product_id="P-100", availability="outofstock", is_blacklisted=True),
        Op.HIDE,
    ),
)
SUBSCRIBED = customer(1, "Ada", "subscribed", "2024-05-06T08:14:00+00:00")
LEFT = customer(2, "Grace", "unsubscribed", "2024-05-06T08:31:12+00:00")

#: (file, the translation's version, its drafts, why nothing follows where nothing does)
MEANINGS: list[tuple[str, str, tuple[Draft, ...], str]] = [
    ("order-created.json", "2024-05-06T08:15:00+00:00", RETRACTED, "not_sold"),
    ("order-updated-paid.json", "2024-05-06T08:20:30+00:00", SOLD, ""),
    ("order-partially-refunded.json", "2024-05-08T07:00:00+00:00", ONE_RETURNED, ""),
    ("order-cancelled.json", "2024-05-07T07:00:00+00:00", RETRACTED, "cancelled"),
    ("order-deleted.json", "2024-05-09T09:05:01+00:00", RETRACTED, "deleted"),
    ("customer-created.json", "2024-01-02T03:04:05+00:00", customer(1, "Ada"), ""),
    ("customer-updated.json", "2024-05-06T08:14:00+00:00", SUBSCRIBED, ""),
    ("customer-deleted.json", "2024-06-02T12:00:00+00:00", (), "customer_kept"),
    ("product-created.json", "2024-01-01T00:00:00+00:00", shirt(), ""),
    ("product-updated.json", "2024-05-01T00:00:00+00:00", shirt(), ""),
    ("product-out-of-stock.json", "2024-05-03T00:00:00+00:00", shirt("outofstock"), ""),
    ("product-deleted.json", "2024-05-04T00:00:01+00:00", HIDDEN, "deleted"),
]
ROWS: list[tuple[str, int, str, str, tuple[Draft, ...], str]] = [
    ("orders", 0, "order.updated", "2024-05-06T08:20:30+00:00", SOLD, ""),
    (
        "orders",
        1,
        "order.updated",
        "2024-05-06T08:20:30+00:00",
        (
            # "Guest" is no first name.
            Draft(
                RecordKind.CONTACT,
                "guest1@example.com",
                Origin.ORDER,
                Contact(email="guest1@example.com", surname="Buyer"),
                said_ms=ms("2024-05-06T08:15:00+00:00"),
            ),
            STUB,
            purchase("O-1002", "guest1@example.com", "44.85", 2, "39.90"),
        ),
        "",
    ),
    ("orders", 2, "order.updated", "2024-05-07T07:00:00+00:00", RETRACTED, "cancelled"),
    ("orders", 3, "order.updated", "2024-05-06T08:59:00+00:00", RETRACTED, "deleted"),
    ("customers", 0, "customer.updated", "2024-05-06T08:14:00+00:00", SUBSCRIBED, ""),
    ("customers", 1, "customer.updated", "2024-05-06T08:14:00+00:00", LEFT, ""),
    ("customers", 2, "customer.updated", "2024-05-06T08:50:00+00:00", (), "customer_kept"),
    ("products", 0, "product.updated", "2024-05-01T00:00:00+00:00", shirt(), ""),
    ("products", 1, "product.updated", "2024-05-03T00:00:00+00:00", shirt("outofstock"), ""),
]


def assert_means(translation: Translation, version: str, drafts: tuple[Draft, ...], ignored: str) -> None:
    assert translation.version == ms(version)
    assert wherever(translation).drafts == drafts
    assert translation.ignored == (ignored or "nothing_to_tell")


@pytest.mark.parametrize(("name", "version", "drafts", "ignored"), MEANINGS, ids=[row[0] for row in MEANINGS])
def test_a_body_means_what_is_written_here(
    name: str, version: str, drafts: tuple[Draft, ...], ignored: str
) -> None:
    assert_means(translate(load(name)), version, drafts, ignored)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_a_list_means_the_same_as_an_event_of_it(
    row: tuple[str, int, str, str, tuple[Draft, ...], str],
) -> None:
    of, index, kind, version, drafts, ignored = row
    assert_means(translate(in_envelope(kind, rows(f"pull-{of}-page.json")[index])), version, drafts, ignored)


def test_every_body_is_in_the_tables_and_has_its_licence() -> None:
    listed = {name for name, *_ in MEANINGS} | {f"pull-{of}-page.json" for of, *_ in ROWS}
    there = {path.name for path in FOLDER.glob("*.json")}
    assert listed == there - {"signature-vectors-standard-webhooks.json"}
    assert len(ROWS) == sum(len(rows(name)) for name in there if name.startswith("pull-"))
    licences = (FOLDER / "LICENSES.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in licences for name in there)


@pytest.mark.parametrize("name", [name for name, *_ in MEANINGS])
def test_every_body_is_one_of_the_published_schema(name: str) -> None:
    assert not [error.message for error in SCHEMA.iter_errors(load(name))]


@pytest.mark.parametrize("identity", ["variant", "sku"])
def test_the_variants_are_the_products_where_the_store_says_so(identity: str) -> None:
    ids = {"variant": ["P-100-M", "P-100-L"], "sku": ["TSHIRT-M", "TSHIRT-L"]}[identity]
    translation = translate(load("product-updated.json"), product_id=identity)
    assert [draft.id for draft in translation.drafts] == ids
    sold = translate(load("order-updated-paid.json"), product_id=identity)
    assert [draft.id for draft in sold.drafts if draft.kind is RecordKind.PRODUCT] == ids[:1]
    out = translate(load("product-out-of-stock.json"), product_id=identity)
    assert {draft.body.availability for draft in out.drafts} == {"outofstock"}  # type: ignore[union-attr]
