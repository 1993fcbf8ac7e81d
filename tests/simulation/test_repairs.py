"""What Connectif has lost, or never had, is made again: a purchase does not fail for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.scenario import Stage, play


def _delete_contact(stage: Stage, email: str) -> None:
    entry = stage.connectif.data.contacts.find("email", email)
    assert entry is not None
    stage.connectif.data.contacts.delete(entry, virtual.wall())


def _delete_product(stage: Stage, product_id: str) -> None:
    entry = stage.connectif.data.products.storage.find(product_id)
    assert entry is not None
    stage.connectif.data.products.storage.delete(entry, virtual.wall())


def test_a_contact_deleted_behind_our_back_is_made_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        _delete_contact(stage, "ann@example.com")
        stage.shop.order("o2", "ann@example.com", "p1")
        await stage.settle()
        assert stage.world.holds("purchases").keys() == {"o1", "o2"}
        assert stage.receipt("purchase", "o2").repaired == ("contact|ann@example.com",)
        # What was lost with it is told again at the next occasion.
        stage.shop.customer("ann@example.com", name="Ann")
        await stage.settle()
        assert stage.world.holds("contacts")["ann@example.com"]["_name"] == "Ann"

    play(tmp_path, story)


def test_a_repair_is_remembered_though_the_purchase_fails_after_it(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.customer("ann@example.com", name="Ann")
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        _delete_contact(stage, "ann@example.com")
        stage.fault("error", method="POST", route="/purchases*", after=1, count=1)
        stage.shop.purchase("o2", "ann@example.com", "p1")
        await stage.settle()
        assert stage.receipt("purchase", "o2").repaired == ("contact|ann@example.com",)

    play(tmp_path, story)


@pytest.mark.parametrize("listed", ["all", "first"])
def test_products_deleted_behind_our_back_are_made_again_from_the_order(tmp_path: Path, listed: str) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.product("p1")
        stage.shop.product("p2")
        stage.shop.order("o1", "ann@example.com", "p1", "p2")
        await stage.settle()
        _delete_product(stage, "p1")
        _delete_product(stage, "p2")
        stage.shop.order("o2", "ann@example.com", "p1", "p2")
        await stage.settle()
        assert stage.world.holds("purchases").keys() == {"o1", "o2"}
        assert stage.world.holds("products")["p1"]["isBlacklisted"] is True
        # The catalogue's own word, though told before, is told again.
        stage.shop.product("p1")
        await stage.settle()
        assert stage.world.holds("products")["p1"]["isBlacklisted"] is False

    play(tmp_path, story, switches={"missing_products_listed": listed})


def test_a_purchase_whose_contact_and_product_never_come_makes_them(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.purchase("o1", "ann@example.com", "p1")
        await stage.settle()
        assert stage.world.holds("purchases").keys() == {"o1"}
        assert stage.receipt("purchase", "o1").calls == 5

    play(tmp_path, story)


def test_a_purchase_whose_product_cannot_be_made_is_dead_with_the_reason(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.connectif.data.products.domains._hosts = {"elsewhere.example"}
        stage.connectif.data.products.domains._origins = {("https", "elsewhere.example", None)}
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        assert stage.ends("product", "p1") == [(Outcome.DEAD, "bad_domain")]
        receipt = stage.receipt("purchase", "o1")
        assert (receipt.outcome, receipt.status) == (Outcome.DEAD, 400)
        letters = stage.world.cluster.topic("deadletters")
        reasons = {dict(headers)["dead-reason"] for _, _, headers in letters}
        assert reasons == {b"bad_domain", b"missing_products"}
        assert "domain" in receipt.detail

    play(tmp_path, story)
