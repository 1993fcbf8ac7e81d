"""What a check shows: a table for a person, JSON for everything else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.check.store.result import Outcome, StoreReport

_COLOURS = {
    Outcome.OK: "green",
    Outcome.WARNING: "yellow",
    Outcome.FAULT: "red",
    Outcome.BY_HAND: "cyan",
    Outcome.SKIPPED: "dim",
}
#: The worst outcome of a step's findings is shown first.
_WORST = (Outcome.FAULT, Outcome.WARNING, Outcome.SKIPPED, Outcome.BY_HAND, Outcome.OK)


def show(reports: Sequence[StoreReport], console: Console, *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        tree = {
            "sound": not any(report.faults for report in reports),
            "stores": [report.tree() for report in reports],
        }
        print(json.dumps(tree))  # noqa: T201 - its output
        return
    if len(reports) > 1:
        console.print(_beside(reports))
    for report in reports:
        console.print(_steps(report, all_steps=len(reports) == 1))


def _steps(report: StoreReport, *, all_steps: bool) -> Table:
    """The steps of a store; beside others', those alone that ask for something."""
    calls = ", ".join(f"{count} of {name}" for name, count in report.calls.items())
    title = f"{report.store} ({report.platform}): {_in_words(report)}; {report.seconds:.0f} s, calls: {calls}"
    table = Table(title=escape(title), title_justify="left", box=None, header_style="dim")
    table.add_column("step", overflow="fold", ratio=2)
    table.add_column("result", no_wrap=True)
    table.add_column("what was found", overflow="fold", ratio=5)
    table.add_column("what to do", overflow="fold", ratio=4)
    for step in report.steps:
        if all_steps or step.outcome in {Outcome.FAULT, Outcome.WARNING}:
            outcome = f"[{_COLOURS[step.outcome]}]{step.outcome}[/]"
            table.add_row(escape(step.name), outcome, escape(step.said), escape(step.todo))
    return table


def _in_words(report: StoreReport) -> str:
    if not report.faults:
        return "nothing is at fault"
    return "1 fault" if report.faults == 1 else f"{report.faults} faults"


def _beside(reports: Sequence[StoreReport]) -> Table:
    """Each step's worst outcome, a column a store."""
    table = Table(box=None, header_style="dim")
    table.add_column("step", overflow="fold")
    for report in reports:
        table.add_column(escape(report.store), overflow="fold")
    names = dict.fromkeys(step.name for report in reports for step in report.steps)
    for name in names:
        table.add_row(escape(name), *(_worst(report, name) for report in reports))
    return table


def _worst(report: StoreReport, name: str) -> str:
    found = {step.outcome for step in report.steps if step.name == name}
    worst = next((one for one in _WORST if one in found), None)
    return "" if worst is None else f"[{_COLOURS[worst]}]{worst}[/]"
