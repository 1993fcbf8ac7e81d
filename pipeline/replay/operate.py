"""What the commands of `pipeline replay` do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
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
from pipeline.replay.run import ENDED, Control, Plan, Run, RunStatus, State
from pipeline.replay.runner import Runner
from pipeline.replay.runs import Runs

#: Seconds between two looks of `watch`, and until a process of its own works on a run, at most.
WATCH, BEGINS = 1.0, 30.0


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
    planning.check_request(settings, request)
    _say_held(settings, request, console)
    plan = planning.make_plan(settings, request)
    _say_archived(settings, plan, console)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=of)

        def changed(change: Change) -> None:
            print(shown.change(change, as_json=as_json))  # noqa: T201 - its output

        try:
            found = preview.preview(
                settings, plan, progress, on_change=changed if fields else None, personal=personal
            )
        except (OSError, sqlite3.Error) as error:
            raise PipelineError(
                f"the directory for temporary files cannot be written: {error}",
                hint=f"make room in {tempfile.gettempdir()}, or name another directory in TMPDIR",
            ) from error
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
    planning.check_request(settings, request)
    topic_check.verify(settings)
    _say_held(settings, request, console)
    plan = planning.make_plan(settings, request)
    _say_archived(settings, plan, console)
    if not plan.offsets:
        raise PipelineError("there are no events in this range", hint="name another one")
    with Runs(settings) as runs:
        _say_others(runs, console)
        runs.write(plan)
        if per_minute is not None:
            runs.write(Control(run=plan.run, per_minute=per_minute, at_ms=_now_ms()))
        runs.write(State(run=plan.run, next=[part.start for part in plan.parts]))
    return plan.run


def _say_others(runs: Runs, console: Console) -> None:
    """Other runs that are not over: nothing is lost by two, and both are slower."""
    others = [name for name, run in runs.read().items() if run.state.status not in ENDED]
    if others:
        console.print(
            f"not over yet: {', '.join(others)}. They share the backfill's calls, and the counts of records",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _say_held(settings: Settings, request: planning.Request, console: Console) -> None:
    if request.offsets:
        return
    for topic, since in planning.held_since(settings, request.choice.topics, request.since_ms).items():
        holds = f"{topic} holds" if settings.archive.url is None else f"{topic} and the archive hold"
        _warn(console, f"{holds} nothing from before {shown.moment(since)}: what is older is not repeated")


def _say_archived(settings: Settings, plan: Plan, console: Console) -> None:
    """What of a plan the topics do not hold."""
    found = planning.archived_part(settings, plan)
    for topic, count in found.offsets.items():
        text = f"{topic}: {count:,} of the range's offsets are read from the archive {settings.archive.url}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    for lost in found.missing:
        where = f"{lost.place.topic} partition {lost.place.partition}: offsets {lost.start} to {lost.end - 1}"
        _warn(console, f"{where} are held no more, and not repeated")


def _warn(console: Console, text: str) -> None:
    console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def work(settings: Settings, name: str, console: Console, *, as_json: bool = False) -> Run:
    """Be a run's process until it is over, or told to stop; the run can be resumed then."""
    stop = threading.Event()

    def stopped(*_: object) -> None:
        stop.set()

    # The end of its terminal ends it in order, too: the run says so, and can be resumed.
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, stopped) for number in numbers}
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
    """Let a process of its own work on a run, which outlives this one and its terminal.

    Returns once that process works.

    Raises:
        PipelineError: it cannot be started, or ends before it works.
    """
    data_directory(settings.data_dir)
    path = settings.data_dir / "logs" / f"replay-{name}.log"
    command = [sys.executable, "-m", "pipeline", "replay", "work", name, "--config", str(config_path)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - this program itself
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=dict(os.environ),
            )
    except OSError as error:
        raise PipelineError(f"a process for the replay {name} cannot be started: {error}") from error
    with Runs(settings) as runs:
        epoch, until = runs.get(name).state.epoch, time.monotonic() + BEGINS
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(WATCH / 4)
                if code and runs.get(name).state.status not in ENDED:
                    raise PipelineError(
                        f"the process of the replay {name} ended with code {code}",
                        hint=f"its log says why: {path}; then `pipeline replay resume {name}`",
                    )
                return
            if runs.get(name).state.epoch > epoch:
                return


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
        if wanted is RunStatus.CANCELLED and run.needs_process(_now_ms()):
            # Nobody else would write it down.
            run.state.status, run.state.epoch, run.state.owner = RunStatus.CANCELLED, run.state.epoch + 1, ""
            runs.write(run.state)
        return runs.get(name)


def resume(settings: Settings, name: str) -> bool:
    """Let a run go on; returns whether a process has to take it over.

    Of one that is at work already the operator knows better: its process may have been killed just now. If it
    was not, it ends, as the newer one goes on.

    Raises:
        PipelineError: there is no such run, or it is over.
    """
    run = control(settings, name, wanted=RunStatus.RUNNING)
    return run.needs_process(_now_ms()) or run.state.status is RunStatus.RUNNING


def listing(settings: Settings, *, as_json: bool) -> None:
    """Print all runs."""
    with Runs(settings) as runs:
        found = list(runs.read().values())
    if as_json:
        print(json.dumps([shown.as_json(run) for run in found]))  # noqa: T201 - its output
    else:
        console = Console()
        console.print(shown.table(found))
        for line in shown.advice(found):
            console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


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
            if run.state.status in ENDED or run.needs_process(_now_ms()):
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
    named, found = said["ids"], said["ids_found"]
    if found is not None and found < named:
        console.print(
            f"of {named - found:,} of the {named:,} ids there is no event in the range",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _now_ms() -> int:
    return int(time.time() * 1_000)


__all__ = [
    "control",
    "detach",
    "dry_run",
    "listing",
    "report",
    "resume",
    "show",
    "start",
    "watch",
    "work",
]
