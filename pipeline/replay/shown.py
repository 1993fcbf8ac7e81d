"""Runs as an operator sees them: a table, a bar, JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table

from pipeline.replay.attention import attention
from pipeline.replay.changes import Change
from pipeline.replay.preview import Preview
from pipeline.replay.run import Run, RunStatus
from pipeline.text import in_a_line, span

_OUTCOMES = ("delivered", "unchanged", "superseded", "dead")


def as_json(run: Run, now_ms: int | None = None) -> dict[str, Any]:
    """A run for scripts. Counts of records are of the backfill's lane since it began."""
    plan, state = run.plan, run.state
    now_ms = int(time.time() * 1_000) if now_ms is None else now_ms
    left, told = run.seconds_left(), attention(run, now_ms)
    return {
        "run": plan.run,
        "status": status_of(run, now_ms),
        "mode": plan.mode,
        "trigger": plan.trigger,
        "made": moment(plan.made_ms),
        "stores": sorted(plan.choice.stores),
        "kinds": sorted(plan.choice.kinds),
        "ids": len(plan.choice.ids),
        "rejected": sorted(plan.choice.rejected),
        "offsets": plan.offsets,
        "offsets_done": run.done,
        "events_read": state.read,
        "events_chosen": state.chosen,
        "events_repeated": state.sent,
        "events_waiting": state.waiting,
        "ids_found": state.ids,
        "window": state.window,
        "records": state.records,
        "pending": state.pending,
        **{outcome: state.ended.get(outcome, 0) for outcome in _OUTCOMES},
        "per_minute": run.control.per_minute,
        "seconds_left": None if left is None else round(left, 1),
        "error": state.error,
        "why": "" if told is None else told.why,
        "what_to_do": "" if told is None else told.what_to_do,
    }


def status_of(run: Run, now_ms: int | None = None) -> str:
    """In a word or two; `interrupted` where its process is gone, `stalled` where nothing moves."""
    now_ms = int(time.time() * 1_000) if now_ms is None else now_ms
    if run.is_silent(now_ms):
        return "interrupted"
    wanted = run.control.wanted
    if run.state.status is RunStatus.RUNNING and wanted is not RunStatus.RUNNING:
        return f"{run.state.status}, to be {wanted}"
    if run.stalled(now_ms):
        return "stalled"
    return run.state.status.value


def moment(at_ms: int) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def advice(runs: Iterable[Run]) -> Iterator[str]:
    """Why runs do not get on, and what to do, a line each."""
    now_ms = int(time.time() * 1_000)
    for run in runs:
        told = attention(run, now_ms)
        if told is not None:
            yield f"{run.plan.run}: {told.why}. {told.what_to_do}"


def table(runs: Iterable[Run]) -> Table:
    """All of them."""
    made = Table(title="Replays", title_justify="left")
    for name in ("run", "status", "mode", "read", "repeated", "pending", *_OUTCOMES, "left"):
        made.add_column(name, overflow="fold")
    for run in runs:
        said = as_json(run)
        made.add_row(
            said["run"],
            said["status"],
            said["mode"],
            f"{said['offsets_done']:,} of {said['offsets']:,}",
            f"{said['events_repeated']:,}",
            f"{said['pending']:,}",
            *(f"{said[outcome]:,}" for outcome in _OUTCOMES),
            span(said["seconds_left"]),
        )
    return made


def preview(found: Preview, console: Console) -> None:
    """What a replay would do."""
    events = Table(title="Events", title_justify="left")
    for name in ("what becomes of them", "events"):
        events.add_column(name)
    for outcome, count in sorted(found.events.items()):
        events.add_row(outcome, f"{count:,}")
    for reason, count in sorted(found.rejected.items()):
        events.add_row(f"  rejected: {reason}", f"{count:,}")
    records = Table(title="Records", title_justify="left")
    for name in ("account", "kind", "new", "changed", "same"):
        records.add_column(name)
    for account, kind in sorted({(account, kind) for account, kind, _ in found.records}):
        counts = (found.records[account, kind, what] for what in ("new", "changed", "same"))
        records.add_row(account, kind, *(f"{count:,}" for count in counts))
    console.print(events)
    console.print(records)
    for account, calls in sorted(found.calls.items()):
        console.print(f"account {account}: {calls:,} calls", markup=False, highlight=False)
    console.print(f"time: {span(found.seconds)}", markup=False, highlight=False)


def change(found: Change, *, as_json: bool) -> str:
    """A field that would change, as a line."""
    if as_json:
        return json.dumps(found._asdict())
    before, after = (json.dumps(value, ensure_ascii=False) for value in (found.before, found.after))
    return in_a_line(f"{found.account} {found.kind} {found.id} {found.field}: {before} -> {after}")


class Bar:
    """A run's progress on a terminal; a context manager.

    Args:
        console: where; nothing is shown where it is no terminal.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: Run) -> None:
        """As it is now."""
        if self._task is None:
            self._task = self._progress.add_task(run.plan.run, total=max(1, run.plan.offsets), said="")
        said = (
            f"{status_of(run)}, {run.state.sent:,} repeated, {run.state.pending:,} pending, "
            f"left: {span(run.seconds_left())}"
        )
        self._progress.update(self._task, total=max(1.0, run.total), completed=run.state.delivered, said=said)


__all__ = ["Bar", "advice", "as_json", "change", "moment", "preview", "status_of", "table"]
