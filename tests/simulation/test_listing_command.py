"""The command that asks the owner of a store for the list of its orders, whatever becomes of either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import cast

import orjson
import pytest

from pipeline import config
from pipeline.engine.engine import Engine
from pipeline.errors import PipelineError
from pipeline.reconcile.shop_api import ApiOrders
from pipeline.sync.listing import MOST, ORDERS_PATH, OrdersDesk
from pipeline.workers.client import WorkerAnswer
from tests.shop_bodies import Sale
from tests.simulation import virtual
from tests.simulation.listing import NOW, Listed, listed, newest, sale
from tests.stubengine import StubEngine


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
