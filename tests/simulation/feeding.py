"""A platform that keeps a feed, the runner that reads it, and a Kafka that is a list; whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from pipeline import config
from pipeline.config import Settings
from pipeline.events import RawEvent
from pipeline.gateway.message import Message
from pipeline.sandbox.shops.app import SHOPS, SimulatedShops
from pipeline.sandbox.shops.shop import ShopSettings, SimulatedShop
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.sync.client import ShopClient
from pipeline.sync.feed_place import FeedPlace, decode, encode
from pipeline.sync.feed_runner import FeedOutlets, FeedRunner, FeedStatus
from pipeline.sync.requests import ShopRequests
from pipeline.translate.rules import Outcome
from tests.platforms import IN_TESTS, settings_of
from tests.simulation import virtual
from tests.simulation.case_shop import Rules

STORE = "shop"
JOURNAL = "/events-fast/organizations/1/integrations/2/3"
VTEX: dict[str, Any] = {"orders": "feed", "requests_per_minute": 6_000}
ADOBE: dict[str, Any] = {
    "journal_url": f"https://events-va6.adobe.io{JOURNAL}",
    "events_client_id": "client",
    "events_client_secret": "secret & more",
    "events_organisation": "1@AdobeOrg",
}
ACCESS: dict[str, dict[str, Any]] = {
    "vtex": {
        "scheme": "headers",
        "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"},
    },
    "magento": {
        "scheme": "expiring",
        "token_path": "/ims/token/v3",
        "client_id": "client",
        "client_secret": "secret & more",
        "life": 600,
    },
}
FEEDS: dict[str, dict[str, Any]] = {"vtex": {"queue": {}}, "magento": {"journal": {"path": JOURNAL}}}


class Killed(Exception):  # noqa: N818 - what happens
    """The process ends here."""


class ToTheShop(httpx.AsyncBaseTransport):
    """Every address leads to the simulated shop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._app = httpx.ASGITransport(world.shops)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        commits = request.method == "POST" and "/feed" in request.url.path
        if commits:
            self._world.passes("before commit")
        raw = f"{SHOPS}{STORE}".encode() + request.url.raw_path
        moved = request.url.copy_with(scheme="http", host="sandbox", raw_path=raw)
        sent = httpx.Request(request.method, moved, headers=request.headers, content=await request.aread())
        answer = await self._app.handle_async_request(sent)
        if commits:
            self._world.passes("after commit")
        return answer


