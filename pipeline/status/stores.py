"""The stores, by what gateway, sync and reconcile say. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.config import Settings
from pipeline.status.facts import REFUSED, State, StoreFacts
from pipeline.status.series import Series, of_all

#: Says what is wrong with settings.
VALIDATE = "pipeline validate"


def stores(
    settings: Settings,
    all_series: Sequence[Series],
    refused: set[tuple[str, str]],
    unread: set[tuple[str, str]],
    at: float,
) -> Iterator[StoreFacts]:
    """Every store of the settings, and those that cannot be used.

    Args:
        settings: the program's.
        all_series: what the processes export.
        refused: table and name of what a process cannot use.
        unread: the same of what these settings lack, as they cannot be used now, and the processes have.
        at: now, in epoch seconds.
    """
    last_event = _highest(all_series, "pipeline_gateway_last_event_timestamp_seconds")
    sync_age = _highest(all_series, "pipeline_sync_age_seconds")
    fetching = _highest(all_series, "pipeline_sync_waiting")
    reconciled = _highest(all_series, "pipeline_reconcile_last_run_timestamp_seconds")
    missing = _orders_missing(all_series)
    runs = {
        labels["store"]: labels["status"]
        for labels, value in of_all(all_series, "pipeline_sync_run")
        if value
    }
    troubles = _troubles_of_stores(all_series)
    for name, store in settings.stores.items():
        state, reason, command = troubles.get(name, (State.FINE, "", ""))
        if ("stores", name) in refused:
            state, reason, command = State.STOPPED, REFUSED, VALIDATE
        yield StoreFacts(
            name=name,
            platform=store.platform,
            accounts=tuple(store.accounts),
            state=state,
            reason=reason,
            last_event=last_event.get(name) or None,
            last_sync=at - sync_age[name] if name in sync_age else None,
            sync=runs.get(name, ""),
            fetching=int(fetching.get(name, 0)),
            last_reconcile=reconciled.get(name) or None,
            missing=missing.get(name),
            command=command,
        )
    for table, name in refused:
        if table == "stores" and name not in settings.stores:
            yield StoreFacts(name, "", (), State.STOPPED, REFUSED, command=VALIDATE)
    for table, name in unread:
        if table == "stores" and name in last_event:
            state, reason, command = troubles.get(name, (State.FINE, "", ""))
            last = last_event[name] or None
            yield StoreFacts(name, "", (), state, reason, last_event=last, command=command)


def _troubles_of_stores(all_series: Sequence[Series]) -> dict[str, tuple[State, str, str]]:
    """The worst of each store, by what its sync and its reconcile say, and the command that says more."""
    found: dict[str, tuple[State, str, str]] = {}
    for labels, value in of_all(all_series, "pipeline_reconcile_failed_runs"):
        if value:
            what = f"{value:.0f} daily reconciles failed since the last that was done"
            found[labels["store"]] = State.FAILING, what, f"pipeline reconcile {labels['store']}"
    for labels, value in of_all(all_series, "pipeline_sync_failing_seconds"):
        if value:
            what = f"its API does not answer: {labels['reason']}"
            found[labels["store"]] = State.FAILING, what, f"pipeline sync status --store {labels['store']}"
    for name, what in (
        ("pipeline_sync_feed_stopped", "its feed cannot be read"),
        ("pipeline_sync_stopped", "its API cannot be asked"),
    ):
        for labels, value in of_all(all_series, name):
            if value:
                said = f"{what}: {labels['reason']}"
                found[labels["store"]] = State.STOPPED, said, f"pipeline check {labels['store']}"
    return found


def _highest(all_series: Sequence[Series], name: str) -> dict[str, float]:
    """By store, over all processes."""
    found: dict[str, float] = {}
    for labels, value in of_all(all_series, name):
        found[labels["store"]] = max(value, found.get(labels["store"], value))
    return found


def _orders_missing(all_series: Sequence[Series]) -> dict[str, int]:
    return {
        labels["store"]: int(value)
        for labels, value in of_all(all_series, "pipeline_reconcile_orders")
        if labels["result"] == "missing"
    }
