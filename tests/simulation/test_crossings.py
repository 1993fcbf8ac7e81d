"""What crosses on its way: a call that is slow, a record that comes meanwhile, a delay that was overtaken."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.events import Lane
from pipeline.records import Contact, ContactRecord, Origin, Outcome, RecordKind, Source
from tests.simulation import virtual
from tests.simulation.scenario import Stage, minutes, play

ANN = "ann@example.com"


def _remembered(stage: Stage, version: int, *, origin: Origin = Origin.CUSTOMER) -> None:
    """An old record of Ann, as a backfill brings it: she had subscribed."""
    body = Contact(email=ANN, name="Old", newsletter="subscribed", newsletter_ms=version)
    stage.world.say(
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


def _lose_contact(stage: Stage) -> None:
    found = stage.connectif.data.contacts.find("email", ANN)
    assert found is not None
    stage.connectif.data.contacts.delete(found, virtual.wall())


def _lose_products(stage: Stage, *ids: str) -> None:
    storage = stage.connectif.data.products.storage
    for product in ids:
        found = storage.find(product)
        assert found is not None
        storage.delete(found, virtual.wall())


async def _backfill_aside(stage: Stage) -> None:
    """150 orders `b0` ... that stand aside for contacts in an import that does not end."""
    backfill = stage.shop.in_lane(Lane.BACKFILL)
    stage.shop.product("p1")
    await stage.settle()
    stage.fault("import_stuck", method="POST", route="/imports*")
    for number in range(150):
        backfill.customer(f"c{number}@example.com", name="Ann")
    for number in range(150):
        backfill.purchase(f"b{number}", f"c{number}@example.com", "p1")
    await asyncio.sleep(5)


@pytest.mark.parametrize("effect", ["slow", "timeout"])
def test_a_contact_that_a_live_order_hastens_flies_once(tmp_path: Path, effect: str) -> None:
    async def story(stage: Stage) -> None:
        backfill, who = stage.shop.in_lane(Lane.BACKFILL), "b5@example.com"
        stage.shop.product("p1")
        await stage.settle()
        stage.fault("import_stuck", method="POST", route="/imports*", count=1)
        for number in range(60):
            backfill.customer(f"a{number}@example.com", name="Ann")
        for number in range(20):
            backfill.customer(f"b{number}@example.com", name="Ann", surname="Lee", newsletter="subscribed")
        await asyncio.sleep(1.5)
        stage.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=2.0)
        stage.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=6.0)
        stage.fault(effect, method="PATCH", route="/contacts*", count=1, seconds=20.0)
        stage.shop.purchase("live", who, "p1")
        await asyncio.sleep(1)
        stage.shop.customer(who, name="Beth", newsletter="unsubscribed")
        await stage.settle(20_000)
        held = stage.world.holds("contacts")[who]
        assert (held["_name"], held["_newsletterSubscriptionStatus"]) == ("Beth", "unsubscribed")

    play(tmp_path, story, imports_at_once=1, call_timeout=15.0)


@pytest.mark.parametrize("pause", [0.9, 1.1])
@pytest.mark.parametrize("second", [3, 6])
def test_a_delay_does_not_outlive_the_version_it_was_for(tmp_path: Path, pause: float, second: float) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        await stage.settle()
        stage.shop.purchase("o1", ANN, "p1")  # nobody has told of its contact: it waits for a moment
        await asyncio.sleep(0.3)
        stage.shop.cancel("o1")
        await asyncio.sleep(0.2)
        stage.shop.customer(ANN, name="Ann")
        await asyncio.sleep(pause - 0.5)
        stage.fault("slow", method="POST", route="/purchases*", count=1, seconds=1.5)
        stage.fault("slow", method="POST", route="/purchases*", after=1, count=1, seconds=second)
        stage.fault("timeout", method="DELETE", route="/purchases*", count=1, seconds=10)
        stage.shop.purchase("o1", ANN, "p1")
        await asyncio.sleep(1.2)
        stage.shop.purchase("o1", ANN, "p1", total="20.00")
        await stage.settle(5_000)
        assert stage.world.holds("purchases")["o1"]["totalPrice"] == 20.0
        assert stage.routes()["POST /purchases/"] == 2

    play(tmp_path, story, call_timeout=8.0)


def test_a_live_order_goes_early_however_many_of_a_backfill_stand_aside(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await _backfill_aside(stage)
        stage.shop.purchase("live", "c0@example.com", "p1")
        await minutes(1)
        assert "live" in stage.world.holds("purchases")
        await stage.settle(20_000)

    play(tmp_path, story)


def test_what_a_backfilled_order_waits_for_is_urgent_once_a_live_change_of_it_comes(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await _backfill_aside(stage)
        stage.shop.purchase("b7", "c7@example.com", "p1", total="7.00")
        await minutes(1)
        assert stage.world.holds("purchases")["b7"]["totalPrice"] == 7.0
        await stage.settle(20_000)

    play(tmp_path, story)


def test_an_old_order_stays_quiet_though_a_live_change_of_it_comes(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        stage.shop.customer(ANN, name="Ann")
        await stage.settle()
        stage.fault("error", method="POST", route="/purchases*")
        stage.shop.in_lane(Lane.BACKFILL).purchase("old", ANN, "p1")
        stage.shop.purchase("new", ANN, "p1")
        await asyncio.sleep(3)
        stage.shop.purchase("old", ANN, "p1", total="7.00")
        stage.shop.in_lane(Lane.BACKFILL).purchase("new", ANN, "p1", total="8.00")
        stage.heal()
        await stage.settle()
        held = stage.world.holds("purchases")
        assert {key: body["triggerPurchaseEvent"] for key, body in held.items()} == {
            "old": False,
            "new": True,
        }

    play(tmp_path, story)


@pytest.mark.parametrize("unchanged_first", [False, True])
def test_a_stub_never_goes_over_what_the_catalogue_says_while_products_are_made_again(
    tmp_path: Path, unchanged_first: bool
) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        stage.shop.product("p2")
        stage.shop.order("o1", ANN, "p1", "p2")
        await stage.settle()
        _lose_products(stage, "p1", "p2")
        stage.fault("slow", method="PATCH", route="/products*", count=1, seconds=8.0)
        stage.shop.purchase("o2", ANN, "p1", "p2", total="99.00")
        await asyncio.sleep(2)
        if unchanged_first:  # it ends at once, and the next word comes by way of its receipt
            stage.shop.product("p2")
            await asyncio.sleep(0.02)
        stage.shop.product("p2", name="Catalogue name", unit_price=Decimal("42.00"))
        await stage.settle()
        held = stage.world.holds("products")["p2"]
        assert (held["name"], held["unitPrice"], held["isBlacklisted"]) == ("Catalogue name", 42.0, False)
        assert "o2" in stage.world.holds("purchases")

    play(tmp_path, story)


def test_a_contact_made_again_keeps_its_consent_against_older_words(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", ANN, "p1")
        stage.shop.customer(ANN, name="Ann", newsletter="unsubscribed")
        await stage.settle()
        _lose_contact(stage)
        stage.shop.purchase("o2", ANN, "p1")
        await stage.settle()
        assert stage.world.holds("contacts")[ANN]["_newsletterSubscriptionStatus"] == "unsubscribed"
        _remembered(stage, _long_ago())
        await stage.settle()
        assert stage.world.holds("contacts")[ANN]["_newsletterSubscriptionStatus"] == "unsubscribed"

    play(tmp_path, story)


def test_who_was_forgotten_stays_so_though_an_order_makes_the_contact_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", ANN, "p1")
        stage.shop.customer(ANN, name="Ann", newsletter="subscribed")
        await stage.settle()
        stage.shop.forget(ANN)
        await stage.settle()
        stage.shop.purchase("o2", ANN, "p1")
        await stage.settle()
        _remembered(stage, _long_ago(), origin=Origin.ORDER)
        await stage.settle()
        held = stage.world.holds("contacts")[ANN]
        assert "_name" not in held
        assert held.get("_newsletterSubscriptionStatus", "none") == "none"

    play(tmp_path, story)


@pytest.mark.parametrize("others", [True, False])
def test_what_connectif_fails_on_for_a_day_is_given_up_only_while_it_takes_others(
    tmp_path: Path, others: bool
) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", ANN, "p1")
        await stage.settle()
        stage.fault("error", method="DELETE", route="/purchases*")
        stage.shop.cancel("o1")
        for number in range(25):
            if others:
                stage.shop.purchase(f"other{number}", ANN, "p1")
            await minutes(60)
        if others:
            await stage.settle()
            assert stage.ends("purchase", "o1")[-1] == (Outcome.DEAD, "unavailable")
        else:
            assert "o1" in stage.life.partition_state.index("acme")[RecordKind.PURCHASE]
            stage.heal()
            await stage.settle()
            assert "o1" not in stage.world.holds("purchases")

    play(tmp_path, story)


@pytest.mark.parametrize("how", ["slow", "budget"])
def test_a_contact_made_again_never_goes_over_newer_words_of_its_consent(tmp_path: Path, how: str) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", ANN, "p1")
        stage.shop.customer(ANN, name="Ann", newsletter="subscribed")
        await stage.settle()
        await minutes(2)
        _lose_contact(stage)
        if how == "slow":
            stage.fault("slow", method="PATCH", route="/contacts*", after=1, count=1, seconds=2.0)
        else:
            budget = dict(stage.life.account_manager.accounts())["acme"].admission.budget
            now = asyncio.get_running_loop().time()
            for _ in range(budget.free(now) - 2):
                budget.finish(budget.start(now), now)
        stage.shop.purchase("o2", ANN, "p1")
        stage.shop.customer(ANN, name="Ann", newsletter="unsubscribed")
        await stage.settle()
        assert stage.world.holds("contacts")[ANN]["_newsletterSubscriptionStatus"] == "unsubscribed"

    play(tmp_path, story)


def test_a_purchase_that_was_given_up_is_told_whole_by_its_next_version(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for number in range(20):
            stage.shop.order(f"other{number}", ANN, "p1")
        await stage.settle()
        stage.fault("timeout_after_store", method="POST", route="/purchases*", count=1, seconds=60.0)
        stage.fault("error", method="POST", route="/purchases*")
        stage.shop.purchase("o1", ANN, "p1", total="10.00")
        for number in range(20):
            await minutes(1)
            stage.shop.cancel(f"other{number}")
        await stage.settle()
        assert stage.ends("purchase", "o1") == [(Outcome.DEAD, "unavailable")]
        stage.heal()
        stage.shop.purchase("o1", ANN, "p1", total="99.00")
        await stage.settle()
        assert stage.world.holds("purchases")["o1"]["totalPrice"] == 99.0

    play(tmp_path, story, retry_away_for=300.0, retry_max=60.0, call_timeout=5.0)


def test_a_day_of_failures_does_not_bury_what_a_stray_answer_meets_after_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", ANN, "p1")
        await stage.settle()
        stage.fault("error", method="DELETE", route="/purchases*")
        stage.shop.purchase("o1", ANN, "p1", total="20.00")
        for number in range(14):
            stage.shop.purchase(f"other{number}", ANN, "p1")
            await minutes(5)
        stage.heal()
        stage.fault("error", status=404, method="DELETE", route="/purchases*", count=1)
        await stage.settle()
        assert stage.ends("purchase", "o1")[-1][0] is Outcome.DELIVERED

    play(tmp_path, story)