@dataclass
class World:
    """Everything that outlives a process, and when the process ends.

    Attributes:
        platform: whose feed it is.
        kills: the points at which a process ends, each with which of its passages; each once.
        kafka: the events that were confirmed.
        row: of the table of places.
    """

    platform: str
    kills: dict[str, int] = field(default_factory=dict)
    kafka: list[RawEvent] = field(default_factory=list)
    row: bytes | None = None
    max_body: int = 1_000_000
    passed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.shops = SimulatedShops(virtual.wall)
        self.status = FeedStatus(0.0)
        self.shop = self.opens()

    def opens(self, **more: Any) -> SimulatedShop:
        """A shop with an empty feed."""
        tree = {"access": ACCESS[self.platform], **FEEDS[self.platform], **more}
        made = SimulatedShop(ShopSettings.model_validate(tree))
        self.shops.shops[STORE] = self.shop = made
        return made

    def tells(self, entries: Sequence[Any]) -> None:
        """Let something happen at the shop."""
        feed = self.shop.queue or self.shop.journal
        assert feed is not None
        feed.add(list(entries))

    def passes(self, point: str) -> None:
        """The process comes to a point at which it may be killed."""
        self.passed[point] += 1
        if self.kills.get(point) == self.passed[point]:
            raise Killed(point)

    @property
    def settings(self) -> StoreSettings:
        """Of the store."""
        return settings_of(self.platform, **(VTEX if self.platform == "vtex" else ADOBE))

    async def _store(self, events: Sequence[RawEvent]) -> None:
        self.passes("before confirm")
        await asyncio.sleep(0.01)
        self.kafka += events
        self.passes("after confirm")

    async def _keep(self, place: FeedPlace) -> None:
        self.passes("before place")
        await asyncio.sleep(0.01)
        self.row = encode(place)
        self.passes("after place")

    @property
    def place(self) -> FeedPlace:
        """How far it was read."""
        feed = PLATFORMS[self.platform].feed
        assert feed is not None
        return decode(self.row, feed.source(self.settings))

    async def life(self, seconds: float) -> bool:
        """One process, until it is killed or so much time has passed; returns whether it was killed."""
        platform, settings = PLATFORMS[self.platform], self.settings
        feed = platform.feed
        api = platform.api if feed is None or feed.api is None else feed.api
        assert api is not None
        assert feed is not None
        client = ShopClient(
            api, settings, transport=ToTheShop(self), timeout=30.0, clock=virtual.wall, nonce=lambda: "n"
        )
        requests = ShopRequests(STORE, api.limit(settings), client, clock=virtual.wall, random=lambda: 1.0)
        self.status = FeedStatus(virtual.wall())
        runner = FeedRunner(
            platform.store(STORE, settings),
            platform,
            feed,
            requests,
            FeedOutlets(lambda: self.place, self._store, self._keep),
            status=self.status,
            max_body=self.max_body,
            clock=virtual.wall,
            random=lambda: 1.0,
        )
        with contextlib.suppress(TimeoutError):
            try:
                await asyncio.wait_for(runner.run(), seconds)
            except Killed:
                return True
            finally:
                await client.aclose()
        return False

    async def lives(self, seconds: float) -> int:
        """Processes one after the other, until one lives so long; returns how many were killed."""
        killed = 0
        while await self.life(seconds):
            killed += 1
        return killed

    def outcomes(self, directory: Path) -> Counter[Outcome]:
        """What translate makes of all that lies in Kafka."""
        rules = Rules(self.tree(directory))
        found: Counter[Outcome] = Counter()
        for event in self.kafka:
            message = Message(event.kind.topic, event.key, event.body, event.to_kafka_headers())
            result, _ = rules.hear(*rules.read(message))
            found[result.outcome] += 1
        return found

    def tree(self, directory: Path) -> Settings:
        """Settings with the store alone."""
        own = VTEX if self.platform == "vtex" else ADOBE
        plain = {"platform": self.platform, "account": "acme", "domain": "shop.example", "secrets": ["key"]}
        store = {**plain, **IN_TESTS[self.platform].settings, **own}
        account = {"api_key": "acme:secret", "base_url": "http://localhost"}
        stores = {
            STORE: {
                name: getattr(value, "get_secret_value", lambda v=value: v)() for name, value in store.items()
            }
        }
        return config.parse({"data_dir": str(directory), "accounts": {"acme": account}, "stores": stores}, {})


def change(number: int, state: str = "payment-approved") -> dict[str, Any]:
    """An item of VTEX's feed."""
    return {
        "eventId": f"{number:032d}",
        "domain": "Marketplace",
        "state": state,
        "lastState": "order-created",
        "orderId": f"{1_000 + number}-01",
        "lastChange": "2024-05-06T12:00:05Z",
        "currentChange": f"2024-05-06T12:05:{number % 60:02d}.1234567Z",
    }


def hook(item: dict[str, Any]) -> bytes:
    """The same as the hook tells it."""
    names = {"orderId": "OrderId"}
    told = {
        names.get(name, name[0].upper() + name[1:]): value
        for name, value in item.items()
        if name not in {"eventId", "handle"}
    }
    return orjson.dumps({**told, "Origin": {"Account": "exampleaccount", "Key": "vtexappkey-example"}})


def saved(number: int) -> dict[str, Any]:
    """An event of Adobe's journal."""
    return {
        "specversion": "1.0",
        "type": "com.adobe.commerce.observer.sales_order_save_commit_after",
        "time": "2025-07-17T15:48:42.436Z",
        "eventid": f"event-{number}",
        "recipientclientid": "client",
        "data": {"value": {"entity_id": str(1_000 + number)}},
    }
