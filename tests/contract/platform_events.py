"""What each platform's bodies mean to a store: shared by the tests of what all platforms must mean."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.events import RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation, WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import Result, apply
from pipeline.translate.state import EntityState
from tests.platforms import IN_TESTS, genuine, settings_of
from tests.shop_bodies import CHANGED, ZONE, Sent, ShopBodies
from tests.simulation.case_api import CaseApi, looked_up
from tests.simulation.cases import Fetched

EACH = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
SECRET = b"the store's own secret"
#: Every event arrives a minute after the newest change, unless a test says otherwise.
ARRIVED_MS = int(CHANGED.timestamp() * 1_000) + 60_000


def bodies_of(platform: AnyPlatform) -> ShopBodies:
    """What its shops write."""
    return IN_TESTS[platform.name].bodies


def raw(sent: Sent) -> bytes:
    """What is in the webhook, as bytes."""
    return json.dumps(sent.body, separators=(",", ":"), ensure_ascii=False).encode()


def event_of(
    platform: AnyPlatform, sent: Sent | None, *, arrived_ms: int = ARRIVED_MS, body: bytes | None = None
) -> RawEvent:
    """The event as translate reads it: of the webhook, or of the documents that are fetched because of it.

    `body` instead of the webhook's body as it is usually written: then it is the webhook's event.
    What a platform never says skips the test.
    """
    if sent is None:
        pytest.skip("the platform never says so")
    request = genuine(platform, sent.topic, raw(sent) if body is None else body, SECRET, {})
    [one] = [request] if platform.split is None else platform.split(request)
    event = raw_event("acme", platform, WebhookRequest(*one[:2], arrived_ms, *one[3:]))
    if sent.announced is not None and body is None:
        event = _fetched(platform, event, sent.announced(sent.document).answers)
    return RawEvent.from_kafka(event.body, event.to_kafka_headers())


def _fetched(platform: AnyPlatform, notification: RawEvent, answers: dict[str, Any]) -> RawEvent:
    """The event of what is fetched because of a notification."""
    store = platform.store("acme", settings_of(platform.name, timezone=ZONE))
    listed = [Fetched(request=path, body=said) for path, said in answers.items()]
    feed = Feed(store, platform, "acme")
    event = looked_up(notification, feed, CaseApi(listed), "shop.x/0/0", notification.received_ms)
    assert event is not None
    return event


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
