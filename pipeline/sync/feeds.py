"""The feeds of the stores that a sync worker holds: a table of places, a runner for each, their series."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

import httpx
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.connectif.network import Network
from pipeline.engine.engine import Engine
from pipeline.records import partition_of
from pipeline.shops.api import ShopApi
from pipeline.shops.feed import ShopFeed
from pipeline.shops.settings import StoreSettings
from pipeline.sync.client import ShopClient
from pipeline.sync.feed_place import FeedPlace, decode, encode
from pipeline.sync.feed_runner import FeedOutlets, FeedRunner, FeedStatus
from pipeline.sync.requests import ShopRequests
from pipeline.sync.shop_events import ShopEvents
from pipeline.sync.store_tasks import StoreTasks
from pipeline.translate.rules import Feed


class Feeds:
    """Declares the reading of feeds on an engine.

    Args:
        engine: a sync worker's, that has not started.
        stores: whose shops the worker asks, by name.
        requests: those to the shop of a store, which are made elsewhere, too; None while it is not held.
        transport: makes the network of one store.
        clock: seconds since the epoch.

    Attributes:
        statuses: of the feeds that this worker reads, by the store.
    """

    def __init__(
        self,
        engine: Engine,
        stores: Mapping[str, Feed],
        requests: Callable[[str], ShopRequests | None],
        transport: Callable[[], httpx.AsyncBaseTransport] = Network,
        clock: Callable[[], float] = time.time,
    ) -> None:
        settings = engine.settings
        self._engine = engine
        self._requests = requests
        self._transport = transport
        self._clock = clock
        self._stores = {name: store for name, store in stores.items() if _chosen(store) is not None}
        self._partitions = settings.kafka.account_partitions
        self._timeout = settings.sync.call_timeout
        self._max_body = settings.gateway.max_body_bytes
        self._events = ShopEvents(engine)
        self._table = engine.table("feeds", on_loaded=self._loaded, on_lost=self._lost)
        self.statuses: dict[str, FeedStatus] = {}
        self._tasks = StoreTasks(engine, lambda: self.statuses, self._start, title="feed")

    def _place(self, name: str) -> FeedPlace:
        """How far the feed of a store that is held was read."""
        found = _chosen(self._stores[name])
        assert found is not None  # noqa: S101 - only stores with one are kept
        row = self._table.get(partition_of(name, self._partitions), name.encode())
        return decode(row, found.source(self._stores[name].context.settings))

    # Partitions.

    async def _loaded(self, partitions: frozenset[int]) -> None:
        for name in self._of(partitions):
            await self._tasks.halt(name)
            self.statuses.setdefault(name, FeedStatus(self._clock()))

    async def _lost(self, partitions: frozenset[int]) -> None:
        for name in self._of(partitions):
            await self._tasks.halt(name)
            self.statuses.pop(name, None)

    def _of(self, partitions: frozenset[int]) -> list[str]:
        return [name for name in self._stores if partition_of(name, self._partitions) in partitions]

    # Runners.

    def _start(self, name: str) -> Coroutine[Any, Any, None] | None:
        """The reading of a store's feed; None while its shop cannot be asked."""
        store = self._stores[name]
        feed = _chosen(store)
        assert feed is not None  # noqa: S101 - as above
        client = None if feed.api is None else self._client(name, feed.api)
        requests = self._requests(name) if client is None else self._own(name, feed, client)
        if requests is None:
            return None
        status = self.statuses[name]
        status.expired_ms = self._place(name).expired_ms
        runner = FeedRunner(
            store.context,
            store.platform,
            feed,
            requests,
            FeedOutlets(partial(self._place, name), self._events.store, partial(self._keep_place, name)),
            status=status,
            max_body=self._max_body,
            clock=self._clock,
            random=random.random,
        )
        return _read(runner, client)

    def _client(self, name: str, api: ShopApi[StoreSettings]) -> ShopClient:
        settings = self._stores[name].context.settings
        return ShopClient(
            api, settings, transport=self._transport(), timeout=self._timeout, clock=self._clock
        )

    def _own(self, name: str, feed: ShopFeed[StoreSettings], client: ShopClient) -> ShopRequests:
        """The requests to where a feed is that is not the shop's own."""
        assert feed.api is not None  # noqa: S101 - else there is no client
        limit = feed.api.limit(self._stores[name].context.settings)
        return ShopRequests(
            name, limit, client, clock=self._clock, random=random.random, title=f"the {feed.title}"
        )

    async def _keep_place(self, name: str, place: FeedPlace) -> None:
        with self._engine.begin() as step:
            step.write(self._table, partition_of(name, self._partitions), name.encode(), encode(place))
            await self._engine.confirm(step)


async def _read(runner: FeedRunner, client: ShopClient | None) -> None:
    """Read a feed until cancelled; a client of its own is closed then."""
    try:
        await runner.run()
    finally:
        if client is not None:
            await client.aclose()


def _chosen(store: Feed) -> ShopFeed[StoreSettings] | None:
    """The feed that a store's settings choose."""
    feed: ShopFeed[StoreSettings] | None = store.platform.feed
    return feed if feed is not None and feed.chosen(store.context.settings) else None


class FeedCollector(Collector):
    """How each feed does, read at every scrape."""

    def __init__(
        self,
        statuses: Callable[[], Mapping[str, FeedStatus]],
        clock: Callable[[], float],
    ) -> None:
        self._statuses = statuses
        self._clock = clock

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read everything."""
        age = GaugeMetricFamily(
            "pipeline_sync_feed_age_seconds",
            "Seconds since a store's feed was last read to Kafka, or since this worker tries.",
            labels=["store"],
        )
        stopped = GaugeMetricFamily(
            "pipeline_sync_feed_stopped",
            "1 while a store's feed cannot be read, by the reason; nothing where it can.",
            labels=["store", "reason"],
        )
        expired = GaugeMetricFamily(
            "pipeline_sync_feed_expired_timestamp_seconds",
            "When the position in a store's feed was last found to have expired, epoch seconds; 0: never. "
            "What came before it may be missing.",
            labels=["store"],
        )
        for store, status in list(self._statuses().items()):
            age.add_metric([store], status.age(self._clock()))
            expired.add_metric([store], status.expired_ms / 1_000)
            if status.stopped:
                stopped.add_metric([store, status.stopped], 1)
        return [age, stopped, expired]
