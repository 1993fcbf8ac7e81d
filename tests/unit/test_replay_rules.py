"""A replay's rules without Kafka: what is chosen, how far ahead it is, how long it takes."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config
from pipeline.errors import PipelineError, SettingsError
from pipeline.events import Kind
from pipeline.kafka.deadletters import dead_headers
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.replays import HEADERS, ReplayMark, ReplayMode, event_headers, replay_headers
from pipeline.replay import watching
from pipeline.replay.attention import Trouble, attention
from pipeline.replay.order import steps
from pipeline.replay.planning import parse_offsets, read_ids
from pipeline.replay.run import SILENT_AFTER, STALLED_AFTER, Control, Part, Plan, Run, RunStatus, State
from pipeline.replay.selection import Choice, Chooser, rejected_at
from pipeline.replay.shown import advice, as_json, status_of
from pipeline.replay.watching import RunsCollector, RunsWatch
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


def delivered(run: Run, events: float, *, at: float) -> None:
    """So much is delivered at a moment."""
    run.state.delivered, run.state.working = events, at
    run.measure()


def test_the_time_left_is_by_the_rate_of_the_last_part_that_was_delivered() -> None:
    run = run_at(400, sent=400)
    assert run.seconds_left() is None
    delivered(run, 5, at=60.0)
    assert run.state.points == [], "it begins slowly"
    for number in range(1, 31):
        delivered(run, 10.0 * number, at=60.0 + 10 * number)
    assert run.seconds_left() == (1_000 - 300) / 1.0
    for number in range(1, 31):
        delivered(run, 300 + 10.0 * number, at=360.0 + 20 * number)
    assert run.seconds_left() == pytest.approx((1_000 - 600) / 0.5, rel=0.2), "live traffic came"
    for number in range(1_000):
        delivered(run, 600 + number / 10, at=2_000 + number)
    assert len(run.state.points) <= 100
    assert run_at(1_000, status=RunStatus.DONE).seconds_left() == 0.0


def test_the_time_left_is_of_the_events_that_are_chosen_and_of_a_throttle() -> None:
    run = run_at(500, sent=100, chosen=150, delivered=100.0, points=[(0.0, 10.0)])
    assert run.seconds_left() == (150 - 100) / 9
    run.control = Control(run="r1", per_minute=60)
    assert run.seconds_left() == 50.0
    run.state.chosen = None
    assert run.total == 200.0, "as many as in the half that was read"


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 3_000), st.integers(0, 3_000))
def test_what_is_delivered_is_part_of_what_was_repeated(
    sent: int, waiting: int, records: int, ended: int
) -> None:
    state = run_at(500, sent=sent, records=records, ended={"delivered": ended}).state
    state.looked(waiting)
    assert 0.0 <= state.delivered <= sent
    if records and ended >= records and not waiting:
        assert state.delivered == sent


def test_where_there_are_purchases_they_say_how_much_is_delivered() -> None:
    state = run_at(100, sent=100, records=300, ended={"delivered": 220}).state
    state.kinds, state.ended_kinds = {"purchase": 100, "contact": 200}, {"purchase": 20, "contact": 200}
    state.looked(0)
    assert state.delivered == pytest.approx(20)


def test_a_run_that_does_not_get_on_says_why_and_what_to_do() -> None:
    late = 1_000 + int(STALLED_AFTER * 1_000) + 1
    well = run_at(100, updated_ms=late, moved_ms=late)
    assert attention(well, late) is None
    stalled = run_at(100, updated_ms=late, moved_ms=1_000, waiting=7)
    told = attention(stalled, late)
    assert told is not None
    assert (told.trouble, status_of(stalled, late)) == (Trouble.STALLED, "stalled")
    assert "7 events" in told.why
    assert "readyz" in told.what_to_do
    stalled = run_at(100, updated_ms=late, moved_ms=1_000, records=9)
    assert "9 records" in as_json(stalled, late)["why"]
    troubles = {
        Trouble.FAILED: run_at(100, status=RunStatus.FAILED, error="the disk is full"),
        Trouble.STOPPED: run_at(100, status=RunStatus.STOPPED),
        Trouble.INTERRUPTED: run_at(100, updated_ms=1_000),
    }
    for trouble, run in troubles.items():
        told = attention(run, late)
        assert told is not None
        assert told.trouble is trouble
        assert "replay resume r1" in told.what_to_do
        assert run.needs_process(late)
    assert as_json(troubles[Trouble.FAILED], late)["why"] == "the disk is full"
    assert len(list(advice([well, *troubles.values()]))) >= len(troubles)


@pytest.mark.parametrize("wanted", [RunStatus.PAUSED, RunStatus.CANCELLED])
def test_nobody_has_to_see_to_a_run_that_is_not_to_go_on(wanted: RunStatus) -> None:
    run = run_at(100, status=RunStatus.STOPPED)
    run.control = Control(run="r1", wanted=wanted)
    assert attention(run, 10**12) is None


def test_a_run_is_shown_as_metrics_and_the_trouble_it_has() -> None:
    now = 10_000.0
    runs = {
        "r1": run_at(100, updated_ms=int(now * 1_000), sent=90, waiting=5, window=200, chosen=900),
        "r2": run_at(100, status=RunStatus.FAILED, error="x", updated_ms=1),
        "r3": run_at(1_000, status=RunStatus.DONE, updated_ms=1_000),
    }
    found = exported(lambda: runs, now)
    assert found["pipeline_replay_events", "r1", "total"] == 900
    assert found["pipeline_replay_events", "r1", "waiting"] == 5
    assert found["pipeline_replay_status", "r1", "running"] == 1
    assert found["pipeline_replay_window", "r1", ""] == 200
    assert [found["pipeline_replay_trouble", "r1", trouble] for trouble in Trouble] == [0, 0, 0, 0]
    assert found["pipeline_replay_trouble", "r2", "failed"] == 1
    assert found["pipeline_replay_runs_unread", "", ""] == 0
    runs["r3"].state.updated_ms = 1
    assert ("pipeline_replay_status", "r3", "done") not in exported(lambda: runs, 86_402.0)
    assert exported(lambda: None, now) == {("pipeline_replay_runs_unread", "", ""): 1}


def test_runs_that_cannot_be_read_are_logged_and_not_shown_as_they_were(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    ends: list[BaseException] = [PipelineError("there is no topic replay.runs"), SystemExit()]

    def away(_settings: object) -> None:
        raise ends.pop(0)

    monkeypatch.setattr(watching, "Runs", away)
    monkeypatch.setattr(watching, "LOOK", 0.0)
    watch = RunsWatch(config.parse({"data_dir": str(tmp_path)}, {}))
    assert watch.now() == {}
    with caplog.at_level(logging.WARNING), pytest.raises(SystemExit):
        watch._look_on()
    assert watch.now() is None
    assert "there is no topic replay.runs" in caplog.text


def exported(runs: Callable[[], dict[str, Run] | None], now: float) -> dict[tuple[str, str, str], float]:
    """Series, run and the other label -> value."""
    found = {}
    for family in RunsCollector(runs, lambda: now).collect():
        for sample in family.samples:
            labels = dict(sample.labels)
            run = labels.pop("run", "")
            found[sample.name, run, next(iter(labels.values()), "")] = sample.value
    return found


def test_every_partition_is_read_by_the_same_share_at_a_time() -> None:
    ranges = [
        OffsetRange(TopicPartition("a", 0), 5, 5 + 90_000),
        OffsetRange(TopicPartition("b", 0), 0, 9_000),
        OffsetRange(TopicPartition("c", 0), 0, 7),
    ]
    made = list(steps(ranges))
    assert len(made) == 99
    for whole in ranges:
        mine = [part for step in made for part in step if part.place == whole.place]
        assert mine[0].start == whole.start
        assert mine[-1].end == whole.end
        assert all(one.end == two.start for one, two in itertools.pairwise(mine))
    read = [0, 0]
    for step in made[:10]:
        for part in step:
            read[part.place.topic == "b"] += len(part)
    assert read[0] / 90_000 == pytest.approx(read[1] / 9_000, abs=0.001)
    assert list(steps(ranges[:1])) == [ranges[:1]]
    assert list(steps([])) == [[]]


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


def test_ids_are_read_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("\ufeff7\r\n\n 8 \n7\n", encoding="utf-8")
    assert read_ids(file) == {"7", "8"}
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(PipelineError, match="names no ids"):
        read_ids(file)
    with pytest.raises(PipelineError, match="cannot read"):
        read_ids(tmp_path / "nothing")
