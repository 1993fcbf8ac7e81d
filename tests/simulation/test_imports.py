"""Many contacts, products and coupons by few calls, and no row's outcome guessed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Coupon, CouponRecord, Origin, Outcome, Source
from tests.simulation.scenario import Stage, play

POST = "POST /imports/"


def _customers(stage: Stage, count: int, bad: tuple[int, ...] = ()) -> None:
    for number in range(count):
        stage.shop.customer(_address(number, bad), name=f"Ann {number}", birthdate="1990-02-03")


def _address(number: int, bad: tuple[int, ...] = ()) -> str:
    """One that Connectif refuses where it is among the bad."""
    return f"c{number}@example{'' if number in bad else '.com'}"


def test_a_thousand_customers_cost_a_handful_of_calls(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _customers(stage, 1_000)
        await stage.settle()
        assert len(stage.world.holds("contacts")) == 1_000
        # A few go singly: before the rest is here, and in the places that nothing else can use meanwhile.
        assert len(stage.calls()) < 30
        assert stage.receipt("contact", "c900@example.com").reason == "imported"

    play(tmp_path, story)


@pytest.mark.parametrize("report", ["full", "row", "cells"])
def test_refused_rows_are_found_and_answered_one_by_one(tmp_path: Path, report: str) -> None:
    async def story(stage: Stage) -> None:
        _customers(stage, 120, bad=(3, 40))
        await stage.settle()
        dead = [
            number
            for number in range(120)
            if stage.ends("contact", _address(number, (3, 40)))[-1][0] is Outcome.DEAD
        ]
        assert dead == [3, 40]
        assert stage.receipt("contact", _address(3, (3,))).status == 422
        assert len(stage.world.holds("contacts")) == 118
        assert len(stage.calls()) < 35

    play(tmp_path, story, switches={"error_report": report})


def test_a_file_without_a_readable_report_is_halved_until_every_row_is_known(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("expired_url")
        _customers(stage, 128, bad=(5,))
        await stage.settle(within=1_800)
        assert len(stage.world.holds("contacts")) == 127
        assert stage.ends("contact", _address(5, (5,))) == [(Outcome.DEAD, "invalid")]

    play(tmp_path, story)


@pytest.mark.parametrize("effect", ["import_error", "import_cancelled"])
def test_an_import_that_comes_to_nothing_is_sent_again(tmp_path: Path, effect: str) -> None:
    async def story(stage: Stage) -> None:
        stage.fault(effect, method="POST", route="/imports*", count=2, rows=7)
        _customers(stage, 120)
        await stage.settle(within=1_800)
        assert len(stage.world.holds("contacts")) == 120

    play(tmp_path, story)


def test_an_import_stuck_for_too_long_is_sent_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("import_stuck", method="POST", route="/imports*", count=1)
        _customers(stage, 120)
        await stage.settle(within=3_600)
        assert len(stage.world.holds("contacts")) == 120

    play(tmp_path, story, import_stuck_after=120.0, switches={"import_parallel": 4})


def test_a_full_queue_of_imports_is_waited_for_while_single_calls_go_on(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        await stage.settle()
        stage.fault("import_stuck", method="POST", route="/imports*", count=1)
        stage.world.sandbox.simulation.behaviour = stage.world.sandbox.simulation.behaviour.changed(
            {"max_imports": 1}
        )
        for number in range(120):
            stage.shop.product(f"q{number}")
        await asyncio.sleep(10)
        _customers(stage, 30)
        stage.shop.order("o1", "c1@example.com", "p1")
        await asyncio.sleep(60)
        assert stage.world.holds("purchases").keys() == {"o1"}
        stage.heal()
        await stage.settle(within=900)
        assert len(stage.world.holds("products")) == 121

    play(tmp_path, story)


def test_after_a_lost_answer_newer_data_waits_for_the_import_of_unknown_fate(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("timeout_after_store", method="POST", route="/imports*", count=1, seconds=300)
        _customers(stage, 120)
        await asyncio.sleep(20)
        stage.shop.customer("c1@example.com", name="Beatrice")
        await stage.settle(within=900)
        assert stage.world.holds("contacts")["c1@example.com"]["_name"] == "Beatrice"

    play(tmp_path, story, switches={"import_queue_seconds": 60.0})


def test_after_a_restart_newer_data_waits_for_the_import_under_way(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _customers(stage, 120)
        await asyncio.sleep(8)
        assert stage.routes()[POST] >= 1
        await stage.restart()
        stage.shop.customer("c1@example.com", name="Beatrice")
        await stage.settle(within=900)
        assert stage.world.holds("contacts")["c1@example.com"]["_name"] == "Beatrice"

    play(tmp_path, story, switches={"import_queue_seconds": 60.0})


def test_an_empty_cell_never_clears_what_connectif_holds(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for number in range(120):
            fields: dict[str, Any] = {"surname": "Jones"} if number % 2 else {"mobile_phone": "+34600000001"}
            stage.shop.customer(f"c{number}@example.com", name="Ann", **fields)
        await stage.settle()
        for number in range(120):
            fields = {"mobile_phone": "+34600000001"} if number % 2 else {"surname": "Jones"}
            stage.shop.customer(f"c{number}@example.com", name="Bea", **fields)
        await stage.settle()
        for body in stage.world.holds("contacts").values():
            assert (body["_surname"], body["_mobilePhone"]) == ("Jones", "+34600000001")

    play(tmp_path, story, switches={"import_empty_cell": "clear"})


def test_names_hostile_to_csv_arrive_as_they_are(tmp_path: Path) -> None:
    names = ['Ann "the, best"\r\nJones', "=cmd()", "Zoë 👩‍🚀", "שלום", ";|,", "'", " padded "]

    async def story(stage: Stage) -> None:
        for number in range(120):
            stage.shop.product(f"p{number}", name=names[number % len(names)])
        await stage.settle()
        held = stage.world.holds("products")
        assert stage.routes()[POST] > 0
        for number in range(120):
            assert held[f"p{number}"]["name"] == names[number % len(names)]

    play(tmp_path, story)


def test_coupons_reach_their_set_each_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        set_id = stage.connectif.data.coupon_sets.all()[0].id
        for number in range(30):
            _coupon(stage, set_id, f"CODE{number}", number)
        await stage.settle()
        for number in range(5):
            _coupon(stage, set_id, f"CODE{number}", 30 + number)
        _coupon(stage, "0" * 24, "LOST", 40)
        await stage.settle(within=900)
        assert len(stage.connectif.data.coupon_sets.codes) == 30
        assert stage.ends("coupon", f"{set_id}/CODE1") == [
            (Outcome.DELIVERED, "imported"),
            (Outcome.UNCHANGED, "same"),
        ]
        assert stage.ends("coupon", f"{'0' * 24}/LOST")[-1][0] is Outcome.DEAD

    play(tmp_path, story)


def _coupon(stage: Stage, set_id: str, code: str, version: int) -> None:
    stage.world.say(
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
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        await stage.settle()
        stage.fault("import_stuck", method="POST", route="/imports*", count=1)
        _customers(stage, 120)
        stage.shop.purchase("o1", "c60@example.com", "p1")
        await asyncio.sleep(60)
        held = stage.world.holds("contacts")
        assert stage.world.holds("purchases").keys() == {"o1"}
        assert "_name" not in held["c60@example.com"]
        stage.heal()
        await stage.settle(within=900)
        assert stage.world.holds("contacts")["c60@example.com"]["_name"] == "Ann 60"

    play(tmp_path, story)
