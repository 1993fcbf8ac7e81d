"""Magento deliveries for tests: real bodies, events around them, and the store they come from."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.api import FETCHED, pack
from pipeline.shops.base import Draft, Rejected, StoreOf, Translation, WebhookRequest
from pipeline.shops.magento import MAGENTO
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.platform import raw_event
from tests.platforms import settings_of

BODIES = Path(__file__).parent.parent / "pipeline" / "bodies" / "magento"
#: When every event of the tests arrived.
RECEIVED_MS = 1_750_000_000_000
MagentoStore = StoreOf[MagentoSettings]


def read(name: str) -> Any:
    return json.loads((BODIES / name).read_bytes())


def ms(moment: str) -> int:
    """`2017-03-22 19:28:08` in UTC, in epoch milliseconds."""
    return int(datetime.fromisoformat(f"{moment}+00:00").timestamp()) * 1_000


def store(*, currency: str | None = None, **settings: Any) -> MagentoStore:
    own = settings_of("magento", **{"domain": "shop.example", **settings})
    assert isinstance(own, MagentoSettings)
    return MAGENTO.store("acme", own, currency=currency)


def arrived(body: Any, query: str = "", **headers: str) -> RawEvent:
    """An event as the gateway stores it; `body` as bytes stays as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw_event("acme", MAGENTO, WebhookRequest(named, raw, RECEIVED_MS, query))


def adobe(topic: str, value: Any, **changes: Any) -> dict[str, Any]:
    """Adobe's envelope around the fields of an event."""
    envelope = {
        "specversion": "1.0",
        "id": "00000000-0000-4000-8000-000000000001",
        "type": f"com.adobe.commerce.{topic}",
        "time": "2025-06-15T15:06:40.000Z",
        "eventid": "10000000-0000-4000-8000-000000000001",
        "recipientclientid": "our-client-id",
        "data": {"key": "1", "value": value, "source": "s", "_metadata": {"storeId": "0"}},
    }
    return envelope | changes


def fetched(kind: Kind, entity: str, *answers: Any, received_ms: int = RECEIVED_MS) -> RawEvent:
    """The event that the API's answers make: each a document, or (path, status, document)."""
    listed = [
        one if isinstance(one, tuple) else (f"/rest/all/V1/{number}", 200, one)
        for number, one in enumerate(answers)
    ]
    body = pack([(path, status, json.dumps(document).encode()) for path, status, document in listed])
    return RawEvent(
        store="acme",
        platform="magento",
        kind=kind,
        entity=entity,
        topic=f"{FETCHED}{kind}",
        delivery="d",
        received_ms=received_ms,
        body=body,
    )


def order(document: Any, *parts: Any, currency: str | None = None, **settings: Any) -> Translation:
    """What an order's document means."""
    event = fetched(Kind.ORDER, str(document.get("entity_id", "1")), document, *parts)
    return MAGENTO.translate(event, store(currency=currency, **settings))


def customer(document: Any, **settings: Any) -> Translation:
    """What a customer's document means."""
    event = fetched(Kind.CUSTOMER, str(document.get("id", "1")), document)
    return MAGENTO.translate(event, store(**settings))


def product(document: Any, *parts: Any, received_ms: int = RECEIVED_MS, **settings: Any) -> Translation:
    """What a product's document means, with those of its parts."""
    event = fetched(Kind.PRODUCT, str(document.get("id", "1")), document, *parts, received_ms=received_ms)
    return MAGENTO.translate(event, store(**settings))


def sold(**changes: Any) -> dict[str, Any]:
    """A sold order of two mugs, of a customer, with postage and without tax."""
    body: dict[str, Any] = read("constructed-rest-order-processing.json")
    line = {
        "item_id": 1,
        "product_id": 500,
        "product_type": "simple",
        "sku": "MUG",
        "name": "Mug",
        "qty_ordered": 2,
        "qty_canceled": 0,
        "qty_refunded": 0,
        "row_total": 20,
        "row_total_incl_tax": 20,
        "tax_amount": 0,
        "discount_amount": 0,
        "discount_tax_compensation_amount": 0,
    }
    plain = {"grand_total": 25, "base_grand_total": 25, "total_paid": 25, "items": [line], "tax_amount": 0}
    whole: dict[str, Any] = copy.deepcopy(body | plain | changes)
    return whole


def shown() -> dict[str, Any]:
    """A product with a page of its own."""
    body: dict[str, Any] = read("rest-product-docs-simple.json") | {"visibility": 4}
    return body


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of one mug for 10."""
    plain: dict[str, Any] = sold()["items"][0] | {
        "item_id": number,
        "qty_ordered": 1,
        "row_total": 10,
        "row_total_incl_tax": 10,
    }
    return plain | changes


def only(translation: Translation, kind: RecordKind) -> Draft:
    """The only draft of a kind."""
    [draft] = [draft for draft in translation.drafts if draft.kind is kind]
    return draft


def purchase(translation: Translation) -> Purchase:
    body = only(translation, RecordKind.PURCHASE).body
    assert isinstance(body, Purchase)
    return body


def contact(translation: Translation) -> Contact:
    body = only(translation, RecordKind.CONTACT).body
    assert isinstance(body, Contact)
    return body


def article(translation: Translation) -> Product:
    body = only(translation, RecordKind.PRODUCT).body
    assert isinstance(body, Product)
    return body


def outcome(event: RawEvent) -> str:
    """Why nothing follows from an event."""
    try:
        said = MAGENTO.translate(event, store())
    except Rejected as refused:
        return refused.reason
    assert said.drafts == ()
    return said.ignored
