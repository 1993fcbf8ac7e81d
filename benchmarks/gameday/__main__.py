"""A game day: one thing after another breaks, is seen, mended by what the runbook says, and nothing is lost.

    make gameday
    python -m benchmarks.gameday [broker-down connectif-down ...] [--keep]

The embedded broker, `pipeline up`, Connectif and six shops in the sandbox; alerts by a Prometheus where
that is installed. Takes about a quarter of an hour on two processors. Nothing is written outside a directory
of its own, which is deleted at the end; with --keep, or where something was not as it had to be, it stays.
Exit code 1 then.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.arguments import argument_parser
from benchmarks.gameday.incidents import ALL
from benchmarks.gameday.run import Drill, Outcome
from benchmarks.gameday.scene import Scene


def row(outcome: Outcome, *, looked: bool) -> dict[str, object]:
    """A line of the table."""
    one = outcome.incident
    after = "not looked at" if not looked else _seconds(outcome.alert_after)
    return {
        "incident": one.name,
        "alert": f"{one.alert} {after}",
        "page": outcome.page or ("gone, too" if not one.page_says else "no"),
        "top": outcome.top or "no",
        "doctor": outcome.doctor or ("no" if one.doctor_says else "not asked"),
        "typed": "; ".join(f"`{typed.command}`" for typed in outcome.typed),
        "over after": _seconds(outcome.over_after),
        "ledger": f"{outcome.purchases} purchases, equal" if not outcome.wrong else "see below",
    }


def table(rows: list[dict[str, object]]) -> None:
    """Print rows as Markdown."""
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + " --- |" * len(rows[0]))
    for one in rows:
        print("| " + " | ".join(str(value).replace("|", "\\|") for value in one.values()) + " |")


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def say(text: str) -> None:
    """With the time."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def carried_out(names: Iterable[str], directory: Path) -> list[Outcome]:
    """Go through these incidents, one after the other."""
    outcomes = []
    looked = shutil.which("prometheus") is not None
    if not looked:
        say("prometheus is not installed (Debian: the package prometheus): alerts are not looked at")
    say("starting")
    with Scene(directory, with_prometheus=looked) as scene:
        say(f"all shops are synced; the spool has {scene.disk.how}")
        for name in names:
            say(f"{name}: {ALL[name].what}")
            outcome = Drill(scene, ALL[name]).goes_through()
            outcomes.append(outcome)
            verdict = "NOT as it should be" if outcome.wrong else "as it should be"
            say(f"{name}: {verdict}, {outcome.seconds:.0f} s")
            for wrong in outcome.wrong:
                say(f"  {wrong}")
        if sick := scene.watch.sick_rules():
            say(f"rules that cannot be evaluated: {sick}")
            outcomes[-1].wrong += sick
    table([row(outcome, looked=looked) for outcome in outcomes])
    for outcome in outcomes:
        if outcome.beside:
            say(f"{outcome.incident.name}: beside it fired {', '.join(sorted(outcome.beside))}")
    return outcomes


def main() -> int:
    """Carry it out and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("incidents", nargs="*", metavar="INCIDENT", help=", ".join(ALL))
    parser.add_argument("--keep", action="store_true", help="keep its directory")
    options = parser.parse_args()
    unknown = [name for name in options.incidents if name not in ALL]
    if unknown:
        parser.error(f"there is no incident {', '.join(unknown)}")
    for name in [name for name in os.environ if name.startswith("PIPELINE_")]:
        del os.environ[name]  # the caller's settings are for the caller's own pipeline
    say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    directory = Path(tempfile.mkdtemp(prefix="pipeline-gameday-"))
    good = False
    try:
        outcomes = carried_out(options.incidents or list(ALL), directory)
        good = not any(outcome.wrong for outcome in outcomes)
    finally:
        if good and not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            say(f"logs and data: {directory}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
