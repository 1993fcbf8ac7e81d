"""Orders that change or are cancelled, before, while and after they are sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.records import Outcome
from tests.simulation.scenario import Scenario, run_scenario

PURCHASE = "/purchases/purchase-id/{purchaseId}"


def test_an_order_that_changes_before_it_is_sent_is_one_purchase_with_the_newest_data(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1", total="10.00")
        scenario.shop.order("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["totalPrice"] == 20
        assert scenario.routes()["POST /purchases/"] == 1
        assert [outcome for outcome, _ in scenario.ends("purchase", "o1")] == [
            Outcome.SUPERSEDED,
            Outcome.DELIVERED,
        ]

    run_scenario(tmp_path, steps)


def test_an_order_that_changes_after_it_was_sent_is_replaced_without_its_trigger(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1", total="10.00")
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["triggerPurchaseEvent"] is True
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        held = scenario.environment.holds("purchases")["o1"]
        assert (held["totalPrice"], held["triggerPurchaseEvent"]) == (20, False)
        assert scenario.receipt("purchase", "o1").reason == "replaced"
        assert scenario.receipt("purchase", "o1").calls == 2

    run_scenario(tmp_path, steps)


def test_the_same_order_again_costs_no_call(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        before = len(scenario.calls())
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert len(scenario.calls()) == before
        assert scenario.ends("purchase", "o1")[-1] == (Outcome.UNCHANGED, "same")
        assert scenario.ends("product", "p1")[-1] == (Outcome.UNCHANGED, "known")

    run_scenario(tmp_path, steps)


def test_an_order_cancelled_before_it_is_sent_needs_no_call(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        scenario.shop.cancel("o1")
        await scenario.settle()
        assert scenario.routes()["POST /purchases/"] == 0
        assert scenario.routes()[f"DELETE {PURCHASE}"] == 0
        assert scenario.ends("purchase", "o1") == [
            (Outcome.SUPERSEDED, "newer"),
            (Outcome.UNCHANGED, "never_sent"),
        ]

    run_scenario(tmp_path, steps)


def test_an_order_cancelled_after_it_was_sent_is_deleted_and_can_be_sold_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        scenario.shop.cancel("o1")
        await scenario.settle()
        assert scenario.environment.holds("purchases") == {}
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["triggerPurchaseEvent"] is False

    run_scenario(tmp_path, steps)


def test_a_lost_answer_is_asked_for_again_and_the_purchase_is_there_once(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("timeout_after_store", method="POST", route="/purchases*", count=1)
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.ends("purchase", "o1") == [(Outcome.DELIVERED, "already")]
        assert scenario.environment.made("purchases") == {"o1": 1}

    run_scenario(tmp_path, steps)


def test_an_order_that_changes_while_its_answer_is_lost_ends_with_the_newest_data(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("timeout_after_store", method="POST", route="/purchases*", count=1)
        scenario.shop.order("o1", "ann@example.com", "p1", total="10.00")
        await asyncio.sleep(31)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["totalPrice"] == 20
        assert len(scenario.ends("purchase", "o1")) == 2

    run_scenario(tmp_path, steps)


def test_an_order_cancelled_while_its_answer_is_lost_is_deleted(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("timeout_after_store", method="POST", route="/purchases*")
        scenario.shop.order("o1", "ann@example.com", "p1")
        await asyncio.sleep(31)
        scenario.heal()
        scenario.shop.cancel("o1")
        await scenario.settle()
        assert scenario.environment.holds("purchases") == {}

    run_scenario(tmp_path, steps)


def test_a_crash_between_delete_and_post_heals(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1", total="10.00")
        await scenario.settle()
        scenario.fault("timeout", method="POST", route="/purchases*", seconds=300)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await asyncio.sleep(5)
        assert scenario.environment.holds("purchases") == {}
        scenario.heal()
        await scenario.restart()
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["totalPrice"] == 20

    run_scenario(tmp_path, steps)


def test_a_deleted_customer_who_orders_again_is_a_new_contact(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer("ann@example.com", name="Ann", surname="Old")
        await scenario.settle()
        scenario.shop.forget("ann@example.com")
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert "_surname" not in scenario.environment.holds("contacts")["ann@example.com"]
        assert scenario.environment.holds("purchases").keys() == {"o1"}

    run_scenario(tmp_path, steps)
