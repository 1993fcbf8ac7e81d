"""The accounts, by what the deliver workers say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pipeline.config import Settings
from pipeline.events import Lane
from pipeline.records import RecordKind
from pipeline.status.facts import REFUSED, AccountFacts, LaneFacts, State
from pipeline.status.series import Series, of_all

#: Ages of the oldest record, in seconds, from which a lane is late: as the alert on pending records has them.
LATE = {Lane.LIVE: 1_800.0, Lane.RETRY: 7_200.0, Lane.BACKFILL: 259_200.0}
#: Calls for the rows of a kind that imports carry: the import, and a look at how it went.
IMPORT_CALLS = 2


def accounts(
    settings: Settings, all_series: Sequence[Series], refused: set[tuple[str, str]], why_unknown: str
) -> Iterator[AccountFacts]:
    """Every account of the settings, and others that records wait for.

    Args:
        settings: the program's.
        all_series: what the processes export.
        refused: table and name of what a process cannot use.
        why_unknown: why no worker says anything of an account that none speaks of.
    """
    said = _Said(all_series)
    feeding: dict[str, list[str]] = {}
    for name, store in settings.stores.items():
        for account in store.accounts:
            feeding.setdefault(account, []).append(name)
    for name in (
        settings.accounts.keys() | said.named | {name for table, name in refused if table == "accounts"}
    ):
        lanes = {lane: said.lane(name, lane) for lane in Lane}
        failing, limit = said.failing.get(name), said.limit.get(name)
        state, reason = _state(name, said, lanes, why_unknown, refused)
        window = settings.accounts[name].window_seconds if name in settings.accounts else None
        yield AccountFacts(
            name=name,
            state=state,
            reason=reason,
            failing_seconds=None if failing is None else failing[1],
            lanes=lanes,
            used=said.used.get(name),
            limit=limit,
            eta_seconds=None if state.is_trouble else eta_seconds(said.kinds.get(name, {}), limit, window),
            stores=tuple(feeding.get(name, ())),
        )


def _state(
    name: str,
    said: _Said,
    lanes: Mapping[Lane, LaneFacts],
    why_unknown: str,
    refused: set[tuple[str, str]],
) -> tuple[State, str]:
    if ("accounts", name) in refused:
        return State.STOPPED, REFUSED
    if name in said.stopped:
        return State.STOPPED, said.stopped[name]
    if name in said.failing:
        return State.FAILING, said.failing[name][0]
    if name not in said.limit:
        return State.UNKNOWN, why_unknown
    late = [lane for lane, facts in lanes.items() if (facts.oldest_seconds or 0.0) > LATE[lane]]
    if late:
        return State.LATE, f"the oldest of {late[0]} waits for longer than it should"
    return (State.WAITING if any(facts.waiting for facts in lanes.values()) else State.FINE), ""


def eta_seconds(waiting: Mapping[str, int], limit: int | None, window: float | None) -> float | None:
    """Seconds until what waits is sent, at least; None where nothing says so.

    Args:
        waiting: records by kind.
        limit: calls of a window.
        window: its seconds.
    """
    calls = sum(
        count if kind == RecordKind.PURCHASE else IMPORT_CALLS for kind, count in waiting.items() if count
    )
    if not calls:
        return 0.0
    return calls / limit * window if limit and window else None


class _Said:
    """The series of all deliver workers, by account."""

    def __init__(self, all_series: Sequence[Series]) -> None:
        #: Records that wait: account -> kind, and account and lane.
        self.kinds: dict[str, Counter[str]] = {}
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._oldest: dict[tuple[str, str], float] = {}
        for labels, value in _without_coupons(all_series, "pipeline_pending_records"):
            self.kinds.setdefault(labels["account"], Counter())[labels["kind"]] += int(value)
            self._waiting[labels["account"], labels["lane"]] += int(value)
        for labels, value in _without_coupons(all_series, "pipeline_pending_oldest_seconds"):
            key = labels["account"], labels["lane"]
            self._oldest[key] = max(self._oldest.get(key, 0.0), value)
        self.stopped = {
            labels["account"]: labels["reason"]
            for labels, value in of_all(all_series, "pipeline_account_stopped")
            if value
        }
        #: Cause, and seconds.
        self.failing = {
            labels["account"]: (labels["cause"], value)
            for labels, value in of_all(all_series, "pipeline_account_failing_seconds")
            if labels["cause"]
        }
        self.used = _by_account(all_series, "pipeline_budget_used_calls")
        self.limit = _by_account(all_series, "pipeline_budget_limit_calls")

    @property
    def named(self) -> set[str]:
        """All accounts that are spoken of."""
        return {*self.limit, *self.stopped, *self.kinds}

    def lane(self, account: str, lane: Lane) -> LaneFacts:
        """What waits in a lane of an account."""
        return LaneFacts(self._waiting[account, lane], self._oldest.get((account, lane)))


def _without_coupons(all_series: Sequence[Series], name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Codes wait until a set is low: that is their use, and no trouble."""
    return (sample for sample in of_all(all_series, name) if sample[0]["kind"] != RecordKind.COUPON)


def _by_account(all_series: Sequence[Series], name: str) -> dict[str, int]:
    return {labels["account"]: int(value) for labels, value in of_all(all_series, name)}
