"""Fault scenarios by the thousand, one after the other, going on where the last run was ended."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

from benchmarks.endurance.stand import Progress
from tests.simulation.fault_scenario import plan_of
from tests.simulation.scenario_run import run_faults

#: Seeds between two lines of progress.
EVERY = 25
_DONE = re.compile(r"seeds up to (\d+) are done", re.MULTILINE)
_FAILED = re.compile(r"seed (\d+) FAILED")


def run(first: int, last: int, log: Path) -> int:
    """Try the seeds from `first` to `last` that a log does not have yet; returns the exit code."""
    said = log.read_text(encoding="utf-8") if log.exists() else ""
    progress = Progress(log)
    next_seed = max([first, *(int(seed) + 1 for seed in _DONE.findall(said))])
    failed = {int(seed) for seed in _FAILED.findall(said)}
    for seed in range(next_seed, last + 1):
        with tempfile.TemporaryDirectory() as directory:
            try:
                run_faults(plan_of(seed), Path(directory))
            except Exception as error:  # noqa: BLE001 - whatever it is, the other seeds are to be tried
                failed.add(seed)
                progress.say(f"seed {seed} FAILED: {type(error).__name__}: {str(error)[:300]}")
        if seed % EVERY == 0 or seed == last:
            used = time.process_time() / (seed - next_seed + 1)
            progress.say(f"seeds up to {seed} are done, {len(failed)} failed, {used:.2f} s of processor each")
    return 1 if failed else 0
