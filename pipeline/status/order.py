"""Worst first: what somebody has to look at stands on top, and the order is the same at every look."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.events import Lane
from pipeline.status.facts import AccountFacts, ReplayFacts, State, StoreFacts

_RANK = {state: rank for rank, state in enumerate(State)}


def accounts_worst_first(accounts: Iterable[AccountFacts]) -> tuple[AccountFacts, ...]:
    """Stopped, failing, unknown, late, waiting, fine; the same state by how long it hurts.

    That is: who fails longest, whose oldest live record is oldest, then the retry's and the backfill's, then
    who has most waiting, then by name.
    """
    return tuple(sorted(accounts, key=_account))


def _account(account: AccountFacts) -> tuple[int, float, float, float, float, int, str]:
    oldest = {lane: facts.oldest_seconds or 0.0 for lane, facts in account.lanes.items()}
    return (
        _RANK[account.state],
        -(account.failing_seconds or 0.0),
        -oldest.get(Lane.LIVE, 0.0),
        -oldest.get(Lane.RETRY, 0.0),
        -oldest.get(Lane.BACKFILL, 0.0),
        -account.waiting,
        account.name,
    )


def stores_worst_first(stores: Iterable[StoreFacts]) -> tuple[StoreFacts, ...]:
    """By state; then who has most orders missing, most to fetch, then by name."""
    return tuple(
        sorted(
            stores,
            key=lambda store: (_RANK[store.state], -(store.missing or 0), -store.fetching, store.name),
        )
    )


def replays_worst_first(replays: Iterable[ReplayFacts]) -> tuple[ReplayFacts, ...]:
    """Those that do not get on first; then the newest, by their ids, which begin with a time."""
    newest = sorted(replays, key=lambda replay: replay.run, reverse=True)
    return tuple(sorted(newest, key=lambda replay: not replay.trouble))
