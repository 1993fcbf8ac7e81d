"""The shell of the translate stage on what a replay repeats: told again, and counted apart."""

from __future__ import annotations

from typing import Any, cast

import orjson

from pipeline.engine.rounds import Round
from pipeline.events import RawEvent
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.replays import ReplayMark, ReplayMode, replay_headers
from tests.plainshop import event
from tests.stubengine import Message
from tests.unit.translate_stage import SOLD, TranslateStage


def repeated(stage: TranslateStage, raw: RawEvent, offset: int, **change: Any) -> Message:
    """The event as a replay repeats it, at the next offset of its topic."""
    mark = ReplayMark("r1", "shop.orders", 3, offset, ReplayMode.FORCE)
    headers = replay_headers([*raw.to_kafka_headers(), ("dead-reason", b"no_email")], mark)
    stage.offset += 1
    return Message(
        "x-shop.replay", 3, stage.offset, raw.key, raw.body, **{"headers": tuple(headers), **change}
    )


async def test_a_repeated_event_is_told_again_and_counted_apart_once() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD))
    again = repeated(stage, event(SOLD), 0)
    await stage.engine.read(again)
    await stage.engine.read(again)
    assert [orjson.loads(sent.value or b"").get("resend") for sent in stage.engine.sent] == [
        None,
        None,
        *[True] * 4,
    ]
    assert stage.account("pipeline_account_events") == {("plain", "order", "accepted"): 1}
    assert stage.account("pipeline_account_replayed") == {("plain", "order", "accepted", ""): 1}
    assert stage.letters == []


async def test_a_live_event_and_a_repeated_one_of_an_entity_may_be_in_one_round() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD))
    cancelled = {"version": 6, "drafts": [["purchase", None, None, "retract"]]}
    live = stage.message(event(cancelled, delivery="d2", topic="orders/delete"))
    again = repeated(stage, event(SOLD), 0)
    before = len(stage.engine.sent)
    await stage.engine.handle(
        Round(
            (
                (TopicPartition("x-shop.orders", 3), [cast("Any", live)]),
                (TopicPartition("x-shop.replay", 3), [cast("Any", again)]),
            )
        )
    )
    ops = [orjson.loads(sent.value or b"")["op"] for sent in stage.engine.sent[before:]]
    assert ops[-1] == "retract", "whichever came first, the cancellation is told last"
    await stage.engine.read(repeated(stage, event(SOLD), 0))
    assert orjson.loads(stage.engine.sent[-1].value or b"")["op"] == "retract"


async def test_what_repeats_no_event_is_a_dead_letter_of_its_own_place() -> None:
    stage = TranslateStage()
    await stage.engine.read(repeated(stage, event(SOLD), 0, headers=tuple(event(SOLD).to_kafka_headers())))
    elsewhere = ReplayMark("r1", "shop.orders", 2, 0, ReplayMode.MISSING)
    await stage.engine.read(
        repeated(
            stage, event(SOLD), 0, headers=tuple(replay_headers(event(SOLD).to_kafka_headers(), elsewhere))
        )
    )
    assert [(letter["dead-reason"], letter["dead-topic"]) for letter in stage.letters] == [
        ("not_a_replay", "shop.replay"),
        ("not_a_replay", "shop.replay"),
    ]
    assert stage.account("pipeline_account_events") == {}


async def test_an_event_that_is_refused_again_is_a_dead_letter_of_the_place_it_has_in_its_topic() -> None:
    stage = TranslateStage()
    await stage.engine.read(repeated(stage, event({"rejected": "no_email"}), 0))
    [letter] = stage.letters
    assert (letter["dead-topic"], letter["dead-offset"], letter["replay-run"]) == ("shop.orders", "0", "r1")


async def test_a_repeated_event_of_a_store_that_there_is_not_holds_nothing_up() -> None:
    stage = TranslateStage()
    await stage.engine.read(repeated(stage, event(SOLD, store="other"), 0))
    assert [letter["dead-reason"] for letter in stage.letters] == ["unknown_store"]
    assert stage.engine.withheld == []
