"""Floors of lanes, and the pace of the slower ones, on a clock that is passed in."""

from __future__ import annotations

import heapq
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.schedule.lanes import EVENLY, KEPT, Lanes
from pipeline.events import Lane

LIVE, RETRY, BACKFILL = Lane
FLOORS = {LIVE: 0.0, RETRY: 0.1, BACKFILL: 0.05}
LIMIT, WINDOW = 100, 60.0
SPACING = WINDOW / LIMIT


@given(
    st.sets(st.sampled_from(Lane), min_size=1),
    st.integers(50, 400),
    st.floats(0, 0.5, allow_nan=False),
    st.floats(0, 0.5, allow_nan=False),
)
def test_a_lane_that_wants_has_its_floor_and_the_rest_goes_by_urgency(
    wanting: set[Lane], calls: int, retry: float, backfill: float
) -> None:
    lanes, had = Lanes({LIVE: 0.0, RETRY: retry, BACKFILL: backfill}, WINDOW), Counter[Lane]()
    for _ in range(calls):
        first = lanes.order(wanting)[0]
        lanes.took(first, wanting, 0.0)
        had[first] += 1
    for lane, floor in ((RETRY, retry), (BACKFILL, backfill)):
        if lane in wanting:
            assert had[lane] >= floor * calls - 2
    most_urgent = min(wanting, key=list(Lane).index)
    assert had[most_urgent] >= (1 - retry - backfill) * calls - 3


def test_who_wants_nothing_saves_nothing_up() -> None:
    lanes = Lanes(FLOORS, WINDOW)
    for _ in range(1_000):
        lanes.order({LIVE})
        lanes.took(LIVE, {LIVE}, 0.0)
    assert lanes.order(set(Lane))[0] is LIVE


def test_where_slots_come_back_evenly_a_slower_lane_may_take_each() -> None:
    returning = [SPACING * (number + 0.5) for number in range(LIMIT - 1)]
    assert Lanes(FLOORS, WINDOW).wait(0.0, free=1, returning=returning, spacing=SPACING) == 0


def test_before_a_time_in_which_none_comes_back_some_are_kept_and_used_up_within_it() -> None:
    lanes, kept = Lanes(FLOORS, WINDOW), []
    for left in (50.0, 20.0, 5.0, 1.0):
        free = 1
        while lanes.wait(0.0, free=free, returning=[left] * (LIMIT - free), spacing=SPACING) > 0:
            free += 1
        kept.append(free - 1)
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == KEPT * LIMIT
    assert kept[-1] <= 2


def test_the_pause_ends_when_what_is_left_is_enough_for_the_rest_of_the_time() -> None:
    lanes = Lanes(FLOORS, WINDOW)
    pause = lanes.wait(0.0, free=5, returning=[30.0] * 95, spacing=SPACING)
    assert 0 < pause < 30
    later = lanes.wait(pause, free=5, returning=[30.0 - pause] * 95, spacing=SPACING)
    assert abs(later) < 1e-9
    assert 30.0 - pause <= 5 * EVENLY * SPACING + 1e-9


def test_the_more_live_orders_of_late_the_more_is_kept_for_them() -> None:
    quiet, busy = Lanes(FLOORS, WINDOW), Lanes(FLOORS, WINDOW)
    for number in range(240):
        busy.took(LIVE, {LIVE}, number / 2)
    returning = [5.0] * 92
    assert quiet.wait(120.0, free=8, returning=returning, spacing=SPACING) == 0
    assert busy.wait(120.0, free=8, returning=returning, spacing=SPACING) > 0
    assert busy.live_rate(2_000.0) < 1e-6


def _beside_a_backfill(per_minute: float, seed: int) -> tuple[float, float]:
    """Live calls beside a backfill without end: the wait of 95 of 100, and the share of slots used."""
    chance = random.Random(seed)  # noqa: S311 - repeatable chance is the point
    lanes, now, free, unused = Lanes(FLOORS, WINDOW), 0.0, LIMIT, 0.0
    expiring: list[float] = []
    queue: list[float] = []
    waits: list[float] = []
    arrival = chance.expovariate(per_minute / 60)
    end = 3_600.0
    while now < end:
        while expiring and expiring[0] <= now:
            heapq.heappop(expiring)
            free += 1
        while arrival <= now:
            queue.append(arrival)
            arrival += chance.expovariate(per_minute / 60)
        moments = [arrival, *expiring[:1]]
        if free:
            returning = sorted(moment - now for moment in expiring)
            lane = LIVE if queue else BACKFILL
            pause = 0.0 if queue else lanes.wait(now, free=free, returning=returning, spacing=SPACING)
            if pause <= 1e-9:
                if queue:
                    waits.append(now - queue.pop(0))
                lanes.took(lane, {lane, BACKFILL}, now)
                free -= 1
                heapq.heappush(expiring, now + WINDOW + chance.uniform(0.1, 0.2))
                continue
            moments.append(now + pause)
        step = min(moment for moment in moments if moment > now)
        if now > 120:
            unused += free * (step - now)
        now = step
    waits.sort()
    return waits[int(0.95 * len(waits))], 1 - unused / (LIMIT * (end - 120))


def test_beside_a_backfill_without_end_a_live_call_waits_for_a_moment_and_no_slot_for_long() -> None:
    for per_minute, least in ((5, 0.995), (30, 0.98), (50, 0.96)):
        wait, used = _beside_a_backfill(per_minute, seed=1)
        assert wait < 1.0, (per_minute, wait)
        assert used > least, (per_minute, used)
