"""WooCommerce deliveries for tests: real bodies, events around them, and the store they come from."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.base import Arrival, Draft, Translation, WebhookRequest
from pipeline.shops.woocommerce import WOOCOMMERCE
from pipeline.shops.woocommerce.settings import WoocommerceSettings, WoocommerceStore

BODIES = Path(__file__).parent.parent / "pipeline" / "bodies" / "woocommerce"
#: When every event of the tests arrived.
RECEIVED_MS = 1_750_000_000_000


def read(name: str) -> Any:
    return json.loads((BODIES / name).read_bytes())


def ms(moment: str) -> int:
    """`2017-03-22T19:28:08Z` in epoch milliseconds."""
    return int(datetime.fromisoformat(moment).timestamp()) * 1_000


def store(*, currency: str | None = None, **settings: Any) -> WoocommerceStore:
    secrets = (SecretStr("not-a-secret-test-key"),)
    given = {"platform": "woocommerce", "account": "acme", "domain": "shop.example", "secrets": secrets}
    return WOOCOMMERCE.store("acme-woo", WoocommerceSettings(**given | settings), currency=currency)


def arrive(headers: dict[str, str], body: bytes) -> Arrival:
    return WOOCOMMERCE.arrival(WebhookRequest(headers, body))


def event(body: Any, topic: str, kind: Kind | None = None) -> RawEvent:
    """An event as the gateway stores it; `body` as bytes stays as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    resource = topic.partition(".")[0]
    return RawEvent(
        store="acme-woo",
        platform="woocommerce",
        kind=kind or Kind(resource),
        entity="1",
        topic=topic,
        delivery="d",
        received_ms=RECEIVED_MS,
        body=raw,
    )


def translate(body: Any, topic: str, *, currency: str | None = None, **settings: Any) -> Translation:
    kind = Kind.ORDER if topic.partition(".")[0] not in set(Kind) else None
    return WOOCOMMERCE.translate(event(body, topic, kind), store(currency=currency, **settings))


def only(translation: Translation, kind: RecordKind) -> Draft:
    """The one draft of a kind."""
    (draft,) = (draft for draft in translation.drafts if draft.kind is kind)
    return draft


def purchase_of(translation: Translation) -> Purchase:
    body = only(translation, RecordKind.PURCHASE).body
    assert isinstance(body, Purchase)
    return body


def product_of(translation: Translation) -> Product:
    body = only(translation, RecordKind.PRODUCT).body
    assert isinstance(body, Product)
    return body


def contact_of(translation: Translation) -> Contact:
    body = only(translation, RecordKind.CONTACT).body
    assert isinstance(body, Contact)
    return body


_ids = itertools.count(315)


def line(product_id: Any = 93, **changes: Any) -> dict[str, Any]:
    """A line of an order: two pens for 12.00, sold for 10.00, before tax."""
    return {
        "id": next(_ids),
        "name": "Fun Pens",
        "product_id": product_id,
        "variation_id": 0,
        "quantity": 2,
        "subtotal": "12.00",
        "subtotal_tax": "1.20",
        "total": "10.00",
        "total_tax": "1.00",
        "sku": "",
    } | changes


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A sold order of 16.00, paid at the door."""
    return {
        "id": 727,
        "number": "1727",
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": "2024-03-01T10:00:00",
        "date_modified_gmt": "2024-03-01T10:05:00",
        "date_paid_gmt": "2024-03-01T10:04:00",
        "total": "16.00",
        "prices_include_tax": False,
        "customer_id": 0,
        "billing": {
            "first_name": "Ana",
            "last_name": "O&#039;Neill",
            "email": " Ana@Example.COM ",
            "phone": "612 345 678",
            "country": "ES",
        },
        "payment_method": "cod",
        "payment_method_title": "Pago contra <b>reembolso</b>",
        "line_items": list(lines) or [line()],
        "refunds": [],
    } | changes
