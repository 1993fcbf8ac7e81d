"""The status as a terminal shows it: tables for a screen, or all of it as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from pipeline.events import Lane
from pipeline.status.facts import (
    AccountFacts,
    LaneFacts,
    ProcessFacts,
    ReplayFacts,
    Snapshot,
    State,
    StoreFacts,
)
from pipeline.status.table import Table
from pipeline.text import figure, moment, span

_COLOURS = {
    State.STOPPED: "bold red",
    State.FAILING: "red",
    State.UNKNOWN: "red",
    State.LATE: "yellow",
    State.WAITING: "cyan",
    State.FINE: "green",
}
#: Lines of a screen that are headings and blanks.
_AROUND = 12


@dataclass(frozen=True, slots=True)
class _Rows:
    """How many rows of each are shown."""

    troubles: int
    accounts: int
    stores: int
    processes: int
    replays: int


def screen(found: Snapshot, height: int) -> RenderableType:
    """What fits on a screen of so many lines: what is to be looked at, then the worst of each table."""
    lines = max(12, height - _AROUND - len(found.notes))
    troubles = min(len(list(found.troubles())), lines // 4)
    processes, replays = min(len(found.processes), lines // 4), min(len(found.replays), 2)
    left = lines - troubles - processes - replays
    stores = min(len(found.stores), left // 3)
    return Group(*_parts(found, _Rows(troubles, left - stores, stores, processes, replays)))


def whole(found: Snapshot) -> RenderableType:
    """All of it."""
    tables = found.accounts, found.stores, found.processes, found.replays
    rows = [len(list(found.troubles())), *map(len, tables)]
    return Group(*_parts(found, _Rows(*rows)))


def _parts(found: Snapshot, rows: _Rows) -> Iterator[RenderableType]:
    yield _head(found)
    yield from _troubles(found, rows.troubles)
    yield Text()
    yield _accounts(found.accounts[: rows.accounts])
    yield from _more(len(found.accounts) - rows.accounts, "accounts")
    if found.stores:
        yield Text()
        yield _stores(found.stores[: rows.stores], found.at)
        yield from _more(len(found.stores) - rows.stores, "stores")
    yield Text()
    yield _processes(found.processes[: rows.processes])
    yield from _more(len(found.processes) - rows.processes, "processes")
    if found.replays:
        yield Text()
        yield _replays(found.replays[: rows.replays])
        yield from _more(len(found.replays) - rows.replays, "replays")


def _head(found: Snapshot) -> Text:
    troubles = len(list(found.troubles()))
    waiting = sum(account.waiting for account in found.accounts)
    verdict = f"{troubles} to look at" if troubles else "nothing to look at"
    text = f"{moment(found.at)}  {verdict}; {len(found.accounts)} accounts, {waiting:,} records wait"
    return Text(text, style="bold red" if troubles else "bold")


def _troubles(found: Snapshot, most: int) -> Iterator[Text]:
    troubles = list(found.troubles())
    for trouble in troubles[:most]:
        more = f"  ->  {trouble.command}" if trouble.command else ""
        yield Text(f"! {trouble.sentence}{more}", style="red")
    yield from _more(len(troubles) - most, "to look at")
    for note in found.notes:
        yield Text(f"note: {note}", style="yellow")


def _more(count: int, what: str) -> Iterator[Text]:
    if count > 0:
        yield Text(f"and {count:,} more {what}", style="dim")


def _accounts(accounts: Sequence[AccountFacts]) -> Table:
    lanes = [lane.value for lane in Lane]
    table = Table(("account", "state", *lanes, "calls", "sent in", "why"), right=(*lanes, "calls", "sent in"))
    for one in accounts:
        table.add_row(
            one.name,
            _state(one.state),
            *(lane_text(one.lanes[lane]) for lane in Lane),
            budget_text(one),
            eta_text(one),
            why_text(one),
        )
    return table


def lane_text(lane: LaneFacts) -> str:
    """How many wait in a lane, and for how long."""
    if not lane.waiting:
        return "·"
    return figure(lane.waiting) + (
        f" ({span(lane.oldest_seconds)})" if lane.oldest_seconds is not None else ""
    )


def budget_text(one: AccountFacts) -> str:
    """Calls of the window: used and limit."""
    return "·" if one.limit is None else f"{one.used or 0}/{one.limit}"


def eta_text(one: AccountFacts) -> str:
    """When what waits is sent, at the earliest."""
    if not one.waiting:
        return "·"
    return "?" if one.eta_seconds is None else f">= {span(one.eta_seconds)}"


def why_text(one: AccountFacts) -> str:
    """Why an account is as it is, and since when it fails."""
    if one.failing_seconds is None:
        return one.reason
    return f"{one.reason}, for {span(one.failing_seconds)}"


def ago_text(at: float | None, now: float) -> str:
    """How long ago something was."""
    return "·" if at is None else f"{span(max(0.0, now - at))} ago"


def _stores(stores: Sequence[StoreFacts], now: float) -> Table:
    figures = ("last event", "last sync", "to fetch", "last reconcile", "missing")
    table = Table(("store", "state", *figures, "why"), right=figures)
    for one in stores:
        table.add_row(
            one.name,
            _state(one.state),
            ago_text(one.last_event, now),
            ago_text(one.last_sync, now),
            figure(one.fetching),
            ago_text(one.last_reconcile, now),
            "·" if one.missing is None else f"{one.missing:,}",
            one.reason,
        )
    return table


def _processes(processes: Sequence[ProcessFacts]) -> Table:
    table = Table(("process", "ready", "address", "behind by", "why"), right=("behind by",))
    for one in processes:
        ready = ("ready", "green") if one.ready else ("not ready", "red")
        table.add_row(one.name, ready, one.url, figure(one.lag), one.why)
    return table


def _replays(replays: Sequence[ReplayFacts]) -> Table:
    table = Table(("replay", "status", "events", "left", "trouble"), right=("events", "left"))
    for one in replays:
        total = f" of {one.total:,}" if one.total else ""
        left = span(one.seconds_left) if one.seconds_left is not None else "·"
        table.add_row(one.run, one.status, f"{one.done:,}{total}", left, one.trouble)
    return table


def _state(state: State) -> tuple[str, str]:
    return state.value, _COLOURS[state]
