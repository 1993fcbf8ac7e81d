"""The platform that docs/seventh-platform.md builds: from its text to the records of a signed webhook."""

from __future__ import annotations

import hmac
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import pipeline.shops
from pipeline.records import Op, RecordKind
from pipeline.shops.base import Rejected, Translation, WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.settings import StoreSettings
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import apply
from pipeline.translate.state import EntityState

PAGE = Path(__file__).parents[2] / "docs" / "seventh-platform.md"
_FILE = re.compile(r"<!-- file: (\S+) -->\n\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SECRET = b"the store's own secret"
ORDER: dict[str, Any] = {
    "id": 1001,
    "status": "paid",
    "placed_at": "2023-11-14T20:15:00Z",
    "changed_at": "2023-11-14T20:16:00Z",
    "total": "24.95",
    "currency": "EUR",
    "email": "ana@mail.example",
    "customer": 12,
    "first_name": "Ana",
    "lines": [{"article": 77, "name": "Mug", "count": 2, "price": "20.00"}],
}


@pytest.fixture(name="bazaar", scope="module")
def _bazaar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyPlatform]:
    """The platform, written from the page into a folder beside the others."""
    directory = tmp_path_factory.mktemp("shops")
    folder = directory / "bazaar"
    folder.mkdir()
    files = dict(_FILE.findall(PAGE.read_text(encoding="utf-8")))
    assert files.keys() == {"__init__.py", "topics.py", "webhooks.py", "meanings.py"}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = list(pipeline.shops.__path__)
    pipeline.shops.__path__ = [*path, str(directory)]
    try:
        platform: AnyPlatform = importlib.import_module("pipeline.shops.bazaar").BAZAAR
        yield platform
    finally:
        pipeline.shops.__path__ = path
        for name in [name for name in sys.modules if name.startswith("pipeline.shops.bazaar")]:
            del sys.modules[name]


def store() -> StoreSettings:
    return StoreSettings.model_validate(
        {"platform": "bazaar", "account": "acme", "domain": "shop.example", "secrets": ["key"]}
    )


def request(topic: str, body: bytes) -> WebhookRequest:
    """As the shop signs it."""
    signature = hmac.digest(SECRET, body, "sha256").hex()
    return WebhookRequest({"x-bazaar-topic": topic, "x-bazaar-signature": signature}, body, 1_700_000_000_000)


def meaning(bazaar: AnyPlatform, topic: str, body: Any) -> Translation:
    event = raw_event("acme", bazaar, request(topic, orjson.dumps(body)))
    translation: Translation = bazaar.translate(event, bazaar.store("acme", store()))
    return translation


def test_its_signature_counts_and_nothing_near_it(bazaar: AnyPlatform) -> None:
    sent = request("order.changed", b"{}")
    assert bazaar.verify([b"another", SECRET], sent, store())
    assert not bazaar.verify([b"another"], sent, store())
    assert not bazaar.verify([SECRET], sent._replace(body=b"{} "), store())
    assert not bazaar.verify([SECRET], sent._replace(headers={}), store())


def test_a_sold_order_is_a_contact_a_product_and_a_purchase(bazaar: AnyPlatform) -> None:
    drafts = meaning(bazaar, "order.changed", ORDER).drafts
    assert [(draft.kind, draft.id) for draft in drafts] == [
        (RecordKind.CONTACT, "ana@mail.example"),
        (RecordKind.PRODUCT, "77"),
        (RecordKind.PURCHASE, "1001"),
    ]


def test_an_order_that_is_not_sold_any_more_is_taken_back_once(bazaar: AnyPlatform) -> None:
    state, outcomes = EntityState(), []
    feed = Feed(bazaar.store("acme", store()), bazaar, "acme")
    later = ORDER | {"changed_at": "2023-11-14T20:17:00Z", "status": "cancelled"}
    for offset, body in enumerate((ORDER, ORDER, later, ORDER | {"total": "1.00"})):
        event = raw_event("acme", bazaar, request("order.changed", orjson.dumps(body)))
        result = apply(event, EventPosition("shop.orders", 0, offset), state, feed)
        outcomes.append((result.outcome.value, [one.kind for one in result.emissions]))
    assert [outcome for outcome, _ in outcomes] == ["accepted", "duplicate", "accepted", "stale"]
    assert outcomes[2][1] == [RecordKind.PURCHASE]


def test_customers_products_and_deletions_are_understood(bazaar: AnyPlatform) -> None:
    person = {"id": 12, "email": "ana@mail.example", "changed_at": "2023-11-14T20:16:00Z"}
    [contact] = meaning(bazaar, "customer.changed", person).drafts
    assert (contact.kind, contact.id) == (RecordKind.CONTACT, "ana@mail.example")
    article = {"id": 77, "name": "Mug", "price": "10.00", "changed_at": "2023-11-14T20:16:00Z"}
    [product] = meaning(bazaar, "product.changed", article).drafts
    assert (product.kind, product.id) == (RecordKind.PRODUCT, "77")
    [gone] = meaning(bazaar, "order.deleted", {"id": 1001}).drafts
    assert gone.op is Op.RETRACT


@pytest.mark.parametrize(
    "topic", ["order.changed", "customer.changed", "product.changed", "basket.changed", "?"]
)
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id":1}', b'{"id":1,"changed_at":7}', b"\xff"])
def test_whatever_comes_is_meant_or_refused_with_a_reason(
    bazaar: AnyPlatform, topic: str, body: bytes
) -> None:
    event = raw_event("acme", bazaar, request(topic, body))
    try:
        said = bazaar.translate(event, bazaar.store("acme", store())).ignored
    except Rejected as refused:
        said = refused.reason
    assert said.isidentifier()
