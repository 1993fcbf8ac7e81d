"""Accounts that are refused, away, or fed with nonsense; and that no other account is held up by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.scenario import Stage, minutes, play
from tests.simulation.shop import Shop


def _health(stage: Stage) -> str:
    return dict(stage.life.account_manager.accounts())["acme"].admission.health.stopped


def test_a_wrong_key_stops_the_account_and_is_tried_about_once_a_minute(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("unauthorised")
        for number in range(50):
            stage.shop.order(f"o{number}", "ann@example.com", "p1")
        await minutes(10)
        assert _health(stage) == "unauthorised"
        assert len(stage.calls()) < 15
        stage.heal()
        await stage.settle(within=300)
        assert _health(stage) == ""
        assert len(stage.world.holds("purchases")) == 50

    play(tmp_path, story)


def test_a_key_without_a_right_stops_the_account_with_the_reason(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("forbidden", route="/purchases*")
        stage.shop.order("o1", "ann@example.com", "p1")
        await minutes(3)
        assert _health(stage) == "forbidden"
        stage.heal()
        await stage.settle()

    play(tmp_path, story)


@pytest.mark.parametrize("effect", ["bad_gateway", "no_server", "reset", "timeout", "unauthorised", "error"])
def test_connectif_away_for_a_day_loses_nothing_and_buries_nothing(tmp_path: Path, effect: str) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("told", "ann@example.com", "p1")
        await stage.settle()
        stage.fault(effect, **({"seconds": 60.0} if effect == "timeout" else {}))
        stage.shop.cancel("told")
        for hour in range(24):
            for number in range(10):
                stage.shop.order(f"o{hour}-{number}", f"c{hour}-{number}@example.com", "p1")
            await minutes(60)
        assert stage.world.holds("purchases").keys() == {"told"}
        assert stage.world.outcomes()["purchase", "delivered"] == 1
        # Full jitter up to five minutes: two and a half on average. A refused key is tried once a minute.
        assert 200 < len(stage.calls()) < 1_500
        stage.heal()
        await stage.settle(within=1_800)
        assert len(stage.world.holds("purchases")) == 240
        assert not [receipt for receipt in stage.world.receipts() if receipt.outcome is Outcome.DEAD]

    play(tmp_path, story)


def test_a_record_whose_own_answers_make_no_sense_is_given_up_in_the_end(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        stage.shop.customer("ann@example.com", name="Ann")
        await stage.settle()
        # A purchase that is said not to be there when it is deleted, and is there whenever it is told.
        stage.fault("error", status=404, method="DELETE", route="/purchases*")
        stage.shop.purchase("o1", "ann@example.com", "p1")
        await stage.settle()
        stage.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await minutes(50)
        assert len(stage.ends("purchase", "o1")) == 1
        await stage.settle(within=3_600)
        assert stage.ends("purchase", "o1")[1] == (Outcome.DEAD, "conflict")

    play(tmp_path, story, retry_for=3_600.0)


def test_one_record_that_always_fails_holds_up_no_other(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("error", method="PATCH", route="/products*", count=12)
        stage.shop.product("p1")
        await asyncio.sleep(1)
        for number in range(20):
            stage.shop.customer(f"c{number}@example.com", name="Ann")
        await asyncio.sleep(40)
        assert len(stage.world.holds("contacts")) == 20
        await stage.settle(within=3_600)
        assert stage.world.holds("products").keys() == {"p1"}

    play(tmp_path, story)


def test_too_many_refused_in_a_row_stop_the_account_before_all_are_buried(tmp_path: Path) -> None:
    async def told() -> None:
        world = Environment(settings_for(tmp_path, dead_in_a_row=10))
        life = Life(world, "w1")
        await life.start()
        shop = Shop(world)
        for number in range(100):
            shop.customer(f"c{number}@example", name="Ann")
        await asyncio.sleep(600)
        dead = world.outcomes()["contact", "dead"]
        assert 10 <= dead <= 10 + world.settings.deliver.concurrency
        assert dict(life.account_manager.accounts())["acme"].admission.health.stopped == "dead_in_a_row"
        await life.stop()

    virtual.run(told())


def test_an_account_that_is_away_holds_up_no_other(tmp_path: Path) -> None:
    async def told() -> None:
        world = Environment(settings_for(tmp_path, ("acme", "bolt")))
        life = Life(world, "w1")
        await life.start()
        Stage(world, life).fault("timeout", account="acme", seconds=60)
        for number in range(30):
            Shop(world, "acme").order(f"o{number}", "ann@example.com", "p1")
            Shop(world, "bolt").order(f"o{number}", "ann@example.com", "p1")
        await asyncio.sleep(10)
        assert len(world.holds("purchases", "bolt")) == 30
        world.sandbox.simulation.faults.clear()
        await world.settle(life, within=900)
        assert len(world.holds("purchases", "acme")) == 30
        await life.stop()

    virtual.run(told())
