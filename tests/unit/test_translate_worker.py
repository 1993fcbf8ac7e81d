"""The shell of the translate stage on a stub of the engine: every message ends somewhere, whatever it is."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.rounds import Round
from pipeline.events import Kind, RawEvent
from pipeline.kafka import tombstones
from pipeline.kafka.deadletters import HEADERS
from pipeline.kafka.erase_requests import Asked
from pipeline.kafka.keys import entity_key, unique_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.replays import ERASES
from pipeline.records import partition_of
from pipeline.shops.base import MAX_RECORDS
from pipeline.translate.totals import AccountCollector
from pipeline.translate.worker import BUGS_IN_A_ROW, Translator
from tests.plainshop import PLAIN_SHOP, event
from tests.unit.translate_stage import SOLD, TranslateStage


async def test_records_go_to_the_partition_of_their_account() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD))
    contact, purchase = stage.engine.sent
    assert (contact.topic, purchase.topic) == ("x-connectif.contacts", "x-connectif.purchases")
    abouts = [entity_key(sent.key or b"") for sent in (contact, purchase)]
    assert abouts == [b"acme|contact|a@b.example", b"acme|purchase|7"]
    assert contact.partition == purchase.partition == partition_of("acme", 8)
    assert stage.engine.done == {TopicPartition("x-shop.orders", 3): 0}


async def test_a_store_is_accounted_for_before_it_says_anything() -> None:
    collector = AccountCollector(TranslateStage().translator.books, ["plain"])
    [events] = [family for family in collector.collect() if family.name == "pipeline_account_events"]
    zeros = {(s.labels["kind"], s.labels["outcome"]): s.value for s in events.samples}
    assert zeros["order", "rejected"] == zeros["customer", "accepted"] == 0
    assert len(zeros) == 15


async def test_the_account_holds_every_event_once_with_its_outcome() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD, delivery="d1"))
    await stage.reads(event(SOLD, delivery="d1"))
    await stage.reads(event({"version": 4}, delivery="d2"))
    await stage.reads(event({"version": 6, "ignored": "draft"}, delivery="d3"))
    await stage.reads(event({"rejected": "no_email"}, delivery="d4"))
    await stage.reads(event({**SOLD, "version": 7}, delivery="d5"))
    assert stage.account("pipeline_account_events") == {
        ("plain", "order", "accepted"): 2,
        ("plain", "order", "duplicate"): 1,
        ("plain", "order", "stale"): 1,
        ("plain", "order", "ignored"): 1,
        ("plain", "order", "rejected"): 1,
    }
    assert stage.account("pipeline_account_reasons") == {
        ("plain", "order", "ignored", "draft"): 1,
        ("plain", "order", "rejected", "no_email"): 1,
    }
    assert stage.account("pipeline_account_translated") == {
        ("acme", "plain", "contact", "emitted"): 1,
        ("acme", "plain", "contact", "unchanged"): 1,
        ("acme", "plain", "purchase", "emitted"): 1,
        ("acme", "plain", "purchase", "unchanged"): 1,
    }


async def test_messages_read_again_are_counted_once_and_sent_again() -> None:
    stage = TranslateStage()
    messages = [stage.message(event({**SOLD, "version": n}, delivery=f"d{n}")) for n in range(1, 4)]
    await stage.engine.read(*messages)
    first, stage.engine.sent = stage.engine.sent, []
    await stage.engine.read(*messages)
    again = stage.engine.sent[:2]
    assert [(one.topic, one.value, one.partition) for one in again] == [
        (one.topic, one.value, one.partition) for one in first
    ]
    assert [entity_key(one.key or b"") for one in again] == [entity_key(one.key or b"") for one in first]
    # Sent twice, they are two messages, each with a key of its own.
    assert not {one.key for one in again} & {one.key for one in first}
    assert stage.account("pipeline_account_events") == {("plain", "order", "accepted"): 3}


async def test_the_account_survives_a_restart() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD))
    restarted = TranslateStage()
    restarted.engine.tables = stage.engine.tables
    again = Translator(restarted.engine.as_engine(), {"shopify": PLAIN_SHOP})
    again.books.load(3, stage.engine.tables["tally"].items(3))
    assert again.books.accounts()["plain"].received == 1


@pytest.mark.parametrize("value", [None, b""])
async def test_what_an_erasure_wrote_is_no_event(value: bytes | None) -> None:
    stage = TranslateStage()
    before = stage.message(event({**SOLD, "version": 1}, delivery="d1"), key=unique_key(event(SOLD).key))
    await stage.engine.read(
        before, stage.message(event(SOLD), value=value, headers=tuple(tombstones.HEADERS))
    )
    assert stage.account("pipeline_account_events") == {("plain", "order", "accepted"): 1}
    assert stage.letters == []
    # Its offset is done with, or it would be read for ever.
    assert set(stage.engine.done.values()) == {1}


async def test_two_events_of_one_entity_in_one_round_see_each_other() -> None:
    stage = TranslateStage()
    await stage.engine.read(
        stage.message(event(SOLD, delivery="d1")), stage.message(event({"version": 4}, delivery="d2"))
    )
    assert stage.account("pipeline_account_events")["plain", "order", "stale"] == 1


async def test_a_rejected_body_becomes_a_dead_letter_with_its_reason_and_place() -> None:
    stage = TranslateStage()
    await stage.reads(event({"rejected": "no_email"}))
    letter = stage.letters[0]
    assert set(HEADERS) <= set(letter)
    assert letter["dead-reason"] == "no_email"
    assert (letter["dead-field"], letter["dead-detail"]) == ("field", "because")
    assert (letter["dead-store"], letter["dead-account"], letter["dead-stage"]) == (
        "plain",
        "acme",
        "translate",
    )
    assert (letter["dead-topic"], letter["dead-partition"], letter["dead-offset"]) == (
        "shop.orders",
        "3",
        "0",
    )
    assert letter["dead-at"] == "2000000"
    assert letter["pipeline-entity"] == "7"
    sent = stage.engine.to("x-deadletters")[0]
    assert (entity_key(sent.key or b""), sent.value) == (b"plain|order|7", b'{"rejected":"no_email"}')


async def test_a_letter_that_died_before_has_one_reason() -> None:
    stage = TranslateStage()
    raw = event({"rejected": "no_email"})
    headers = (*raw.to_kafka_headers(), ("dead-reason", b"old"), ("dead-stage", b"deliver"))
    await stage.reads(raw, headers=headers)
    names = [name for name, _ in stage.engine.to("x-deadletters")[0].headers]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("reason", "store", "change"),
    [
        ("not_an_event", "unknown", {"headers": ()}),
        ("not_an_event", "unknown", {"headers": (("pipeline-store", None),)}),
        ("not_an_event", "unknown", {"headers": (("pipeline-store", b"\xff"),)}),
        ("wrong_key", "plain", {"key": b"plain|order|8"}),
        ("wrong_key", "plain", {"key": None}),
    ],
)
async def test_a_message_that_is_not_ours_becomes_a_dead_letter(
    reason: str, store: str, change: dict[str, Any]
) -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD), **change)
    assert [letter["dead-reason"] for letter in stage.letters] == [reason]
    assert stage.account("pipeline_account_events") == {(store, "order", "rejected"): 1}


@pytest.mark.parametrize(
    ("reason", "store", "raw"),
    [
        ("unknown_store", "unknown", event(SOLD, store="no|name")),
        ("wrong_topic", "plain", event(SOLD, kind=Kind.PRODUCT)),
        ("not_an_event", "plain", event(SOLD, received_ms=-1)),
        ("not_an_event", "plain", event(SOLD, received_ms=10**30)),
        ("translate_error", "plain", event({"bug": "unforeseen"})),
    ],
)
async def test_an_event_that_cannot_be_translated_becomes_a_dead_letter(
    reason: str, store: str, raw: RawEvent
) -> None:
    stage = TranslateStage()
    await stage.reads(raw)
    assert [letter["dead-reason"] for letter in stage.letters] == [reason]
    assert stage.account("pipeline_account_events") == {(store, "order", "rejected"): 1}
    assert stage.engine.tables["entities"].rows == {}


async def test_failures_of_ours_in_a_row_end_the_worker_before_a_night_is_buried() -> None:
    stage = TranslateStage()
    for number in range(BUGS_IN_A_ROW - 1):
        await stage.reads(event({"bug": "x"}, delivery=f"d{number}"))
    await stage.reads(event(SOLD))
    for number in range(BUGS_IN_A_ROW - 1):
        await stage.reads(event({"bug": "x"}, delivery=f"e{number}"))
    with pytest.raises(RuntimeError):
        await stage.reads(event({"bug": "x"}, delivery="last"))


async def test_a_record_too_large_for_a_message_is_refused_whole() -> None:
    stage = TranslateStage(max_message_bytes=1_000_000)
    drafts = [["contact", "a@b.example", "Ann"], ["purchase", "7", "x" * 1_000_000]]
    await stage.reads(event({"version": 5, "drafts": drafts}))
    assert stage.letters[0]["dead-reason"] == "record_too_large"
    assert stage.engine.to("x-connectif.contacts") == []
    assert stage.engine.tables["entities"].rows == {}


async def test_an_event_of_too_many_records_is_refused() -> None:
    stage = TranslateStage()
    drafts = [["product", f"p{number}", "x"] for number in range(MAX_RECORDS + 1)]
    await stage.reads(event({"version": 5, "drafts": drafts}))
    assert stage.letters[0]["dead-reason"] == "too_many_records"


@pytest.mark.parametrize("change", [{"value": b"x" * 999_000}, {"key": b"k" * 999_000}])
async def test_a_message_too_large_for_a_copy_is_left_where_it_lies(change: dict[str, Any]) -> None:
    stage = TranslateStage(max_message_bytes=1_000_000)
    await stage.reads(event({"rejected": "no_email"}), **{"headers": (), **change})
    letter = stage.engine.to("x-deadletters")[0]
    assert (entity_key(letter.key or b"-"), letter.value) == (b"", None)
    assert "stays in its topic" in stage.letters[0]["dead-detail"]


HEADER = st.tuples(
    st.sampled_from(
        ["pipeline-store", "pipeline-kind", "pipeline-received", "pipeline-lane", "x-wc", "dead-at"]
    ),
    st.none() | st.binary(max_size=12) | st.sampled_from([b"plain", b"order", b"live", b"7"]),
)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=40) | ANY.map(lambda said: str(said).encode()),
    st.lists(HEADER, max_size=8).map(tuple),
    st.booleans(),
)
async def test_no_message_stops_the_worker(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...], genuine: bool
) -> None:
    stage = TranslateStage()
    raw = event(SOLD)
    if genuine:
        headers = (*raw.to_kafka_headers(), *headers)
    await stage.reads(raw, key=key, value=value, headers=headers)
    assert sum(stage.account("pipeline_account_events").values()) == 1
    assert len(stage.letters) == sum(
        count
        for labels, count in stage.account("pipeline_account_events").items()
        if labels[-1] == "rejected"
    )


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [("erasure_request", "customer"), ("shop_erasure_request", "shop"), ("data_request", "data")],
)
async def test_a_request_about_a_person_is_kept_with_its_days_and_names_nobody(
    reason: str, wanted: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage = TranslateStage()
    await stage.reads(event({"version": 1, "ignored": "nothing_to_tell"}, delivery="d1"))
    body = {"version": 1, "ignored": reason, "customer": "ann@example.com"}
    await stage.reads(event(body, entity="8", delivery="d2"))
    await stage.reads(event(body, entity="8", delivery="d2"))
    [row] = [message for message in stage.engine.sent if message.topic == "x-erase.requests"]
    asked = Asked.model_validate_json(row.value or b"")
    assert (row.key, asked.wanted, asked.store) == (b"plain-orders-3-1|asked", wanted, "plain")
    assert asked.due_ms - asked.asked_ms == 30 * 86_400_000
    [line] = [message for message in caplog.messages if "request plain-orders-3-1" in message]
    assert "@" not in line
    assert b"@" not in (row.value or b"")
    assert stage.account("pipeline_account_events")["plain", "order", "ignored"] == 2


async def test_an_erasure_takes_the_contact_out_of_what_is_remembered_and_late_copies_stay_out() -> None:
    stage = TranslateStage()
    await stage.reads(event(SOLD, delivery="d1"))
    key, headers = event(SOLD).key, ((ERASES, b"request"),)
    erasure = stage.message(event(SOLD), key=unique_key(key), value=b"", headers=headers)
    erasure.topic = "x-shop.replay"
    await stage.engine.read(erasure)
    row = stage.engine.tables["entities"].get(3, key) or b""
    assert b"a@b.example" not in row
    assert b'"7"' in row  # its purchase can still be taken back
    sent = len(stage.engine.sent)
    await stage.reads(event(SOLD, delivery="d1"))
    await stage.reads(event({**SOLD, "version": 4}, delivery="d0"))
    assert len(stage.engine.sent) == sent
    counts = stage.account("pipeline_account_events")
    assert (counts["plain", "order", "duplicate"], counts["plain", "order", "stale"]) == (1, 1)
    await stage.reads(event({**SOLD, "version": 9}, delivery="d9"))
    assert len(stage.engine.sent) > sent
    assert stage.letters == []


async def test_an_erasure_of_what_is_not_remembered_makes_no_row() -> None:
    stage = TranslateStage()
    erasure = stage.message(event(SOLD), value=b"", headers=((ERASES, b"request"),))
    erasure.topic = "x-shop.replay"
    await stage.engine.read(erasure)
    assert stage.engine.tables["entities"].get(3, event(SOLD).key) is None


async def test_the_lightest_partition_goes_first_and_a_round_in_hand_ends_before_a_pause() -> None:
    stage = TranslateStage()
    heavy = stage.message(event({"version": 5, "rejected": "x" * 100_000}))
    light = stage.message(event(SOLD, delivery="d2"))
    light.partition = 4
    batches = ((TopicPartition(heavy.topic, 3), [heavy]), (TopicPartition(light.topic, 4), [light]))
    [pause] = stage.engine.pause_hooks
    await asyncio.gather(stage.engine.handle(Round(cast("Any", batches))), pause())
    assert list(stage.engine.done) == [TopicPartition(light.topic, 4), TopicPartition(heavy.topic, 3)]


async def test_others_have_their_turn_between_events_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.translate.worker.BREATH_SECONDS", 0.0)
    monkeypatch.setattr("pipeline.translate.worker.STEP_SECONDS", 0.0)
    stage = TranslateStage()
    turns: list[int] = []

    async def other() -> None:
        for _ in range(3):
            turns.append(len(stage.engine.done))
            await asyncio.sleep(0)

    batches = []
    for partition in (3, 4, 5):
        message = stage.message(event(SOLD, delivery=f"d{partition}"))
        message.partition = partition
        batches.append((TopicPartition(message.topic, partition), [message]))
    await asyncio.gather(stage.engine.handle(Round(cast("Any", tuple(batches)))), other())
    assert turns == [0, 1, 2]
