"""Newsletter statements on the engine: an agent over `sync.consents`, two tables, and a task for each store.

A message is what Connectif said, or what it is being told. What it said and is no echo becomes, in one step,
an event of the person in `shop.customers`, so that no older statement of the shop counts against it, and a
row of `consents`, which is deleted with its effect at the shop.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import orjson
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned
from pipeline.events import RawEvent
from pipeline.http_access import problem
from pipeline.kafka.fetches import FetchRequest, place_of
from pipeline.kafka.keys import is_key_of, unique_key
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.kafka.tombstones import is_removal
from pipeline.kafka.topics import (
    STATEMENT_DAYS,
    SYNC_CONSENTS_TOPIC,
    SYNC_REQUESTS_TOPIC,
    full_name,
)
from pipeline.metrics import SYNC_CONSENTS
from pipeline.records import partition_of
from pipeline.shops.base import Rejected
from pipeline.shops.callbacks import CALLBACK, TOLD, Statement, statement_of
from pipeline.shops.consent import Impossible
from pipeline.shops.probe import address_of, is_trial, is_trials_number
from pipeline.shops.values import body_hash
from pipeline.sync.consent.memory import Memory
from pipeline.sync.consent.store import Outlets, StoreConsents
from pipeline.sync.consent.trials import PAGE, Trials
from pipeline.sync.consent.waiting import Row, newer_of
from pipeline.sync.consent.writing import Outcome, Writing
from pipeline.sync.letters import Letters
from pipeline.sync.requests import ShopRequests
from pipeline.sync.shop_events import ShopEvents
from pipeline.sync.store_tasks import StoreTasks
from pipeline.translate.feed import Feed

log = logging.getLogger(__name__)


class ConsentDesk:
    """Declares the statements' part of the sync stage on an engine.

    Args:
        engine: a worker's engine that has not started.
        feeds: all stores, by name.
        requests_of: all requests that are made to a store's shop; None where it has no API.
    """

    def __init__(
        self, engine: Engine, feeds: Mapping[str, Feed], requests_of: Callable[[str], ShopRequests | None]
    ) -> None:
        settings = engine.settings
        self._engine = engine
        self._settings = settings
        self._feeds = {name: feed for name, feed in feeds.items() if settings.stores[name].callbacks}
        self._requests_of = requests_of
        self._partitions = settings.kafka.account_partitions
        self._events = ShopEvents(engine)
        self._letters = Letters(settings)
        self._rows = engine.table("consents", on_loaded=self._loaded, on_lost=self._lost)
        self._memory = engine.table("statements", ttl_days=STATEMENT_DAYS)
        self.stores: dict[str, StoreConsents] = {}
        self._trials = Trials()
        engine.pages[PAGE] = self._page
        engine.agent("consents", [SYNC_CONSENTS_TOPIC], self._take)
        self._tasks = StoreTasks(
            engine, lambda: self.stores, lambda name: self.stores[name].run(), title="consents"
        )

    # Partitions.

    async def _loaded(self, partitions: frozenset[int]) -> None:
        """The table was read: what waits in it is brought to the shops."""
        await self._lost(partitions)
        for number in partitions:
            for key, raw in self._rows.items(number):
                self._announce(key, Row.decode(raw))

    async def _lost(self, partitions: frozenset[int]) -> None:
        for name in [one for one in self.stores if self._partition(one) in partitions]:
            await self._tasks.halt(name)
            self.stores.pop(name, None)

    def _partition(self, store: str) -> int:
        return partition_of(store, self._partitions)

    # Statements in.

    async def _take(self, messages: Round) -> None:
        """Write what came into the tables, then let it be brought to the shops.

        What is remembered of persons comes once Kafka has the rest: a withdrawal that is read again after a
        kill would be taken for an echo of itself.
        """
        taken: dict[bytes, Row] = {}
        remembered: dict[tuple[int, bytes], Memory] = {}
        with self._engine.begin() as step:
            for tp, values in messages.batches:
                for message in values:
                    if not message.value and is_removal(message.headers):
                        continue
                    try:
                        event = self._read(message, tp.partition)
                        self._note(step, message, event, taken, remembered)
                    except (ValueError, Rejected) as error:
                        self._letters.foreign(step, message, SYNC_CONSENTS_TOPIC, "statement", str(error))
            await self._engine.confirm(step)
        with self._engine.begin() as step:
            for (number, key), memory in remembered.items():
                step.write(self._memory, number, key, memory.encode())
            for tp, values in messages.batches:
                step.done(tp, values[-1].offset)
            await self._engine.submit(step)
        for key, row in taken.items():
            self._announce(key, row)

    def _read(self, message: Message, partition: int) -> RawEvent:
        """The event in a message.

        Raises:
            ValueError: it is none of ours: only gateways, translate and redrives write here.
        """
        headers = [(name, text or b"") for name, text in message.headers]
        event = RawEvent.from_kafka(message.value, headers)
        if not is_key_of(message.key, event.key):
            raise ValueError("its key is not that of its person")
        if self._partition(event.store) != partition:
            raise ValueError("it lies in the partition of another store")
        if not event.topic.startswith((CALLBACK, TOLD)):
            raise ValueError("it is no callback")
        return event

    def _note(
        self,
        step: Step,
        message: Message,
        event: RawEvent,
        taken: dict[bytes, Row],
        remembered: dict[tuple[int, bytes], Memory],
    ) -> None:
        """One message."""
        said = statement_of(event)
        if said is None:  # a bounce: kept as an event, and nothing follows
            self._keep(step, event)
            return
        number, key = self._partition(event.store), memory_key(event)
        memory = remembered.get((number, key)) or Memory.decode(self._memory.get(number, key))
        if event.topic.startswith(TOLD):
            remembered[number, key] = memory.with_told(said, event.received_ms)
            return
        if memory.is_echo(said):
            self._trials.end(event.store, said.address, Outcome.ECHO)
            SYNC_CONSENTS.labels(event.store, said.state, Outcome.ECHO).inc()
            return
        self._keep(step, event)
        remembered[number, key] = memory.with_callback(said)
        row = Row(place_of(SYNC_CONSENTS_TOPIC, message.partition, message.offset), event, said)
        raw = newer_of(self._rows.get(number, event.key), row)
        step.write(self._rows, number, event.key, raw)
        taken[event.key] = Row.decode(raw)

    def _keep(self, step: Step, event: RawEvent) -> None:
        """The callback as an event of the person: read once more after a crash, it is a duplicate."""
        self._events.send(step, event)

    def _announce(self, key: bytes, row: Row) -> None:
        store = self._store(row.event.store)
        if store is not None:  # else not in the settings (any more): its row stays until the store is back
            store.add(key, row.said)

    def _store(self, name: str) -> StoreConsents | None:
        feed, known = self._feeds.get(name), self.stores.get(name)
        if feed is None or known is not None:
            return known
        consent, settings = feed.platform.consent, feed.context.settings
        self.stores[name] = StoreConsents(
            name,
            writing=None if consent is None else Writing(consent, settings, time.time),
            requests_of=partial(self._requests_of, name),
            outlets=Outlets(self._load, self._settled, self._buried),
            retry_for=self._settings.sync.retry_for,
            clock=time.time,
            random=random.random,
        )
        return self.stores[name]

    # What became of them.

    async def _page(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """What became of the statement of a trial's address."""
        store, number = query.get("store", ""), query.get("number", "")
        if not is_trials_number(number):
            return problem(400, "query", "it names a store and the number of a trial")
        partition = self._partition(store)
        try:
            self._rows.get(partition, b"")
        except NotAssigned:
            return await self._engine.elsewhere(SYNC_CONSENTS_TOPIC, partition)
        found = self._trials.ended(store, address_of(number))
        return 200, orjson.dumps({"worker": self._engine.worker, "store": store, "ended": found})

    def _load(self, store: str, key: bytes) -> tuple[Row, Statement | None] | None:
        number = self._partition(store)
        raw = self._rows.get(number, key)
        if raw is None:
            return None
        row = Row.decode(raw)
        return row, Memory.decode(self._memory.get(number, memory_key(row.event))).shop_said

    async def _settled(self, key: bytes, row: Row, wrote: Sequence[str]) -> None:
        self._trials.end(row.event.store, row.said.address, "at_the_shop")
        with self._engine.begin() as step:
            if self._look(step, row, wrote):
                await self._engine.confirm(step)
        await self._forget(key, row)

    def _look(self, step: Step, row: Row, wrote: Sequence[str]) -> bool:
        """Have the accounts that were written looked at, where only looks tell a change; whether any is."""
        feed = self._feeds.get(row.event.store)
        consent = None if feed is None else feed.platform.consent
        if consent is None or not consent.looked_by:
            return False
        for account in wrote:
            now_ms = int(time.time() * 1_000)
            named = replace(
                row.event, entity=account, topic=consent.looked_by, body=b"{}", received_ms=now_ms
            )
            request = FetchRequest(f"{row.place}/{account}", named)
            topic = full_name(self._settings, SYNC_REQUESTS_TOPIC)
            number = self._partition(row.event.store)
            step.send(topic, named.body, unique_key(request.key), number, request.headers())
        return bool(wrote)

    async def _buried(self, key: bytes, row: Row, why: Impossible) -> None:
        store = row.event.store
        account = row.said.account or (self._feeds[store].account if store in self._feeds else "")
        self._trials.end(store, row.said.address, why.reason)
        if not is_trial(row.said.address):  # the check that made it asks for it, and leaves nothing behind
            with self._engine.begin() as step:
                self._letters.given_up(step, row.event, row.place, why.reason, why.detail, account=account)
                await self._engine.confirm(step)
        await self._forget(key, row)

    async def _forget(self, key: bytes, row: Row) -> None:
        """Delete a row, unless a newer statement took its place; once Kafka has what became of it."""
        number = self._partition(row.event.store)
        with self._engine.begin() as step:
            if self._rows.get(number, key) == row.encode():
                step.write(self._rows, number, key, None)
                await self._engine.confirm(step)


def memory_key(event: RawEvent) -> bytes:
    """The key of what is remembered of a person: no address can be read from it."""
    return f"{event.store}|{body_hash(event.key)}".encode()


class ConsentCollector(Collector):
    """What waits at each store, read at every scrape."""

    def __init__(self, stores: Mapping[str, StoreConsents], clock: Callable[[], float]) -> None:
        self._stores = stores
        self._clock = clock

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read everything."""
        waiting = GaugeMetricFamily(
            "pipeline_sync_consents_waiting",
            "Newsletter statements of Connectif that are not at the shop yet.",
            labels=["store"],
        )
        oldest = GaugeMetricFamily(
            "pipeline_sync_consents_oldest_seconds",
            "Age of the oldest newsletter statement that is not at the shop; 0: none waits.",
            labels=["store"],
        )
        for name, store in self._stores.items():
            waiting.add_metric([name], len(store.waiting))
            since = store.waiting.oldest_ms
            oldest.add_metric([name], 0 if since is None else max(0.0, self._clock() - since / 1_000))
        return [waiting, oldest]
