"""An event of a store that the settings do not have holds its partition and makes no dead letter."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pipeline import config
from pipeline.kafka.messages import TopicPartition
from pipeline.metrics import TRANSLATE_HELD
from pipeline.translate.held_partitions import HeldPartitions
from pipeline.translate.worker import Translator
from tests.plainshop import PLAIN_SHOP, event
from tests.settings_trees import store_tree, stores_tree
from tests.unit.translate_stage import SOLD, TranslateStage, settings_of

PLACE = TopicPartition("x-shop.orders", 3)


def held() -> float:
    """The gauge."""
    (family,) = TRANSLATE_HELD.collect()
    return family.samples[0].value


def with_settings(old: TranslateStage, **translate: Any) -> TranslateStage:
    """A worker with other settings, on the tables of another one."""
    stage = TranslateStage()
    stage.offset = old.offset
    stage.engine.tables = old.engine.tables
    tree = settings_of().model_copy(
        update={"translate": settings_of().translate.model_copy(update=translate)}
    )
    stage.engine.settings = tree
    stage.translator = Translator(stage.engine.as_engine(), {"shopify": PLAIN_SHOP}, clock=lambda: 2_000.0)
    return stage


async def test_what_comes_before_it_is_dealt_with_and_what_comes_behind_it_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = TranslateStage()
    await stage.engine.read(
        stage.message(event(SOLD, delivery="d1")),
        stage.message(event(SOLD, store="newcomer")),
        stage.message(event({**SOLD, "version": 6}, delivery="d2")),
    )
    await stage.reads(event({**SOLD, "version": 7}, delivery="d3"))
    assert stage.engine.done == {PLACE: 0}
    assert stage.engine.withheld == [PLACE]
    assert stage.letters == []
    assert stage.account("pipeline_account_events") == {("plain", "order", "accepted"): 1}
    assert held() == 1
    assert "no store 'newcomer'" in caplog.text
    (concern,) = stage.engine.concerns
    assert "the settings lack newcomer: start this worker with" in str(concern())


async def test_other_partitions_go_on() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD, store="newcomer"))
    other = stage.message(event(SOLD))
    other.partition = 4
    await stage.engine.read(other)
    assert stage.engine.done == {TopicPartition("x-shop.orders", 4): 1}


async def test_the_events_of_a_store_whose_settings_cannot_be_used_are_dead_letters() -> None:
    stage = TranslateStage()
    tree = stores_tree(plain=store_tree(domain="plain.example"), newcomer=store_tree(tax="perhaps"))
    stage.engine.settings = config.parse({"kafka": {"topic_prefix": "x-"}, **tree}, {}, isolate=True)
    stage.translator = Translator(stage.engine.as_engine(), {"shopify": PLAIN_SHOP}, clock=lambda: 2_000.0)
    await stage.engine.read(stage.message(event(SOLD, store="newcomer")), stage.message(event(SOLD)))
    assert [letter["dead-reason"] for letter in stage.letters] == ["refused_store"]
    assert stage.engine.done == {PLACE: 1}
    assert stage.account("pipeline_account_events")[("plain", "order", "accepted")] == 1


async def test_a_retired_store_s_events_are_dead_letters() -> None:
    stage = TranslateStage()
    message = stage.message(event(SOLD, store="newcomer"))
    await stage.engine.read(message)
    again = with_settings(stage, retired_stores=frozenset({"newcomer"}))
    await again.engine.read(message)
    assert [letter["dead-reason"] for letter in again.letters] == ["retired_store"]
    assert again.engine.done == {PLACE: 0}


@pytest.mark.parametrize(
    "change",
    [{"platform": "magento"}, {"entity": ""}, {"store": "a|b"}, {"store": "N" * 80}, {"delivery": ""}],
)
async def test_what_no_gateway_let_through_holds_nothing(change: dict[str, Any]) -> None:
    stage = TranslateStage()
    await stage.reads(dataclasses.replace(event(SOLD, store="newcomer"), **change))
    assert [letter["dead-reason"] for letter in stage.letters] == ["unknown_store"]
    assert stage.engine.withheld == []


async def test_a_partition_that_is_read_again_from_what_it_waited_for_is_held_again() -> None:
    stage = TranslateStage()
    message = stage.message(event(SOLD, store="newcomer"))
    await stage.engine.read(message)
    await stage.engine.read(message)
    assert stage.engine.withheld == [PLACE, PLACE]
    assert held() == 1


async def test_a_partition_that_went_away_is_not_held_any_more() -> None:
    holding = HeldPartitions()
    holding.hold(PLACE, 7, "newcomer")
    await holding.forget({3})
    assert holding.complaint() is None
    assert not holding.is_behind(PLACE, 8)
    assert held() == 0
