"""The look-ups of one store on virtual time: a shop that answers, limits, fails and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.events import Kind, Lane, RawEvent
from pipeline.kafka.fetches import FetchRequest
from pipeline.shops.api import ApiRequest, Documents, RequestLimit, ShopApi, documents_of
from pipeline.shops.base import StoreContext, StoreOf
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Empty, Failed, Found, Missing, Refused, TooMany, Unauthorised
from pipeline.sync.backlog import Notice
from pipeline.sync.lanes import ShopLane
from pipeline.sync.requests import ShopRequests
from pipeline.sync.store_runner import GivenUp, Outlets, StoreRunner
from tests.platforms import settings_of
from tests.simulation import virtual

DAY = 86_400.0
LIMIT = RequestLimit(10, 1.0, parallel=2, pause=60.0)


def needs(event: RawEvent, documents: Documents, store: StoreOf[StoreSettings]) -> Sequence[str]:  # noqa: ARG001 - as `ShopApi` has it
    """An order, then its customer."""
    order, customer = f"/orders/{event.entity}", f"/customers/{event.entity}"
    if order not in documents:
        return [order]
    found = documents[order].status == 200
    return [customer] if found and customer not in documents else []


API: ShopApi[StoreSettings] = ShopApi(
    base_url=lambda _: "http://shop.example",
    authorise=lambda *_: {},
    limit=lambda _: LIMIT,
    needs=needs,
    fetched_topic=lambda _: "order",
)


@dataclass
class Shop:
    """Answers as told, and keeps what was asked and what came of it."""

    answer: Callable[[str, int], Answer]
    asked: list[tuple[float, str]] = field(default_factory=list)
    fetched: list[RawEvent] = field(default_factory=list)
    given_up: list[tuple[str, GivenUp]] = field(default_factory=list)
    rows: dict[bytes, FetchRequest] = field(default_factory=dict)

    async def send(self, request: ApiRequest) -> Answer:
        path = request.path
        self.asked.append((virtual.wall(), path))
        await asyncio.sleep(0.05)
        return self.answer(path, Counter(path for _, path in self.asked)[path])

    def outlets(self) -> Outlets:
        async def store(event: RawEvent, notices: list[Notice]) -> None:
            self.fetched.append(event)
            self._forget(notices)

        async def bury(request: FetchRequest, why: GivenUp, notices: list[Notice]) -> None:
            self.given_up.append((request.event.entity, why))
            self._forget(notices)

        return Outlets(lambda notice: self.rows.get(notice.row), store, bury)

    def _forget(self, notices: list[Notice]) -> None:
        for notice in notices:
            del self.rows[notice.row]


def runner_of(shop: Shop) -> StoreRunner:
    store: StoreContext = StoreOf("acme", settings_of("shopify"), product_page="")
    requests = ShopRequests("acme", LIMIT, shop, clock=virtual.wall, random=lambda: 1.0)
    return StoreRunner(
        store, API, requests, shop.outlets(), retry_for=DAY, clock=virtual.wall, random=lambda: 1.0
    )


def notify(runner: StoreRunner, shop: Shop, entity: str, number: int = 0, lane: Lane = Lane.LIVE) -> None:
    """A notification comes."""
    received = int(virtual.wall() * 1_000)
    event = RawEvent("acme", "shopify", Kind.ORDER, entity, "hook", f"d{number}", received, b"{}", lane=lane)
    request = FetchRequest(f"shop.orders/0/{number}", event)
    shop.rows[request.key] = request
    runner.add(Notice(request.key, event.key, received, lane))


def play(shop: Shop, entities: Sequence[str], seconds: float) -> StoreRunner:
    """Let one notification of each entity come at once, and so much time pass."""

    async def played() -> StoreRunner:
        runner = runner_of(shop)
        for number, entity in enumerate(entities):
            notify(runner, shop, entity, number)
        task = asyncio.create_task(runner.run())
        await asyncio.sleep(seconds)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return runner

    return virtual.run(played())


def well(path: str, count: int) -> Answer:  # noqa: ARG001 - as `Shop.answer` has it
    return Found(b'{"path":1}', {"path": 1})


def test_each_notification_becomes_an_event_with_all_its_documents() -> None:
    shop = Shop(well)
    play(shop, ["1", "2"], 5.0)
    assert {event.entity for event in shop.fetched} == {"1", "2"}
    assert list(documents_of(shop.fetched[0])) == ["/orders/1", "/customers/1"]
    assert shop.rows == {}


def test_a_document_that_is_gone_is_said_by_the_event() -> None:
    shop = Shop(lambda *_: Missing(404))
    play(shop, ["1"], 5.0)
    assert [(one.status, one.body) for one in documents_of(shop.fetched[0]).values()] == [(404, None)]


def test_no_second_has_more_requests_than_the_shop_stands_and_its_limit_is_used() -> None:
    shop = Shop(well)
    play(shop, [str(number) for number in range(100)], 21.0)
    seconds = Counter(int(moment) for moment, _ in shop.asked)
    assert max(seconds.values()) <= 10
    assert len(shop.fetched) == 100


def test_a_shop_that_says_too_many_is_left_alone_for_so_long() -> None:
    shop = Shop(lambda path, count: TooMany(30.0) if count == 1 else well(path, count))
    play(shop, ["1"], 120.0)
    times = [moment for moment, path in shop.asked if path == "/orders/1"]
    assert times[1] - times[0] >= 30.0
    assert len(shop.fetched) == 1


def test_a_shop_that_is_down_for_three_days_loses_nothing() -> None:
    def answer(path: str, count: int) -> Answer:
        down = virtual.wall() < virtual.EPOCH + 3 * DAY
        return Failed("unreachable") if down else well(path, count)

    shop = Shop(answer)
    runner = play(shop, ["1", "2", "3"], 3 * DAY + 1_000)
    assert (len(shop.fetched), shop.given_up, len(runner.backlog)) == (3, [], 0)
    assert len(shop.asked) < 3_000  # it was asked about every five minutes


def test_wrong_credentials_stop_the_store_until_they_are_right() -> None:
    def answer(path: str, count: int) -> Answer:
        wrong = virtual.wall() < virtual.EPOCH + 3_600
        return Unauthorised(401) if wrong else well(path, count)

    shop = Shop(answer)
    assert play(shop, ["1"], 1_800.0).requests.limit.stopped == "unauthorised"
    shop = Shop(answer)
    assert play(shop, ["1"], 5_000.0).requests.limit.stopped == ""
    assert len(shop.fetched) == 1
    assert len(shop.asked) < 20


def test_one_document_that_never_comes_holds_up_no_other_and_is_given_up_at_last() -> None:
    def answer(path: str, count: int) -> Answer:
        return Failed("server_error") if path == "/orders/bad" else well(path, count)

    async def played() -> None:
        runner = runner_of(shop)
        notify(runner, shop, "bad", 0)
        task = asyncio.create_task(runner.run())
        for hour in range(30):
            await asyncio.sleep(3_000.0)
            notify(runner, shop, f"good{hour}", 1 + hour)
        await asyncio.sleep(600.0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    shop = Shop(answer)
    virtual.run(played())
    assert len(shop.fetched) == 30
    assert [(entity, why.reason) for entity, why in shop.given_up] == [("bad", "fetch_failed")]


def test_a_request_that_is_refused_as_such_is_given_up_soon() -> None:
    shop = Shop(lambda path, _: Refused(400) if path == "/orders/1" else well(path, 1))
    play(shop, ["1", "2"], 60.0)
    assert [(entity, why.reason) for entity, why in shop.given_up] == [("1", "fetch_refused")]
    assert [event.entity for event in shop.fetched] == ["2"]


def test_an_empty_answer_is_no_document_and_is_asked_for_again_rarely() -> None:
    shop = Shop(lambda *_: Empty())
    runner = play(shop, ["1"], 3_600.0)
    assert (shop.fetched, shop.given_up, len(runner.backlog)) == ([], [], 1)
    assert len(shop.asked) < 30


def test_a_live_order_does_not_wait_behind_a_backfill() -> None:
    async def played() -> None:
        runner = runner_of(shop)
        for number in range(500):
            notify(runner, shop, f"old{number}", number, Lane.BACKFILL)
        task = asyncio.create_task(runner.run())
        await asyncio.sleep(5.0)
        notify(runner, shop, "live", 1_000)
        await asyncio.sleep(2.0)
        assert "live" in {event.entity for event in shop.fetched}
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    shop = Shop(well)
    virtual.run(played())


def test_the_most_urgent_request_goes_first_and_a_cancelled_one_holds_up_none() -> None:
    shop = Shop(well)

    async def played() -> None:
        requests = ShopRequests("acme", LIMIT, shop, clock=virtual.wall, random=lambda: 1.0)
        pulls = [
            asyncio.create_task(requests.send(ApiRequest(f"/full/{number}"), ShopLane.FULL))
            for number in range(40)
        ]
        await asyncio.sleep(1.5)
        pulls[-1].cancel()
        assert requests.waiting(ShopLane.FULL) > 10
        await requests.send(ApiRequest("/live"), ShopLane.LIVE)
        await requests.send(ApiRequest("/withdrawal"), ShopLane.WITHDRAWAL)
        await asyncio.gather(*pulls[:-1])

    virtual.run(played())
    paths = [path for _, path in shop.asked]
    assert len(paths) == 41
    assert paths.index("/live") < 24
    assert paths.index("/withdrawal") < 26
