"""What each platform's bodies mean to a store: shared by the tests of what all platforms must mean."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.events import RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.api import fetched_event
from pipeline.shops.base import Draft, Rejected, Translation, WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import Result, apply
from pipeline.translate.state import EntityState
from tests.platforms import IN_TESTS, genuine, settings_of
from tests.shop_bodies import CHANGED, ZONE, Sent, ShopBodies

EACH = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
SECRET = b"the store's own secret"
#: Every event arrives a minute after the newest change, unless a test says otherwise.
ARRIVED_MS = int(CHANGED.timestamp() * 1_000) + 60_000


def bodies_of(platform: AnyPlatform) -> ShopBodies:
    """What its shops write."""
    return IN_TESTS[platform.name].bodies


def raw(sent: Sent) -> bytes:
    """The document as bytes."""
    return json.dumps(sent.document, separators=(",", ":"), ensure_ascii=False).encode()


def event_of(
    platform: AnyPlatform, sent: Sent | None, *, arrived_ms: int = ARRIVED_MS, body: bytes | None = None
) -> RawEvent:
    """The event as translate reads it; `body` instead of the document as it is usually written.

    What a platform never says skips the test.
    """
    if sent is None:
        pytest.skip("the platform never says so")
    request = genuine(platform, sent.topic, raw(sent) if body is None else body, SECRET, {})
    [one] = [request] if platform.split is None else platform.split(request)
    event = raw_event("acme", platform, WebhookRequest(*one[:2], arrived_ms, *one[3:]))
    answers = bodies_of(platform).answers
    if answers is not None and body is None and not platform.topics.is_deletion(event.topic):
        listed = [(path, 200, json.dumps(document).encode()) for path, document in answers(sent)]
        event = fetched_event(event, listed, event.kind, "shop/0/1", arrived_ms)
    return RawEvent.from_kafka(event.body, event.to_kafka_headers())


def meaning(
    platform: AnyPlatform, sent: Sent | None, *, currency: str | None = None, **settings: Any
) -> Translation:
    """What it means to a store in Madrid.

    Raises:
        Rejected: it cannot be used.
    """
    store = platform.store("acme", settings_of(platform.name, timezone=ZONE, **settings), currency=currency)
    translation: Translation = platform.translate(event_of(platform, sent), store)
    return translation


def refusal(platform: AnyPlatform, sent: Sent, *, currency: str | None = None, **settings: Any) -> Rejected:
    """Why it cannot be used."""
    with pytest.raises(Rejected) as caught:
        meaning(platform, sent, currency=currency, **settings)
    return caught.value


def drafts(translation: Translation, kind: RecordKind) -> list[Draft]:
    """Those of a kind."""
    return [draft for draft in translation.drafts if draft.kind is kind]


def only(translation: Translation, kind: RecordKind) -> Draft:
    """The only draft of a kind."""
    [draft] = drafts(translation, kind)
    return draft


def contact_of(translation: Translation) -> Contact:
    """The body of the only contact."""
    body = only(translation, RecordKind.CONTACT).body
    assert isinstance(body, Contact)
    return body


def purchase_of(translation: Translation) -> Purchase:
    """The body of the only purchase."""
    body = only(translation, RecordKind.PURCHASE).body
    assert isinstance(body, Purchase)
    return body


def products_of(translation: Translation) -> list[Product]:
    """The bodies of all products."""
    return [draft.body for draft in translation.drafts if isinstance(draft.body, Product)]


@dataclass
class Entities:
    """The translate stage's rules with the memory of every entity of one store."""

    platform: AnyPlatform
    settings: dict[str, Any] = field(default_factory=dict)
    states: dict[bytes, EntityState] = field(default_factory=dict)
    heard: int = 0

    def hear(self, sent: Sent | None) -> Result:
        """Apply the rules to the next event, which arrives a second after the one before."""
        arrived_ms = ARRIVED_MS + 1_000 * self.heard
        event = event_of(self.platform, sent, arrived_ms=arrived_ms)
        store = self.platform.store("acme", settings_of(self.platform.name, timezone=ZONE, **self.settings))
        place = EventPosition(event.kind.topic, 0, self.heard)
        self.heard += 1
        state = self.states.get(event.key, EntityState())
        result = apply(event, place, state, Feed(store, self.platform, "acme"))
        if result.remember:
            self.states[event.key] = EntityState.decode(state.encode())
        return result
