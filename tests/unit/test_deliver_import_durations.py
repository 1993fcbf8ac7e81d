"""What is learned of imports from those that finished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.schedule.import_durations import LONGEST, ImportDurations


def _run(durations: ImportDurations, rows: int, took: float, *, says: bool = False) -> int:
    """One import that takes so long, looked at as the durations say; returns the looks it needed."""
    moment, seen, polls = durations.first_look(rows), 0.0, 1
    while moment < took:
        seen, polls = moment, polls + 1
        moment += durations.next_look(moment, 2.0)
    exact = took if says else None
    durations.learn(rows, longer_than=exact or seen, at_most=exact or moment, polls=polls)
    return polls


@given(st.floats(0.5, 600, allow_nan=False), st.integers(1, 50_000))
def test_where_connectif_says_how_long_it_took_two_imports_teach_it(took: float, rows: int) -> None:
    durations = ImportDurations.unknown(60.0)
    for _ in range(2):  # the first may have been thought to take its time by its rows
        _run(durations, rows, took, says=True)
    assert durations.expected(rows) == pytest.approx(took, rel=0.01, abs=0.2)
    assert _run(durations, rows, took, says=True) == 1


@given(st.floats(0.5, 300, allow_nan=False))
def test_where_it_does_not_say_the_looks_teach_it(took: float) -> None:
    durations = ImportDurations.unknown(60.0)
    for _ in range(30):
        _run(durations, 100, took)
    assert took * 0.4 < durations.expected(100) < took * 2 + 3
    assert durations.polls < 3.5


@given(st.lists(st.tuples(st.integers(1, 50_000), st.floats(0, 1e4), st.floats(0, 1e4), st.integers(1, 40))))
def test_no_observation_makes_it_useless(told: list[tuple[int, float, float, int]]) -> None:
    durations = ImportDurations.unknown(60.0)
    for rows, one, other, polls in told:
        durations.learn(rows, longer_than=min(one, other), at_most=max(one, other), polls=polls)
        assert durations.fixed > 0
        assert durations.per_row > 0
        assert durations.calls >= 2
        assert durations.rows_within(durations.expected(1_000)) == pytest.approx(1_000, abs=1)


def test_large_imports_teach_the_time_of_a_row_and_small_ones_what_every_import_takes() -> None:
    durations = ImportDurations.unknown(60.0)
    for _ in range(10):
        _run(durations, 20, 2.0, says=True)
        _run(durations, 40_000, 82.0, says=True)
    assert durations.expected(20) == pytest.approx(2.0, rel=0.1)
    assert durations.expected(20_000) == pytest.approx(42.0, rel=0.1)


def test_looks_become_rarer_but_never_too_rare() -> None:
    assert ImportDurations.next_look(4.0, 2.0) == 2.0
    assert ImportDurations.next_look(100.0, 2.0) == 25.0
    assert ImportDurations.next_look(1e6, 2.0) == LONGEST
