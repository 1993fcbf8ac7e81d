"""A replay's rules without Kafka: what is chosen, how far ahead it is, how long it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PipelineError, SettingsError
from pipeline.events import Kind
from pipeline.kafka.deadletters import dead_headers
from pipeline.kafka.replays import HEADERS, ReplayMark, ReplayMode, event_headers, replay_headers
from pipeline.replay.changes import MASKED, NOT_HELD, changes
from pipeline.replay.planning import parse_offsets, read_ids
from pipeline.replay.run import SILENT_AFTER, Control, Part, Plan, Run, RunStatus, State
from pipeline.replay.selection import Choice, Chooser, rejected_at
from pipeline.replay.shown import as_json, status_of
from pipeline.replay.window import LEAST, MOST, Throttle, Window

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def run_at(read: int, *, of: int = 1_000, working: float = 10.0, **state: Any) -> Run:
    """A run of one partition that has read so many offsets."""
    plan = Plan(
        run="r1",
        made_ms=0,
        choice=Choice(),
        mode=ReplayMode.MISSING,
        parts=(Part(topic="shop.orders", partition=0, start=500, end=500 + of),),
    )
    made = State(run="r1", next=[500 + read], working=working, **state)
    return Run(plan=plan, state=made, control=Control(run="r1"))


@given(TEXT, st.integers(0, 9), st.integers(0, 2**60), st.sampled_from(ReplayMode), st.booleans())
def test_a_mark_is_read_as_it_was_written(
    name: str, partition: int, offset: int, mode: ReplayMode, trigger: bool
) -> None:
    mark = ReplayMark(name, "shop.orders", partition, offset, mode, trigger)
    headers = replay_headers([("pipeline-store", b"s"), ("replay-run", b"an older one"), ("x", None)], mark)
    assert ReplayMark.of(headers) == mark
    assert event_headers(headers) == [("pipeline-store", b"s"), ("x", b"")]
    assert {name for name, _ in mark.headers()} <= HEADERS.keys()


@pytest.mark.parametrize(
    "change", [{"replay-offset": b"-1"}, {"replay-mode": b"all"}, {"replay-offset": b"x"}]
)
def test_a_mark_of_another_form_is_refused(change: dict[str, bytes]) -> None:
    mark = ReplayMark("r", "shop.orders", 0, 1, ReplayMode.FORCE)
    with pytest.raises(ValueError, match=r"."):
        ReplayMark.of(list((dict(mark.headers()) | change).items()))
    for missing in dict(mark.headers()):
        with pytest.raises(ValueError, match=missing):
            ReplayMark.of([header for header in mark.headers() if header[0] != missing])


def test_events_are_chosen_by_store_kind_and_id() -> None:
    key = b"shop|order|7"
    assert Chooser(Choice()).takes("shop.orders", 0, 1, None)
    assert Chooser(Choice(stores=frozenset({"shop"}))).takes("shop.orders", 0, 1, key)
    assert not Chooser(Choice(stores=frozenset({"other"}))).takes("shop.orders", 0, 1, key)
    assert Chooser(Choice(ids=frozenset({"7"}))).takes("shop.orders", 0, 1, key)
    assert not Chooser(Choice(ids=frozenset({"8"}))).takes("shop.orders", 0, 1, key)
    assert not Chooser(Choice(ids=frozenset({"7"}))).takes("shop.orders", 0, 1, b"7")
    assert Choice(kinds=frozenset({Kind.ORDER})).topics == ["shop.orders"]
    assert Choice().topics == [kind.topic for kind in Kind]


def test_events_that_were_rejected_are_chosen_by_where_their_dead_letters_say_they_lie() -> None:
    said = dead_headers(
        reason="no_email", stage="translate", topic="shop.orders", partition=1, offset=5, at_ms=0
    )
    assert rejected_at(said, {"no_email"}) == ("shop.orders", 1, 5)
    assert rejected_at(said, {"invalid_json"}) is None
    other = dead_headers(
        reason="no_email", stage="deliver", topic="shop.orders", partition=1, offset=5, at_ms=0
    )
    assert rejected_at(other, {"no_email"}) is None
    elsewhere = [*said, ("dead-topic", b"elsewhere")]
    assert rejected_at(elsewhere, {"no_email"}) is None
    chooser = Chooser(Choice(), {("shop.orders", 1): {5}})
    assert chooser.takes("shop.orders", 1, 5, b"shop|order|7")
    assert not chooser.takes("shop.orders", 1, 6, b"shop|order|7")
    assert not chooser.takes("shop.orders", 0, 5, b"shop|order|7")


def test_offsets_are_read_with_the_last_one() -> None:
    assert parse_offsets("shop.orders:3:100-200") == Part(
        topic="shop.orders", partition=3, start=100, end=201
    )


@pytest.mark.parametrize(
    "text", ["shop.orders:3", "deadletters:0:1-2", "shop.orders:0:5-4", "shop.orders:x:1-2"]
)
def test_what_names_no_offsets_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="names no offsets"):
        parse_offsets(text)


@given(st.floats(0, 1e6), st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 60)), max_size=40))
def test_what_is_under_way_is_bounded_and_where_calls_are_needed_it_is_minutes_of_them(
    calls: float, story: list[tuple[int, float]]
) -> None:
    window = Window.of(calls)
    assert window.base == window.size == max(LEAST, int(calls * 2))
    for free, seconds in story:
        window.ended(free, seconds)
        assert window.base <= window.size <= max(MOST, window.base)
        assert window.room(window.size) == 0
    window.ended(0, 600)
    assert window.size == window.base


def test_where_nothing_costs_a_call_more_and_more_is_under_way() -> None:
    window = Window.of(100)
    for _ in range(40):
        window.ended(window.size, 1.0)
    assert window.size == MOST


@given(st.floats(1, 10_000), st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_no_more_events_go_than_the_throttle_allows(per_minute: float, waits: list[float]) -> None:
    throttle, sent = Throttle(per_minute), 0
    for seconds in waits:
        throttle.passed(seconds)
        room = throttle.room(1_000_000)
        throttle.took(room)
        sent += room
    assert sent <= per_minute / 60 * sum(waits) + 1
    assert Throttle().room(5) == 5


def test_the_time_left_is_that_of_what_was_delivered_so_far() -> None:
    assert run_at(0).seconds_left() is None
    assert run_at(100).seconds_left() == 90.0
    assert run_at(150, records=60, ended={"delivered": 10}).seconds_left() == 90.0
    assert run_at(1_000, status=RunStatus.DONE).seconds_left() == 0.0


def test_a_run_whose_process_says_nothing_is_interrupted() -> None:
    run = run_at(100, updated_ms=1_000)
    late = int(1_000 + SILENT_AFTER * 1_000) + 1
    assert status_of(run, 2_000) == "running"
    assert status_of(run, late) == "interrupted"
    assert status_of(run_at(1_000, status=RunStatus.DONE), late) == "done"
    said = as_json(run, 2_000)
    assert (said["offsets"], said["offsets_done"], said["pending"]) == (1_000, 100, 0)
    wanted = run.model_copy(update={"control": Control(run="r1", wanted=RunStatus.PAUSED)})
    assert status_of(wanted, 2_000) == "running, to be paused"


def record(kind: str, body: dict[str, Any] | None, op: str = "upsert") -> dict[str, Any]:
    """A record as it lies on its topic."""
    return {"account": "acme", "kind": kind, "id": "x", "op": op, "body": body}


def test_fields_that_would_change_are_named_with_both_values() -> None:
    before = record("purchase", {"total_price": "1.00", "payment_method": "card", "cart_id": "c"})
    after = record("purchase", {"total_price": "2.00", "cart_id": "c"})
    found = [change[3:] for change in changes(before, after, personal=False)]
    assert found == [("payment_method", "card", None), ("total_price", "1.00", "2.00")]
    assert list(changes(after, after, personal=False)) == []
    gone = [change[3:] for change in changes(after, record("purchase", None, "retract"), personal=False)]
    assert gone == [("cart_id", "c", None), ("op", None, "retract"), ("total_price", "2.00", None)]


def test_a_field_that_a_contact_leaves_out_changes_nothing_and_people_are_masked() -> None:
    before = record("contact", {"email": "a@b.example", "name": "Ann", "custom": {"size": "M"}})
    after = record("contact", {"email": "a@b.example", "newsletter": "subscribed", "custom": {"size": "L"}})
    masked = [change[3:] for change in changes(before, after, personal=False)]
    assert masked == [("custom.size", MASKED, MASKED), ("newsletter", None, "subscribed")]
    assert next(changes(before, after, personal=True))[3:] == ("custom.size", "M", "L")


def test_a_value_that_is_not_held_any_more_is_said_to_be_so() -> None:
    found = [change[3:] for change in changes(None, record("product", {"name": "N"}), personal=False)]
    assert found == [("name", NOT_HELD, "N")]


def test_ids_are_read_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("\ufeff7\r\n\n 8 \n7\n", encoding="utf-8")
    assert read_ids(file) == {"7", "8"}
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="names no ids"):
        read_ids(file)
    with pytest.raises(PipelineError, match="cannot read"):
        read_ids(tmp_path / "nothing")
