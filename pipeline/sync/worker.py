"""The sync stage on the engine: an agent over `sync.requests`, a table of what waits, a runner a store."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping

import httpx
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.config import Settings
from pipeline.connectif.network import Network
from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.engine.worker import Stage, run
from pipeline.events import RawEvent
from pipeline.kafka.fetches import FetchRequest
from pipeline.kafka.messages import ReceivedMessage as Message
from pipeline.kafka.tombstones import is_removal
from pipeline.kafka.topics import SYNC_APP, SYNC_REQUESTS_TOPIC
from pipeline.records import partition_of
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.backlog import Notice
from pipeline.sync.client import ShopClient
from pipeline.sync.consent.desk import ConsentCollector, ConsentDesk
from pipeline.sync.feeds import FeedCollector, Feeds
from pipeline.sync.letters import Letters
from pipeline.sync.limit import ShopLimit
from pipeline.sync.listing import OrdersDesk
from pipeline.sync.pull.collector import PullCollector
from pipeline.sync.pull.stage import PullStage
from pipeline.sync.requests import ShopRequests
from pipeline.sync.row import decode, encode
from pipeline.sync.shop_events import ShopEvents
from pipeline.sync.store_runner import GivenUp, Outlets, StoreRunner
from pipeline.sync.store_tasks import StoreTasks
from pipeline.translate.reading import feeds

log = logging.getLogger(__name__)

#: Messages in one round.
ROUND = 500


class SyncWorker:
    """Declares the stage on an engine.

    Args:
        engine: a worker's engine that has not started.
        platforms: the platforms, by name.
        transport: makes the network of one store.

    Attributes:
        feeds: the stores' feeds.
    """

    def __init__(
        self,
        engine: Engine,
        platforms: Mapping[str, AnyPlatform],
        transport: Callable[[], httpx.AsyncBaseTransport] = Network,
    ) -> None:
        settings = engine.settings
        self._engine = engine
        self._settings = settings
        self._transport = transport
        known = feeds(settings, platforms)
        self._stores = {
            name: feed for name, feed in known.items() if feed.platform.asks(feed.context.settings)
        }
        self.pulls = PullStage(engine, self._stores)
        self._partitions = settings.kafka.account_partitions
        self._events = ShopEvents(engine)
        self._letters = Letters(settings)
        self._table = engine.table("requests", on_loaded=self._loaded, on_lost=self._lost)
        self._runners: dict[str, StoreRunner] = {}
        self._clients: dict[str, ShopClient] = {}
        self.feeds = Feeds(engine, self._stores, self._requests_of, transport)
        engine.agent("take", [SYNC_REQUESTS_TOPIC], self._take)
        self._tasks = StoreTasks(engine, lambda: self._runners, self._work, title="sync")
        self.consents = ConsentDesk(engine, known, self._requests_of)
        self._orders = OrdersDesk(
            engine, self._stores, self._requests_of, clock=time.time, random=random.random
        )

    @property
    def runners(self) -> Mapping[str, StoreRunner]:
        """Of the stores whose partition is held, by their names."""
        return self._runners

    @property
    def limits(self) -> Mapping[str, ShopLimit]:
        """Of the same stores."""
        return {name: runner.requests.limit for name, runner in self._runners.items()}

    def _requests_of(self, name: str) -> ShopRequests | None:
        """Those to the shop of a store; None while it is not held."""
        runner = self._runners.get(name)
        return None if runner is None else runner.requests

    # Partitions.

    def _stores_of(self, partitions: frozenset[int]) -> list[str]:
        return [name for name in self._stores if partition_of(name, self._partitions) in partitions]

    async def _loaded(self, partitions: frozenset[int]) -> None:
        """The table was read: what waits in it is looked up."""
        await self._forget(partitions)
        for name in self._stores_of(partitions):
            self._runners[name] = self._runner(name)
        for partition in partitions:
            for _, row in self._table.items(partition):
                self._announce(decode(row))

    async def _lost(self, partitions: frozenset[int]) -> None:
        await self._forget(partitions)

    async def _forget(self, partitions: frozenset[int]) -> None:
        for name in self._stores_of(partitions):
            await self._tasks.halt(name)
            await self._orders.forget(name)
            self._runners.pop(name, None)
            client = self._clients.pop(name, None)
            if client is not None:
                await client.aclose()

    def _runner(self, name: str) -> StoreRunner:
        feed = self._stores[name]
        api = feed.platform.api
        assert api is not None  # noqa: S101 - only stores with one are kept
        client = self._clients[name] = ShopClient(
            api, feed.context.settings, transport=self._transport(), timeout=self._settings.sync.call_timeout
        )
        requests = ShopRequests(
            name,
            api.limit(feed.context.settings),
            client,
            clock=time.time,
            random=random.random,
            form=api.form,
        )
        return StoreRunner(
            feed.context,
            api,
            requests,
            Outlets(self._load, self._fetched, self._given_up),
            retry_for=self._settings.sync.retry_for,
            clock=time.time,
            random=random.random,
        )

    async def _work(self, name: str) -> None:
        """All that is asked of one shop, until cancelled."""
        runner = self._runners[name]
        async with asyncio.TaskGroup() as group:
            group.create_task(runner.run())
            group.create_task(self.pulls.run(name, runner.requests))

    # Notifications in.

    async def _take(self, messages: Round) -> None:
        """Write what came into the table, then let it be looked up."""
        taken: list[FetchRequest] = []
        with self._engine.begin() as step:
            for tp, values in messages.batches:
                for message in values:
                    if not message.value and is_removal(message.headers):
                        continue
                    try:
                        request = self._read(message, tp.partition)
                    except ValueError as error:
                        self._letters.foreign(step, message, SYNC_REQUESTS_TOPIC, "request", str(error))
                    else:
                        step.write(self._table, tp.partition, request.key, encode(request))
                        taken.append(request)
                step.done(tp, values[-1].offset)
            await self._engine.submit(step)
        for request in taken:
            self._announce(request)

    def _read(self, message: Message, partition: int) -> FetchRequest:
        """The request in a message.

        Raises:
            ValueError: it is none of ours: only translate and redrives write here.
        """
        request = FetchRequest.of(message.key, message.value, message.headers)
        if partition_of(request.event.store, self._partitions) != partition:
            raise ValueError("it lies in the partition of another store")
        return request

    def _announce(self, request: FetchRequest) -> None:
        runner = self._runners.get(request.event.store)
        if runner is None:  # not in the settings (any more): its row stays until the store is back
            return
        event = request.event
        runner.add(Notice(request.key, event.key, event.received_ms, event.lane))

    # What became of them.

    def _load(self, notice: Notice) -> FetchRequest | None:
        store = notice.entity.partition(b"|")[0].decode()
        row = self._table.get(partition_of(store, self._partitions), notice.row)
        return None if row is None else decode(row)

    async def _fetched(self, event: RawEvent, notices: list[Notice]) -> None:
        await self._events.store([event])
        await self._forget_rows(event.store, notices)

    async def _forget_rows(self, store: str, notices: list[Notice]) -> None:
        """Once Kafka has what became of them: of one step, a kill could leave this alone."""
        partition = partition_of(store, self._partitions)
        with self._engine.begin() as step:
            for notice in notices:
                step.write(self._table, partition, notice.row, None)
            await self._engine.confirm(step)

    def _account_of(self, store: str) -> str:
        """The account of a store; "" where its documents may go to several."""
        accounts = self._stores[store].own_accounts
        return accounts[0] if len(accounts) == 1 else ""

    async def _given_up(self, request: FetchRequest, why: GivenUp, notices: list[Notice]) -> None:
        event = request.event
        with self._engine.begin() as step:
            self._letters.given_up(step, event, request.place, *why, account=self._account_of(event.store))
            await self._engine.confirm(step)
        await self._forget_rows(event.store, notices)


class SyncCollector(Collector):
    """What waits at each store, read at every scrape."""

    def __init__(
        self,
        runners: Callable[[], Mapping[str, StoreRunner]],
        limits: Callable[[], Mapping[str, ShopLimit]],
        clock: Callable[[], float],
    ) -> None:
        self._runners = runners
        self._limits = limits
        self._clock = clock

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read everything."""
        waiting = GaugeMetricFamily(
            "pipeline_sync_waiting", "Notifications whose documents are not fetched yet.", labels=["store"]
        )
        oldest = GaugeMetricFamily(
            "pipeline_sync_oldest_seconds",
            "Age of the oldest notification whose documents are not fetched; 0: none waits.",
            labels=["store"],
        )
        stopped = GaugeMetricFamily(
            "pipeline_sync_stopped",
            "1 while a shop's API cannot be asked, by the reason; nothing where it can.",
            labels=["store", "reason"],
        )
        for store, runner in self._runners().items():
            waiting.add_metric([store], len(runner.backlog))
            since = runner.backlog.oldest_ms
            oldest.add_metric([store], 0 if since is None else max(0.0, self._clock() - since / 1_000))
        for store, limit in self._limits().items():
            if limit.stopped:
                stopped.add_metric([store, limit.stopped], 1)
        return [waiting, oldest, stopped]


def serve(settings: Settings, *, worker: str, host: str, port: int) -> int:
    """Run one sync worker until SIGTERM; see `engine.worker.run`."""

    def build(engine: Engine) -> None:
        stage = SyncWorker(engine, PLATFORMS)
        REGISTRY.register(SyncCollector(lambda: stage.runners, lambda: stage.limits, time.time))
        REGISTRY.register(FeedCollector(lambda: stage.feeds.statuses, time.time))
        REGISTRY.register(PullCollector(lambda: stage.pulls.pullers, time.time))
        REGISTRY.register(ConsentCollector(stage.consents.stores, time.time))

    stage_of_it = Stage(SYNC_APP, "sync", build, ROUND)
    return run(stage_of_it, settings, worker=worker, host=host, port=port)
