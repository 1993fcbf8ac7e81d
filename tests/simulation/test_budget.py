"""The benchmark of the budget on small workloads: its bound, its baselines, its figures."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.budget import workload
from benchmarks.budget.bound import fewest_calls, ideal_waits, least_seconds
from benchmarks.budget.figures import makespan, most_in_a_window, percentiles, used_while_waiting, waits
from benchmarks.budget.run import Story, tell
from pipeline.events import Lane
from pipeline.sandbox.connectif.http.rate_limit import RateLimiter
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour

ORDERS = 600


def _backlog(program: str = "pipeline", lane: Lane = Lane.LIVE, **switches: str) -> Story:
    return tell(program, workload.backlog(3, ORDERS, lane), switches, 3)


@given(
    calls=st.integers(1, 60),
    limit=st.integers(1, 8),
    begins=st.integers(0, 59),
    window=st.sampled_from(
        [
            {"window": "fixed", "window_start": "first_call"},
            {"window": "fixed", "window_start": "aligned"},
            {"window": "sliding"},
        ]
    ),
)
def test_whoever_calls_as_soon_as_connectif_lets_in_needs_the_bound_exactly(
    calls: int, limit: int, begins: int, window: dict[str, str]
) -> None:
    behaviour, limiter = ApiBehaviour().changed(window), RateLimiter(60.0)
    now, left = float(begins), calls
    while left:
        decision = limiter.register(now, limit, behaviour)
        if decision.admitted:
            left -= 1
        else:
            now = decision.reset
    over = begins % 60.0 if window.get("window_start") == "aligned" else 0.0
    assert now - begins == pytest.approx(least_seconds(calls, limit, 60.0, over=over))


def test_a_small_backlog_costs_little_more_than_its_purchases_and_no_429() -> None:
    story = _backlog(lane=Lane.BACKFILL, window="sliding")
    fewest = fewest_calls(said.record for said in story.said)
    # Among them are an export and a look at it, who of the backfill has withdrawn, and the slots of the
    # beginning, which nothing else can use.
    assert fewest <= len(story.calls) < 1.12 * fewest
    assert story.refused == 0
    assert most_in_a_window(story) <= story.limit
    assert makespan(story) >= least_seconds(fewest, story.limit, story.window)


def test_the_same_seed_gives_the_same_calls() -> None:
    assert _backlog().calls == _backlog().calls


@pytest.mark.parametrize("program", ["token bucket", "one by one"])
def test_the_baselines_make_a_call_for_every_record_and_deliver_all(program: str) -> None:
    story = _backlog(program, window="fixed")
    assert len(story.calls) == len(story.said) + story.refused
    assert story.delivered().keys() == story.ordered().keys()
    assert (story.refused > 0) is (program == "token bucket")
    assert used_while_waiting(story) == pytest.approx(1.0, abs=0.03)
    assert len(waits(story, Lane.LIVE)) == ORDERS


def test_ideal_waits_are_those_of_a_sliding_window() -> None:
    assert ideal_waits([0.0, 1.0, 2.0, 100.0], 2, 60.0) == [0.0, 0.0, 58.0, 0.0]


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentiles([3.0, 1.0, 2.0]) == (2.0, 3.0, 3.0)
    assert percentiles(list(range(1, 101))) == (50, 95, 99)


def test_a_sale_day_peaks_beyond_the_limit_and_comes_in_order() -> None:
    actions = workload.day(1, 3_000)
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(actions))
    peak = workload.CURVE.index(max(workload.CURVE))
    assert workload.CURVE[peak] / sum(workload.CURVE) * 30_000 > 100 * 60
