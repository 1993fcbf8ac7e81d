"""`pipeline plan`: the forecast of each account, for a person or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.config import Settings
from pipeline.deliver.plan import Forecast, Volume, forecast
from pipeline.errors import SettingsError

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def run(settings: Settings, names: Sequence[str], volume: Volume, *, as_json: bool) -> None:
    """Plan the same volume for each account.

    Raises:
        SettingsError: an account is not in the settings, or there is none.
    """
    unknown = sorted(set(names) - settings.accounts.keys())
    if unknown or not settings.accounts:
        known = ", ".join(sorted(settings.accounts)) or "none"
        raise SettingsError(
            f"no account {', '.join(unknown)} in the settings", field="--account", hint=f"they have: {known}"
        )
    found: dict[str, Forecast] = {}
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name in names or sorted(settings.accounts):
            task = progress.add_task(name, total=volume.orders)
            found[name] = forecast(
                settings.accounts[name],
                settings.deliver,
                volume,
                lambda done, of, task=task: progress.update(task, completed=done, total=of),  # type: ignore[misc]
            )
    if as_json:
        sys.stdout.write(json.dumps({name: one.as_json() for name, one in found.items()}, indent=2) + "\n")
    else:
        Console().print(_table(found, volume))


def _table(found: dict[str, Forecast], volume: Volume) -> Table:
    title = f"{volume.orders:,} orders in the {volume.lane} lane"
    table = Table(title=title, title_justify="left", box=None, header_style="dim", pad_edge=False)
    headings = ["account", "takes", "at least", "calls", "orders", "singly", "imports", "looks"]
    if volume.live_per_minute:
        headings.append("live p50 / p95")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "account" else "right", no_wrap=True)
    for name, one in found.items():
        calls = one.calls
        made = [calls["purchase"] + calls["delete"], calls["contact"] + calls["product"]]
        made += [calls["import"], calls["look"]]
        row = [name, in_words(one.seconds), in_words(one.bound), f"{sum(made):,}", *(f"{n:,}" for n in made)]
        if volume.live_per_minute:
            row.append(f"{one.live(0.5) or 0:.1f} / {one.live(0.95) or 0:.1f} s")
        table.add_row(*row)
    return table


def in_words(seconds: float) -> str:
    """The two largest units of a time: `1 d 4 h`, `12 min`, `45 s`."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h {seconds % HOUR // MINUTE:.0f} min"
    return f"{seconds // DAY:.0f} d {seconds % DAY // HOUR:.0f} h"
