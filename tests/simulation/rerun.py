"""A fault scenario that failed, repeated and made small: `python -m tests.simulation.rerun SEED`.

Parts of its plan (actions, faults, turns of workers) are left out, first many at a time, then one by one, for
as long as it still fails in the same way; what remains is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.simulation.fault_scenario import Fault, Plan, plan_of
from tests.simulation.scenario_run import run_faults
from tests.simulation.shop_actions import ShopAction


def failure(plan: Plan) -> BaseException | None:
    """How a plan fails; None where it does not."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            run_faults(plan, Path(directory))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            return error
    return None


def shrink(count: int, fails: Callable[[Sequence[int]], bool]) -> list[int]:
    """A small part of `count` parts with which it still fails: leaving out any one of them, it does not."""
    kept, size = list(range(count)), max(1, count // 2)
    while True:
        before = len(kept)
        for start in reversed(range(0, len(kept), size)):
            fewer = kept[:start] + kept[start + size :]
            if fails(fewer):
                kept = fewer
        if size == 1 and len(kept) == before:
            return kept
        size = max(1, size // 2)


def place_of(error: BaseException) -> tuple[str, str, int | None]:
    """What makes two failures the same: the error, and the line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error).__name__, last.filename, last.lineno


def shown(part: object) -> str:
    """A part in a line, without what is as always."""
    match part:
        case (float(pause), ShopAction(what=what, args=args, given=given, lane=lane)):
            shown = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in given.items())])
            return f"after {pause:.3f} s, {lane}: {what}({shown})"
        case Fault(rule=rule, at=at, ends=ends):
            return f"fault from {at:.3f} to {ends}: {rule.model_dump(exclude_defaults=True)}"
        case float(every):
            return f"others call every {every} s"
        case _:
            return str(part)


def main() -> int:
    """Tell it again; 1 where it fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.rerun",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("seed", type=int)
    parser.add_argument("--whole", action="store_true", help="do not make it small")
    options = parser.parse_args()
    plan = plan_of(options.seed)
    error = failure(plan)
    if error is None:
        print(f"fault scenario {options.seed} leaves nothing missing, twice or old")
        return 0
    if not options.whole:
        first = place_of(error)

        def fails(kept: Sequence[int]) -> bool:
            other = failure(plan.only(kept))
            print(f"{len(kept)} parts: {'fails' if other else 'passes'}", end="\r", file=sys.stderr)
            return other is not None and place_of(other) == first

        plan = plan.only(shrink(len(plan.parts()), fails))
        error = failure(plan) or error
    print(f"fault scenario {options.seed}: switches {dict(plan.switches)}, settings {dict(plan.settings)}")
    for part in plan.parts():
        print(f"  {shown(part)}")
    traceback.print_exception(error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
