"""Accounts that are refused, away, or fed with nonsense; and that no other account is held up by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.scenario import Scenario, minutes, run_scenario
from tests.simulation.shop import Shop


def _health(scenario: Scenario) -> str:
    return dict(scenario.life.account_manager.accounts())["acme"].admission.health.stopped


def test_a_wrong_key_stops_the_account_and_is_tried_about_once_a_minute(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("unauthorised")
        for number in range(50):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        await minutes(10)
        assert _health(scenario) == "unauthorised"
        assert len(scenario.calls()) < 15
        scenario.heal()
        await scenario.settle(within=300)
        assert _health(scenario) == ""
        assert len(scenario.environment.holds("purchases")) == 50

    run_scenario(tmp_path, steps)


def test_a_key_without_a_right_stops_the_account_with_the_reason(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("forbidden", route="/purchases*")
        scenario.shop.order("o1", "ann@example.com", "p1")
        await minutes(3)
        assert _health(scenario) == "forbidden"
        scenario.heal()
        await scenario.settle()

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("effect", ["bad_gateway", "no_server", "reset", "timeout", "unauthorised", "error"])
def test_connectif_away_for_a_day_loses_nothing_and_buries_nothing(tmp_path: Path, effect: str) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("told", "ann@example.com", "p1")
        await scenario.settle()
        scenario.fault(effect, **({"seconds": 60.0} if effect == "timeout" else {}))
        scenario.shop.cancel("told")
        for hour in range(24):
            for number in range(10):
                scenario.shop.order(f"o{hour}-{number}", f"c{hour}-{number}@example.com", "p1")
            await minutes(60)
        assert scenario.environment.holds("purchases").keys() == {"told"}
        assert scenario.environment.outcomes()["purchase", "delivered"] == 1
        # Full jitter up to five minutes: two and a half on average. A refused key is tried once a minute.
        assert 200 < len(scenario.calls()) < 1_500
        scenario.heal()
        await scenario.settle(within=1_800)
        assert len(scenario.environment.holds("purchases")) == 240
        assert not [receipt for receipt in scenario.environment.receipts() if receipt.outcome is Outcome.DEAD]

    run_scenario(tmp_path, steps)


def test_a_record_whose_own_answers_make_no_sense_is_given_up_in_the_end(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        scenario.shop.customer("ann@example.com", name="Ann")
        await scenario.settle()
        # A purchase that is said not to be there when it is deleted, and is there whenever it is told.
        scenario.fault("error", status=404, method="DELETE", route="/purchases*")
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        await scenario.settle()
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await minutes(50)
        assert len(scenario.ends("purchase", "o1")) == 1
        await scenario.settle(within=3_600)
        assert scenario.ends("purchase", "o1")[1] == (Outcome.DEAD, "conflict")

    run_scenario(tmp_path, steps, retry_for=3_600.0)


def test_one_record_that_always_fails_holds_up_no_other(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("error", method="PATCH", route="/products*", count=12)
        scenario.shop.product("p1")
        await asyncio.sleep(1)
        for number in range(20):
            scenario.shop.customer(f"c{number}@example.com", name="Ann")
        await asyncio.sleep(40)
        assert len(scenario.environment.holds("contacts")) == 20
        await scenario.settle(within=3_600)
        assert scenario.environment.holds("products").keys() == {"p1"}

    run_scenario(tmp_path, steps)


def test_too_many_refused_in_a_row_stop_the_account_before_all_are_dead_letters(tmp_path: Path) -> None:
    async def run() -> None:
        environment = Environment(settings_for(tmp_path, dead_in_a_row=10))
        life = Life(environment, "w1")
        await life.start()
        shop = Shop(environment)
        for number in range(100):
            shop.customer(f"c{number}@example", name="Ann")
        await asyncio.sleep(600)
        dead = environment.outcomes()["contact", "dead"]
        assert 10 <= dead <= 10 + environment.settings.deliver.concurrency
        assert dict(life.account_manager.accounts())["acme"].admission.health.stopped == "dead_in_a_row"
        await life.stop()

    virtual.run(run())


def test_an_account_that_is_away_holds_up_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        environment = Environment(settings_for(tmp_path, ("acme", "bolt")))
        life = Life(environment, "w1")
        await life.start()
        Scenario(environment, life).fault("timeout", account="acme", seconds=60)
        for number in range(30):
            Shop(environment, "acme").order(f"o{number}", "ann@example.com", "p1")
            Shop(environment, "bolt").order(f"o{number}", "ann@example.com", "p1")
        await asyncio.sleep(10)
        assert len(environment.holds("purchases", "bolt")) == 30
        environment.sandbox.simulation.faults.clear()
        await environment.settle(life, within=900)
        assert len(environment.holds("purchases", "acme")) == 30
        await life.stop()

    virtual.run(run())
