"""A person is erased while calls fail, workers die and orders wait: Connectif has no contact in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Outcome
from tests.simulation.scenario import Scenario, minutes, run_scenario

ANN, BOB = "ann@example.com", "bob@example.com"


def _addresses(scenario: Scenario) -> set[Any]:
    """Whom Connectif knows."""
    return {entry.body["_email"] for entry in scenario.connectif.data.contacts.storage.existing()}


async def _sold(scenario: Scenario) -> None:
    scenario.shop.customer(ANN, name="Ann", newsletter="subscribed")
    scenario.shop.order("o1", ANN, "p1")
    scenario.shop.order("o2", BOB, "p1")
    await scenario.settle()
    assert _addresses(scenario) == {ANN, BOB}


def test_the_contact_goes_the_purchase_stays_and_nothing_is_remembered(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _sold(scenario)
        scenario.shop.erase(ANN, "o1")
        await scenario.settle()
        assert _addresses(scenario) == {BOB}
        assert scenario.environment.holds("purchases").keys() == {"o1", "o2"}
        assert scenario.receipt("contact", ANN).outcome is Outcome.DELIVERED
        assert scenario.receipt("purchase", "o1").reason == "erased"
        scenario.shop.cancel("o1")
        await scenario.settle()
        assert scenario.environment.holds("purchases").keys() == {"o2"}
        assert _addresses(scenario) == {BOB}

    run_scenario(tmp_path, steps)


def test_whoever_speaks_again_is_a_contact_with_all_its_fields(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _sold(scenario)
        scenario.shop.erase(ANN, "o1")
        await scenario.settle()
        # Said before with the same words: they are sent again, as nothing is remembered of them.
        scenario.shop.customer(ANN, name="Ann", newsletter="subscribed")
        await scenario.settle()
        assert _addresses(scenario) == {ANN, BOB}

    run_scenario(tmp_path, steps)


def test_a_contact_that_we_never_sent_is_deleted_too(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.erase(ANN)
        await scenario.settle()
        assert ("DELETE", "/contacts/email/{email}") in {
            (method, route) for method, route, _ in scenario.calls()
        }
        assert scenario.receipt("contact", ANN).outcome is Outcome.DELIVERED

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("effect", ["error", "timeout_after_store"])
def test_a_deletion_that_fails_is_tried_until_it_is_confirmed(tmp_path: Path, effect: str) -> None:
    async def steps(scenario: Scenario) -> None:
        await _sold(scenario)
        scenario.fault(effect, method="DELETE", route="/contacts*", count=3)
        scenario.shop.erase(ANN, "o1")
        await scenario.settle(3_600.0)
        assert _addresses(scenario) == {BOB}

    run_scenario(tmp_path, steps)


def test_a_worker_that_dies_in_the_middle_leaves_nobody_behind(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _sold(scenario)
        scenario.fault("error", method="DELETE", route="/contacts*", count=2)
        scenario.shop.erase(ANN, "o1")
        for pause in (0.01, 0.05, 0.2):
            await minutes(pause)
            await scenario.restart()
        await scenario.settle(3_600.0)
        assert _addresses(scenario) == {BOB}

    run_scenario(tmp_path, steps)


def test_a_purchase_that_waits_does_not_make_the_contact_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _sold(scenario)
        scenario.fault("error", method="POST", route="/purchases*")
        scenario.shop.order("o3", ANN, "p1")
        await minutes(0.5)
        scenario.shop.erase(ANN, "o1", "o3")
        await minutes(1.0)
        scenario.heal()
        await scenario.settle(7_200.0)
        assert _addresses(scenario) == {BOB}
        assert scenario.environment.holds("purchases").keys() == {"o1", "o2"}

    run_scenario(tmp_path, steps)
