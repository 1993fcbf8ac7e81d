"""A case on virtual time, then its whole history repeated under other settings, as a replay does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline import config
from pipeline.events import Kind, Lane, RawEvent
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.records import Record, RecordKind
from pipeline.replay.changes import Change
from pipeline.replay.comparison import Comparison
from pipeline.shops.base import Rejected
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.emit import Again
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.reading import Stores, feeds, read
from pipeline.translate.replayed import apply_again
from pipeline.translate.rules import Result
from pipeline.translate.state import EntityState
from tests.ledger_changes import Held
from tests.simulation import virtual
from tests.simulation.case_shop import ACCOUNT, STORE, CaseShop, Rules, settings_of
from tests.simulation.cases import Case
from tests.simulation.environment import Environment, Life

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
KINDS = {RecordKind.CONTACT: "contacts", RecordKind.PRODUCT: "products", RecordKind.PURCHASE: "purchases"}
SETTLED_WITHIN = 3_600.0


class RecordedRules(Rules):
    """The translate stage, whose events lie in `shop.*`."""

    def __init__(self, settings: config.Settings) -> None:
        super().__init__(settings)
        self.log: dict[str, list[LibrdkafkaMessage]] = defaultdict(list)

    @property
    def remembered(self) -> dict[bytes, bytes]:
        """What is remembered, by entity."""
        return self._rows

    def hear(self, event: RawEvent, feed: Feed) -> tuple[Result, list[Record]]:
        """The next event of its topic."""
        topic, headers = event.kind.topic, tuple(event.to_kafka_headers())
        lying = self.log[topic]
        lying.append(LibrdkafkaMessage(topic, 0, len(lying), 0, event.key, event.body, headers))
        return super().hear(event, feed)


class ReplayedCase:
    """A case that was played, and the settings its shop has by now."""

    def __init__(self, case: Case, directory: Path, **changed: Any) -> None:
        self.environment = Environment(settings_of(case, directory))
        self._case = case
        store = {**case.given.store, **changed}
        given = case.given.model_copy(update={"store": store})
        self._today = feeds(settings_of(case.model_copy(update={"given": given}), directory), PLATFORMS)
        self.rules = RecordedRules(self.environment.settings)
        self.shop = CaseShop(case, self.environment.settings)
        self.shop._rules = self.rules
        self._life = Life(self.environment, "w1")

    async def play(self) -> None:
        """Let the events come, each delivered before the next."""
        await self._life.start()
        for event in self._case.events:
            await asyncio.sleep(max(0.0, event.received.timestamp() - virtual.wall()))
            await self._tell(self.shop.sends(event))

    async def _tell(self, records: list[Record]) -> None:
        for record in records:
            self.environment.say(record)
        await self.environment.settle(self._life, within=SETTLED_WITHIN)

    def held(self) -> Held:
        """What Connectif holds."""
        return {kind.value: self.environment.holds(name, ACCOUNT) for kind, name in KINDS.items()}

    def foretold(self, *, kept: bool = True) -> list[Change]:
        """What `--diff` says; `kept`: whether `connectif.*` still holds the records."""
        with Comparison.on_disk(Stores(self._today)) as comparison:
            comparison.remember(self.rules.remembered.items())
            for message in self._events():
                comparison.event(message, message.topic)
            comparison.sent(self.environment.cluster.table("delivered").items())
            for kind in KINDS if kept else ():
                for key, value, _ in self.environment.cluster.topic(kind.topic):
                    comparison.record(key, value)
            return [change for judged in comparison.judged() for change in judged.changes(personal=True)]

    async def replay(self) -> None:
        """Repeat the whole history under today's settings, and deliver it."""
        records: list[Record] = []
        rows = self.rules.remembered
        for message in self._events():
            kind = next(kind for kind in Kind if kind.topic == message.topic)
            try:
                event, feed = read(message.key, message.value, message.headers, kind, Stores(self._today))
            except Rejected:
                continue
            state = EntityState.decode(rows[event.key]) if event.key in rows else EntityState()
            place = EventPosition(message.topic, 0, message.offset)
            result = apply_again(event, place, state, feed, Again())
            if result.remember:
                rows[event.key] = state.encode()
            records += [RECORD.validate_json(emission.value) for emission in result.emissions]
        assert all(record.lane is Lane.BACKFILL for record in records)
        await self._tell(records)
        self.environment.limit_kept()
        await self._life.stop()

    def _events(self) -> Iterator[LibrdkafkaMessage]:
        for lying in self.rules.log.values():
            yield from lying


__all__ = ["STORE", "ReplayedCase"]
