"""Events repeated by a replay: whatever the history, range and repeats, the newest statement stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.events import Lane, RawEvent
from pipeline.records import PurchaseRecord, RecordKind
from pipeline.translate.emit import Again
from pipeline.translate.replayed import OLDER, apply_again
from pipeline.translate.rules import EventPosition, Outcome, Result, apply
from pipeline.translate.state import EntityState
from pipeline.translate.tally import EventTally, EventTotals
from tests.plainshop import event, feed

FEED = feed(recent_deliveries=2)
#: A version and its content; None is a deletion. Versions repeat: shops' clocks are of whole seconds.
STATEMENTS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["red", "blue", "green", None])), min_size=1, max_size=8
)


def statement(version: int, content: str | None, offset: int) -> RawEvent:
    """What the shop says of the order 7."""
    if content is None:
        drafts: list[list[Any]] = [["purchase", None, None, "retract"]]
    else:
        drafts = [["contact", "a@b.example", content], ["purchase", "7", content]]
    topic = "orders/delete" if content is None else "orders/updated"
    said = {"version": version * 1_000, "drafts": drafts}
    return event(said, delivery=f"d{offset}", topic=topic, received_ms=1_000_000 + offset)


def place(offset: int) -> EventPosition:
    return EventPosition("shop.orders", 0, offset)


class World:
    """The memory of one order, and what Connectif would hold of it, by version as deliver compares them."""

    def __init__(self) -> None:
        self.state = EntityState()
        self.holds: dict[tuple[RecordKind, str], tuple[int, str, Any]] = {}

    def live(self, raw: RawEvent, offset: int) -> Result:
        return self._told(apply(raw, place(offset), self.state, FEED))

    def again(self, raw: RawEvent, offset: int, again: Again | None = None) -> Result:
        state = EntityState.decode(self.state.encode())
        result = apply_again(raw, place(offset), state, FEED, again or Again())
        if result.remember:
            self.state = state
        return self._told(result)

    def _told(self, result: Result) -> Result:
        for emission in result.emissions:
            said = orjson.loads(emission.value)
            key = emission.kind, emission.id
            if said["version"] >= self.holds.get(key, (0, "", None))[0]:
                self.holds[key] = said["version"], said["op"], said["body"]
        return result

    def shown(self) -> dict[tuple[RecordKind, str], tuple[str, Any]]:
        return {key: held[1:] for key, held in self.holds.items()}


def lived(statements: Sequence[tuple[int, str | None]]) -> tuple[World, list[RawEvent]]:
    world = World()
    log = [statement(version, content, offset) for offset, (version, content) in enumerate(statements)]
    for offset, raw in enumerate(log):
        world.live(raw, offset)
    return world, log


@settings(max_examples=400, deadline=None)
@given(STATEMENTS, st.lists(st.integers(0, 7), max_size=12))
def test_whatever_is_repeated_in_whatever_order_the_newest_statement_stands(
    statements: list[tuple[int, str | None]], repeated: list[int]
) -> None:
    world, log = lived(statements)
    before = world.shown()
    for offset in (offset for offset in repeated if offset < len(log)):
        world.again(log[offset], offset)
        assert world.shown() == before


@settings(max_examples=400, deadline=None)
@given(STATEMENTS, st.integers(0, 7), st.integers(1, 8), st.integers(1, 3))
def test_an_account_that_lost_everything_holds_the_newest_statement_again_once_all_is_repeated(
    statements: list[tuple[int, str | None]], start: int, length: int, times: int
) -> None:
    world, log = lived(statements)
    before = world.shown()
    world.holds.clear()
    for _ in range(times):
        for offset, raw in enumerate(log):
            world.again(raw, offset)
    # A deletion says nothing of the order's contact.
    gone = before.get((RecordKind.PURCHASE, "7"), ("retract",))[0] == "retract"
    assert gone or world.shown() == before
    world.holds.clear()
    for offset, raw in list(enumerate(log))[start : start + length]:
        world.again(raw, offset)
    for key, held in world.shown().items():
        assert before[key] == held, "what is told of a part of the history is never older"


@settings(max_examples=200, deadline=None)
@given(STATEMENTS, STATEMENTS, st.data())
def test_live_events_are_judged_as_without_the_replay_between_them(
    first: list[tuple[int, str | None]], rest: list[tuple[int, str | None]], data: st.DataObject
) -> None:
    world, log = lived(first)
    alone, _ = lived(first)
    for offset in data.draw(st.lists(st.integers(0, len(log) - 1), max_size=6)):
        world.again(log[offset], offset)
    for offset, (version, content) in enumerate(rest, len(log)):
        raw = statement(version, content, offset)
        assert world.live(raw, offset).outcome == alone.live(raw, offset).outcome
    assert world.shown() == alone.shown()


def test_what_was_said_before_is_told_once_more_in_the_slowest_lane_for_deliver_to_compare() -> None:
    world, log = lived([(1, "red")])
    result = world.again(log[0], 0)
    assert result.outcome is Outcome.ACCEPTED
    records = [orjson.loads(emission.value) for emission in result.emissions]
    assert [(said["kind"], said["lane"]) for said in records] == [
        ("contact", Lane.BACKFILL),
        ("purchase", Lane.BACKFILL),
    ]
    assert all(said["source"]["offset"] == 0 and "resend" not in said for said in records)


def test_a_forced_replay_says_so_on_every_record_and_workflows_are_started_only_where_asked_for() -> None:
    world, log = lived([(1, "red")])
    result = world.again(log[0], 0, Again(resend=True, run_workflows=True))
    contact, purchase = (orjson.loads(emission.value) for emission in result.emissions)
    assert contact["resend"]
    assert "run_workflows" not in contact
    record = PurchaseRecord.model_validate(purchase)
    assert record.resend
    assert record.run_workflows


def test_an_order_cancelled_after_the_range_stays_cancelled() -> None:
    world, log = lived([(1, "red"), (2, None)])
    result = world.again(log[0], 0, Again(resend=True))
    assert (result.outcome, result.reason) == (Outcome.IGNORED, OLDER)
    assert world.shown()[RecordKind.PURCHASE, "7"][0] == "retract"


def test_an_event_that_was_refused_before_is_understood_by_todays_code() -> None:
    world = World()
    raw = event({"rejected": "no_email"})
    assert world.live(raw, 0).outcome is Outcome.REJECTED
    assert world.again(raw, 0).outcome is Outcome.REJECTED
    assert world.again(statement(1, "red", 0), 0).outcome is Outcome.ACCEPTED


def test_an_order_from_before_the_accounts_purchases_is_repeated_only_where_it_was_told() -> None:
    from datetime import date  # noqa: PLC0415 - here alone

    world, log = lived([(1, "red")])
    later = feed(purchases_since=date(2026, 6, 1))
    told = apply_again(log[0], place(0), world.state, later, Again())
    never = apply_again(log[0], place(0), EntityState(), later, Again())
    assert (told.outcome, never.reason) == (Outcome.ACCEPTED, "too_old")


def test_repeated_events_are_counted_apart_and_their_records_with_the_others() -> None:
    world, log = lived([(1, "red")])
    tally = EventTally()
    assert tally.count("shop.orders", 0, "order", world.again(log[0], 0), "acme")
    plain = tally.encode()
    assert len(orjson.loads(plain)) == 3, "as before there were replays"
    assert EventTally.decode(plain) == tally
    assert tally.count("shop.replay", 4, "order", world.again(log[0], 0), "acme", True)
    assert not tally.count("shop.replay", 4, "order", world.again(log[0], 0), "acme", True)
    totals = EventTotals.of([EventTally.decode(tally.encode())])
    assert totals.received == 1
    assert totals.replayed == {("order", "accepted", ""): 1}
    assert totals.records["acme", "purchase", "emitted"] == 2


def test_of_two_statements_of_one_second_the_earlier_one_changes_nothing() -> None:
    world, log = lived([(3, "red"), (3, "blue")])
    assert world.again(log[0], 0).reason == OLDER
    assert world.again(log[1], 1).outcome is Outcome.ACCEPTED


@settings(max_examples=200, deadline=None)
@given(STATEMENTS, st.integers(1, 3))
def test_a_store_that_moved_fills_its_new_account_with_the_newest_statements_and_nothing_else(
    statements: list[tuple[int, str | None]], times: int
) -> None:
    world, log = lived(statements)
    before = world.shown()
    moved = replace(FEED, account="other", accounts=frozenset({"acme", "other"}))
    filled: dict[tuple[RecordKind, str], tuple[int, str, Any]] = {}
    for _ in range(times):
        for offset, raw in enumerate(log):
            result = apply_again(raw, place(offset), world.state, moved, Again())
            for emission in result.emissions:
                said = orjson.loads(emission.value)
                assert emission.account == "other" or said["op"] == "retract", "what it left stays as it is"
                key = emission.kind, emission.id
                if emission.account == "other" and said["version"] >= filled.get(key, (0,))[0]:
                    filled[key] = said["version"], said["op"], said["body"]
    purchase = before.get((RecordKind.PURCHASE, "7"), ("retract", None))
    if purchase[0] == "upsert":
        assert {key: held[1:] for key, held in filled.items()} == before
    else:
        assert all(held[1] == "retract" for held in filled.values())
