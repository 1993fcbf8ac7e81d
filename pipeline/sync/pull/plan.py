"""Which lists a run reads, and when the daily run is due. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from pipeline.events import Kind
from pipeline.shops.pull import PullPass, ShopPull
from pipeline.shops.settings import StoreSettings
from pipeline.sync.pull.left import list_name
from pipeline.sync.pull.state import Command, Pass, Run, StoreState, Wanted

DAY_MS = 86_400_000
#: Customers before orders, which are theirs; products before orders, which have them in their lines.
ORDER = (Kind.CUSTOMER, Kind.PRODUCT, Kind.ORDER)


def passes(
    pull: ShopPull[StoreSettings], command: Command, kinds: Iterable[Kind], state: StoreState, now_ms: int
) -> list[Pass]:
    """The lists of a run.

    Args:
        pull: the platform's.
        command: what is wanted.
        kinds: that the store pulls.
        state: what was read before.
        now_ms: by the shop's clock.
    """
    wanted = set(command.kinds) or set(kinds)
    until = now_ms - int(pull.lag * 1_000)
    found = [
        Pass(kind=kind, reads=reads, until_ms=until, effort=_effort(pull, kind, reads))
        for kind in ORDER
        if kind in wanted
        for reads in _lists(pull.passes.get(kind, ()), command.wanted, kind)
    ]
    for one in found:
        one.since_ms = _since(pull, command, state, one)
    return found


def _effort(pull: ShopPull[StoreSettings], kind: Kind, reads: PullPass) -> float:
    """Light lists take as much as the lightest."""
    light = reads in {PullPass.CONSENT, PullPass.PRESENT}
    return min(pull.effort.values(), default=1.0) if light else pull.effort.get(kind, 1.0)


def remember(state: StoreState, done: Pass) -> None:
    """Keep how many rows a list had and how long one took, for the time left of the next run."""
    took = (done.ended_ms - done.began_ms) / 1_000
    if done.read and took > 0:
        name = list_name(done.model_dump(mode="json", include={"kind", "reads", "since_ms"}))
        state.counts[name], state.paces[name] = done.read, took / done.read


def _lists(known: Sequence[PullPass], wanted: Wanted, kind: Kind) -> list[PullPass]:
    """Of one kind; what cannot be read by its time of change is read whole."""
    whole = [PullPass.FULL] if PullPass.FULL in known else []
    if wanted is Wanted.FULL:
        return whole or [one for one in known if one is PullPass.CHANGED]
    if PullPass.CHANGED not in known or (wanted is Wanted.DAILY and kind is Kind.PRODUCT and whole):
        return whole
    consent = [PullPass.CONSENT] if PullPass.CONSENT in known else []
    return [PullPass.CHANGED, *consent]


def _since(pull: ShopPull[StoreSettings], command: Command, state: StoreState, window: Pass) -> int | None:
    """The beginning of a window: that of the command, or where the last one ended, and a day of orders."""
    if window.reads is not PullPass.CHANGED or command.wanted is Wanted.FULL:
        return None
    if command.wanted is Wanted.SINCE and command.since_ms is not None:
        return command.since_ms
    mark, until = state.marks.get(window.kind), window.until_ms
    if mark is None:
        return until - DAY_MS
    since = min(mark, until) - int(pull.overlap * 1_000)
    return min(since, until - DAY_MS) if window.kind is Kind.ORDER else since


def advance(state: StoreState, done: Pass) -> None:
    """Keep up to when changes were read: to the last change seen, within the pass's window.

    A window that began behind the mark leaves a gap, and moves nothing.
    """
    if done.newest_ms is None or done.reads not in {PullPass.CHANGED, PullPass.FULL}:
        return
    mark = state.marks.get(done.kind)
    if done.since_ms is None or mark is None or done.since_ms <= mark:
        state.marks[done.kind] = max(mark or 0, min(done.newest_ms, done.until_ms))


def looks_for_missing(pull: ShopPull[StoreSettings], run: Run, done: Pass) -> bool:
    """Whether after a pass those that were not seen in it are to be looked for."""
    return (
        done.reads is PullPass.FULL
        and PullPass.PRESENT in pull.passes.get(done.kind, ())
        and pull.deletion is not None
        and not run.command.dry_run
    )


def too_many(missing: int, known: int) -> bool:
    """Whether more are missing than a day's work in a shop takes away: rights may be missing instead."""
    return missing > max(20, known // 10)


def today(zone: str, now_s: float) -> str:
    """The date by a store's clocks."""
    return datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def is_due(state: StoreState, at: time, zone: str, now_s: float) -> bool:
    """Whether the day's run is to be begun: its time has come, and it was not begun today."""
    local = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(zone))
    return local.time() >= at and state.day != local.date().isoformat()


__all__ = ["DAY_MS", "advance", "is_due", "looks_for_missing", "passes", "remember", "today", "too_many"]
