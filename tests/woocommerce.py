"""WooCommerce deliveries for tests: real bodies, events around them, and the store they come from."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pipeline.config import StoreSettings
from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, StoreContext, Translation
from pipeline.shops.woocommerce import WOOCOMMERCE

BODIES = Path(__file__).parent.parent / "pipeline" / "bodies" / "woocommerce"
#: When every event of the tests arrived.
RECEIVED_MS = 1_750_000_000_000


def read(name: str) -> Any:
    return json.loads((BODIES / name).read_bytes())


def ms(moment: str) -> int:
    """`2017-03-22T19:28:08Z` in epoch milliseconds."""
    return int(datetime.fromisoformat(moment).timestamp()) * 1_000


def store(*, currency: str | None = None, **settings: Any) -> StoreContext:
    secrets = (SecretStr("not-a-secret-test-key"),)
    given = {"platform": "woocommerce", "account": "acme", "domain": "shop.example", "secrets": secrets}
    return StoreContext("acme-woo", StoreSettings(**given | settings), currency)


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
