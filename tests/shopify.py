"""What the tests of the Shopify adapter share: its bodies, a store, the way from a body to its meaning."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

import pipeline
from pipeline.events import RawEvent
from pipeline.records import Contact, Op, Origin, Product, Purchase, RecordKind
from pipeline.shops.base import Arrival, Draft, Translation, WebhookRequest
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.shopify.settings import ShopifySettings, ShopifyStore

FOLDER = Path(pipeline.__file__).parent / "bodies" / "shopify"
#: When every event of these tests arrived: 2027-01-15T08:00:00Z.
RECEIVED = 1_800_000_000_000


def ms(text: str) -> int:
    """Epoch milliseconds of an ISO moment, by other means than the program's."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000


def load(name: str) -> Any:
    """A body of the folder, by its name without `.json`."""
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())


def store(currency: str | None = None, **settings: Any) -> ShopifyStore:
    """A store with default settings but for those given."""
    known = {"platform": "shopify", "account": "acme", "domain": "acme.example", "secrets": ("key",)}
    return SHOPIFY.store("acme", ShopifySettings.model_validate(known | settings), currency=currency)


def arrive(headers: dict[str, str], body: bytes) -> Arrival:
    """What a request is about."""
    return SHOPIFY.arrival(WebhookRequest(headers, body))


def delivered(topic: str, body: Any, /, **headers: str) -> RawEvent:
    """The event as the gateway stores it: the body goes through `arrival`."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    found = arrive({"x-shopify-topic": topic, **headers}, raw)
    return RawEvent(
        store="acme",
        platform="shopify",
        kind=found.kind,
        entity=found.entity,
        topic=found.topic,
        delivery=found.delivery,
        received_ms=RECEIVED,
        triggered_ms=found.triggered_ms,
        body=raw,
        headers=dict(found.headers),
    )


def translate(topic: str, body: Any, context: ShopifyStore | None = None, /, **headers: str) -> Translation:
    """What the delivery means to the store."""
    return SHOPIFY.translate(delivered(topic, body, **headers), context or store())


def paid_order(**changes: Any) -> dict[str, Any]:
    """A paid order of 40.85 EUR: two shirts at 19.95, 4.00 off, 4.95 shipping."""
    order: dict[str, Any] = load("constructed-webhook-orders_paid")
    order["billing_address"]["phone"] = "+34612345678"  # the sample's belongs to no country
    return order | changes


def order_line(**changes: Any) -> dict[str, Any]:
    """One shirt at 10.00, nothing off."""
    return {
        "id": 1,
        "product_id": 77,
        "variant_id": 770,
        "sku": "SHIRT",
        "title": "Shirt",
        "name": "Shirt - M",
        "quantity": 1,
        "current_quantity": 1,
        "price": "10.00",
        "discount_allocations": [],
        "tax_lines": [],
    } | changes


def contact_of(translation: Translation) -> Contact:
    """The body of its only contact."""
    [draft] = [draft for draft in translation.drafts if draft.kind == "contact"]
    assert isinstance(draft.body, Contact)
    return draft.body


def purchase_of(translation: Translation) -> Purchase:
    """The body of its only purchase."""
    body = purchase_draft(translation).body
    assert isinstance(body, Purchase)
    return body


def purchase_draft(translation: Translation) -> Draft:
    """Its only purchase."""
    [draft] = [draft for draft in translation.drafts if draft.kind == "purchase"]
    return draft


def products_of(translation: Translation) -> list[Product]:
    """The bodies of its products."""
    return [draft.body for draft in translation.drafts if isinstance(draft.body, Product)]


def retract(purchase_id: str | None) -> Draft:
    """That the purchase is to go, if it was told."""
    return Draft(RecordKind.PURCHASE, purchase_id, Origin.ORDER, None, Op.RETRACT, if_emitted=True)


def hide(product_id: str) -> Draft:
    """That the product is no longer on sale."""
    body = Product(product_id=product_id, availability="outofstock", is_blacklisted=True)
    return Draft(RecordKind.PRODUCT, product_id, Origin.CATALOGUE, body, Op.HIDE)


def person(origin: Origin, *notes: str, customer: str = "", placed: str = "", **fields: Any) -> Draft:
    """A contact by e-mail: of the customer of that id, as of the moment an order was placed."""
    body = Contact(**fields)
    return Draft(
        RecordKind.CONTACT,
        body.email,
        origin,
        body,
        notes=notes,
        owner=f"customer|{customer}" if customer else "",
        said_ms=ms(placed) if placed else 0,
    )


def told(origin: Origin, body: Product, *notes: str) -> Draft:
    """A product in full."""
    return Draft(RecordKind.PRODUCT, body.product_id, origin, body, notes=notes)


def bought(*notes: str, coupons: tuple[str, ...] = (), **fields: Any) -> Draft:
    """A purchase, and the codes it was made with."""
    body = Purchase(**fields)
    return Draft(RecordKind.PURCHASE, body.purchase_id, Origin.ORDER, body, notes=notes, coupons=coupons)
