"""A shop whose lists are simulated, a worker's memory without Kafka, and runs that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import partial
from typing import Any, cast

from pipeline.events import Kind, RawEvent
from pipeline.sandbox.shops.lists import ListSettings, Row
from pipeline.sandbox.shops.shop import ShopSettings, SimulatedShop
from pipeline.shops.api import ApiRequest
from pipeline.shops.base import StoreOf
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.answers import Answer, Failed, Found, Missing, Refused, meant
from pipeline.sync.pull.memory import Memory
from pipeline.sync.pull.pages import Pages
from pipeline.sync.pull.rows import Missing as MissingRows
from pipeline.sync.pull.rows import MissingSearch, RowKey, Seen, Told
from pipeline.sync.pull.runner import Store, StorePuller
from pipeline.sync.pull.state import Command, StoreState, Wanted
from pipeline.sync.requests import ShopRequests
from tests.platforms import settings_of
from tests.simulation import virtual

NAMES = {Kind.ORDER: "orders", Kind.CUSTOMER: "customers", Kind.PRODUCT: "products"}
CREDENTIALS: Mapping[str, Mapping[str, Any]] = {
    "woocommerce": {"consumer_key": "ck", "consumer_secret": "cs", "api_requests_per_minute": 6_000},
    "shopify": {"access_token": "token", "api_url": "https://acme.myshopify.com"},
}


class Killed(Exception):  # noqa: N818 - a fact
    """The process is gone."""


@dataclass
class Kept:
    """What lies in Kafka: the tables and the events, whatever process wrote them."""

    state: bytes | None = None
    commands: dict[str, Command] = field(default_factory=dict)
    rows: dict[RowKey, Seen] = field(default_factory=dict)
    events: list[RawEvent] = field(default_factory=list)
    #: How many more pages there may be, and how much of the last one is kept before the process is gone: its
    #: events, the rows as well, all.
    steps: int | None = None
    keeps: int = 0


class KeptMemory:
    """`Memory` on what lies in Kafka."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def state(self, store: str) -> StoreState:
        return StoreState(store=store) if self._kept.state is None else StoreState.decode(self._kept.state)

    def commands(self, store: str) -> list[Command]:  # noqa: ARG002 - as `Memory` has it
        return list(self._kept.commands.values())

    def known(self, store: str, keys: Sequence[RowKey]) -> dict[RowKey, Seen]:  # noqa: ARG002
        return {key: self._kept.rows[key] for key in keys if key in self._kept.rows}

    async def missing(self, store: str, kind: Kind, number: int) -> MissingRows:  # noqa: ARG002
        search = MissingSearch(number)
        for look in (search.first, search.second):
            for key, row in self._kept.rows.items():
                if key.kind is kind:
                    look(key, row)
        return search.found()

    async def keep(
        self, state: StoreState, *, told: Told | None = None, begun: Sequence[Command] = ()
    ) -> None:
        kept = self._kept
        if kept.steps is not None:
            kept.steps -= 1
        told = Told() if told is None else told
        parts = (
            partial(kept.events.extend, told.events),
            partial(self._keep_rows, told.writes),
            partial(self._keep_state, state, begun),
        )
        for number, keep in enumerate(parts):
            if kept.steps is not None and kept.steps < 0 and number == kept.keeps:
                raise Killed
            keep()
        if kept.steps is not None and kept.steps < 0:
            raise Killed
        await asyncio.sleep(0)

    def _keep_rows(self, writes: Mapping[RowKey, Seen | None]) -> None:
        for key, seen in writes.items():
            if seen is None:
                self._kept.rows.pop(key, None)
            else:
                self._kept.rows[key] = seen

    def _keep_state(self, state: StoreState, begun: Sequence[Command]) -> None:
        self._kept.state = state.encode()
        for command in begun:
            self._kept.commands.pop(command.id, None)


