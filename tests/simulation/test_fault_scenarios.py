"""Everything at once, with crashes and faults, checked against the sandbox's ledger; the seed is in the name.

`python -m tests.simulation.rerun SEED` repeats a scenario, and leaves out what it does not need to fail.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.fault_scenario import plan_of
from tests.simulation.scenario_run import run_faults

#: Fault scenarios that failed once.
FAILED = (152, 2_075)


@pytest.mark.parametrize("seed", [*range(24), *FAILED])
def test_a_fault_scenario_leaves_nothing_missing_twice_or_old(tmp_path: Path, seed: int) -> None:
    run_faults(plan_of(seed), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 1_100))
def test_a_thousand_fault_scenarios_leave_nothing_missing_twice_or_old(tmp_path: Path, seed: int) -> None:
    run_faults(plan_of(seed), tmp_path)
