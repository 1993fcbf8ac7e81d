"""A customer known by the shop's id alone (`guests_without_email`) who has an address later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.records import Origin, Outcome
from tests.simulation.scenario import Scenario, run_scenario


def _contacts(scenario: Scenario) -> list[dict[str, Any]]:
    """What Connectif holds of people."""
    return [entry.body for entry in scenario.connectif.data.contacts.storage.existing()]


@pytest.mark.parametrize("status", [422, 409])
def test_a_contact_gets_its_address_later(tmp_path: Path, status: int) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer_without_address("77", name="Ann")
        await scenario.settle()
        scenario.shop.customer("ann@example.com", name="Anna", external_id="77")
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        (contact,) = _contacts(scenario)
        assert (contact["_email"], contact["_externalId"]) == ("ann@example.com", "77")
        assert contact["_name"] == "Ann"
        assert scenario.environment.holds("purchases").keys() == {"o1"}
        ends = {outcome for outcome, _ in scenario.ends("contact", "ann@example.com")}
        assert ends <= {Outcome.DELIVERED, Outcome.SUPERSEDED}

    run_scenario(tmp_path, steps, switches={"duplicate_key_status": status})


@pytest.mark.parametrize("status", [422, 409])
def test_an_address_that_is_a_contact_already_is_sent_without_the_id(tmp_path: Path, status: int) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer_without_address("77", name="Ann")
        scenario.shop.customer("ann@example.com", origin=Origin.ORDER)
        await scenario.settle()
        scenario.shop.customer("ann@example.com", name="Anna", newsletter="subscribed", external_id="77")
        await scenario.settle()
        there = {contact.get("_email"): contact for contact in _contacts(scenario)}
        assert there[None]["_externalId"] == "77"
        assert there["ann@example.com"]["_name"] == "Anna"
        assert there["ann@example.com"]["_newsletterSubscriptionStatus"] == "subscribed"
        receipt = scenario.receipt("contact", "ann@example.com")
        assert (receipt.outcome, receipt.notes) == (Outcome.DELIVERED, ("external_id_refused",))

    run_scenario(tmp_path, steps, switches={"duplicate_key_status": status})


def test_an_answer_that_does_not_come_costs_no_contact(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer_without_address("77", name="Ann")
        await scenario.settle()
        scenario.fault("error", method="PATCH", route="/contacts*", after=1, count=1)
        scenario.fault("error", method="GET", route="/contacts*", count=1)
        scenario.shop.customer("ann@example.com", name="Anna", external_id="77", mobile_phone="600")
        await scenario.settle()
        (contact,) = _contacts(scenario)
        assert (contact["_email"], contact["_externalId"]) == ("ann@example.com", "77")
        assert scenario.receipt("contact", "ann@example.com").notes == ("phone_refused",)

    run_scenario(tmp_path, steps)


def test_a_customer_who_moves_leaves_the_contact_of_the_old_address_its_id(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer("old@example.com", name="Ann", external_id="77")
        await scenario.settle()
        scenario.shop.customer("new@example.com", name="Ann", external_id="77")
        await scenario.settle()
        there = {contact["_email"]: contact.get("_externalId") for contact in _contacts(scenario)}
        assert there == {"old@example.com": "77", "new@example.com": None}

    run_scenario(tmp_path, steps)
