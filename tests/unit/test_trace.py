"""The life of an entity: today's verdict on each event, the answer in words, and what is shown of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.events import Kind, RawEvent
from pipeline.records import RecordKind
from pipeline.trace import report
from pipeline.trace.answer import answer
from pipeline.trace.life import (
    MOST,
    EntityKey,
    EntityLife,
    Place,
    TracedEvent,
    TracedLetter,
    TracedReceipt,
    TracedRecord,
)
from pipeline.trace.replay import Replay
from pipeline.translate.reading import Stores
from pipeline.translate.rules import EventPosition, Outcome, apply
from pipeline.translate.state import EntityState
from tests.plainshop import event, feed
from tests.stubengine import Message

KEY = EntityKey("plain", Kind.ORDER, "7")
SOLD = {"version": 5_000, "drafts": [["contact", "ann@b.example", "Ann"], ["purchase", "7", "c1"]]}
STORES = Stores({"plain": feed()}, frozenset({"shopify"}))


def message(raw: RawEvent, offset: int, **change: Any) -> Message:
    """The event as a message."""
    parts = {"key": raw.key, "value": raw.body, "headers": tuple(raw.to_kafka_headers()), **change}
    return Message("x-shop.orders", 3, offset, timestamp=1_000 + offset, **parts)


def judged(*raws: RawEvent, stores: Stores = STORES) -> list[TracedEvent]:
    """The verdicts on events at offsets 0, 1, ..."""
    replay = Replay(KEY, stores, 1_000_000)
    return [replay.judge(message(raw, offset)) for offset, raw in enumerate(raws)]


def test_each_event_has_the_verdict_that_translate_gave_it() -> None:
    found = judged(
        event(SOLD, delivery="d1"),
        event(SOLD, delivery="d1"),
        event({"version": 4_000}, delivery="d2"),
        event({**SOLD, "version": 6_000}, delivery="d3"),
        event({"version": 7_000, "ignored": "draft"}, delivery="d4"),
        event({"rejected": "no_email"}, delivery="d5"),
        event({"bug": "oh"}, delivery="d6"),
    )
    assert [(one.outcome, one.reason) for one in found] == [
        ("accepted", ""),
        ("duplicate", ""),
        ("stale", ""),
        ("accepted", ""),
        ("ignored", "draft"),
        ("rejected", "no_email"),
        ("rejected", "translate_error"),
    ]
    assert found[0].emits == ("acme|contact|ann@b.example", "acme|purchase|7")
    assert found[0].version == 5_000
    assert (found[3].emits, found[3].unchanged) == ((), ("contact", "purchase"))
    assert found[5].detail == "field: because"
    assert found[0].place == Place("shop.orders", 3, 0)


def test_an_event_whose_store_the_settings_lack_is_held() -> None:
    [found] = judged(event(SOLD), stores=Stores({}, frozenset({"shopify"})))
    assert (found.outcome, found.detail) == ("held", "the settings have no store 'plain'")


def test_a_message_that_is_no_event_is_rejected_with_its_reason() -> None:
    replay = Replay(KEY, STORES, 1_000_000)
    found = replay.judge(message(event(SOLD), 0, headers=()))
    assert (found.outcome, found.reason) == ("rejected", "not_an_event")


def test_a_record_larger_than_can_be_kept_is_rejected_as_translate_does() -> None:
    found = Replay(KEY, STORES, 50).judge(message(event(SOLD), 0))
    assert (found.outcome, found.reason) == ("rejected", "record_too_large")


bodies = st.one_of(
    st.builds(
        lambda version, content: {"version": version, "drafts": [["purchase", "7", content]]},
        st.integers(0, 6),
        st.sampled_from("ab"),
    ),
    st.just({"rejected": "no_email"}),
    st.just({"version": 3, "ignored": "draft"}),
)


@given(st.lists(st.tuples(bodies, st.integers(0, 5)), max_size=20))
def test_any_history_is_judged_as_by_the_rules_themselves(history: list[tuple[dict[str, Any], int]]) -> None:
    raws = [event(body, delivery=f"d{number}") for body, number in history]
    state, expected = EntityState(), []
    for offset, raw in enumerate(raws):
        changed = state.copy()
        result = apply(raw, EventPosition("shop.orders", 3, offset), changed, feed())
        state = changed if result.remember else state
        expected.append((result.outcome.value, result.reason))
    assert [(one.outcome, one.reason) for one in judged(*raws)] == expected


# The answer.


def life(*raws: RawEvent, **more: Any) -> EntityLife:
    """Of an order whose events are these, and nothing followed yet."""
    made = EntityLife(KEY, events=judged(*raws))
    made.sources = set(range(len(raws)))
    for name, value in more.items():
        setattr(made, name, value)
    return made


def emitted(
    offset: int, source: int, op: str = "upsert", kind: RecordKind = RecordKind.PURCHASE
) -> TracedRecord:
    """A record of the order."""
    record_id = "7" if kind is RecordKind.PURCHASE else "ann@b.example"
    place = Place(kind.topic, 1, offset)
    return TracedRecord(place, 2_000 + offset, "acme", kind, record_id, 5_000, op, "live", source)


def receipt(record: TracedRecord, outcome: str, reason: str = "", **more: Any) -> TracedReceipt:
    """How it ended."""
    place = Place("connectif.receipts", 1, record.place.offset)
    made = TracedReceipt(
        place=place,
        at_ms=3_000 + record.place.offset,
        account="acme",
        kind=record.kind,
        id=record.id,
        version=record.version,
        record=record.place.offset,
        source=record.source,
        outcome=outcome,
        reason=reason,
        detail="",
        status=None,
        calls=1,
        fingerprint="f",
        lane="live",
        seconds=1.5,
    )
    return replace(made, **more)


def waiting(why: str = "It runs.", **more: Any) -> dict[str, Any]:
    """What deliver says of the purchase."""
    source = {"topic": "shop.orders", "partition": 3, "offset": 0}
    version = {"place": "current", "offset": 4, "lane": "live", "accepted_ms": 9_000, "source": source}
    said = {"account": "acme", "kind": "purchase", "id": "7", "pending": True, "versions": [version]}
    return {**said, "why": why, "last_sent": None, **more}


def memory(next_offset: int, **more: Any) -> dict[str, Any]:
    """What translate says."""
    lists = {"emitted": [], "deliveries": [], "emitted_in_all": 0}
    return {"known": True, "next_offset": next_offset, "held": "", **lists, **more}


def test_a_delivered_purchase_is_in_connectif() -> None:
    record = emitted(4, 0)
    found = life(event(SOLD), records=[record], receipts=[receipt(record, "delivered", "created")])
    assert answer(found).startswith("Connectif has it: purchase 7 of account acme, since ")
    assert answer(found).endswith("(created).")


def test_a_contact_that_was_delivered_says_nothing_of_its_order() -> None:
    contact = emitted(4, 0, kind=RecordKind.CONTACT)
    found = life(event(SOLD), records=[contact, emitted(5, 0)], receipts=[receipt(contact, "delivered")])
    assert "there is no receipt of it" in answer(found)


def test_a_retracted_purchase_was_deleted() -> None:
    first, gone = emitted(4, 0), emitted(5, 1, "retract")
    ends = [receipt(first, "delivered"), receipt(gone, "delivered")]
    assert answer(life(event(SOLD), records=[first, gone], receipts=ends)).startswith("It was deleted")
    never = life(event(SOLD), records=[gone], receipts=[receipt(gone, "unchanged")])
    assert answer(never).startswith("It is not in Connectif")


def test_a_refused_purchase_says_what_connectif_answered() -> None:
    record = emitted(4, 0)
    end = receipt(record, "dead", "refused", status=400, detail="E0001")
    said = answer(life(event(SOLD), records=[record], receipts=[end]))
    assert said.startswith("Connectif refused it at ")
    assert "refused, status 400: E0001" in said


def test_a_waiting_purchase_says_why() -> None:
    said = answer(life(event(SOLD), now={"a": waiting("A call failed.")}))
    assert said.startswith("Not yet: purchase 7 of account acme waits since ")
    assert said.endswith("A call failed.")
    had = answer(life(event(SOLD), now={"a": waiting(last_sent={"version": 1})}))
    assert "Connectif has an older version." in had


def test_a_rejected_and_an_ignored_order_say_why() -> None:
    assert "(no_email: field: because)" in answer(life(event({"rejected": "no_email"})))
    said = answer(life(event({"version": 7, "ignored": "unpaid"})))
    assert said == "No: by these settings nothing is to be told of it (unpaid)."


def test_an_older_version_in_connectif_is_told_apart_from_a_newer_rejected_event() -> None:
    record = emitted(4, 0)
    found = life(
        event(SOLD, delivery="d1"),
        event({"rejected": "no_email"}, delivery="d2"),
        records=[record],
        receipts=[receipt(record, "delivered")],
    )
    assert "Its newest event is rejected (no_email: field: because): what Connectif has is older." in answer(
        found
    )


def test_an_event_that_translate_has_not_come_to_waits() -> None:
    found = life(event(SOLD), memory=memory(0))
    found.mark_waiting()
    assert answer(found) == "Not yet: translate has not come to 1 event of it."
    held = life(event(SOLD), memory=memory(0, held="the partition waits at offset 0"))
    held.mark_waiting()
    assert answer(held).endswith("The partition waits at offset 0.")
    done = life(event(SOLD), memory=memory(1))
    done.mark_waiting()
    assert not done.events[0].waiting


def test_a_purchase_whose_receipt_is_gone_is_known_by_what_was_last_sent() -> None:
    sent = waiting(pending=False, versions=[], last_sent={"version": 5_000, "fingerprint": "f"})
    assert answer(life(event(SOLD), now={"a": sent})).startswith("Connectif was told: purchase 7")
    gone = waiting(pending=False, versions=[], last_sent={"version": 5_000, "fingerprint": "retracted"})
    assert answer(life(event(SOLD), now={"a": gone})).startswith("It is not in Connectif any more")


def test_a_purchase_whose_record_is_not_kept_any_more_is_not_said_to_be_none() -> None:
    assert answer(life(event(SOLD))).startswith(
        "A purchase was made of it; its record and receipt are not kept"
    )


def test_a_purchase_of_which_only_a_receipt_is_owed_does_not_wait() -> None:
    owed = waiting(versions=[{"place": "superseded", "offset": 4}], last_sent={"version": 5_000})
    assert answer(life(event(SOLD), now={"a": owed})).startswith("Connectif was told: purchase 7")


@pytest.mark.parametrize(
    ("stage", "said"), [("translate", "whether it was received"), ("deliver", "whether it waits or was sent")]
)
def test_of_what_a_silent_worker_alone_knows_nothing_is_claimed(stage: str, said: str) -> None:
    found = life(memory=memory(1) if stage == "deliver" else None)
    found.silent[stage] = "http://127.0.0.1:8082 has not answered within 2 s"
    assert answer(found) == f"Not known: {said}; {stage} did not answer."


def test_of_what_was_never_received_it_is_said_so() -> None:
    assert answer(life()) == "Nothing of it was received, as far back as was looked."
    assert life().empty
    known = life(memory=memory(1))
    assert answer(known).startswith("It was received, and no purchase of it waits or was sent")
    assert not known.empty
    assert not life(event(SOLD)).empty


# What is shown.


def test_what_is_kept_has_a_bound_and_the_rest_is_counted() -> None:
    found, [one] = EntityLife(KEY), judged(event(SOLD))
    for number in range(MOST + 3):
        found.add(replace(one, place=Place("shop.orders", 3, number)))
    assert (len(found.events), found.events[0].place.offset, found.left_out["event"]) == (MOST, 3, 3)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("ann@b.example", "a…@b…"),
        ("acme|contact|ann@b.example", "acme|contact|a…@b…"),
        ("of ann%40b.example, and 7", "of a…@b… and 7"),
        ("7", "7"),
    ],
)
def test_an_address_is_shown_by_its_first_letters(said: str, shown: str) -> None:
    assert report.masked({"a": [said]}) == {"a": [shown]}


def whole() -> EntityLife:
    """A life with something of everything."""
    contact, record = emitted(4, 0, kind=RecordKind.CONTACT), emitted(5, 0)
    letter = TracedLetter(
        Place("deadletters", 0, 1), 4_000, "deliver", record.place, "refused", "", "E0001", "acme"
    )
    made = life(event(SOLD), records=[contact, record], memory=memory(1), letters=[letter])
    made.receipts = [
        receipt(contact, "delivered"),
        receipt(record, "dead", repaired=("contact|ann@b.example",)),
    ]
    made.now = {"a": waiting()}
    made.silent = {"deliver": "http://127.0.0.1:8082 does not answer"}
    made.whole = False
    return made


def shown(*, reveal: bool = False, as_json: bool = False) -> str:
    """On a terminal of 100 columns."""
    file = io.StringIO()
    report.show(
        report.tree([whole()], ["a note"], reveal=reveal), Console(file=file, width=100), as_json=as_json
    )
    return file.getvalue()


def test_no_address_is_shown_unless_it_is_asked_for() -> None:
    assert "ann" not in shown().lower().replace("channel", "")
    assert "ann" not in shown(as_json=True)
    assert "ann@b.example" in shown(reveal=True, as_json=True)


def test_the_table_shows_events_records_receipts_and_dead_letters_and_what_may_be_missing() -> None:
    said = " ".join(shown().split())
    for part in (
        "received orders/updated",
        "emitted purchase 7",
        "receipt purchase 7",
        "dead letter of deliver",
        "waits: purchase 7 of account acme: current @4",
        "deliver did not answer: http://127.0.0.1:8082 does not answer",
        "Its first events may be missing",
        "note: a note",
    ):
        assert part in said, part


def test_the_json_has_all_of_it() -> None:
    [found] = json.loads(shown(as_json=True))["entities"]
    assert found["events"][0]["outcome"] == Outcome.ACCEPTED
    assert found["events"][0]["place"] == {"topic": "shop.orders", "partition": 3, "offset": 0}
    assert len(found["records"]) == len(found["receipts"]) == 2
    assert found["dead_letters"][0]["of"]["offset"] == 5
