"""`pipeline up`: everything on one machine, with a live display, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from pipeline.config import Settings, require_stores, shared_accounts, shared_secrets
from pipeline.local.supervisor import Phase, Status
from pipeline.local.wiring import Wiring

REFRESH_SECONDS = 0.5
_COLOURS = {Phase.READY: "green", Phase.FAILED: "red", Phase.WAITING: "red", Phase.STOPPED: "dim"}


def sayer(console: Console) -> Callable[[str], None]:
    """Prints what takes long."""
    return lambda text: console.print(f"{text} ...", style="dim", highlight=False)


def run(wiring: Wiring, settings: Settings, console: Console) -> None:
    """Run everything until SIGTERM or SIGINT.

    Raises:
        SettingsError: there is no store.
        PipelineError: something cannot be started or brought back; all is stopped first.
    """
    require_stores(settings)
    for warning in shared_accounts(settings) + shared_secrets(settings):
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    asyncio.run(_run(wiring, settings, console))


async def _run(wiring: Wiring, settings: Settings, console: Console) -> None:
    main = asyncio.current_task()
    assert main is not None  # noqa: S101 - we are a coroutine
    loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        for number in signals:
            loop.add_signal_handler(number, lambda: None)  # a second one must not cut the clean stop short
        main.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
    display = asyncio.create_task(_display(wiring, console))
    try:
        async with wiring:
            for name, store in settings.stores.items():
                place = f"{wiring.urls['gateway']}/webhooks/{store.platform}/{name}"
                console.print(f"{store.domain}: webhooks to {place}", highlight=False, soft_wrap=True)
            await wiring.watch()
    except asyncio.CancelledError:
        main.uncancel()
    finally:
        display.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await display


async def _display(wiring: Wiring, console: Console) -> None:
    """A table that is kept up to date on a terminal; elsewhere a line for each change."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(_table(wiring.statuses), refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)
    said: dict[str, Phase] = {}
    while True:
        for status in wiring.statuses:
            if said.get(status.name, Phase.STOPPED) is not status.phase:
                said[status.name] = status.phase
                line = " ".join(
                    part for part in (status.name, status.phase, status.url, status.detail) if part
                )
                console.print(line, highlight=False, markup=False, soft_wrap=True)
        await asyncio.sleep(REFRESH_SECONDS)


def _table(statuses: list[Status]) -> Table:
    table = Table(box=None, header_style="dim")
    for heading in ("process", "state", "address", "pid", "restarts", ""):
        table.add_column(heading, no_wrap=True)
    for status in statuses:
        table.add_row(
            status.name,
            f"[{_COLOURS.get(status.phase, 'yellow')}]{status.phase}[/]",
            status.url,
            str(status.pid or ""),
            str(status.restarts or ""),
            escape(status.detail),
        )
    return table
