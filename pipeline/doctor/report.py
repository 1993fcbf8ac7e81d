"""What was found, as a table for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.doctor.findings import Finding, Verdict, count, tree

_COLOURS = {Verdict.PROBLEM: "red", Verdict.WARNING: "yellow", Verdict.OK: "green"}


def show(found: Sequence[Finding], console: Console, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(tree(found)))  # noqa: T201 - its output
        return
    table = Table(box=None, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("subject", overflow="fold", ratio=2)
    table.add_column("what was found", overflow="fold", ratio=6)
    table.add_column("what to do", overflow="fold", ratio=4)
    for finding in found:
        verdict = f"[{_COLOURS[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(verdict, escape(finding.subject), escape(finding.said), escape(finding.todo))
    console.print(table)
    problems, warnings = count(found, Verdict.PROBLEM), count(found, Verdict.WARNING)
    console.print(f"problems: {problems}, warnings: {warnings}")
