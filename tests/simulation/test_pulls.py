"""A store's runs on virtual time: rows move, processes are killed, shops lie, fail and refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipeline.events import Kind
from pipeline.sandbox.shops.lists import Row
from pipeline.sync.answers import Answer, Failed, Refused, TooMany
from pipeline.sync.pull.left import time_left
from pipeline.sync.pull.state import RunStatus, Wanted
from tests.simulation import virtual
from tests.simulation.pulled_shop import (
    PulledShop,
    absent,
    graphql_row,
    woo_customer,
    woo_order,
    woo_product,
)

DAY = 86_400.0
KILLS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=4)
#: What happens at the shop before a request: which row, and what becomes of it.
HAPPENINGS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["changes", "goes", "comes", "nothing"])), max_size=60
)


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(virtual.EPOCH - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def shopify_row(kind: Kind, number: int, changed: str, **more: Any) -> Row:
    return graphql_row(kind.title(), number, changed, **more)


def woo_row(kind: Kind, number: int, changed: str, **more: Any) -> Row:
    makes: dict[Kind, Callable[..., Row]] = {
        Kind.ORDER: woo_order,
        Kind.PRODUCT: woo_product,
        Kind.CUSTOMER: woo_customer,
    }
    return {**makes[kind](number, changed), **more}


ROWS: dict[str, Callable[..., Row]] = {"woocommerce": woo_row, "shopify": shopify_row}
SMALL = {"woocommerce": {"most": 100}, "shopify": {}}


def busy(shop: PulledShop, happenings: list[tuple[int, str]]) -> Callable[[], None]:
    """Before each request, the next thing happens in the shop."""
    rest = iter(happenings)
    fresh = iter(range(9_000, 10_000))
    make = ROWS[shop.platform.name]

    def happens() -> None:
        number, what = next(rest, (0, "nothing"))
        for kind in Kind:
            ids = sorted(shop.shop.rows.get(f"{kind}s", {}))
            if what == "comes":
                shop.holds(kind, make(kind, next(fresh), shop.now(), note="new"))
            elif what == "changes" and ids:
                row = shop.shop.rows[f"{kind}s"][ids[number % len(ids)]]
                stamp = {"date_modified_gmt": shop.now(), "updatedAt": f"{shop.now()}Z"}
                shop.holds(kind, {**row, **{name: stamp[name] for name in stamp if name in row}})
            elif what == "goes" and ids and kind is Kind.PRODUCT:
                shop.loses(kind, ids[number % len(ids)])

    return happens


def assert_told(shop: PulledShop) -> None:
    """That the last word on each entity is what the shop holds."""
    clock = {"woocommerce": ("date_modified_gmt", ""), "shopify": ("updatedAt", "updated_at")}
    theirs, ours = clock[shop.platform.name]
    for kind in Kind:
        held = {
            str(row.get("legacyResourceId") or row["id"]): row.get(theirs)
            for row in shop.shop.rows[f"{kind}s"].values()
        }
        said = {entity: body and body.get(ours or theirs) for entity, body in shop.told(kind).items()}
        assert {entity: said.get(entity) for entity in held} == held, kind
        gone = {entity for entity, body in said.items() if body is None}
        if kind is Kind.PRODUCT:
            assert said.keys() - held.keys() == gone


def filled(platform: str, count: int) -> PulledShop:
    shop = PulledShop(platform, lists=SMALL[platform])
    make = ROWS[platform]
    for kind in Kind:
        # Ties of one second, as imports make them.
        rows = [make(kind, 1 + number, ago(DAY * 3 + 60 * (number // 7))) for number in range(count)]
        shop.holds(kind, *rows)
    return shop


@pytest.mark.parametrize("platform", ["woocommerce", "shopify"])
@settings(max_examples=12, deadline=None)
@given(first=HAPPENINGS, later=HAPPENINGS, kills=KILLS, daily_kills=KILLS)
def test_whatever_moves_and_whenever_it_is_killed_every_row_is_told_once_all_is_quiet(
    platform: str,
    first: list[tuple[int, str]],
    later: list[tuple[int, str]],
    kills: list[tuple[int, int]],
    daily_kills: list[tuple[int, int]],
) -> None:
    async def played() -> None:
        shop = filled(platform, 230)
        shop.meanwhile = busy(shop, first)
        await shop.runs(Wanted.FULL, kills=kills)
        shop.meanwhile = busy(shop, later)
        await shop.runs(Wanted.DAILY, kills=daily_kills)
        shop.meanwhile = lambda: None
        await asyncio.sleep(DAY / 4)
        await shop.runs(Wanted.DAILY)
        assert_told(shop)
        before = len(shop.kept.events)
        await shop.runs(Wanted.DAILY)
        assert len(shop.kept.events) == before, "nothing changed, and something was sent"
        assert shop.state.run is not None
        assert shop.state.run.status is RunStatus.DONE

    virtual.run(played())


def test_a_row_that_is_read_again_is_the_same_delivery() -> None:
    async def played() -> tuple[PulledShop, PulledShop]:
        straight, killed = filled("woocommerce", 120), filled("woocommerce", 120)
        await straight.runs(Wanted.FULL)
        await killed.runs(Wanted.FULL, kills=[(2, 0), (3, 3), (1, 1), (2, 2)])
        return straight, killed

    straight, killed = virtual.run(played())
    told = [one.delivery for one in killed.kept.events]
    assert list(dict.fromkeys(told)) == [one.delivery for one in straight.kept.events]
    assert len(told) > len(set(told)), "a page whose events alone were kept is told again"


def test_so_many_missing_products_are_not_believed_until_an_operator_does() -> None:
    async def played() -> PulledShop:
        shop = filled("woocommerce", 100)
        await shop.runs(Wanted.FULL)
        shop.loses(Kind.PRODUCT, *map(str, range(1, 51)))
        await shop.runs(Wanted.DAILY)
        assert shop.state.run is not None
        assert shop.state.run.held == {Kind.PRODUCT: 50}
        assert None not in shop.told(Kind.PRODUCT).values()
        await shop.runs(Wanted.FULL, accept_deletions=True)
        return shop

    shop = virtual.run(played())
    assert list(shop.told(Kind.PRODUCT).values()).count(None) == 50


def test_a_product_that_comes_back_from_the_trash_is_told_as_restored() -> None:
    async def played() -> PulledShop:
        shop = filled("woocommerce", 30)
        await shop.runs(Wanted.FULL)
        row = shop.shop.rows["products"]["7"]
        shop.loses(Kind.PRODUCT, "7")
        await shop.runs(Wanted.DAILY)
        assert shop.last(Kind.PRODUCT)["7"].topic == "product.deleted"
        shop.holds(Kind.PRODUCT, row)
        await shop.runs(Wanted.DAILY)
        return shop

    assert virtual.run(played()).last(Kind.PRODUCT)["7"].topic == "product.restored"


def test_an_old_woocommerce_that_does_not_order_by_change_is_read_by_the_id() -> None:
    async def played() -> PulledShop:
        shop = PulledShop("woocommerce", lists={"old": True})
        shop.holds(Kind.ORDER, *(woo_order(number, ago(600)) for number in range(1, 250)))
        await shop.runs(Wanted.SINCE, kinds=(Kind.ORDER,), since_ms=int((virtual.EPOCH - 3_600) * 1_000))
        return shop

    assert len(virtual.run(played()).told(Kind.ORDER)) == 249


@pytest.mark.parametrize("off", [-90, 500])
def test_a_total_that_lies_neither_ends_a_list_nor_lets_it_go_on_for_ever(off: int) -> None:
    async def played() -> PulledShop:
        shop = PulledShop("woocommerce", lists={"total_off": off, "hidden": frozenset({"3", "150"})})
        shop.holds(Kind.CUSTOMER, *(woo_customer(number) for number in range(1, 251)))
        await shop.runs(Wanted.FULL, kinds=(Kind.CUSTOMER,))
        return shop

    shop = virtual.run(played())
    assert len(shop.told(Kind.CUSTOMER)) == 248
    assert len(shop.asked) < 20


def test_a_query_that_is_too_dear_is_made_smaller_and_points_are_waited_for() -> None:
    async def played() -> tuple[PulledShop, float]:
        lists = {"dearest": 60, "points": 60.0, "restore": 10.0}
        shop = PulledShop("shopify", lists=lists)
        lines = {"nodes": [{"id": "gid://shopify/LineItem/1"}], "pageInfo": {"hasNextPage": False}}
        rows = (shopify_row(Kind.ORDER, n, ago(600), lineItems=lines) for n in range(1, 41))
        shop.holds(Kind.ORDER, *rows)
        began = virtual.wall()
        await shop.runs(Wanted.FULL, kinds=(Kind.ORDER,))
        return shop, virtual.wall() - began

    shop, took = virtual.run(played())
    assert len(shop.told(Kind.ORDER)) == 40
    assert took > 10
    throttled = len(shop.asked)
    assert throttled < 25, "the shop was asked before its points were back"


def test_an_order_with_more_lines_than_are_asked_for_is_read_whole_and_one_with_too_many_left_out() -> None:
    def lines(count: int) -> dict[str, Any]:
        nodes = [{"id": f"gid://shopify/LineItem/{number}"} for number in range(1, count + 1)]
        return {"nodes": nodes, "pageInfo": {"hasNextPage": False}}

    async def played() -> PulledShop:
        shop = PulledShop("shopify")
        for number, count in ((1, 2), (2, 180), (3, 300), (4, 1)):
            shop.holds(Kind.ORDER, shopify_row(Kind.ORDER, number, ago(600), lineItems=lines(count)))
        await shop.runs(Wanted.FULL, kinds=(Kind.ORDER,))
        return shop

    shop = virtual.run(played())
    assert {key: len(body["line_items"]) for key, body in shop.told(Kind.ORDER).items()} == {
        "1": 2,
        "2": 180,
        "4": 1,
    }
    assert shop.state.run is not None
    assert shop.state.run.passes[0].dropped == 1


@pytest.mark.parametrize("answer", [absent(), TooMany(30.0), Failed("not_json"), Failed("server_error")])
def test_a_shop_that_fails_for_a_while_is_read_to_the_end(answer: Answer) -> None:
    async def played() -> PulledShop:
        shop = filled("woocommerce", 120)
        shop.instead = [answer] * 10
        await shop.runs(Wanted.FULL)
        return shop

    shop = virtual.run(played())
    assert_told(shop)


def test_a_list_that_is_refused_is_given_up_and_the_others_are_read() -> None:
    async def played() -> PulledShop:
        shop = filled("shopify", 30)
        lists = shop.shop.settings.lists
        assert lists is not None
        denied = lists.model_copy(update={"denied": frozenset({"customers"})})
        shop.shop.settings = shop.shop.settings.model_copy(update={"lists": denied})
        await shop.runs(Wanted.FULL)
        return shop

    shop = virtual.run(played())
    run = shop.state.run
    assert run is not None
    assert run.status is RunStatus.FAILED
    assert [(one.kind, one.error) for one in run.passes if one.error] == [(Kind.CUSTOMER, "refused")]
    assert len(shop.told(Kind.ORDER)) == 30
    assert shop.state.complete_ms == 0


def test_the_days_run_is_begun_once_whatever_is_killed_and_waits_for_its_time() -> None:
    async def played() -> PulledShop:
        shop = filled("woocommerce", 10)
        for _ in range(60):  # a new process every hour
            task = asyncio.create_task(shop.puller(at=time(3, 30)).run())
            await asyncio.sleep(3_600)
            task.cancel()
        return shop

    shop = virtual.run(played())
    assert shop.state.runs in {2, 3}
    assert shop.state.complete_ms > 0


def test_a_stop_ends_what_is_under_way_and_a_command_is_run_once() -> None:
    async def played() -> PulledShop:
        shop = filled("woocommerce", 200)
        shop.instead = [Refused(400)] * 2
        full = shop.command(Wanted.FULL)
        task = asyncio.create_task(shop.puller().run())
        await asyncio.sleep(0.4)
        task.cancel()
        shop.kept.commands[full.id] = full  # the message is read again
        await shop.runs(Wanted.STOP)
        return shop

    shop = virtual.run(played())
    assert shop.state.run is not None
    assert shop.state.run.status is RunStatus.STOPPED
    assert shop.state.runs == 1
    assert not shop.kept.commands


def test_a_dry_run_sends_nothing_and_says_how_many_rows_there_are() -> None:
    async def played() -> PulledShop:
        shop = filled("shopify", 130)
        await shop.runs(Wanted.FULL, dry_run=True)
        return shop

    shop = virtual.run(played())
    assert shop.state.run is not None
    assert {one.kind: one.total for one in shop.state.run.passes} == dict.fromkeys(Kind, 130)
    assert (shop.kept.events, shop.kept.rows, shop.state.marks) == ([], {}, {})


@pytest.mark.parametrize("known", [False, True], ids=["first run", "second run"])
def test_after_a_tenth_of_a_run_the_time_left_is_off_by_less_than_a_tenth(known: bool) -> None:
    """All its lists, two of which are not begun then."""
    shop, looked = PulledShop("woocommerce", api_requests_per_minute=120), list[tuple[float, float | None]]()
    shop.holds(Kind.CUSTOMER, *(woo_customer(number, ago(DAY)) for number in range(1, 3_001)))
    shop.holds(Kind.PRODUCT, *(woo_product(number, ago(DAY)) for number in range(1, 2_001)))
    shop.holds(Kind.ORDER, *(woo_order(number, ago(DAY)) for number in range(1, 4_001)))

    async def look() -> None:
        while True:
            await asyncio.sleep(1.0)
            left = time_left(shop.state.as_json() | {"now_ms": int(virtual.wall() * 1_000)})
            looked.append((virtual.wall(), left.seconds))

    async def played() -> tuple[float, float]:
        if known:
            await shop.runs(Wanted.FULL)
        began, looks = virtual.wall(), asyncio.create_task(look())
        await shop.runs(Wanted.FULL)
        looks.cancel()
        return began, virtual.wall()

    began, ended = virtual.run(played())
    tenth = (ended - began) / 10
    judged = [(at, left) for at, left in looked if began + tenth < at < ended - 1.0]
    assert len(judged) > 30
    assert max(abs((left or 0.0) - (ended - at)) for at, left in judged) < tenth
