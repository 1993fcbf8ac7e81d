"""Orders that change or are cancelled, before, while and after they are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.records import Outcome
from tests.simulation.scenario import Stage, play

PURCHASE = "/purchases/purchase-id/{purchaseId}"


def test_an_order_that_changes_before_it_is_told_is_one_purchase_with_the_newest_data(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1", total="10.00")
        stage.shop.order("o1", "ann@example.com", "p1", total="20.00")
        await stage.settle()
        assert stage.world.holds("purchases")["o1"]["totalPrice"] == 20
        assert stage.routes()["POST /purchases/"] == 1
        assert [outcome for outcome, _ in stage.ends("purchase", "o1")] == [
            Outcome.SUPERSEDED,
            Outcome.DELIVERED,
        ]

    play(tmp_path, story)


def test_an_order_that_changes_after_it_was_told_is_replaced_without_its_trigger(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1", total="10.00")
        await stage.settle()
        assert stage.world.holds("purchases")["o1"]["triggerPurchaseEvent"] is True
        stage.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await stage.settle()
        held = stage.world.holds("purchases")["o1"]
        assert (held["totalPrice"], held["triggerPurchaseEvent"]) == (20, False)
        assert stage.receipt("purchase", "o1").reason == "replaced"
        assert stage.receipt("purchase", "o1").calls == 2

    play(tmp_path, story)


def test_the_same_order_again_costs_no_call(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        before = len(stage.calls())
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        assert len(stage.calls()) == before
        assert stage.ends("purchase", "o1")[-1] == (Outcome.UNCHANGED, "same")
        assert stage.ends("product", "p1")[-1] == (Outcome.UNCHANGED, "known")

    play(tmp_path, story)


def test_an_order_cancelled_before_it_is_told_needs_no_call(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.purchase("o1", "ann@example.com", "p1")
        stage.shop.cancel("o1")
        await stage.settle()
        assert stage.routes()["POST /purchases/"] == 0
        assert stage.routes()[f"DELETE {PURCHASE}"] == 0
        assert stage.ends("purchase", "o1") == [
            (Outcome.SUPERSEDED, "newer"),
            (Outcome.UNCHANGED, "never_sent"),
        ]

    play(tmp_path, story)


def test_an_order_cancelled_after_it_was_told_is_deleted_and_can_be_sold_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        stage.shop.cancel("o1")
        await stage.settle()
        assert stage.world.holds("purchases") == {}
        stage.shop.purchase("o1", "ann@example.com", "p1")
        await stage.settle()
        assert stage.world.holds("purchases")["o1"]["triggerPurchaseEvent"] is False

    play(tmp_path, story)


def test_a_lost_answer_is_asked_for_again_and_the_purchase_is_there_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("timeout_after_store", method="POST", route="/purchases*", count=1)
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        assert stage.ends("purchase", "o1") == [(Outcome.DELIVERED, "already")]
        assert stage.world.made("purchases") == {"o1": 1}

    play(tmp_path, story)


def test_an_order_that_changes_while_its_answer_is_lost_ends_with_the_newest_data(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("timeout_after_store", method="POST", route="/purchases*", count=1)
        stage.shop.order("o1", "ann@example.com", "p1", total="10.00")
        await asyncio.sleep(31)
        stage.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await stage.settle()
        assert stage.world.holds("purchases")["o1"]["totalPrice"] == 20
        assert len(stage.ends("purchase", "o1")) == 2

    play(tmp_path, story)


def test_an_order_cancelled_while_its_answer_is_lost_is_deleted(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("timeout_after_store", method="POST", route="/purchases*")
        stage.shop.order("o1", "ann@example.com", "p1")
        await asyncio.sleep(31)
        stage.heal()
        stage.shop.cancel("o1")
        await stage.settle()
        assert stage.world.holds("purchases") == {}

    play(tmp_path, story)


def test_a_crash_between_delete_and_post_heals(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1", total="10.00")
        await stage.settle()
        stage.fault("timeout", method="POST", route="/purchases*", seconds=300)
        stage.shop.purchase("o1", "ann@example.com", "p1", total="20.00")
        await asyncio.sleep(5)
        assert stage.world.holds("purchases") == {}
        stage.heal()
        await stage.restart()
        await stage.settle()
        assert stage.world.holds("purchases")["o1"]["totalPrice"] == 20

    play(tmp_path, story)


def test_a_deleted_customer_who_orders_again_is_a_new_contact(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.customer("ann@example.com", name="Ann", surname="Old")
        await stage.settle()
        stage.shop.forget("ann@example.com")
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        assert "_surname" not in stage.world.holds("contacts")["ann@example.com"]
        assert stage.world.holds("purchases").keys() == {"o1"}

    play(tmp_path, story)
