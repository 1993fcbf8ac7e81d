"""What Connectif has lost, or never had, is made again: a purchase does not fail for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.scenario import Scenario, run_scenario


def _delete_contact(scenario: Scenario, email: str) -> None:
    entry = scenario.connectif.data.contacts.find("email", email)
    assert entry is not None
    scenario.connectif.data.contacts.delete(entry, virtual.wall())


def _delete_product(scenario: Scenario, product_id: str) -> None:
    entry = scenario.connectif.data.products.storage.find(product_id)
    assert entry is not None
    scenario.connectif.data.products.storage.delete(entry, virtual.wall())


def test_a_contact_deleted_behind_our_back_is_made_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        _delete_contact(scenario, "ann@example.com")
        scenario.shop.order("o2", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.environment.holds("purchases").keys() == {"o1", "o2"}
        assert scenario.receipt("purchase", "o2").repaired == ("contact|ann@example.com",)
        # What was lost with it is sent again at the next occasion.
        scenario.shop.customer("ann@example.com", name="Ann")
        await scenario.settle()
        assert scenario.environment.holds("contacts")["ann@example.com"]["_name"] == "Ann"

    run_scenario(tmp_path, steps)


def test_a_repair_is_remembered_though_the_purchase_fails_after_it(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer("ann@example.com", name="Ann")
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        _delete_contact(scenario, "ann@example.com")
        scenario.fault("error", method="POST", route="/purchases*", after=1, count=1)
        scenario.shop.purchase("o2", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.receipt("purchase", "o2").repaired == ("contact|ann@example.com",)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("listed", ["all", "first"])
def test_products_deleted_behind_our_back_are_made_again_from_the_order(tmp_path: Path, listed: str) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        scenario.shop.product("p2")
        scenario.shop.order("o1", "ann@example.com", "p1", "p2")
        await scenario.settle()
        _delete_product(scenario, "p1")
        _delete_product(scenario, "p2")
        scenario.shop.order("o2", "ann@example.com", "p1", "p2")
        await scenario.settle()
        assert scenario.environment.holds("purchases").keys() == {"o1", "o2"}
        assert scenario.environment.holds("products")["p1"]["isBlacklisted"] is True
        # The catalogue's own word, though sent before, is sent again.
        scenario.shop.product("p1")
        await scenario.settle()
        assert scenario.environment.holds("products")["p1"]["isBlacklisted"] is False

    run_scenario(tmp_path, steps, switches={"missing_products_listed": listed})


def test_a_purchase_whose_contact_and_product_never_come_makes_them(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.environment.holds("purchases").keys() == {"o1"}
        assert scenario.receipt("purchase", "o1").calls == 5

    run_scenario(tmp_path, steps)


def test_a_purchase_whose_product_cannot_be_made_is_dead_with_the_reason(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.connectif.data.products.domains._hosts = {"elsewhere.example"}
        scenario.connectif.data.products.domains._origins = {("https", "elsewhere.example", None)}
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        assert scenario.ends("product", "p1") == [(Outcome.DEAD, "bad_domain")]
        receipt = scenario.receipt("purchase", "o1")
        assert (receipt.outcome, receipt.status) == (Outcome.DEAD, 400)
        letters = scenario.environment.cluster.topic("deadletters")
        reasons = {dict(headers)["dead-reason"] for _, _, headers in letters}
        assert reasons == {b"bad_domain", b"missing_products"}
        assert "domain" in receipt.detail

    run_scenario(tmp_path, steps)
