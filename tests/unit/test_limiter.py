"""The limiter against servers of every kind, and the journal that outlives the process."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.limiter import journal as journal_module
from pipeline.limiter.journal import Journal
from pipeline.limiter.limiter import ROUNDING, Limiter
from pipeline.limiter.state import Observation

WINDOW = 60.0
_spans = st.floats(0.0, 30.0, allow_nan=False)


@given(st.integers(1, 6), st.lists(st.tuples(_spans, st.floats(0, 1), st.integers(1, 4)), max_size=60))
def test_no_window_ever_holds_more_calls_than_the_limit(
    limit: int, plan: list[tuple[float, float, int]]
) -> None:
    """Calls of any length, counted by the server at any moment of theirs, several at once."""
    budget, now, counted = Limiter(limit, WINDOW), 0.0, list[float]()
    in_flight: list[tuple[float, int]] = []
    for span, moment, at_once in plan:
        while (wait := budget.wait(now)) > 0 or len(in_flight) >= at_once:
            soonest = min((end for end, _ in in_flight), default=math.inf)
            now = min(now + wait, soonest) if wait > 0 else soonest
            for end, call in sorted(in_flight):
                if end <= now:
                    budget.finish(call, end)
                    in_flight.remove((end, call))
        in_flight.append((now + span, budget.start(now)))
        counted.append(now + span * moment)
    counted.sort()
    for first, start in enumerate(counted):
        inside = [moment for moment in counted[first:] if moment <= start + WINDOW]
        assert len(inside) <= limit


def test_a_fresh_budget_starts_at_once_and_uses_the_whole_window() -> None:
    budget = Limiter(100, WINDOW)
    for _ in range(100):
        assert budget.wait(1.0) == 0
        budget.finish(budget.start(1.0), 1.2)
    assert 59 < budget.wait(1.2) < 60.1
    assert budget.wait(62.0) == 0


def test_what_the_server_says_is_left_is_followed_downward() -> None:
    budget = Limiter(100, WINDOW)
    budget.finish(budget.start(0), 0.1, Observation(limit=100, remaining=2, reset_in=40))
    one, two = budget.start(1), budget.start(1)
    assert budget.wait(1) == math.inf
    budget.finish(one, 1.1, Observation(limit=100, remaining=0, reset_in=39))
    budget.finish(two, 1.1, Observation(limit=100, remaining=1, reset_in=39))
    assert 39 <= budget.wait(1.1) <= 39 + ROUNDING
    # Nobody knows how much there is now: one call asks.
    assert budget.wait(42) == 0
    probe = budget.start(42)
    assert budget.wait(42) == math.inf
    budget.finish(probe, 42.1, Observation(limit=100, remaining=99, reset_in=60))
    assert budget.wait(42.1) == 0


def test_a_smaller_limit_than_ours_is_kept_and_a_larger_one_is_not_used() -> None:
    budget = Limiter(3, WINDOW)
    budget.finish(budget.start(0), 0, Observation(limit=2))
    budget.finish(budget.start(0), 0, Observation(limit=2))
    assert budget.wait(0) > 59
    budget = Limiter(1, WINDOW)
    budget.finish(budget.start(0), 0, Observation(limit=100, remaining=99, reset_in=60))
    assert budget.wait(0) > 59


@pytest.mark.parametrize(
    ("seen", "seconds"),
    [
        (Observation(limited=True), 60),
        (Observation(limited=True, reset_in=20), 20),
        (Observation(limited=True, retry_after=7), 7),
        (Observation(limited=True, retry_after=7, reset_in=20), 20),
        (Observation(limited=True, reset_in=9e9), 60),
        (Observation(limited=True, retry_after=600), 600),
        # No word of a server's stops calls for longer: one asks again.
        (Observation(limited=True, retry_after=60_000), 600),
        (Observation(limited=True, retry_after=1e15, reset_in=20), 600),
        (Observation(limited=True, retry_after=float("inf")), 600),
    ],
)
def test_after_a_429_the_reset_is_waited_for(seen: Observation, seconds: float) -> None:
    budget = Limiter(100, WINDOW)
    budget.finish(budget.start(0), 0, seen)
    # A reset in whole seconds may have been rounded down.
    assert seconds <= budget.wait(0) <= seconds + ROUNDING + 0.01
    over = seconds + ROUNDING + 0.1
    assert budget.wait(over) == 0
    budget.start(over)
    assert budget.wait(over) == math.inf


def test_an_account_taken_over_waits_for_a_whole_window() -> None:
    budget = Limiter(100, WINDOW)
    budget.assume_used(10)
    assert 59 < budget.wait(10) < 61
    assert budget.wait(71) == 0


def test_the_journal_remembers_calls_across_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "acme.calls"
    journal = Journal(path, window=WINDOW, longest=30)
    assert not journal.existed
    first, second = journal.started(1_000), journal.started(1_001)
    journal.answered(first, 1_002)
    journal.started(1_050)
    again = Journal(path, window=WINDOW, longest=30)
    assert again.existed
    assert sorted(again.calls(1_055)) == [(1_000, 1_002), (1_001, None), (1_050, None)]
    assert sorted(again.calls(1_063)) == [(1_001, None), (1_050, None)]
    assert again.calls(1_200) == []
    assert second != first


def test_calls_of_two_lives_are_not_confused(tmp_path: Path) -> None:
    path = tmp_path / "acme.calls"
    for life in range(3):
        journal = Journal(path, window=WINDOW, longest=30)
        journal.answered(journal.started(1_000 + life), 1_000 + life)
        journal.close()
    assert len(Journal(path, window=WINDOW, longest=30).calls(1_010)) == 3


def test_a_torn_record_is_left_out_and_the_file_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "acme.calls"
    journal = Journal(path, window=WINDOW, longest=30)
    for number in range(20_000):
        journal.answered(journal.started(number), number)
    assert path.stat().st_size < 70_000
    with path.open("ab") as file:
        file.write(b"torn")
    again = Journal(path, window=WINDOW, longest=30)
    assert len(again.calls(19_999)) == 60
    again.started(20_000)
    assert len(Journal(path, window=WINDOW, longest=30).calls(20_000)) == 60


@given(st.lists(st.tuples(st.floats(0, 59), st.booleans()), min_size=1, max_size=20))
def test_a_restored_budget_never_forgets_a_call_that_counts(calls: list[tuple[float, bool]]) -> None:
    budget, now = Limiter(20, WINDOW), 1_000.0
    known = [(now - age, now - age if answered else None) for age, answered in calls]
    budget.restore(known, now)
    assert budget.used(now) == len(calls)


def test_a_clock_that_jumps_while_a_call_is_on_its_way_loses_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MAX_BYTES", 1_024)
    path = tmp_path / "acme.calls"
    journal = Journal(path, window=WINDOW, longest=30)
    slow = journal.started(1_000)
    for number in range(200):  # the file is written anew meanwhile, an hour later by the wall clock
        journal.answered(journal.started(4_600 + number / 1_000), 4_600 + number / 1_000)
    journal.answered(slow, 4_606)
    assert (1_000, 4_606) in journal.calls(4_607)
    assert (1_000, 4_606) in Journal(path, window=WINDOW, longest=30).calls(4_607)


@given(st.binary(max_size=200))
def test_a_damaged_journal_counts_no_call_for_longer_than_a_call_can(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "acme.calls"
        path.write_bytes(data)
        journal = Journal(path, window=WINDOW, longest=30)
        journal.answered(journal.started(1_000), 1_001)
        assert all(start <= 1_002 and (end or 0) <= 1_002 for start, end in journal.calls(1_002))
        journal._rewrite(1_002)
        assert journal.calls(1_002 + WINDOW + 31) == []
        journal.close()
