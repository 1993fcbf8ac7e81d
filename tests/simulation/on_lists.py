"""A store and Connectif without time and calls: what is to be sent of each key waits in a list of one state.

The adapters, the rules and what deliver makes of two versions are the program's own; queues, calls and their
failures are what the fault scenarios test.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pipeline.deliver.state.commands import (
    Command,
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.state.diff import apply, diff
from pipeline.deliver.state.last_sent import LastSent
from pipeline.deliver.state.states import PurchaseState, State, merged, state_of
from pipeline.gateway.message import Message
from pipeline.records import Record, RecordKind
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.rules import Outcome
from tests.last_sent import stored
from tests.platforms import IN_TESTS
from tests.simulation.case_shop import STORE, Rules, settings_of
from tests.simulation.cases import Case, Event, Expected, Given

#: 2023-11-14T22:00:00Z: minute 0 of these tests.
BEGIN = 1_699_999_200

Key = tuple[RecordKind, str]


def moment(minute: float) -> datetime:
    """Minutes of a test -> a moment, UTC."""
    return datetime.fromtimestamp(BEGIN + 60 * minute, UTC)


class OnLists:
    """One store of a platform, and what Connectif holds because of it.

    Attributes:
        contacts: what Connectif holds, by address, under our names.
        products: by id.
        purchases: by id.
    """

    def __init__(self, platform: str, **store: Any) -> None:
        nothing = [Event(topic="", received=moment(0), body="")]
        case = Case(platform=platform, name="", events=nothing, given=Given(store=store), expected=Expected())
        self._rules = Rules(settings_of(case, Path("unused")))
        self._platform = platform
        self._waiting: dict[Key, State] = {}
        self._sent: dict[Key, LastSent] = {}
        self._deliveries = 0
        self.contacts: dict[str, dict[str, Any]] = {}
        self.products: dict[str, dict[str, Any]] = {}
        self.purchases: dict[str, dict[str, Any]] = {}

    def hears(self, topic: str, body: Any, minute: float) -> Outcome:
        """The shop sends one event, which arrives at that minute."""
        self._deliveries += 1
        platform, raw = IN_TESTS[self._platform], orjson.dumps(body)
        headers = platform.signed(topic, raw, b"", {platform.delivery_header: f"{self._deliveries}"})
        request = WebhookRequest(headers, raw, int(moment(minute).timestamp() * 1_000))
        event = raw_event(STORE, PLATFORMS[self._platform], request)
        message = Message(event.kind.topic, event.key, event.body, event.to_kafka_headers())
        result, records = self._rules.hear(*self._rules.read(message))
        for record in records:
            self._wait(record)
        return result.outcome

    def deliver(self) -> None:
        """All that waits is sent, or found to be no news."""
        for (kind, record_id), state in self._waiting.items():
            sent = self._sent.get((kind, record_id))
            command = diff(sent, state)
            self._take(record_id, state, command)
            after = apply(sent, state, delivered=not isinstance(command, Unchanged))
            if after is not None:
                self._sent[kind, record_id] = stored(after)
        self._waiting.clear()

    def _wait(self, record: Record) -> None:
        key, state = (record.kind, record.id), state_of(record)
        known = self._waiting.get(key)
        self._waiting[key] = state if known is None else merged(known, state)

    def _take(self, record_id: str, state: State, command: Command) -> None:
        """What Connectif holds after a command."""
        match command:
            case PutContact(fields, delete_first):
                if delete_first:
                    self.contacts.pop(record_id, None)
                if fields is not None:
                    self.contacts.setdefault(record_id, {}).update(fields)
            case PutProduct(fields):
                self.products.setdefault(record_id, {}).update(fields)
            case DeleteProduct():
                self.products.pop(record_id, None)
            case CreatePurchase() | ReplacePurchase():
                assert isinstance(state, PurchaseState)
                assert state.body is not None
                self.purchases[record_id] = state.body
            case DeletePurchase():
                self.purchases.pop(record_id, None)
