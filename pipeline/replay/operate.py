"""What the commands of `pipeline replay` do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from rich.progress import Progress, TaskID

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.kafka import topic_check
from pipeline.private import data_directory
from pipeline.replay import planning, preview, shown
from pipeline.replay.changes import Change
from pipeline.replay.run import ENDED, Control, Run, RunStatus, State
from pipeline.replay.runner import Runner
from pipeline.replay.runs import Runs

#: Seconds between two looks of `watch`.
WATCH = 1.0


def dry_run(
    settings: Settings,
    request: planning.Request,
    console: Console,
    *,
    fields: bool,
    personal: bool,
    as_json: bool,
) -> None:
    """Print what a replay would do; nothing is sent.

    Args:
        settings: the program's.
        request: what is asked for.
        console: for progress and warnings.
        fields: print every field that would change, one a line, as JSON where `as_json` is set.
        personal: with values about people.
        as_json: for scripts.

    Raises:
        SettingsError: a store is not in the settings.
    """
    planning.check_choice(settings, request.choice)
    _say_held(settings, request, console)
    plan = planning.make_plan(settings, request)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=of)

        def changed(change: Change) -> None:
            print(shown.change(change, as_json=as_json))  # noqa: T201 - its output

        found = preview.preview(
            settings, plan, progress, on_change=changed if fields else None, personal=personal
        )
    if as_json:
        print(json.dumps(found.as_json()))  # noqa: T201 - its output
    else:
        shown.preview(found, Console())


def start(settings: Settings, request: planning.Request, per_minute: float | None, console: Console) -> str:
    """Make a run; returns its id. Says where the topics do not reach back as far as was asked.

    Raises:
        SettingsError: a store is not in the settings.
        PipelineError: there is nothing in the range.
    """
    planning.check_choice(settings, request.choice)
    topic_check.verify(settings)
    _say_held(settings, request, console)
    plan = planning.make_plan(settings, request)
    if not plan.offsets:
        raise PipelineError("there are no events in this range", hint="name another one")
    with Runs(settings) as runs:
        runs.write(plan)
        if per_minute is not None:
            runs.write(Control(run=plan.run, per_minute=per_minute, at_ms=_now_ms()))
        runs.write(State(run=plan.run, next=[part.start for part in plan.parts]))
    return plan.run


def _say_held(settings: Settings, request: planning.Request, console: Console) -> None:
    if request.offsets:
        return
    for topic, since in planning.held_since(settings, request.choice.topics, request.since_ms).items():
        console.print(
            f"{topic} holds nothing from before {shown.moment(since)}: what is older is not repeated",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def work(settings: Settings, name: str, console: Console, *, as_json: bool = False) -> Run:
    """Be a run's process until it is over, or told to stop; the run can be resumed then."""
    stop = threading.Event()

    def stopped(*_: object) -> None:
        stop.set()

    before = {number: signal.signal(number, stopped) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with Runs(settings) as runs, shown.Bar(console) as bar:
            run = Runner(settings, runs, name, shown=bar.show, stop=stop).work()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    report(run, console, as_json=as_json)
    if run.state.status not in ENDED:
        console.print(
            f"stopped; `pipeline replay resume {name}` goes on", highlight=False, soft_wrap=True, markup=False
        )
    return run


def detach(settings: Settings, name: str, config_path: Path) -> None:
    """Let a process of its own work on a run, which outlives this one and its terminal."""
    data_directory(settings.data_dir)
    logs = settings.data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pipeline", "replay", "work", name, "--config", str(config_path)]
    with (logs / f"replay-{name}.log").open("ab") as log:
        subprocess.Popen(  # noqa: S603 - this program itself
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=dict(os.environ),
        )


def control(
    settings: Settings, name: str, *, wanted: RunStatus | None = None, per_minute: float | None = None
) -> Run:
    """Say what is wanted of a run; its process hears of it within a second.

    Args:
        settings: the program's.
        name: the run's id.
        wanted: None: as before.
        per_minute: events a minute, 0: as many as there is room for; None: as before.

    Raises:
        PipelineError: there is no such run, or it is over.
    """
    with Runs(settings) as runs:
        run = runs.get(name)
        if run.state.status in ENDED:
            raise PipelineError(f"the replay {name} is over: {run.state.status}")
        limit = run.control.per_minute if per_minute is None else per_minute or None
        said = Control(
            run=name,
            wanted=run.control.wanted if wanted is None else wanted,
            per_minute=limit,
            at_ms=_now_ms(),
        )
        runs.write(said)
        gone = run.is_silent(_now_ms()) or run.state.status is RunStatus.FAILED
        if wanted is RunStatus.CANCELLED and gone:
            # Nobody else would write it down.
            run.state.status, run.state.epoch, run.state.owner = RunStatus.CANCELLED, run.state.epoch + 1, ""
            runs.write(run.state)
        return runs.get(name)


def needs_process(run: Run) -> bool:
    """Whether nobody works on a run that is not over."""
    return run.is_silent(_now_ms()) or run.state.status is RunStatus.FAILED


def resume(settings: Settings, name: str) -> bool:
    """Let a run go on; returns whether a process has to take it over.

    Of one that is at work already the operator knows better: its process may have been killed just now. If it
    was not, it ends, as the newer one goes on.

    Raises:
        PipelineError: there is no such run, or it is over.
    """
    run = control(settings, name, wanted=RunStatus.RUNNING)
    return needs_process(run) or run.state.status is RunStatus.RUNNING


def listing(settings: Settings, *, as_json: bool) -> None:
    """Print all runs."""
    with Runs(settings) as runs:
        found = list(runs.read().values())
    if as_json:
        print(json.dumps([shown.as_json(run) for run in found]))  # noqa: T201 - its output
    else:
        Console().print(shown.table(found))


def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print one run."""
    with Runs(settings) as runs:
        report(runs.get(name), Console(), as_json=as_json)


def watch(settings: Settings, name: str, console: Console, *, as_json: bool) -> Run:
    """Show a run until it is over, or nobody works on it."""
    pause = threading.Event()
    with Runs(settings) as runs, shown.Bar(console) as bar:
        while True:
            run = runs.get(name)
            bar.show(run)
            if run.state.status in ENDED or needs_process(run):
                break
            pause.wait(WATCH)
    report(run, console, as_json=as_json)
    return run


def report(run: Run, console: Console, *, as_json: bool) -> None:
    """A run in full."""
    said = shown.as_json(run)
    if as_json:
        print(json.dumps(said))  # noqa: T201 - its output
        return
    for name, value in said.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        if text not in {"", None}:
            console.print(f"{name.replace('_', ' ')}: {text}", markup=False, highlight=False, soft_wrap=True)


def _now_ms() -> int:
    return int(time.time() * 1_000)


__all__ = [
    "control",
    "detach",
    "dry_run",
    "listing",
    "needs_process",
    "report",
    "resume",
    "show",
    "start",
    "watch",
    "work",
]
