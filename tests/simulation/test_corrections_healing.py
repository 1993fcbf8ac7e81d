"""A correction that is broken off at any step, or refused half way: what Connectif holds in the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.scenario import Scenario, minutes, run_scenario

GONE, LOST = "DELETE /purchases/purchase-id/{purchaseId}", "timeout_after_store"


async def _told(scenario: Scenario) -> int:
    """An order of 10.00 that Connectif holds; returns the calls so far."""
    scenario.shop.order("o1", "ann@example.com", "p1", total="10.00")
    await scenario.settle()
    return len(scenario.calls())


def _since(scenario: Scenario, before: int) -> list[tuple[str, int]]:
    return [(method, status) for method, _, status in scenario.calls()[before:]]


def _total(scenario: Scenario) -> float | None:
    held = scenario.environment.holds("purchases").get("o1", {})
    total: float | None = held.get("totalPrice")
    return total


@pytest.mark.parametrize("effect", ["timeout", LOST])
def test_a_replacement_whose_post_is_not_answered_is_not_deleted_again(tmp_path: Path, effect: str) -> None:
    async def steps(scenario: Scenario) -> None:
        before = await _told(scenario)
        scenario.fault(effect, method="POST", route="/purchases*", count=1)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        assert _total(scenario) == 20
        assert scenario.environment.made("purchases") == {"o1": 2}
        lost = [("POST", 409), ("GET", 200)]
        assert _since(scenario, before) == [
            ("DELETE", 204),
            ("POST", 0),
            *(lost if effect == LOST else [("POST", 201)]),
        ]

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("effect", ["timeout", LOST])
def test_an_order_that_returns_to_what_was_sent_while_its_delete_is_not_answered_is_there(
    tmp_path: Path, effect: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        await _told(scenario)
        scenario.fault(effect, method="DELETE", route="/purchases*", count=1)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await asyncio.sleep(32)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="10.00")
        await scenario.settle()
        assert _total(scenario) == 10
        assert scenario.environment.made("purchases")["o1"] == (2 if effect == LOST else 1)

    run_scenario(tmp_path, steps, retry_min=60.0)


def test_a_cancellation_whose_answer_is_lost_is_asked_for_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        before = await _told(scenario)
        scenario.fault(LOST, method="DELETE", route="/purchases*", count=1)
        scenario.shop.cancel("o1")
        await scenario.settle()
        assert _total(scenario) is None
        assert _since(scenario, before) == [("DELETE", 0), ("DELETE", 204)]

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("then", ["cancelled", "changed", "as before"])
def test_what_is_said_after_a_crash_between_delete_and_post_counts(tmp_path: Path, then: str) -> None:
    async def steps(scenario: Scenario) -> None:
        await _told(scenario)
        scenario.fault("timeout", method="POST", route="/purchases*", seconds=300)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await asyncio.sleep(5)
        assert _total(scenario) is None
        if then == "cancelled":
            scenario.shop.cancel("o1")
        else:
            scenario.shop.purchase("o1", "ann@example.com", "p1", total="30" if then == "changed" else "10")
        await scenario.restart()
        scenario.heal()
        await scenario.settle()
        assert _total(scenario) == {"cancelled": None, "changed": 30, "as before": 10}[then]

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("moment", range(0, 60, 4))
def test_killed_at_any_moment_of_a_replacement_it_ends_as_the_shop_said(tmp_path: Path, moment: int) -> None:
    async def steps(scenario: Scenario) -> None:
        await _told(scenario)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await asyncio.sleep(moment / 100)
        await scenario.restart()
        await scenario.settle()
        assert _total(scenario) == 20
        assert scenario.environment.holds("purchases")["o1"]["triggerPurchaseEvent"] is False

    run_scenario(tmp_path, steps)


def test_an_order_cancelled_while_its_answer_is_lost_and_sold_again_triggers_once(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault(LOST, method="POST", route="/purchases*", count=1)
        scenario.shop.order("o1", "ann@example.com", "p1")
        await asyncio.sleep(32)
        assert _total(scenario) == 10
        scenario.shop.cancel("o1")
        await scenario.settle()
        assert scenario.routes()[GONE] == 1
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["triggerPurchaseEvent"] is False

    run_scenario(tmp_path, steps, retry_min=60.0)


def test_where_an_id_cannot_be_used_again_a_changed_order_is_dead_after_seven_calls(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        before = await _told(scenario)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        assert scenario.ends("purchase", "o1")[-1] == (Outcome.DEAD, "id_used_up")
        assert _since(scenario, before) == [("DELETE", 204), *[("POST", 409), ("GET", 404)] * 3]

    run_scenario(tmp_path, steps, switches={"reuse_deleted_purchase_id": False})


def test_where_an_id_cannot_be_used_again_an_order_sold_again_is_dead_and_not_taken_for_sent(
    tmp_path: Path,
) -> None:
    async def steps(scenario: Scenario) -> None:
        await _told(scenario)
        scenario.shop.cancel("o1")
        await scenario.settle()
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.ends("purchase", "o1")[-1] == (Outcome.DEAD, "id_used_up")

    run_scenario(tmp_path, steps, switches={"reuse_deleted_purchase_id": False})


@pytest.mark.parametrize("lost", ["contact", "product"])
def test_what_connectif_lost_before_a_replacement_is_made_again_between_its_calls(
    tmp_path: Path, lost: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        before = await _told(scenario)
        _lose(scenario, lost)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        assert _total(scenario) == 20
        assert _since(scenario, before) == [("DELETE", 204), ("POST", 400), ("PATCH", 200), ("POST", 201)]

    run_scenario(tmp_path, steps)


def test_a_repair_is_remembered_though_a_newer_version_takes_the_place_of_the_one_that_made_it(
    tmp_path: Path,
) -> None:
    async def steps(scenario: Scenario) -> None:
        await _told(scenario)
        _lose(scenario, "contact")
        scenario.fault("error", method="POST", route="/purchases*", after=1, count=1)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await asyncio.sleep(3)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="30.00")
        await scenario.settle()
        assert scenario.ends("purchase", "o1")[1] == (Outcome.SUPERSEDED, "newer")
        assert scenario.receipt("purchase", "o1").repaired == ("contact|ann@example.com",)

    run_scenario(tmp_path, steps, retry_min=60.0)


def test_a_replacement_waits_for_a_lost_product_that_an_import_carries(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(1_000):
            scenario.shop.product(f"p{number}")
        await scenario.settle()
        await _told(scenario)
        _lose(scenario, "product")
        scenario.fault("import_stuck", count=20)
        # The first and the last few go singly, p1 by an import, and that hangs.
        for number in [*range(500, 520), *range(500), *range(520, 1_000)]:
            scenario.shop.product(f"p{number}", name="new")
        await asyncio.sleep(15)
        before = len(scenario.calls())
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await minutes(3)
        # Asked again and again, it would use up every call that the import's polls leave.
        assert Counter(_since(scenario, before))["POST", 400] == 1
        scenario.heal()
        await scenario.settle()
        assert _total(scenario) == 20
        assert scenario.routes()[GONE] == 1

    run_scenario(tmp_path, steps)


def test_a_version_refused_for_good_leaves_no_purchase_until_the_next_one(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _told(scenario)
        scenario.fault("error", status=422, method="POST", route="/purchases*", count=1)
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await scenario.settle()
        assert scenario.ends("purchase", "o1")[-1] == (Outcome.DEAD, "invalid")
        assert _total(scenario) is None
        scenario.shop.purchase("o1", "ann@example.com", "p1", total="10.00")
        await scenario.settle()
        assert _total(scenario) == 10

    run_scenario(tmp_path, steps)


def test_a_customer_deleted_and_refused_anew_is_sent_by_the_next_event(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer("ann@example.com", name="Ann")
        await scenario.settle()
        scenario.shop.forget("ann@example.com")
        scenario.fault("error", method="PATCH", route="/contacts*", status=422, count=1)
        scenario.shop.customer("ann@example.com", name="Anne")
        await scenario.settle()
        assert scenario.ends("contact", "ann@example.com")[-1] == (Outcome.DEAD, "invalid")
        scenario.shop.customer("ann@example.com", name="Ann")
        await scenario.settle()
        assert scenario.environment.holds("contacts")["ann@example.com"]["_name"] == "Ann"

    run_scenario(tmp_path, steps)


def _lose(scenario: Scenario, what: str) -> None:
    """Somebody deletes it in Connectif."""
    if what == "contact":
        contact = scenario.connectif.data.contacts.find("email", "ann@example.com")
        assert contact is not None
        scenario.connectif.data.contacts.delete(contact, virtual.wall())
    else:
        product = scenario.connectif.data.products.storage.find("p1")
        assert product is not None
        scenario.connectif.data.products.storage.delete(product, virtual.wall())
