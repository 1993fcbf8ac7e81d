"""A run as a table for a person, as CSV, and as JSON; a million findings go through, one at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.reconcile.findings import Finding, Summary
from pipeline.reconcile.rules import Category
from pipeline.text import figure, in_a_cell

#: Days that the table shows, the latest.
DAYS = 31


def write_csv(file: TextIO, rows: Iterable[Finding]) -> int:
    """Write the findings with a line of headings; returns how many."""
    writer = csv.writer(file)
    writer.writerow(Finding._fields)
    written = 0
    for row in rows:
        writer.writerow([in_a_cell(cell) for cell in row])
        written += 1
    return written


def write_json(file: TextIO, summary: Summary, rows: Iterable[Finding]) -> None:
    """Write one object: the summary, and the findings under `orders`."""
    head = json.dumps(summary.as_json(), indent=2, ensure_ascii=False)
    file.write(head.removesuffix("\n}") + ',\n  "orders": [')
    comma = "\n    "
    for row in rows:
        file.write(comma + json.dumps(row._asdict(), ensure_ascii=False))
        comma = ",\n    "
    file.write("\n  ]\n}\n")


def show(console: Console, summary: Summary, rows: Iterable[Finding], most: int) -> None:
    """Print the counts by day, the missing by stage, and the first findings."""
    span = " ".join(
        filter(None, (summary.since and f"from {summary.since}", summary.until and f"to {summary.until}"))
    )
    console.print(
        f"{summary.store} -> {summary.account} {span}\nshop: {summary.shop}\nConnectif: {summary.connectif}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for remark in summary.remarks:
        console.print(f"note: {remark}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if summary.repair is not None:
        console.print(summary.repair.in_words(), markup=False, highlight=False, soft_wrap=True)
    console.print(_days(summary))
    if summary.stages:
        console.print(_stages(summary))
    several = len(summary.accounts) > 1
    heads = ("account",) if several else ()
    table = _table("order", "number", "day", *heads, "result", "stopped at", "why", "way out")
    shown = 0
    for row in rows:
        if shown == most:
            break
        said = row.why + (f" ({row.reason})" if row.reason and row.reason not in row.why else "")
        said += f": {row.detail}" if row.detail else ""
        where = (row.account or "none",) if several else ()
        cells = (row.id, row.number, row.day, *where, row.category, row.stage, said, row.way_out)
        table.add_row(*map(escape, cells))
        shown += 1
    if shown:
        console.print(table)
        total = sum(summary.counts.values()) - summary.counts[Category.THERE]
        if total > shown:
            console.print(f"the first {shown:,} of {total:,}; --csv, --json and --html have all", style="dim")


def _days(summary: Summary) -> Table:
    headings = [category.value.replace("_", " ") for category in Category]
    table = _table("day", *headings, right=True)
    days = list(summary.days.items())
    for day, counts in days[-DAYS:]:
        table.add_row(day or "no date", *(figure(counts[category]) for category in Category))
    if len(days) > DAYS:
        table.add_row(f"and {len(days) - DAYS:,} days before", *["…"] * len(headings))
    table.add_row("all", *(figure(summary.counts[category]) for category in Category), style="bold")
    return table


def _stages(summary: Summary) -> Table:
    table = _table("missing, by where it stopped", "orders", right=True)
    for (stage, reason), count in summary.stages.most_common():
        table.add_row(escape(f"{stage}: {reason}" if reason else stage), f"{count:,}")
    return table


def _table(*headings: str, right: bool = False) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if right and number else "left", overflow="fold")
    return table
