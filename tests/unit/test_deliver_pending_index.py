"""The index of what waits: order, phases, and doubts."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deliver.schedule.pending_queue import LANES, PendingQueue, Phase
from pipeline.events import Lane

LIVE, RETRY, BACKFILL = LANES


def test_the_oldest_of_a_lane_goes_first() -> None:
    queue = PendingQueue()
    for number, record_id in enumerate("abc"):
        queue.add(record_id, LIVE, number)
    queue.add("z", BACKFILL, 0)
    assert [queue.take(LIVE) for _ in range(4)] == ["a", "b", "c", None]
    assert queue.take(BACKFILL) == "z"


def test_a_record_that_comes_again_keeps_its_place_or_moves_to_a_faster_lane() -> None:
    queue = PendingQueue()
    for record_id in "abc":
        queue.add(record_id, BACKFILL, 1)
    queue.add("a", BACKFILL, 2)
    queue.add("b", LIVE, 2)
    assert queue.take(LIVE) == "b"
    assert [queue.take(BACKFILL), queue.take(BACKFILL), queue.take(BACKFILL)] == ["a", "c", None]


def test_what_was_loaded_waits_until_receipts_are_read_and_then_goes_before_what_came_since() -> None:
    queue = PendingQueue()
    queue.load("old", LIVE, 5)
    queue.load("older", LIVE, 3)
    queue.load("gone", LIVE, 1)
    queue.add("new", LIVE, 9)
    assert queue.busy("old")
    queue.settled("gone", None, certain=True)
    queue.open()
    assert [queue.take(LIVE) for _ in range(4)] == ["older", "old", "new", None]
    assert queue.doubtful("old")
    assert not queue.doubtful("new")


def test_an_unclear_attempt_leaves_a_doubt_only_for_the_version_after_it() -> None:
    queue = PendingQueue()
    queue.add("a", LIVE, 1)
    queue.take(LIVE)
    queue.back("a", tried=True)
    assert not queue.doubtful("a")
    queue.add("a", LIVE, 2)
    assert queue.doubtful("a")


def test_a_delivery_takes_the_doubt_away_and_a_refusal_does_not() -> None:
    for told in (True, False):
        queue = PendingQueue()
        queue.load("a", LIVE, 1)
        queue.open()
        queue.take(LIVE)
        queue.receipt_written("a")
        queue.settled("a", (LIVE, 2), certain=told)
        assert queue.doubtful("a") is not told


def test_a_receipt_of_the_worker_before_us_waits_for_our_own_call_to_be_answered() -> None:
    queue = PendingQueue()
    queue.add("a", LIVE, 1)
    queue.take(LIVE)
    queue.settled("a", (LIVE, 2), certain=True)
    assert queue.phase("a") is Phase.IN_FLIGHT
    assert queue.take(LIVE) is None
    queue.receipt_written("a")
    assert queue.take(LIVE) == "a"
    queue.settled("a", None, certain=True)
    queue.back("a")
    assert "a" not in queue


def test_what_comes_while_a_repair_writes_is_held_until_it_is_done() -> None:
    queue = PendingQueue()
    queue.reserve("p")
    queue.add("p", LIVE, 1)
    assert queue.take(LIVE) is None
    queue.release_reservation("p")
    assert queue.take(LIVE) == "p"


def test_what_is_reserved_is_sent_by_nobody_until_the_last_repair_is_done() -> None:
    queue = PendingQueue()
    queue.reserve("p")
    queue.reserve("p")
    queue.add("p", BACKFILL, 1)
    queue.promote("p", LIVE)
    assert queue.promoted() == ["p"]
    queue.release("p")
    assert not queue.pull("p")
    queue.release_reservation("p")
    assert queue.take(LIVE) is None
    queue.release_reservation("p")
    assert queue.take(LIVE) == "p"


def test_what_is_not_confirmed_is_in_no_queue_until_it_is() -> None:
    queue = PendingQueue()
    for record_id in ("a", "b"):
        queue.await_confirmation(record_id)
        queue.add(record_id, BACKFILL, 1)
    assert queue.phase("a") is Phase.UNCONFIRMED
    assert not queue.busy("a")
    assert not queue.pull("a")
    assert queue.take(BACKFILL) is None
    queue.add("b", LIVE, 2)
    assert (queue.promoted(), queue.lane("b")) == ([], LIVE)
    queue.confirmed("a")
    queue.confirmed("b")
    assert [queue.take(LIVE), queue.take(BACKFILL)] == ["b", "a"]


def test_what_came_while_its_id_was_in_flight_waits_for_its_confirmation_too() -> None:
    queue = PendingQueue()
    queue.add("a", LIVE, 1)
    assert queue.take(LIVE) == "a"
    queue.await_confirmation("a")
    queue.receipt_written("a")
    queue.settled("a", (LIVE, 2), certain=True)
    assert queue.take(LIVE) is None
    queue.confirmed("a")
    assert queue.take(LIVE) == "a"


def test_what_waited_before_keeps_its_turn_but_is_not_sent_before_its_newest_version_is_confirmed() -> None:
    queue = PendingQueue()
    for record_id in ("a", "b", "c"):
        queue.add(record_id, LIVE, 1)
    queue.await_confirmation("a")
    queue.await_confirmation("c")
    queue.add("a", LIVE, 2)
    queue.add("c", LIVE, 2)
    assert queue.take(LIVE) == "b"
    assert queue.take(LIVE) is None
    queue.add("d", LIVE, 3)
    queue.confirmed("a")
    assert [queue.take(LIVE), queue.take(LIVE), queue.take(LIVE)] == ["a", "d", None]
    queue.confirmed("c")
    assert queue.take(LIVE) == "c"


def test_what_is_held_is_pulled_by_nobody_before_its_newest_version_is_confirmed() -> None:
    queue = PendingQueue()
    queue.add("a", LIVE, 1)
    assert queue.take(LIVE) == "a"
    queue.hold("a")
    queue.await_confirmation("a")
    assert not queue.pull("a")
    queue.confirmed("a")
    assert queue.take(LIVE) == "a"


def test_what_a_repair_writes_to_is_held_also_once_it_is_confirmed() -> None:
    queue = PendingQueue()
    queue.reserve("p")
    queue.await_confirmation("p")
    queue.add("p", LIVE, 1)
    queue.confirmed("p")
    assert queue.phase("p") is Phase.HELD
    queue.release_reservation("p")
    assert queue.take(LIVE) == "p"


def test_who_holds_an_id_does_not_queue_it_while_it_is_in_flight_for_another() -> None:
    queue = PendingQueue()
    queue.add("a", LIVE, 1)
    queue.take(LIVE)
    queue.hold("a")
    assert queue.pull("a")
    queue.release("a", lane=RETRY)
    assert queue.phase("a") is Phase.IN_FLIGHT
    assert queue.take(RETRY) is None


def test_who_returns_out_of_turn_waits_where_it_is_put() -> None:
    queue = PendingQueue()
    for record_id in "abc":
        queue.add(record_id, LIVE, 1)
    assert queue.take(LIVE) == "a"
    assert queue.pull("c")
    queue.back("a")
    queue.hold("c")
    queue.release("c", lane=RETRY)
    assert [queue.take(LIVE), queue.take(LIVE), queue.take(LIVE)] == ["a", "b", None]
    assert queue.take(RETRY) == "c"


def _do(queue: PendingQueue, action: str, record_id: str, lane: Lane, number: int) -> None:
    following = (lane, number) if action == "renewed" else None
    actions: dict[str, Callable[[], object]] = {
        "add": lambda: queue.add(record_id, lane, number),
        "take": lambda: queue.take(lane),
        "pull": lambda: queue.pull(record_id),
        "hold": lambda: queue.hold(record_id),
        "back": lambda: queue.back(record_id),
        "release": lambda: queue.release(record_id, lane=lane),
        "receipt": lambda: queue.receipt_written(record_id),
        "settled": lambda: queue.settled(record_id, following, certain=True),
        "renewed": lambda: queue.settled(record_id, following, certain=False),
        "at_once": lambda: queue.settle_at_once(record_id, lane, number),
    }
    actions[action]()


_ACTIONS = ("add", "take", "pull", "hold", "back", "release", "receipt", "settled", "renewed", "at_once")


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(_ACTIONS), st.sampled_from("abcd"), st.sampled_from(list(Lane))),
        max_size=40,
    )
)
def test_the_counts_are_right_and_nobody_is_lost(actions: list[tuple[str, str, Lane]]) -> None:
    queue = PendingQueue()
    for number, (action, record_id, lane) in enumerate(actions):
        _do(queue, action, record_id, lane, number)
    waiting = [record_id for record_id in "abcd" if queue.phase(record_id) is Phase.WAITING]
    assert queue.waiting == len(waiting)
    assert sum(map(queue.pending, LANES)) == len(queue)
    for lane in LANES:
        ages = [queue.accepted(known) for known in queue._states if queue.lane(known) is lane]
        assert queue.oldest_pending(lane) == min(ages, default=None)
    taken = [record_id for lane in LANES for record_id in iter(lambda: queue.take(lane), None)]  # noqa: B023
    assert sorted(taken) == sorted(waiting)


def _stale(queue: PendingQueue) -> int:
    return sum(map(len, queue._queues.values())) - queue.waiting


def test_what_never_goes_behind_a_stopped_account_leaves_no_stale_entries() -> None:
    queue = PendingQueue()
    for number in range(20_000):
        queue.add("a", LIVE, number)
        queue.settle_at_once("a", LIVE, number)
        queue.settled("a", None, certain=True)
    assert _stale(queue) < 200


def test_what_is_settled_all_at_once_leaves_no_stale_entries() -> None:
    queue = PendingQueue()
    for number in range(5_000):
        queue.add(f"a{number}", LIVE, number)
    for number in range(5_000):
        queue.settle_at_once(f"a{number}", LIVE, number)
    assert _stale(queue) < 200


def test_what_moves_to_a_faster_lane_leaves_no_stale_entries() -> None:
    queue = PendingQueue()
    for number in range(5_000):
        queue.add(f"a{number}", BACKFILL, number)
        queue.add(f"a{number}", LIVE, number)
    assert _stale(queue) < 200
    assert [queue.take(LIVE) for _ in range(3)] == ["a0", "a1", "a2"]


def test_what_is_superseded_while_held_and_promoted_is_sent_once() -> None:
    queue = PendingQueue()
    for number in range(1_000):
        queue.add("a", BACKFILL, number)
        queue.take(BACKFILL)
        queue.hold("a")
        queue.promote("a", LIVE)
        queue.settle_at_once("a", LIVE, number)
        queue.settled("a", None, certain=True)
    assert len(queue._promoted) <= 1
