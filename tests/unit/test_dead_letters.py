"""Dead letters: what is read of them, how they stand, what is sent again, and what is masked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import reasons
from pipeline.config import parse
from pipeline.connectif.answers import AnswerKind
from pipeline.dead import letter as letters
from pipeline.dead.groups import MOST_GROUPS, OTHERS, LetterGroups
from pipeline.dead.letter import Letter, LetterId, LetterOrigin
from pipeline.dead.resend import Refusal, ResendTarget, Sending, held_back, sending
from pipeline.dead.selection import LetterFilter, Selection, doubts
from pipeline.dead.state import DeadLetterState, LetterState, LetterStates, LetterStatus, dropped, redriven
from pipeline.events import Lane
from pipeline.kafka.deadletters import HEADERS, dead_headers
from pipeline.kafka.keys import entity_key
from pipeline.records import (
    Purchase,
    PurchaseRecord,
    RecordKind,
    partition_of,
    record_key,
)
from tests.simulation.shop import Shop

OPEN = LetterStatus(LetterState.OPEN, 0, 0)
TARGET = ResendTarget(frozenset({"acme"}), partitions=4, max_bytes=1_000_000)
ROOT = Path(__file__).parents[2]


def letter_of(at: int = 0, /, *headers: tuple[str, bytes], **said: Any) -> Letter:
    told: dict[str, Any] = {
        "reason": "invalid",
        "stage": "deliver",
        "topic": "connectif.purchases",
        "partition": 1,
        "offset": 7,
        "at_ms": 5,
        "account": "acme",
        "store": "acme-shop",
    } | said
    return letters.read(LetterId(0, at), 1_000 + at, [*headers, *dead_headers(**told)])


def states(count: int = 100) -> LetterStates:
    return LetterStates({0: (0, count)})


def record_of(kind: RecordKind = RecordKind.CONTACT, **changes: Any) -> Any:
    said: list[Any] = []
    shop = Shop(type("Hearer", (), {"say": staticmethod(said.append)})(), wall=lambda: 1_700_000_000.0)
    shop.order("o1", "ann@example.com", "p1")
    record = next(record for record in said if record.kind is kind)
    return record.model_copy(update=changes)


def resent(record: Any, **said: Any) -> Sending | Refusal:
    letter = letter_of(topic=record.kind.topic, **said)
    return sending(TARGET, letter, b"k", record.model_dump_json().encode(), [])


# What is read.


def test_a_letter_says_where_it_comes_from_and_why() -> None:
    letter = letter_of(3, field="email", detail="no such field")
    assert letter.id == LetterId(0, 3)
    assert (letter.account, letter.store, letter.stage) == ("acme", "acme-shop", "deliver")
    assert (letter.kind, letter.reason, letter.field) == ("purchase", "invalid", "email")
    assert letter.origin == LetterOrigin("connectif.purchases", 1, 7)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*HEADERS, "pipeline-kind", "replay-run", "redrive-letter"]),
            st.none() | st.binary(max_size=50),
        )
    )
)
def test_any_headers_make_a_letter_that_a_terminal_can_show(headers: list[tuple[str, bytes | None]]) -> None:
    letter = letters.read(LetterId(0, 0), 0, headers)
    for text in (
        letter.account,
        letter.store,
        letter.stage,
        letter.reason,
        letter.detail,
        letter.origin.topic,
    ):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", text)
    assert states().status(letter) == OPEN
    assert isinstance(sending(TARGET, letter, None, None, headers), Refusal)


@pytest.mark.parametrize(
    "text", ["", "1", "1:", ":1", "1:2:3", "-1:2", "a:b", "1:99999999999999999999", "\u0661:2"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no id of a dead letter"):
        LetterId.parse(text)


def test_an_event_that_was_replayed_keeps_its_kind() -> None:
    letter = letter_of(0, ("pipeline-kind", b"customer"), topic="shop.replay", stage="translate")
    assert letter.kind == "customer"


# Which are meant.


def test_every_filter_leaves_out_what_differs() -> None:
    letter = letter_of(3)
    assert Selection().matches(letter)
    assert Selection(account="acme", kind="purchase", reason="invalid", stage="deliver").matches(letter)
    assert Selection(ids=frozenset({LetterId(0, 3)}), since_ms=1_003, until_ms=1_004).matches(letter)
    for other in (
        Selection(account="bolt"),
        Selection(store="bolt"),
        Selection(stage="translate"),
        Selection(kind="contact"),
        Selection(reason="conflict"),
        Selection(since_ms=1_004),
        Selection(until_ms=1_003),
        Selection(ids=frozenset({LetterId(0, 4)})),
    ):
        assert not other.matches(letter)


SETTINGS = parse(
    {
        "accounts": {"acme-es": {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}},
        "stores": {
            "shop-es": {
                "platform": "shopify",
                "account": "acme-es",
                "domain": "acme.example",
                "secrets": ["s"],
            }
        },
    },
    {},
)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(reason="bad_domian"), "--reason bad_domian is not known; is bad_domain meant?"),
        (Selection(kind="orders"), "--kind orders is not known; is order meant?"),
        (Selection(stage="delivery"), "--stage delivery is not known; is deliver meant?"),
        (Selection(account="acme_es"), "--account acme_es is not known; is acme-es meant?"),
        (Selection(store="elsewhere"), "--store elsewhere is not known"),
    ],
)
def test_a_filter_that_names_nothing_known_is_told(selection: Selection, said: str) -> None:
    assert list(doubts(selection, SETTINGS)) == [said]


def test_a_filter_that_names_what_there_is_is_no_doubt() -> None:
    known = Selection("acme-es", "shop-es", "deliver", "receipt", "unknown")
    assert list(doubts(known, SETTINGS)) == list(doubts(Selection(), SETTINGS)) == []
    assert {list(doubts(Selection(reason=reason), SETTINGS)) == [] for _, reason in reasons.known()} == {True}


# How they stand.


def test_a_letter_that_was_sent_again_is_open_no_more() -> None:
    known, letter = states(), letter_of(3)
    assert known.status(letter) == OPEN
    row = redriven(letter, OPEN, LetterOrigin("connectif.purchases", 1, 90), at_ms=9, by="ann")
    assert known.add(b"0:3", row.model_dump_json(exclude_defaults=True).encode()) == row
    assert known.status(letter) == LetterStatus(LetterState.REDRIVEN, 0, 1)
    assert known.status(letter_of(4)) == OPEN


def test_a_letter_that_comes_back_for_the_same_reason_is_noticed_and_counted() -> None:
    known, letter = states(), letter_of(3, offset=50)
    for times in range(1, 4):
        status = known.status(letter)
        assert status.came_back == times - 1
        row = redriven(letter, status, LetterOrigin("connectif.purchases", 1, 90 + times), at_ms=9, by="ann")
        assert row.times == times
        known.put(str(letter.id), row)
        # The record that was sent again is refused again: another letter, of the record's new place.
        letter = letter_of(3 + times, offset=90 + times)
    assert known.status(letter) == LetterStatus(LetterState.OPEN, 3, 0)
    assert held_back(known.status(letter), again=False) is not None
    assert held_back(known.status(letter), again=True) is None


def test_a_letter_that_comes_to_another_reason_did_not_come_back() -> None:
    known, letter = states(), letter_of(3)
    known.put("0:3", redriven(letter, OPEN, LetterOrigin("connectif.purchases", 1, 90), at_ms=9, by="ann"))
    assert known.status(letter_of(4, offset=90, reason="conflict")) == OPEN


def test_an_event_that_comes_back_is_known_by_the_run_it_names() -> None:
    known, letter = states(), letter_of(3, stage="translate", topic="shop.orders", reason="no_email")
    known.put("0:3", redriven(letter, OPEN, LetterOrigin("shop.replay", 0, 2), at_ms=9, by="ann"))
    back = letter_of(
        8, ("replay-run", b"redrive-0:3"), stage="translate", topic="shop.orders", reason="no_email"
    )
    assert known.status(back).came_back == 1


def test_a_dropped_letter_keeps_who_and_why() -> None:
    known, letter = states(), letter_of(3)
    row = dropped(letter, OPEN, at_ms=9, by="ann", why="a test order")
    known.put("0:3", row)
    assert known.status(letter).state is LetterState.DROPPED
    assert DeadLetterState.model_validate_json(row.model_dump_json()) == row


def test_rows_of_letters_that_are_gone_and_rows_that_are_none_change_nothing() -> None:
    known = LetterStates({0: (10, 20)})
    letter = letter_of(3)
    row = dropped(letter, OPEN, at_ms=9, by="ann", why="x").model_dump_json().encode()
    for key in (b"0:3", b"0:20", b"5:12"):
        known.add(key, row)
    assert known.foreign == 0
    wrong: list[tuple[bytes | None, bytes | None]] = [(None, row), (b"x", row), (b"\xff", row)]
    for name, value in (*wrong, (b"0:12", b"{}"), (b"0:12", None)):
        known.add(name, value)
    assert known.foreign == 5
    assert all(known.status(letter_of(offset)) == OPEN for offset in range(25))


def test_with_again_only_the_states_that_were_asked_for_are_sent() -> None:
    done = LetterStatus(LetterState.REDRIVEN, 0, 1)
    assert held_back(done, again=True) is not None
    assert held_back(done, again=True, wanted=LetterFilter.REDRIVEN) is None
    assert held_back(done, again=False, wanted=LetterFilter.ALL) is not None
    assert held_back(LetterStatus(LetterState.DROPPED, 0, 0), again=True, wanted=LetterFilter.ALL) is None
    assert held_back(OPEN, again=False) is None


# Groups.


def test_letters_are_counted_by_what_they_have_in_common() -> None:
    groups = LetterGroups()
    for offset in range(3):
        groups.add(letter_of(offset), OPEN)
    groups.add(letter_of(9, reason="conflict"), LetterStatus(LetterState.OPEN, 2, 0))
    first, second = groups.rows()
    assert (first.count, first.came_back, first.oldest_ms, first.newest_ms) == (3, 0, 1_000, 1_002)
    assert (second.key.reason, second.count, second.came_back) == ("conflict", 1, 1)


def test_letters_of_ever_new_reasons_end_in_one_group() -> None:
    groups = LetterGroups()
    for number in range(MOST_GROUPS + 50):
        groups.add(letter_of(0, reason=f"r{number}"), OPEN)
    rows = groups.rows()
    assert len(rows) == MOST_GROUPS + 1
    assert (rows[0].key.reason, rows[0].count) == (OTHERS, 50)


# What is sent again.


@pytest.mark.parametrize("kind", [RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE])
def test_a_record_goes_to_its_accounts_partition_in_the_retry_lane(kind: RecordKind) -> None:
    record = record_of(kind)
    sent = resent(record)
    assert isinstance(sent, Sending)
    assert (sent.topic, sent.partition) == (kind.topic, partition_of("acme", 4))
    assert entity_key(sent.key) == record_key("acme", kind, record.id)
    assert type(record).model_validate_json(sent.value or b"") == record.model_copy(
        update={"lane": Lane.RETRY}
    )
    assert sent.headers == [("redrive-letter", b"0:0")]


def test_history_that_is_sent_again_starts_no_workflows() -> None:
    sent = resent(record_of(RecordKind.PURCHASE, lane=Lane.BACKFILL))
    assert isinstance(sent, Sending)
    assert not PurchaseRecord.model_validate_json(sent.value or b"").trigger
    live = resent(record_of(RecordKind.PURCHASE))
    assert isinstance(live, Sending)
    assert PurchaseRecord.model_validate_json(live.value or b"").trigger


def test_what_deliver_would_refuse_again_is_not_sent() -> None:
    assert resent(record_of(account="bolt")).why == "unknown_account"  # type: ignore[union-attr]
    both: Any = record_of(RecordKind.PURCHASE)
    body = Purchase.model_validate(both.body.model_dump() | {"contact_external_id": "7"})
    assert resent(both.model_copy(update={"body": body})).why == "not_a_record"  # type: ignore[union-attr]
    receipt = letter_of(topic="connectif.receipts")
    assert sending(TARGET, receipt, b"k", b"{}", []) == Refusal("receipt", sending_sentence(receipt))
    assert sending(TARGET, letter_of(), b"k", None, []).why == "no_content"  # type: ignore[union-attr]
    assert sending(TARGET, letter_of(stage="else"), b"k", b"", []).why == "unknown_stage"  # type: ignore[union-attr]


def sending_sentence(letter: Letter) -> str:
    refused = sending(TARGET, letter, b"k", b"{}", [])
    assert isinstance(refused, Refusal)
    return refused.sentence


def test_an_event_is_replayed_byte_for_byte_with_its_own_headers() -> None:
    own = [("pipeline-store", b"acme-es"), ("x-shopify-topic", b"orders/paid")]
    said = {"stage": "translate", "topic": "shop.orders", "partition": 3, "offset": 70}
    letter = letter_of(5, *own, **said)
    headers = [*own, ("dead-reason", b"no_email"), ("replay-run", b"redrive-0:1")]
    sent = sending(TARGET, letter, b"acme-es|order|1", b"{\xff", headers)
    assert isinstance(sent, Sending)
    assert (sent.topic, sent.partition) == ("shop.replay", 3)
    assert (entity_key(sent.key), sent.value) == (b"acme-es|order|1", b"{\xff")
    assert sent.headers == [
        *own,
        ("replay-run", b"redrive-0:5"),
        ("replay-topic", b"shop.orders"),
        ("replay-partition", b"3"),
        ("replay-offset", b"70"),
        ("replay-mode", b"missing"),
    ]


def test_under_another_prefix_an_event_is_kept_anew() -> None:
    own = [("pipeline-kind", b"order"), ("pipeline-lane", b"live")]
    letter = letter_of(5, *own, stage="translate", topic="shop.orders", partition=3)
    target = ResendTarget(frozenset({"acme"}), 4, 1_000_000, other_prefix="old-")
    sent = sending(target, letter, b"k", b"{}", own)
    assert isinstance(sent, Sending)
    assert (sent.topic, sent.partition, sent.value) == ("shop.orders", None, b"{}")
    lane = ("pipeline-lane", b"backfill")
    assert sent.headers == [own[0], lane, ("redrive-letter", b"old-~0:5")]


def test_an_event_that_was_replayed_is_replayed_from_its_own_place() -> None:
    before = [
        ("replay-run", b"r1"),
        ("replay-topic", b"shop.orders"),
        ("replay-partition", b"2"),
        ("replay-offset", b"40"),
        ("replay-mode", b"force"),
    ]
    letter = letter_of(5, *before, stage="translate", topic="shop.replay")
    sent = sending(TARGET, letter, b"k", b"{}", before)
    assert isinstance(sent, Sending)
    assert sent.partition == 2
    assert dict(sent.headers)["replay-offset"] == b"40"
    stranger = sending(TARGET, letter_of(5, stage="translate", topic="shop.replay"), b"k", b"{}", [])
    assert stranger.why == "not_an_event"  # type: ignore[union-attr]


# Words.


def test_every_reason_of_translate_has_words_and_a_way_out() -> None:
    # What lists, feeds and registers of webhooks answer is read by sync and check, and is no event yet.
    others = re.compile(r"(?:pull|_pages|feed|journal|registration)\.py$")
    found = {
        reason
        for path in (ROOT / "pipeline").rglob("*.py")
        if not others.search(path.name)
        for reason in re.findall(r"Rejected\(\s*\"([a-z_]+)\"", path.read_text(encoding="utf-8"))
    }
    assert found - {reason for stage, reason in reasons.known() if stage == "translate"} == set()


def test_every_refusal_of_deliver_has_words_and_a_way_out() -> None:
    temporary = {
        AnswerKind.CREATED,
        AnswerKind.OK,
        AnswerKind.ALREADY,
        AnswerKind.QUEUE_FULL,
        AnswerKind.LIMITED,
        AnswerKind.UNAUTHORISED,
        AnswerKind.FORBIDDEN,
        AnswerKind.TIMEOUT,
    }
    found = {kind.value for kind in AnswerKind if kind not in temporary}
    for pattern in (r"Outcome\.DEAD, \"([a-z_]+)\"", r"reason=\"([a-z_]+)\"", r"Unreadable\(\"([a-z_]+)\""):
        for path in (ROOT / "pipeline" / "deliver").rglob("*.py"):
            found |= set(re.findall(pattern, path.read_text(encoding="utf-8")))
    assert found - {reason for stage, reason in reasons.known() if stage == "deliver"} == set()
