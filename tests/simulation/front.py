"""A shop's own bodies in a scenario: each goes through the translate rules, and what follows is delivered."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace

from pydantic import TypeAdapter

from pipeline.events import RawEvent
from pipeline.records import Record
from pipeline.shops.base import StoreContext
from pipeline.shops.platform import AnyPlatform
from pipeline.translate.rules import EventPosition, Feed, Outcome, apply
from pipeline.translate.state import EntityState
from tests.simulation.shop import RecordSink

RECORD: TypeAdapter[Record] = TypeAdapter(Record)


class Front:
    """One store of the account `acme`; each of its deliveries is a new one."""

    def __init__(self, environment: RecordSink, platform: AnyPlatform, store: StoreContext) -> None:
        self._environment = environment
        self.store = store
        self._platform = platform
        self._states: dict[str, EntityState] = defaultdict(EntityState)
        self._offsets = itertools.count()

    def says(self, event: RawEvent) -> Outcome:
        """Translate one event and hand its records on."""
        offset = next(self._offsets)
        event = replace(event, delivery=f"{event.delivery}-{offset}")
        feed = Feed(self.store, self._platform, "acme")
        result = apply(event, EventPosition("shop.orders", 0, offset), self._states[event.entity], feed)
        for emission in result.emissions:
            self._environment.say(RECORD.validate_json(emission.value))
        return result.outcome
