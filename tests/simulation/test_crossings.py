"""What crosses on its way: a call that is slow, a record that comes meanwhile, a delay that was overtaken."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.events import Lane
from pipeline.records import Contact, ContactRecord, Origin, Outcome, RecordKind, Source
from tests.simulation import virtual
from tests.simulation.scenario import Scenario, minutes, run_scenario

ANN = "ann@example.com"


def _remembered(scenario: Scenario, version: int, *, origin: Origin = Origin.CUSTOMER) -> None:
    """An old record of Ann, as a backfill brings it: she had subscribed."""
    body = Contact(email=ANN, name="Old", newsletter="subscribed", newsletter_ms=version)
    scenario.environment.say(
        ContactRecord(
            account="acme",
            store="acme-shop",
            id=ANN,
            version=version,
            source=Source(topic="shop.customers", partition=0, offset=version),
            origin=origin,
            lane=Lane.BACKFILL,
            received_ms=version,
            body=body,
        )
    )


def _long_ago(days: int = 1) -> int:
    return int((virtual.EPOCH - days * 86_400) * 1_000)


def _lose_contact(scenario: Scenario) -> None:
    found = scenario.connectif.data.contacts.find("email", ANN)
    assert found is not None
    scenario.connectif.data.contacts.delete(found, virtual.wall())


def _lose_products(scenario: Scenario, *ids: str) -> None:
    storage = scenario.connectif.data.products.storage
    for product in ids:
        found = storage.find(product)
        assert found is not None
        storage.delete(found, virtual.wall())


async def _blocked_backfill(scenario: Scenario) -> None:
    """150 orders `b0` ... that are blocked by contacts in an import that does not end."""
    backfill = scenario.shop.in_lane(Lane.BACKFILL)
    scenario.shop.product("p1")
    await scenario.settle()
    scenario.fault("import_stuck", method="POST", route="/imports*")
    for number in range(150):
        backfill.customer(f"c{number}@example.com", name="Ann")
    for number in range(150):
        backfill.purchase(f"b{number}", f"c{number}@example.com", "p1")
    await asyncio.sleep(5)


@pytest.mark.parametrize("effect", ["slow", "timeout"])
def test_a_contact_that_a_live_order_promotes_is_sent_by_one_call_at_a_time(
    tmp_path: Path, effect: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        backfill, who = scenario.shop.in_lane(Lane.BACKFILL), "b5@example.com"
        scenario.shop.product("p1")
        await scenario.settle()
        scenario.fault("import_stuck", method="POST", route="/imports*", count=1)
        for number in range(60):
            backfill.customer(f"a{number}@example.com", name="Ann")
        for number in range(20):
            backfill.customer(f"b{number}@example.com", name="Ann", surname="Lee", newsletter="subscribed")
        await asyncio.sleep(1.5)
        scenario.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=2.0)
        scenario.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=6.0)
        scenario.fault(effect, method="PATCH", route="/contacts*", count=1, seconds=20.0)
        scenario.shop.purchase("live", who, "p1")
        await asyncio.sleep(1)
        scenario.shop.customer(who, name="Beth", newsletter="unsubscribed")
        await scenario.settle(20_000)
        held = scenario.environment.holds("contacts")[who]
        assert (held["_name"], held["_newsletterSubscriptionStatus"]) == ("Beth", "unsubscribed")

    run_scenario(tmp_path, steps, imports_at_once=1, call_timeout=15.0)


@pytest.mark.parametrize("pause", [0.9, 1.1])
@pytest.mark.parametrize("second", [3, 6])
def test_a_delay_does_not_outlive_the_version_it_was_for(tmp_path: Path, pause: float, second: float) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        await scenario.settle()
        scenario.shop.purchase("o1", ANN, "p1")  # its contact has not come in: it waits for a moment
        await asyncio.sleep(0.3)
        scenario.shop.cancel("o1")
        await asyncio.sleep(0.2)
        scenario.shop.customer(ANN, name="Ann")
        await asyncio.sleep(pause - 0.5)
        scenario.fault("slow", method="POST", route="/purchases*", count=1, seconds=1.5)
        scenario.fault("slow", method="POST", route="/purchases*", after=1, count=1, seconds=second)
        scenario.fault("timeout", method="DELETE", route="/purchases*", count=1, seconds=10)
        scenario.shop.purchase("o1", ANN, "p1")
        await asyncio.sleep(1.2)
        scenario.shop.purchase("o1", ANN, "p1", total="20.00")
        await scenario.settle(5_000)
        assert scenario.environment.holds("purchases")["o1"]["totalPrice"] == 20.0
        assert scenario.routes()["POST /purchases/"] == 2

    run_scenario(tmp_path, steps, call_timeout=8.0)


def test_a_live_order_goes_early_however_many_of_a_backfill_are_blocked(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _blocked_backfill(scenario)
        scenario.shop.purchase("live", "c0@example.com", "p1")
        await minutes(1)
        assert "live" in scenario.environment.holds("purchases")
        await scenario.settle(20_000)

    run_scenario(tmp_path, steps)


def test_what_a_backfilled_order_waits_for_is_urgent_once_a_live_change_of_it_comes(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _blocked_backfill(scenario)
        scenario.shop.purchase("b7", "c7@example.com", "p1", total="7.00")
        await minutes(1)
        assert scenario.environment.holds("purchases")["b7"]["totalPrice"] == 7.0
        await scenario.settle(20_000)

    run_scenario(tmp_path, steps)


def test_an_old_order_stays_quiet_though_a_live_change_of_it_comes(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        scenario.shop.customer(ANN, name="Ann")
        await scenario.settle()
        scenario.fault("error", method="POST", route="/purchases*")
        scenario.shop.in_lane(Lane.BACKFILL).purchase("old", ANN, "p1")
        scenario.shop.purchase("new", ANN, "p1")
        await asyncio.sleep(3)
        scenario.shop.purchase("old", ANN, "p1", total="7.00")
        scenario.shop.in_lane(Lane.BACKFILL).purchase("new", ANN, "p1", total="8.00")
        scenario.heal()
        await scenario.settle()
        held = scenario.environment.holds("purchases")
        assert {key: body["triggerPurchaseEvent"] for key, body in held.items()} == {
            "old": False,
            "new": True,
        }

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("unchanged_first", [False, True])
def test_a_stub_never_goes_over_what_the_catalogue_says_while_products_are_made_again(
    tmp_path: Path, unchanged_first: bool
) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.product("p1")
        scenario.shop.product("p2")
        scenario.shop.order("o1", ANN, "p1", "p2")
        await scenario.settle()
        _lose_products(scenario, "p1", "p2")
        scenario.fault("slow", method="PATCH", route="/products*", count=1, seconds=8.0)
        scenario.shop.purchase("o2", ANN, "p1", "p2", total="99.00")
        await asyncio.sleep(2)
        if unchanged_first:  # it ends at once, and the next word comes by way of its receipt
            scenario.shop.product("p2")
            await asyncio.sleep(0.02)
        scenario.shop.product("p2", name="Catalogue name", unit_price=Decimal("42.00"))
        await scenario.settle()
        held = scenario.environment.holds("products")["p2"]
        assert (held["name"], held["unitPrice"], held["isBlacklisted"]) == ("Catalogue name", 42.0, False)
        assert "o2" in scenario.environment.holds("purchases")

    run_scenario(tmp_path, steps)


def test_a_contact_made_again_keeps_its_consent_against_older_words(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", ANN, "p1")
        scenario.shop.customer(ANN, name="Ann", newsletter="unsubscribed")
        await scenario.settle()
        _lose_contact(scenario)
        scenario.shop.purchase("o2", ANN, "p1")
        await scenario.settle()
        assert scenario.environment.holds("contacts")[ANN]["_newsletterSubscriptionStatus"] == "unsubscribed"
        _remembered(scenario, _long_ago())
        await scenario.settle()
        assert scenario.environment.holds("contacts")[ANN]["_newsletterSubscriptionStatus"] == "unsubscribed"

    run_scenario(tmp_path, steps)


def test_who_was_forgotten_stays_so_though_an_order_makes_the_contact_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", ANN, "p1")
        scenario.shop.customer(ANN, name="Ann", newsletter="subscribed")
        await scenario.settle()
        scenario.shop.forget(ANN)
        await scenario.settle()
        scenario.shop.purchase("o2", ANN, "p1")
        await scenario.settle()
        _remembered(scenario, _long_ago(), origin=Origin.ORDER)
        await scenario.settle()
        held = scenario.environment.holds("contacts")[ANN]
        assert "_name" not in held
        assert held.get("_newsletterSubscriptionStatus", "none") == "none"

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("others", [True, False])
def test_what_connectif_fails_on_for_a_day_is_given_up_only_while_it_takes_others(
    tmp_path: Path, others: bool
) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", ANN, "p1")
        await scenario.settle()
        scenario.fault("error", method="DELETE", route="/purchases*")
        scenario.shop.cancel("o1")
        for number in range(25):
            if others:
                scenario.shop.purchase(f"other{number}", ANN, "p1")
            await minutes(60)
        if others:
            await scenario.settle()
            assert scenario.ends("purchase", "o1")[-1] == (Outcome.DEAD, "unavailable")
        else:
            assert "o1" in scenario.life.partition_state.index("acme")[RecordKind.PURCHASE]
            scenario.heal()
            await scenario.settle()
            assert "o1" not in scenario.environment.holds("purchases")

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("how", ["slow", "budget"])
def test_a_contact_made_again_never_goes_over_newer_words_of_its_consent(tmp_path: Path, how: str) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", ANN, "p1")
        scenario.shop.customer(ANN, name="Ann", newsletter="subscribed")
        await scenario.settle()
        await minutes(2)
        _lose_contact(scenario)
        if how == "slow":
            scenario.fault("slow", method="PATCH", route="/contacts*", after=1, count=1, seconds=2.0)
        else:
            budget = dict(scenario.life.account_manager.accounts())["acme"].admission.budget
            now = asyncio.get_running_loop().time()
            for _ in range(budget.free(now) - 2):
                budget.finish(budget.start(now), now)
        scenario.shop.purchase("o2", ANN, "p1")
        scenario.shop.customer(ANN, name="Ann", newsletter="unsubscribed")
        await scenario.settle()
        assert scenario.environment.holds("contacts")[ANN]["_newsletterSubscriptionStatus"] == "unsubscribed"

    run_scenario(tmp_path, steps)


def test_a_purchase_that_was_given_up_is_sent_whole_by_its_next_version(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(20):
            scenario.shop.order(f"other{number}", ANN, "p1")
        await scenario.settle()
        scenario.fault("timeout_after_store", method="POST", route="/purchases*", count=1, seconds=60.0)
        scenario.fault("error", method="POST", route="/purchases*")
        scenario.shop.purchase("o1", ANN, "p1", total="10.00")
        for number in range(20):
            await minutes(1)
            scenario.shop.cancel(f"other{number}")
        await scenario.settle()
        assert scenario.ends("purchase", "o1") == [(Outcome.DEAD, "unavailable")]
        scenario.heal()
        scenario.shop.purchase("o1", ANN, "p1", total="99.00")
        await scenario.settle()
        assert scenario.environment.holds("purchases")["o1"]["totalPrice"] == 99.0

    run_scenario(tmp_path, steps, retry_away_for=300.0, retry_max=60.0, call_timeout=5.0)


def test_a_day_of_failures_does_not_bury_what_a_stray_answer_meets_after_it(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", ANN, "p1")
        await scenario.settle()
        scenario.fault("error", method="DELETE", route="/purchases*")
        scenario.shop.purchase("o1", ANN, "p1", total="20.00")
        for number in range(14):
            scenario.shop.purchase(f"other{number}", ANN, "p1")
            await minutes(5)
        scenario.heal()
        scenario.fault("error", status=404, method="DELETE", route="/purchases*", count=1)
        await scenario.settle()
        assert scenario.ends("purchase", "o1")[-1][0] is Outcome.DELIVERED

    run_scenario(tmp_path, steps)
