"""`pipeline plan`: the forecast of each account, for a person or as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.config import Settings
from pipeline.config_accounts import AccountSettings
from pipeline.console import Console
from pipeline.deliver.explain.plan import Forecast, Volume, forecast
from pipeline.errors import SettingsError
from pipeline.text import span

#: Between two lines of progress, where there is no terminal.
LINE_SECONDS = 2.0
#: The calls of a forecast: heading, and name in `Forecast.calls`.
CALLS = {
    "purchases": "purchase",
    "deletes": "delete",
    "contacts": "contact",
    "products": "product",
    "imports": "import",
    "looks": "look",
}


def run(
    settings: Settings, orders: Sequence[str], names: Sequence[str], volume: Volume, *, as_json: bool
) -> None:
    """Plan the volume for each account.

    Args:
        settings: the accounts.
        orders: how many; a number is each account's, `account=number` that account's.
        names: of accounts; none: those that `orders` names, or all.
        volume: all but the orders.
        as_json: for scripts.

    Raises:
        SettingsError: an account is not in the settings, or there is none; or a number is none.
    """
    accounts = settings.accounts
    numbers = _numbers(orders)
    chosen = list(names) or ([] if "" in numbers else sorted(numbers)) or sorted(accounts)
    unknown = sorted(({*chosen, *numbers} - {""}) - accounts.keys())
    if unknown or not accounts:
        known = ", ".join(sorted(accounts)) or "none"
        raise SettingsError(
            f"no account {', '.join(unknown)} in the settings", field="--account", hint=f"they have: {known}"
        )
    volumes: dict[str, Volume] = {}
    for name in dict.fromkeys(chosen):
        number = numbers.get(name, numbers.get(""))
        if number is None:
            raise SettingsError(
                f"no number of orders for {name}", field="--orders", hint="--orders N is for all"
            )
        volumes[name] = replace(volume, orders=number)
    found = _forecasts(settings, volumes)
    if as_json:
        sys.stdout.write(json.dumps({name: one.as_json() for name, one in found.items()}, indent=2) + "\n")
    else:
        _show(found, volumes, Console())


def _numbers(orders: Sequence[str]) -> dict[str, int]:
    """By account; that of all others by no name."""
    numbers: dict[str, int] = {}
    for word in orders:
        name, _, number = word.rpartition("=")
        if not number.isascii() or not number.isdigit():
            raise SettingsError(
                f"{word!r} is not a number of orders",
                field="--orders",
                hint="--orders 100000, or --orders acme-es=100000 for one account",
            )
        numbers[name] = int(number)
    return numbers


def _forecasts(settings: Settings, volumes: Mapping[str, Volume]) -> dict[str, Forecast]:
    """Accounts with the same budget and volume have the same forecast: it is made once."""
    made: dict[tuple[object, ...], Forecast] = {}
    found: dict[str, Forecast] = {}
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        for name, volume in volumes.items():
            account = settings.accounts[name]
            same = (*_budget(account), volume)
            if same not in made:
                task = progress.add_task(name, total=None)
                line = Lines(name, console)

                def tell(done: int, of: int, task: TaskID = task, line: Lines = line) -> None:
                    progress.update(task, completed=done, total=of)
                    line(done, of)

                made[same] = forecast(account, settings.deliver, volume, tell)
            found[name] = made[same]
    return found


class Lines:
    """Says how far a plan is where no bar can be shown: a line every `LINE_SECONDS`.

    Args:
        name: the account's.
        console: where to.
        clock: seconds.
    """

    def __init__(self, name: str, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._console = console
        self._clock = clock
        self._said = clock()

    def __call__(self, done: int, of: int) -> None:
        """So many of the records are sent."""
        now = self._clock()
        if not self._console.is_terminal and now - self._said >= LINE_SECONDS:
            self._said = now
            share = f"{done / of:.0%}" if of else "all"
            self._console.print(f"{self._name}: planned {share}", highlight=False, soft_wrap=True)


def _budget(account: AccountSettings) -> tuple[int, int, float]:
    return account.calls_per_minute, account.reserve_calls, account.window_seconds


def _show(found: Mapping[str, Forecast], volumes: Mapping[str, Volume], console: Console) -> None:
    live = any(volume.live_per_minute for volume in volumes.values())
    times = _table("account", "orders", "takes", "at least", "ratio", "used", *["live p50 / p95"] * live)
    calls = _table("account", "calls", "/order", *CALLS)
    for name, one in found.items():
        row = [name, f"{volumes[name].orders:,}", span(one.seconds), span(one.bound)]
        row += [_figure(one.ratio, ".3f"), f"{one.used:.1%}"]
        if live:
            row.append(f"{_figure(one.live(0.5), '.1f')} / {_figure(one.live(0.95), '.1f')} s")
        times.add_row(*row)
        made = [f"{one.calls[purpose]:,}" if one.calls[purpose] else "·" for purpose in CALLS.values()]
        calls.add_row(name, f"{one.calls.total():,}", _figure(one.calls_per_order, ".3f"), *made)
    volume = next(iter(volumes.values()))
    console.print(
        f"In the {volume.lane} lane{_besides(volume)}. At least: no schedule of the same orders needs "
        "less. Used: share of the calls that the account may make.",
        style="dim",
        highlight=False,
    )
    console.print(times)
    console.print()
    console.print(calls)


def _besides(volume: Volume) -> str:
    parts = [f"{volume.new_customers:.0%} of the orders with a new customer"] if volume.new_customers else []
    parts += [f"{volume.new_products:,} new products"] * bool(volume.new_products)
    parts += [f"{volume.corrections:.0%} corrected afterwards"] * bool(volume.corrections)
    parts += [f"{volume.customers:,} customers and {volume.products:,} products besides"] * bool(
        volume.customers or volume.products
    )
    parts += [f"{volume.live_per_minute:g} live orders a minute meanwhile"] * bool(volume.live_per_minute)
    return "".join(f", {part}" for part in parts)


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "account" else "right")
    return table


def _figure(figure: float | None, form: str) -> str:
    return "·" if figure is None else format(figure, form)
