"""A failing fault scenario is made small: what is left out does not matter, and what remains does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.fault_scenario import plan_of
from tests.simulation.rerun import shown, shrink
from tests.simulation.scenario_run import run_faults


@given(count=st.integers(1, 60), data=st.data())
def test_what_remains_is_what_it_needs_to_fail(count: int, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.integers(0, count - 1), max_size=5))

    def fails(kept: Sequence[int]) -> bool:
        return needed <= set(kept)

    assert shrink(count, fails) == sorted(needed)


def test_a_seed_gives_the_same_plan_and_a_part_of_it_is_a_plan(tmp_path: Path) -> None:
    plan = plan_of(7)
    assert plan == plan_of(7)
    count = len(plan.parts())
    assert plan.only(range(count)) == plan
    half = plan.only(range(0, count, 2))
    assert 0 < len(half.actions) < len(plan.actions)
    assert all(shown(part) for part in half.parts())
    run_faults(half, tmp_path)
    run_faults(plan.only([]), tmp_path / "empty")
