"""What is written at a shop for Connectif comes back by the shop's event, and is no news on any platform."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline.deliver.state.commands import PutContact
from pipeline.deliver.state.contact import ContactState
from pipeline.deliver.state.diff import apply as applied
from pipeline.deliver.state.diff import diff
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.events import RawEvent
from pipeline.records import ContactRecord
from pipeline.shops.callbacks import SUBSCRIBED, UNSUBSCRIBED, Statement, callback_event
from pipeline.shops.platform import AnyPlatform
from pipeline.sync.consent.memory import Memory
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import apply
from pipeline.translate.state import EntityState
from pipeline.translate.told import told_in
from tests.contract.platform_events import EACH, bodies_of, event_of
from tests.platforms import settings_of
from tests.shop_bodies import CHANGED, ZONE, Person

RECORD: TypeAdapter[ContactRecord] = TypeAdapter(ContactRecord)
ADDRESS = "ana@mail.example"
#: What a shop shows of a withdrawal, where its bodies have a flag and no word for it.
NO: dict[str, Any] = {"prestashop": "0", "magento": False, "vtex": False}


class Told:
    """One customer's way through translate and deliver, and what is remembered for callbacks."""

    def __init__(self, platform: AnyPlatform) -> None:
        store = platform.store("acme", settings_of(platform.name, timezone=ZONE))
        self.feed = Feed(store, platform, "acme")
        self.states: dict[bytes, EntityState] = {}
        self.memory, self.last_sent, self.offset = Memory(), None, 0
        self.sent: list[str] = []

    last_sent: LastSentContact | None

    def hear(self, event: RawEvent) -> None:
        """An event; what Connectif is sent of the newsletter is noted."""
        self.offset += 1
        state = self.states.setdefault(event.key, EntityState())
        result = apply(event, EventPosition(event.kind.topic, 0, self.offset), state, self.feed)
        for emission in result.emissions:
            said = told_in(emission.value)
            if said is not None:
                self.memory = self.memory.with_told(said, event.received_ms)
            contact = ContactState.of(RECORD.validate_json(emission.value))
            command = diff(self.last_sent, contact)
            if isinstance(command, PutContact) and (word := (command.fields or {}).get("newsletter")):
                self.sent.append(str(word))
            known = applied(self.last_sent, contact)
            assert isinstance(known, LastSentContact)
            self.last_sent = known


@EACH
def test_a_withdrawal_that_we_wrote_comes_back_and_is_not_sent(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    if bodies.subscribed is None:
        pytest.skip("its bodies say nothing of a newsletter")
    told = Told(platform)

    def shown(word: Any, minutes: int) -> RawEvent:
        at = CHANGED + timedelta(minutes=minutes)
        sent = bodies.customer(Person(changed=at, consent=word, consented=at))
        return event_of(platform, sent, arrived_ms=int(at.timestamp() * 1_000) + 500)

    told.hear(shown(bodies.subscribed, 0))
    assert told.sent == [SUBSCRIBED]
    left_ms = int((CHANGED + timedelta(hours=3)).timestamp() * 1_000)
    said = Statement(ADDRESS, UNSUBSCRIBED, left_ms, in_person=True)
    assert not told.memory.is_echo(said)
    told.memory = told.memory.with_callback(said)
    told.hear(callback_event("acme", platform.name, UNSUBSCRIBED, ADDRESS, left_ms, in_person=True))
    word = NO.get(platform.name, bodies.unsubscribed)
    told.hear(shown(word, 181))
    assert told.sent == [SUBSCRIBED]
    # And what Connectif would call back for an import of ours is an echo.
    assert told.memory.is_echo(Statement(ADDRESS, UNSUBSCRIBED, left_ms + 120_000))
    told.hear(shown(bodies.subscribed, 240))
    assert told.sent == [SUBSCRIBED, SUBSCRIBED]
