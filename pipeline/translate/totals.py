"""The tallies of the partitions a worker holds, and the account they make as metrics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import product

from prometheus_client.registry import Collector

from pipeline.engine.foreign import JUNK, foreign_row
from pipeline.events import Kind
from pipeline.kept_series import GaugeRows, KeptGauge
from pipeline.translate.rules import EventPosition, Outcome, Result
from pipeline.translate.tally import EventTally, EventTotals

EVENTS = KeptGauge(
    "pipeline_account_events",
    "Events ever received, by what became of them; exact, over all time.",
    labels=["store", "kind", "outcome"],
)
REASONS = KeptGauge(
    "pipeline_account_reasons",
    "Ignored and rejected events by reason. A new reason, or a jump: a shop or its settings changed.",
    labels=["store", "kind", "outcome", "reason"],
)
TRANSLATED = KeptGauge(
    "pipeline_account_translated",
    "Records of accepted events: emitted to deliver, or unchanged since the entity's last event.",
    labels=["account", "store", "kind", "outcome"],
)
REPLAYED = KeptGauge(
    "pipeline_account_replayed",
    "Events repeated by replays, by what became of them; none of them is in pipeline_account_events.",
    labels=["store", "kind", "outcome", "reason"],
)


class StoreTallies:
    """The tallies of every partition held, by store; what changed is written with the next step."""

    def __init__(self) -> None:
        self._tallies: dict[int, dict[str, EventTally]] = {}
        self._changed: set[tuple[int, str]] = set()

    def load(self, partition: int, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take a partition's tallies as they are stored."""
        tallies: dict[str, EventTally] = {}
        self._tallies[partition] = tallies
        for key, row in rows:
            try:
                tallies[key.decode()] = EventTally.decode(row)
            except JUNK:
                foreign_row("tally", partition)

    async def forget(self, partitions: Iterable[int]) -> None:
        """Another worker counts these now."""
        for partition in partitions:
            self._tallies.pop(partition, None)

    def count(  # noqa: PLR0917 - positional: once per event
        self,
        place: EventPosition,
        store: str,
        kind: Kind | str,
        result: Result,
        account: str,
        replayed: bool = False,
    ) -> None:
        """Count one event, at the place where it was read."""
        tallies = self._tallies.setdefault(place.partition, {})
        tally = tallies.get(store)
        if tally is None:
            tally = tallies[store] = EventTally()
        if tally.count(place.topic, place.offset, kind, result, account, replayed):
            self._changed.add((place.partition, store))

    def changed(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(partition, key, row) of the tallies that changed since the last call."""
        for partition, store in self._changed:
            yield partition, store.encode(), self._tallies[partition][store].encode()
        self._changed.clear()

    def accounts(self) -> dict[str, EventTotals]:
        """The account of each store, over the partitions held here."""
        by_store: dict[str, list[EventTally]] = {}
        for tallies in self._tallies.values():
            for store, tally in tallies.items():
                by_store.setdefault(store, []).append(tally)
        return {store: EventTotals.of(tallies) for store, tallies in by_store.items()}


class AccountCollector(Collector):
    """The account as gauges; sum them over the workers.

    Args:
        books: what was counted.
        stores: of the settings, exported as 0 before anything is counted, so that an alert sees the first.
    """

    def __init__(self, books: StoreTallies, stores: Collection[str] = ()) -> None:
        self._books = books
        self._stores = stores

    def collect(self) -> list[GaugeRows]:
        """Read at every scrape."""
        events, reasons, records, replayed = EVENTS.look(), REASONS.look(), TRANSLATED.look(), REPLAYED.look()
        accounts = self._books.accounts()
        for store in {*self._stores, *accounts}:
            counted = accounts[store].events if store in accounts else {}
            for kind, outcome in dict.fromkeys((*product(Kind, Outcome), *counted)):
                events.add_metric((store, kind, outcome), counted.get((kind, outcome), 0))
        for store, account in accounts.items():
            for (kind, outcome, reason), count in account.reasons.items():
                reasons.add_metric((store, kind, outcome, reason), count)
            for (whose, kind, outcome), count in account.records.items():
                records.add_metric((whose, store, kind, outcome), count)
            for (kind, outcome, reason), count in account.replayed.items():
                replayed.add_metric((store, kind, outcome, reason), count)
        return [events, reasons, records, replayed]