class PulledShop:
    """A shop, what was read of it, and what is done with both.

    Args:
        platform: its name.
        lists: how it lists its rows.
        store: settings of the store.
    """

    def __init__(self, platform: str, *, lists: Mapping[str, Any] | None = None, **store: Any) -> None:
        self.platform: AnyPlatform = PLATFORMS[platform]
        given = {"platform": platform, **(lists or {})} if platform in CREDENTIALS else None
        made = None if given is None else ListSettings.model_validate(given)
        self.shop = SimulatedShop(ShopSettings(lists=made))
        self.kept = Kept()
        self.asked: list[ApiRequest] = []
        #: Called before each request: what happens in the shop meanwhile.
        self.meanwhile: Callable[[], object] = lambda: None
        #: Answers that come instead, one a request.
        self.instead: list[Answer] = []
        self.settings = settings_of(platform, **{**CREDENTIALS.get(platform, {}), **store})
        self._numbers = itertools.count(1)

    # The shop.

    def now(self) -> str:
        return datetime.fromtimestamp(virtual.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def holds(self, kind: Kind, *rows: Row) -> None:
        self.shop.hold_rows(NAMES[kind], rows)

    def loses(self, kind: Kind, *ids: str) -> None:
        self.shop.hold_rows(NAMES[kind], (), ids)

    async def send(self, request: ApiRequest) -> Answer:
        self.asked.append(request)
        await asyncio.sleep(0.05)
        self.meanwhile()
        if self.instead:
            return self.instead.pop(0)
        found = self.shop.listed(request.method, request.path, request.headers, request.body, virtual.wall())
        if found is None or found.status == 404:
            return Missing(404)
        if found.status != 200:
            return Refused(found.status)
        raw = json.dumps(found.body).encode()
        api = self.platform.api
        assert api is not None
        return meant(Found(raw, json.loads(raw), found.headers), api.heard)

    # The worker.

    def puller(self, *, at: time | None = None) -> StorePuller:
        assert self.platform.api is not None
        assert self.platform.pull is not None
        api = self.platform.api
        requests = self.requests = ShopRequests(
            "acme",
            api.limit(self.settings),
            self,
            clock=virtual.wall,
            random=lambda: 1.0,
            form=api.form,
        )
        pages = Pages(
            "acme",
            self.settings,
            self.platform.pull,
            requests,
            retry_for=86_400.0,
            clock=virtual.wall,
            random=lambda: 1.0,
            context=StoreOf("acme", self.settings, product_page=""),
        )
        store = Store(
            name="acme",
            platform=self.platform.name,
            settings=self.settings,
            pull=self.platform.pull,
            kinds=(Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER),
            at=at,
            max_bytes=1_000_000,
            is_deletion=self.platform.topics.is_deletion,
        )
        return StorePuller(store, cast("Memory", KeptMemory(self.kept)), pages, clock=virtual.wall)

    def command(self, wanted: Wanted, **more: Any) -> Command:
        """Give a command, as the agent keeps it."""
        at_ms = int(virtual.wall() * 1_000)
        said = Command(id=f"run-{next(self._numbers)}", store="acme", wanted=wanted, at_ms=at_ms, **more)
        self.kept.commands[said.id] = said
        return said

    @property
    def state(self) -> StoreState:
        return KeptMemory(self.kept).state("acme")

    async def runs(
        self, wanted: Wanted | None = None, *, kills: Sequence[tuple[int, int]] = (), **more: Any
    ) -> None:
        """Work on a command until its run is over, in a new process after each kill.

        Args:
            wanted: None: what is under way.
            kills: after how many pages the process is gone, and how much of the next is kept: see `Kept`.
            more: of the command.
        """
        if wanted is not None:
            self.command(wanted, **more)
        for steps, keeps in [*kills, (None, 0)]:
            self.kept.steps, self.kept.keeps = steps, keeps
            task = asyncio.create_task(self.puller().run())
            while not task.done() and (self.kept.commands or self.state.under_way is not None):
                await asyncio.sleep(0.5)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Killed):
                await task
            self.kept.steps = None

    # What came of it.

    def last(self, kind: Kind) -> dict[str, RawEvent]:
        """The last event of each entity that is no consent's."""
        return {
            event.entity: event
            for event in self.kept.events
            if event.kind is kind and "consent" not in event.topic
        }

    def told(self, kind: Kind) -> dict[str, Any]:
        """What the last event of each entity says; None of one that is gone."""
        gone = self.platform.topics.is_deletion
        return {
            entity: None if gone(event.topic) else json.loads(event.body)
            for entity, event in self.last(kind).items()
        }


def absent() -> Answer:
    """The shop is not there."""
    return Failed("unreachable")


def woo_order(number: int, changed: str, total: int = 10) -> Row:
    return {"id": number, "status": "processing", "date_modified_gmt": changed, "total": f"{total}.00"}


def woo_customer(number: int, changed: str | None = None) -> Row:
    return {
        "id": number,
        "role": "customer",
        "date_modified_gmt": changed,
        "email": f"c{number}@mail.example",
    }


def woo_product(number: int, changed: str, price: int = 10) -> Row:
    return {
        "id": number,
        "status": "publish",
        "type": "simple",
        "date_modified_gmt": changed,
        "price": f"{price}.00",
    }


def graphql_row(kind: str, number: int, changed: str, **more: Any) -> Row:
    own = {
        "id": f"gid://shopify/{kind}/{number}",
        "legacyResourceId": str(number),
        "updatedAt": f"{changed}Z",
    }
    return {**own, **more}
