"""The index of what waits: order, phases, and doubts."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deliver.book import LANES, Line, Phase
from pipeline.events import Lane

LIVE, RETRY, BACKFILL = LANES


def test_the_oldest_of_a_lane_goes_first() -> None:
    line = Line()
    for number, record_id in enumerate("abc"):
        line.add(record_id, LIVE, number)
    line.add("z", BACKFILL, 0)
    assert [line.take(LIVE) for _ in range(4)] == ["a", "b", "c", None]
    assert line.take(BACKFILL) == "z"


def test_a_record_that_comes_again_keeps_its_place_or_moves_to_a_faster_lane() -> None:
    line = Line()
    for record_id in "abc":
        line.add(record_id, BACKFILL, 1)
    line.add("a", BACKFILL, 2)
    line.add("b", LIVE, 2)
    assert line.take(LIVE) == "b"
    assert [line.take(BACKFILL), line.take(BACKFILL), line.take(BACKFILL)] == ["a", "c", None]


def test_what_was_loaded_waits_until_receipts_are_read_and_then_goes_before_what_came_since() -> None:
    line = Line()
    line.load("old", LIVE, 5)
    line.load("older", LIVE, 3)
    line.load("gone", LIVE, 1)
    line.add("new", LIVE, 9)
    assert line.busy("old")
    line.settled("gone", None, told=True)
    line.open()
    assert [line.take(LIVE) for _ in range(4)] == ["older", "old", "new", None]
    assert line.doubtful("old")
    assert not line.doubtful("new")


def test_an_unclear_attempt_leaves_a_doubt_only_for_the_version_after_it() -> None:
    line = Line()
    line.add("a", LIVE, 1)
    line.take(LIVE)
    line.back("a", tried=True)
    assert not line.doubtful("a")
    line.add("a", LIVE, 2)
    assert line.doubtful("a")


def test_a_delivery_takes_the_doubt_away_and_a_refusal_does_not() -> None:
    for told in (True, False):
        line = Line()
        line.load("a", LIVE, 1)
        line.open()
        line.take(LIVE)
        line.landed("a")
        line.settled("a", (LIVE, 2), told=told)
        assert line.doubtful("a") is not told


def test_a_receipt_of_the_worker_before_us_waits_for_our_own_call_to_land() -> None:
    line = Line()
    line.add("a", LIVE, 1)
    line.take(LIVE)
    line.settled("a", (LIVE, 2), told=True)
    assert line.phase("a") is Phase.FLYING
    assert line.take(LIVE) is None
    line.landed("a")
    assert line.take(LIVE) == "a"
    line.settled("a", None, told=True)
    line.back("a")
    assert "a" not in line


def test_what_comes_while_a_repair_writes_is_held_until_it_is_done() -> None:
    line = Line()
    line.lend("p")
    line.add("p", LIVE, 1)
    assert line.take(LIVE) is None
    line.give_back("p")
    assert line.take(LIVE) == "p"


def test_what_is_lent_flies_for_nobody_until_the_last_repair_is_done() -> None:
    line = Line()
    line.lend("p")
    line.lend("p")
    line.add("p", BACKFILL, 1)
    line.hasten("p", LIVE)
    assert line.hastened() == ["p"]
    line.release("p")
    assert not line.pull("p")
    line.give_back("p")
    assert line.take(LIVE) is None
    line.give_back("p")
    assert line.take(LIVE) == "p"


def test_who_holds_an_id_does_not_put_it_in_line_while_it_flies_for_another() -> None:
    line = Line()
    line.add("a", LIVE, 1)
    line.take(LIVE)
    line.hold("a")
    assert line.pull("a")
    line.release("a", lane=RETRY)
    assert line.phase("a") is Phase.FLYING
    assert line.take(RETRY) is None


def test_who_returns_out_of_turn_stands_where_it_is_told_to() -> None:
    line = Line()
    for record_id in "abc":
        line.add(record_id, LIVE, 1)
    assert line.take(LIVE) == "a"
    assert line.pull("c")
    line.back("a")
    line.hold("c")
    line.release("c", lane=RETRY)
    assert [line.take(LIVE), line.take(LIVE), line.take(LIVE)] == ["a", "b", None]
    assert line.take(RETRY) == "c"


def _do(line: Line, deed: str, record_id: str, lane: Lane, number: int) -> None:
    following = (lane, number) if deed == "renewed" else None
    deeds: dict[str, Callable[[], object]] = {
        "add": lambda: line.add(record_id, lane, number),
        "take": lambda: line.take(lane),
        "pull": lambda: line.pull(record_id),
        "hold": lambda: line.hold(record_id),
        "back": lambda: line.back(record_id),
        "release": lambda: line.release(record_id, lane=lane),
        "landed": lambda: line.landed(record_id),
        "settled": lambda: line.settled(record_id, following, told=True),
        "renewed": lambda: line.settled(record_id, following, told=False),
        "at_once": lambda: line.settle_at_once(record_id, lane, number),
    }
    deeds[deed]()


_DEEDS = ("add", "take", "pull", "hold", "back", "release", "landed", "settled", "renewed", "at_once")


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(_DEEDS), st.sampled_from("abcd"), st.sampled_from(list(Lane))), max_size=40
    )
)
def test_the_counts_are_right_and_nobody_is_lost(deeds: list[tuple[str, str, Lane]]) -> None:
    line = Line()
    for number, (deed, record_id, lane) in enumerate(deeds):
        _do(line, deed, record_id, lane, number)
    waiting = [record_id for record_id in "abcd" if line.phase(record_id) is Phase.WAITING]
    assert line.waiting == len(waiting)
    assert sum(map(line.pending, LANES)) == len(line)
    for lane in LANES:
        ages = [line.accepted(known) for known in line._states if line.lane(known) is lane]
        assert line.oldest_pending(lane) == min(ages, default=None)
    taken = [record_id for lane in LANES for record_id in iter(lambda: line.take(lane), None)]  # noqa: B023
    assert sorted(taken) == sorted(waiting)


def _stale(line: Line) -> int:
    return sum(map(len, line._queues.values())) - line.waiting


def test_what_never_goes_behind_a_stopped_account_leaves_no_stale_entries() -> None:
    line = Line()
    for number in range(20_000):
        line.add("a", LIVE, number)
        line.settle_at_once("a", LIVE, number)
        line.settled("a", None, told=True)
    assert _stale(line) < 200


def test_what_is_settled_all_at_once_leaves_no_stale_entries() -> None:
    line = Line()
    for number in range(5_000):
        line.add(f"a{number}", LIVE, number)
    for number in range(5_000):
        line.settle_at_once(f"a{number}", LIVE, number)
    assert _stale(line) < 200


def test_what_moves_to_a_faster_lane_leaves_no_stale_entries() -> None:
    line = Line()
    for number in range(5_000):
        line.add(f"a{number}", BACKFILL, number)
        line.add(f"a{number}", LIVE, number)
    assert _stale(line) < 200
    assert [line.take(LIVE) for _ in range(3)] == ["a0", "a1", "a2"]


def test_what_is_superseded_while_held_and_hastened_is_told_once() -> None:
    line = Line()
    for number in range(1_000):
        line.add("a", BACKFILL, number)
        line.take(BACKFILL)
        line.hold("a")
        line.hasten("a", LIVE)
        line.settle_at_once("a", LIVE, number)
        line.settled("a", None, told=True)
    assert len(line._hastened) <= 1
