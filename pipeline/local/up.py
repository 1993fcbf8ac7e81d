"""`pipeline up`: everything on one machine, with a live display, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from pipeline import config, logs, private, process
from pipeline.config import Settings
from pipeline.config_checks import require_stores, shared_secrets
from pipeline.console import Console
from pipeline.local.reloads import LOCK, Reloads
from pipeline.local.supervisor import ProcessPhase, ProcessStatus
from pipeline.local.terminal import Voice, log_to
from pipeline.local.wiring import Wiring

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5
#: After so long a process that is not ready is reported, and waited for without a limit.
READY_SECONDS = 90.0
_COLOURS = {
    ProcessPhase.READY: "green",
    ProcessPhase.FAILED: "red",
    ProcessPhase.WAITING: "red",
    ProcessPhase.STOPPED: "dim",
}


def run(
    path: Path,
    *,
    sandbox: bool,
    host: str,
    port: int,
    processes: int = 1,
    scraped: Path | None = None,
    program: tuple[str, ...] | None = None,
) -> None:
    """Run everything until SIGTERM or SIGINT; the end of the terminal changes nothing.

    Args:
        path: the settings file, read once: all processes run with what it holds now.
        sandbox: also run the simulated Connectif.
        host: where the gateway listens.
        port: the gateway's; the workers' follow.
        processes: of the gateway, on that port.
        scraped: a directory for what a Prometheus reads of these processes.
        program: the `pipeline` command; None: this one's.

    Raises:
        SettingsError: they cannot be used, or there is no store.
        PipelineError: something cannot be started, or another `up` runs here; all is stopped first.
    """
    settings = config.load(path, isolate=True)
    require_stores(settings)
    environ = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("PIPELINE__")]:
        del os.environ[name]  # they are in the settings now, and those are what the processes get
    process.begin("up", settings, path)
    directory = private.directory(settings.data_dir / "up")
    lock = private.hold(directory / LOCK, "this data_dir", "stop that one, or choose another data_dir")
    voice = Voice(Console(), logs.format_from(os.environ))
    log_to(voice, private.directory(settings.data_dir / "logs") / "up.log")
    options: dict[str, Any] = {} if program is None else {"program": program}
    wiring = Wiring(
        settings,
        sandbox=sandbox,
        host=host,
        port=port,
        processes=processes,
        scraped=scraped,
        say=voice.doing,
        **options,
    )
    for warning in shared_secrets(settings):
        log.warning("%s", warning, extra={"event": "settings.shared"})
    try:
        asyncio.run(_run(wiring, settings, voice, Reloads(path, environ, settings, wiring)))
    finally:
        lock.close()


async def _run(wiring: Wiring, settings: Settings, voice: Voice, reloads: Reloads) -> None:
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - we are a coroutine
    _on_signals(main.cancel, voice, reloads)
    display = asyncio.create_task(_display(wiring, voice))
    try:
        await wiring.start()
        watching = asyncio.gather(wiring.watch(), reloads.serve())
        try:
            await _ready(wiring)
            for name, store in settings.stores.items():
                voice.print(f"{store.domain}: webhooks to {wiring.address}/webhooks/{store.platform}/{name}")
            await watching
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    except asyncio.CancelledError:
        main.uncancel()
    finally:
        await wiring.stop()
        display.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await display


def _on_signals(stop: Callable[[], object], voice: Voice, reloads: Reloads) -> None:
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)

    def stop_once() -> None:
        for number in numbers:
            loop.add_signal_handler(number, lambda: None)  # a second one must not cut the clean stop short
        stop()

    def hung_up() -> None:
        """The terminal is gone; or, where it is there or never was, somebody asks for a reload."""
        if voice.loses_terminal():
            voice.mute()
            log.warning(
                "the terminal is gone; everything goes on: `kill %d` stops it",
                os.getpid(),
                extra={"event": "up.hangup"},
            )
        else:
            reloads.ask()

    for number in numbers:
        loop.add_signal_handler(number, stop_once)
    loop.add_signal_handler(signal.SIGHUP, hung_up)


async def _ready(wiring: Wiring) -> None:
    """Wait for the processes; one that does not start is reported, and the others continue without it.

    Raises:
        PipelineError: the gateway cannot run at all.
    """
    until = asyncio.get_running_loop().time() + READY_SECONDS
    while waiting := [
        status.name
        for status in wiring.statuses
        if status.name in wiring.urls and status.phase not in {ProcessPhase.READY, ProcessPhase.FAILED}
    ]:
        if wiring.no_gateway:
            break
        if asyncio.get_running_loop().time() > until:
            log.warning("%s", wiring.complaint(waiting[0]), extra={"event": "child.not_ready"})
            return
        await asyncio.sleep(REFRESH_SECONDS)
    if wiring.no_gateway:
        raise wiring.complaint("gateway")


async def _display(wiring: Wiring, voice: Voice) -> None:
    """A table that is kept up to date on a terminal; elsewhere, and in the log, a line for each change."""
    said: dict[str, ProcessPhase] = {}
    live = Live(console=voice.console, auto_refresh=False) if voice.is_terminal else None
    try:
        while True:
            for status in wiring.statuses:
                _note(status, said)
            if live is not None:
                voice.attempt(partial(_show, live, wiring.statuses))
            await asyncio.sleep(REFRESH_SECONDS)
    finally:
        if live is not None:
            voice.attempt(live.stop)


def _show(live: Live, statuses: list[ProcessStatus]) -> None:
    live.start()
    live.update(table(statuses), refresh=True)


def _note(status: ProcessStatus, said: dict[str, ProcessPhase]) -> None:
    if said.get(status.name, ProcessPhase.STOPPED) is status.phase:
        return
    said[status.name] = status.phase
    line = " ".join(part for part in (status.name, status.phase, status.url, status.detail) if part)
    log.info("%s", line, extra={"event": "child.phase", "child": status.name, "phase": str(status.phase)})


def table(statuses: list[ProcessStatus]) -> Table:
    """How each process is."""
    made = Table(box=None, header_style="dim")
    for heading in ("process", "state", "address", "pid", "restarts"):
        made.add_column(heading, no_wrap=True)
    made.add_column("")
    for status in statuses:
        made.add_row(
            status.name,
            f"[{_COLOURS.get(status.phase, 'yellow')}]{status.phase}[/]",
            status.url,
            str(status.pid or ""),
            str(status.restarts or ""),
            escape(status.detail),
        )
    return made
