"""Many contacts, products and coupons by few calls, and no row's outcome guessed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Coupon, CouponRecord, Origin, Outcome, Source
from tests.simulation.scenario import Scenario, run_scenario

POST = "POST /imports/"


def _customers(scenario: Scenario, count: int, bad: tuple[int, ...] = ()) -> None:
    for number in range(count):
        scenario.shop.customer(_address(number, bad), name=f"Ann {number}", birthdate="1990-02-03")


def _address(number: int, bad: tuple[int, ...] = ()) -> str:
    """One that Connectif refuses where it is among the bad."""
    return f"c{number}@example{'' if number in bad else '.com'}"


def test_a_thousand_customers_cost_a_handful_of_calls(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _customers(scenario, 1_000)
        await scenario.settle()
        assert len(scenario.environment.holds("contacts")) == 1_000
        # A few go singly: before the rest is here, and in the places that nothing else can use meanwhile.
        assert len(scenario.calls()) < 30
        assert scenario.receipt("contact", "c900@example.com").reason == "imported"

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("report", ["full", "row", "cells"])
def test_refused_rows_are_found_and_answered_one_by_one(tmp_path: Path, report: str) -> None:
    async def steps(scenario: Scenario) -> None:
        _customers(scenario, 120, bad=(3, 40))
        await scenario.settle()
        dead = [
            number
            for number in range(120)
            if scenario.ends("contact", _address(number, (3, 40)))[-1][0] is Outcome.DEAD
        ]
        assert dead == [3, 40]
        assert scenario.receipt("contact", _address(3, (3,))).status == 422
        assert len(scenario.environment.holds("contacts")) == 118
        assert len(scenario.calls()) < 35

    run_scenario(tmp_path, steps, switches={"error_report": report})


def test_a_file_without_a_readable_report_is_halved_until_every_row_is_known(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("expired_url")
        _customers(scenario, 128, bad=(5,))
        await scenario.settle(within=1_800)
        assert len(scenario.environment.holds("contacts")) == 127
        assert scenario.ends("contact", _address(5, (5,))) == [(Outcome.DEAD, "invalid")]

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("effect", ["import_error", "import_cancelled"])
def test_an_import_that_comes_to_nothing_is_sent_again(tmp_path: Path, effect: str) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault(effect, method="POST", route="/imports*", count=2, rows=7)
        _customers(scenario, 120)
        await scenario.settle(within=1_800)
        assert len(scenario.environment.holds("contacts")) == 120

    run_scenario(tmp_path, steps)


def test_an_import_stuck_for_too_long_is_sent_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("import_stuck", method="POST", route="/imports*", count=1)
        _customers(scenario, 120)
        await scenario.settle(within=3_600)
        assert len(scenario.environment.holds("contacts")) == 120

    run_scenario(tmp_path, steps, import_stuck_after=120.0, switches={"import_parallel": 4})


def test_a_full_queue_of_imports_is_waited_for_while_single_calls_go_on(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        await scenario.settle()
        scenario.fault("import_stuck", method="POST", route="/imports*", count=1)
        scenario.environment.sandbox.simulation.behaviour = (
            scenario.environment.sandbox.simulation.behaviour.changed({"max_imports": 1})
        )
        for number in range(120):
            scenario.shop.product(f"q{number}")
        await asyncio.sleep(10)
        _customers(scenario, 30)
        scenario.shop.order("o1", "c1@example.com", "p1")
        await asyncio.sleep(60)
        assert scenario.environment.holds("purchases").keys() == {"o1"}
        scenario.heal()
        await scenario.settle(within=900)
        assert len(scenario.environment.holds("products")) == 121

    run_scenario(tmp_path, steps)


def test_after_a_lost_answer_newer_data_waits_for_the_import_of_unknown_fate(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("timeout_after_store", method="POST", route="/imports*", count=1, seconds=300)
        _customers(scenario, 120)
        await asyncio.sleep(20)
        scenario.shop.customer("c1@example.com", name="Beatrice")
        await scenario.settle(within=900)
        assert scenario.environment.holds("contacts")["c1@example.com"]["_name"] == "Beatrice"

    run_scenario(tmp_path, steps, switches={"import_queue_seconds": 60.0})


def test_after_a_restart_newer_data_waits_for_the_import_under_way(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _customers(scenario, 120)
        await asyncio.sleep(8)
        assert scenario.routes()[POST] >= 1
        await scenario.restart()
        scenario.shop.customer("c1@example.com", name="Beatrice")
        await scenario.settle(within=900)
        assert scenario.environment.holds("contacts")["c1@example.com"]["_name"] == "Beatrice"

    run_scenario(tmp_path, steps, switches={"import_queue_seconds": 60.0})


def test_an_empty_cell_never_clears_what_connectif_holds(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(120):
            fields: dict[str, Any] = {"surname": "Jones"} if number % 2 else {"mobile_phone": "+34600000001"}
            scenario.shop.customer(f"c{number}@example.com", name="Ann", **fields)
        await scenario.settle()
        for number in range(120):
            fields = {"mobile_phone": "+34600000001"} if number % 2 else {"surname": "Jones"}
            scenario.shop.customer(f"c{number}@example.com", name="Bea", **fields)
        await scenario.settle()
        for body in scenario.environment.holds("contacts").values():
            assert (body["_surname"], body["_mobilePhone"]) == ("Jones", "+34600000001")

    run_scenario(tmp_path, steps, switches={"import_empty_cell": "clear"})


def test_names_hostile_to_csv_arrive_as_they_are(tmp_path: Path) -> None:
    names = ['Ann "the, best"\r\nJones', "=cmd()", "Zoë 👩‍🚀", "שלום", ";|,", "'", " padded "]

    async def steps(scenario: Scenario) -> None:
        for number in range(120):
            scenario.shop.product(f"p{number}", name=names[number % len(names)])
        await scenario.settle()
        held = scenario.environment.holds("products")
        assert scenario.routes()[POST] > 0
        for number in range(120):
            assert held[f"p{number}"]["name"] == names[number % len(names)]

    run_scenario(tmp_path, steps)


def test_coupons_reach_their_set_each_once(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        set_id = scenario.connectif.data.coupon_sets.all()[0].id
        for number in range(30):
            _coupon(scenario, set_id, f"CODE{number}", number)
        await scenario.settle()
        for number in range(5):
            _coupon(scenario, set_id, f"CODE{number}", 30 + number)
        _coupon(scenario, "0" * 24, "LOST", 40)
        await scenario.settle(within=900)
        assert len(scenario.connectif.data.coupon_sets.codes) == 30
        assert scenario.ends("coupon", f"{set_id}/CODE1") == [
            (Outcome.DELIVERED, "imported"),
            (Outcome.UNCHANGED, "same"),
        ]
        assert scenario.ends("coupon", f"{'0' * 24}/LOST")[-1][0] is Outcome.DEAD

    run_scenario(tmp_path, steps)


def _coupon(scenario: Scenario, set_id: str, code: str, version: int) -> None:
    scenario.environment.say(
        CouponRecord(
            account="acme",
            store="acme-shop",
            id=f"{set_id}/{code}",
            version=version,
            source=Source(topic="coupons", partition=0, offset=version),
            origin=Origin.CATALOGUE,
            received_ms=version,
            body=Coupon(coupon_set_id=set_id, code=code),
        )
    )


def test_a_live_order_does_not_wait_for_an_import_that_is_late(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        await scenario.settle()
        scenario.fault("import_stuck", method="POST", route="/imports*", count=1)
        _customers(scenario, 120)
        scenario.shop.purchase("o1", "c60@example.com", "p1")
        await asyncio.sleep(60)
        held = scenario.environment.holds("contacts")
        assert scenario.environment.holds("purchases").keys() == {"o1"}
        assert "_name" not in held["c60@example.com"]
        scenario.heal()
        await scenario.settle(within=900)
        assert scenario.environment.holds("contacts")["c60@example.com"]["_name"] == "Ann 60"

    run_scenario(tmp_path, steps)
