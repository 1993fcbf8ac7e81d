"""A shop's list of orders, read for a reconciliation through the owner of the store, on all platforms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import httpx
import orjson
import pytest

from pipeline import config
from pipeline.engine.engine import Engine
from pipeline.errors import PipelineError
from pipeline.reconcile.shop_api import ApiOrders
from pipeline.sandbox.shops.app import CONTROL, SHOPS, SimulatedShops
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.client import ShopClient
from pipeline.sync.listed import ListedOrder
from pipeline.sync.listing import IDLE, MOST, ORDERS_PATH, RETRY_FOR, OrdersDesk, OrdersPage, Reading, Unknown
from pipeline.sync.requests import ShopRequests
from pipeline.translate.alone import Meaning
from pipeline.translate.reading import feeds
from pipeline.workers.client import WorkerAnswer
from tests.listed_shops import ACCESS, row_of
from tests.settings_trees import store_tree
from tests.shop_bodies import ZONE, Sale, SoldLine
from tests.simulation import virtual
from tests.stubengine import StubEngine

HOST = "http://127.0.0.1:9"
NOW = datetime.fromtimestamp(virtual.EPOCH, UTC)
EACH = pytest.mark.parametrize("platform", list(PLATFORMS))


def sale(number: int, hours: float, **more: Any) -> Sale:
    """An order of so many hours ago."""
    at = NOW - timedelta(hours=hours)
    line = SoldLine(product="77", variant="770")
    made = Sale(str(1_000 + number), placed=at, changed=at + timedelta(minutes=1), lines=(line,))
    return replace(made, **more)


class Listed:
    """A shop, and the reading of its orders."""

    def __init__(self, platform: str, shops: SimulatedShops, client: ShopClient, settings: Any) -> None:
        self.platform = platform
        self._web = httpx.AsyncClient(transport=httpx.ASGITransport(shops), base_url=HOST)
        self.settings = settings
        self.feed = feeds(settings, PLATFORMS)["acme"]
        api = PLATFORMS[platform].api
        assert api is not None
        limit = api.limit(settings.stores["acme"])
        self.requests = ShopRequests("acme", limit, client, clock=virtual.wall, random=lambda: 1.0)

    async def control(self, method: str, what: str, said: Any = None) -> Any:
        content = b"" if said is None else json.dumps(said).encode()
        answer = await self._web.request(method, f"{CONTROL}acme{what}", content=content)
        return answer.raise_for_status().json()

    async def holds(self, *sales: Sale) -> None:
        found = [row_of(self.platform, one) for one in sales]
        await self.control("PUT", "/rows", [{"list": "orders", "rows": [one.row for one in found]}])
        held = [
            {"path": path, "answers": [{"body": body}]} for one in found for path, body in one.answers.items()
        ]
        await self.control("PUT", "/documents", held)

    def reading(self, since: datetime | None) -> Reading:
        since_ms = None if since is None else int(since.timestamp() * 1_000)
        return Reading(self.feed, self.requests, since_ms, clock=virtual.wall, random=lambda: 1.0)

    async def aclose(self) -> None:
        await self._web.aclose()


@asynccontextmanager
async def listed(platform: str, **changes: Any) -> AsyncIterator[Listed]:
    access, own = ACCESS[platform]
    api_url = f"{HOST}{SHOPS}acme"
    tree = {
        "accounts": {"acme": {"api_key": "acme:secret", "base_url": HOST, "currency": "EUR"}},
        "stores": {
            "acme": store_tree(platform, "acme", api_url=api_url, timezone=ZONE, **{**own, **changes})
        },
    }
    settings = config.parse(tree, {})
    shops = SimulatedShops(virtual.wall)
    api = PLATFORMS[platform].api
    assert api is not None
    client = ShopClient(
        api,
        settings.stores["acme"],
        transport=httpx.ASGITransport(shops),
        timeout=5,
        clock=virtual.wall,
    )
    made = Listed(platform, shops, client, settings)
    await made.control("PUT", "", {"access": access, "lists": {"platform": platform}})
    try:
        yield made
    finally:
        await made.aclose()
        await client.aclose()


async def page(reading: Reading, number: int) -> OrdersPage:
    """A page, however long it takes."""
    while (found := await reading.page(number)) is None:
        pass
    return found


async def all_of(reading: Reading) -> list[ListedOrder]:
    found: list[ListedOrder] = []
    number = 1
    while True:
        one = await page(reading, number)
        assert one.error == ""
        found += one.orders
        if one.is_last:
            return found
        number += 1


def newest(orders: Sequence[ListedOrder]) -> dict[str, ListedOrder]:
    return {one.entity: one for one in orders}


@EACH
@pytest.mark.parametrize("days", [2, None])
def test_each_order_of_the_list_is_said_as_todays_settings_read_it(platform: str, days: int | None) -> None:
    async def work() -> None:
        async with listed(platform) as shop:
            sold = [sale(number, 40 - number / 10) for number in range(230)]
            unsold = [sale(300, 10, state="unsold"), sale(301, 9, state="cancelled")]
            old = sale(302, 24 * 5)
            await shop.holds(*sold, *unsold, old)
            since = None if days is None else NOW - timedelta(days=days)
            reading = shop.reading(since)
            found = newest(await all_of(reading))
            ours = [*sold, *unsold] if days else [*sold, *unsold, old]
            assert found.keys() == {one.id for one in ours}
            for one in ours:
                said = found[one.id]
                assert said.placed_ms == int(one.placed.timestamp()) * 1_000, one
                assert said.purchase_id == one.id
                if one.state == "sold":
                    assert said.meaning is Meaning.TELLS
                    assert Decimal(said.total or 0) == Decimal(one.total)
                    assert said.accounts == ("acme",)
                else:
                    assert said.meaning is Meaning.IGNORED, said
                    assert said.takes_back or one.state == "unsold", said
            assert reading.as_of_ms is not None
            assert reading.read >= len(ours)
            assert reading.is_over

    virtual.run(work())


@EACH
def test_an_order_that_changes_meanwhile_is_said_as_it_is_then(platform: str) -> None:
    async def work() -> None:
        async with listed(platform) as shop:
            sold = [sale(number, 40 - number / 10) for number in range(230)]
            await shop.holds(*sold)
            reading = shop.reading(NOW - timedelta(days=2))
            first = await page(reading, 1)
            late = datetime.fromtimestamp(virtual.wall(), UTC)
            changed = replace(sold[0], state="cancelled", changed=late)
            new = sale(500, 0, placed=late, changed=late)
            await shop.holds(changed, new)
            orders, number = list(first.orders), 1
            while not first.is_last:
                number += 1
                first = await page(reading, number)
                orders += first.orders
            found = newest(orders)
            assert found.keys() == {one.id for one in (*sold, new)}
            by_placing = PLATFORMS[platform].pull
            assert by_placing is not None
            # A list by the placing has it where it stood; its event says the rest.
            assert found[changed.id].takes_back is not by_placing.by_placing

    virtual.run(work())


def test_a_page_is_said_again_until_the_next_is_asked_for_and_no_other_is() -> None:
    async def work() -> None:
        async with listed("woocommerce") as shop:
            await shop.holds(*(sale(number, 40 - number / 10) for number in range(230)))
            reading = shop.reading(None)
            with pytest.raises(Unknown):
                await reading.page(2)
            first = await page(reading, 1)
            asked = (await shop.control("GET", ""))["requests"]
            assert await reading.page(1) == first
            with pytest.raises(Unknown):
                await reading.page(3)
            assert (await shop.control("GET", ""))["requests"] == asked
            second = await page(reading, 2)
            with pytest.raises(Unknown):
                await reading.page(1)
            assert second != first

    virtual.run(work())


def test_a_shop_that_fails_is_asked_again_and_given_up_in_time_and_the_trouble_is_named() -> None:
    async def work() -> None:
        async with listed("woocommerce") as shop:
            await shop.holds(sale(1, 5))
            await shop.control("POST", "/faults", {"kind": "html", "count": 2})
            assert newest(await all_of(shop.reading(None))).keys() == {"1001"}
            await shop.control("POST", "/faults", {"kind": "server_error"})
            reading, began = shop.reading(None), virtual.wall()
            assert await reading.page(1) is None
            assert reading.trouble == "server_error"
            assert (await page(reading, 1)).error == "server_error"
            assert RETRY_FOR <= virtual.wall() - began < 2 * RETRY_FOR

    virtual.run(work())


def test_a_reading_that_nobody_asks_for_ends() -> None:
    async def work() -> None:
        async with listed("woocommerce") as shop:
            await shop.holds(sale(1, 5))
            await shop.control("POST", "/faults", {"kind": "server_error"})
            reading = shop.reading(None)
            assert await reading.page(1) is None
            await asyncio.sleep(10 * IDLE)
            asked = (await shop.control("GET", ""))["requests"]
            await asyncio.sleep(10 * IDLE)
            assert (await shop.control("GET", ""))["requests"] == asked
            assert reading.is_over

    virtual.run(work())


class Asked:
    """A command on this machine, and the worker that it asks; the loop runs only while it asks or sleeps."""

    def __init__(self, runner: asyncio.Runner, shop: Listed, settings: config.Settings) -> None:
        self._runner, self._shop, self._settings = runner, shop, settings
        self.queries: list[Mapping[str, str]] = []
        #: Called before each question: what happens meanwhile.
        self.meanwhile: Callable[[int], object] = lambda _: None
        self.said: list[str] = []
        self.progress: list[tuple[int, int]] = []
        self.starts()

    def starts(self) -> None:
        """The worker's process begins."""
        self._engine = StubEngine(self._settings)
        requests = self._shop.requests
        feeds_of = {"acme": self._shop.feed}
        OrdersDesk(
            cast("Engine", self._engine),
            feeds_of,
            lambda _: requests,
            clock=virtual.wall,
            random=lambda: 1.0,
        )

    def ask(self, query: Mapping[str, str]) -> WorkerAnswer:
        self.meanwhile(len(self.queries))
        self.queries.append(query)
        status, body = self._runner.run(self._answered(query))
        said = orjson.loads(body)
        if status == 200:
            return WorkerAnswer(said, said["worker"])
        return WorkerAnswer(None, why=said["detail"], error=said["error"])

    async def _answered(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        return await self._engine.actions[ORDERS_PATH](query)

    def orders(self, since: datetime | None) -> ApiOrders:
        return ApiOrders(
            "acme",
            self.ask,
            None if since is None else int(since.timestamp() * 1_000),
            clock=self._runner.get_loop().time,
            sleep=lambda seconds: self._runner.run(asyncio.sleep(seconds)),
            progress=lambda done, of: self.progress.append((done, of)),
            say=self.said.append,
        )


@pytest.fixture(name="asked")
def _asked() -> Iterator[tuple[Asked, Callable[..., None]]]:
    with asyncio.Runner(loop_factory=virtual.VirtualLoop) as runner:
        made = listed("woocommerce")
        shop = runner.run(made.__aenter__())

        def holds(*sales: Sale) -> None:
            runner.run(shop.holds(*sales))

        yield Asked(runner, shop, shop.settings), holds
        runner.run(made.__aexit__(None, None, None))


def test_the_command_reads_every_page_and_says_how_far_it_is(
    asked: tuple[Asked, Callable[..., None]],
) -> None:
    worker, holds = asked
    sold = [sale(number, 40 - number / 10) for number in range(230)]
    holds(*sold)
    orders = worker.orders(NOW - timedelta(days=2))
    found = newest([one for page in orders.pages() for one in page])
    assert found.keys() == {one.id for one in sold}
    assert found["1001"].accounts == ("acme",)
    assert orders.remarks() == []
    assert abs(orders.as_of_ms - NOW.timestamp() * 1_000) < 2_000
    done = [share[0] / share[1] for share in worker.progress]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert worker.said == []


def test_a_worker_that_is_killed_between_two_pages_costs_no_order(
    asked: tuple[Asked, Callable[..., None]],
) -> None:
    worker, holds = asked
    sold = [sale(number, 40 - number / 10) for number in range(230)]
    holds(*sold)

    def meanwhile(count: int) -> None:
        if count in {2, 4}:
            worker.starts()

    worker.meanwhile = meanwhile
    pages = list(worker.orders(NOW - timedelta(days=2)).pages())
    assert newest([one for page in pages for one in page]).keys() == {one.id for one in sold}
    assert len({query["reading"] for query in worker.queries}) == 3


def test_no_worker_more_lists_at_once_than_it_has_room_for_and_idle_ones_make_room(
    asked: tuple[Asked, Callable[..., None]],
) -> None:
    worker, holds = asked
    holds(*(sale(number, 40 - number / 10) for number in range(230)))
    reading = [next(worker.orders(None).pages()) for _ in range(MOST)]
    assert len(reading) == MOST
    pages = list(worker.orders(None).pages())
    assert newest([one for page in pages for one in page]).keys() == {str(1_000 + n) for n in range(230)}
    assert worker.said == ["acme: waiting for the sync worker: 4 lists are read already; ask again"]


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (
            WorkerAnswer(None, why="no sync worker runs", error="no_worker"),
            "no sync worker lists the shop's orders: no sync worker runs",
            "start `pipeline worker sync`",
        ),
        (
            WorkerAnswer({"is_read": False, "trouble": "unauthorised"}),
            "does not list the orders (unauthorised)",
            "check the store's API credentials",
        ),
        (
            WorkerAnswer({"is_read": True, "error": "window_ignored", "trouble": ""}),
            "does not list the orders (window_ignored)",
            "run it again later",
        ),
        (
            WorkerAnswer(
                {"is_read": True, "read": 1, "dropped": 0, "as_of_ms": 1, "is_last": True, "orders": [7]}
            ),
            "cannot be read (1 fields)",
            "of another release",
        ),
    ],
)
def test_what_keeps_the_list_from_being_read_is_said_with_the_way_out(
    answer: WorkerAnswer, words: str, hint: str
) -> None:
    times = iter(range(1_000))
    orders = ApiOrders(
        "acme", lambda _: answer, None, clock=lambda: float(next(times)), sleep=lambda _: next(times)
    )
    with pytest.raises(PipelineError) as raised:
        list(orders.pages())
    assert words in raised.value.message
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    "changes",
    [{"page": "0x1"}, {"page": ""}, {"page": "9" * 16}, {"since_ms": "-1"}, {"reading": "no/name"}],
    ids=str,
)
def test_a_question_that_is_none_of_ours_is_refused(
    asked: tuple[Asked, Callable[..., None]], changes: dict[str, str]
) -> None:
    worker, _ = asked
    query = {"store": "acme", "reading": "0123456789", "page": "1", **changes}
    assert worker.ask(query).error == "query"
    assert worker.ask({**query, "store": "other"}).error == "no_store"
