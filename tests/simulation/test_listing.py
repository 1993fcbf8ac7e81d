"""A shop's list of orders, read for a reconciliation through the owner of the store, on all platforms."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pipeline.shops.registry import PLATFORMS
from pipeline.sync.listed import ListedOrder
from pipeline.sync.listing import IDLE, RETRY_FOR, OrdersPage, Reading, Unknown
from pipeline.translate.alone import Meaning
from tests.simulation import virtual
from tests.simulation.listing import NOW, listed, newest, sale

EACH = pytest.mark.parametrize("platform", list(PLATFORMS))


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
