"""The account of records, what waits, and the accounts' state, read at every scrape."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from prometheus_client.registry import Collector

from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.schedule.pending_queue import LANES
from pipeline.deliver.send.account_delivery import AccountDelivery
from pipeline.deliver.state.tally import ACCEPTED
from pipeline.kept_series import GaugeRows, KeptGauge, Labels
from pipeline.records import Outcome, RecordKind, partition_of

RECORDS = KeptGauge(
    "pipeline_account_records",
    "Versions of records ever accepted, by how they ended, and those pending; exact, over all time.",
    labels=["account", "store", "kind", "outcome"],
)
PENDING = KeptGauge(
    "pipeline_pending_records",
    "Keys with a record that Connectif does not have yet.",
    labels=["account", "kind", "lane"],
)
OLDEST = KeptGauge(
    "pipeline_pending_oldest_seconds",
    "Age of the oldest of them, whatever its phase: queued, delayed for a retry, held, or in flight. "
    "Rising for live: too small a budget, the account is stopped, or a record keeps failing.",
    labels=["account", "kind", "lane"],
)
USED = KeptGauge("pipeline_budget_used_calls", "Calls of the window that are used up.", labels=["account"])
LIMIT = KeptGauge(
    "pipeline_budget_limit_calls",
    "Calls of a window: by the settings and Connectif's headers, less the reserve.",
    labels=["account"],
)
STOPPED = KeptGauge(
    "pipeline_account_stopped",
    "1 while the account is not delivered to, with the reason: unauthorised, forbidden (its key), "
    "dead_in_a_row, too_many_dead (see dead letters; a restart tries again), "
    "not_configured (not in the settings).",
    labels=["account", "reason"],
)
FAILING = KeptGauge(
    "pipeline_account_failing_seconds",
    "For how long calls to Connectif have failed, with the cause of the last: timeout, unreachable, "
    "unknown_host, certificate, proxy, broken, server_error, foreign (something else answers in its "
    "place), too_large, wrong_address, unauthorised, forbidden. 0, no cause: they do not.",
    labels=["account", "cause"],
)
COUPONS_AVAILABLE = KeptGauge(
    "pipeline_coupons_available_codes",
    "Codes a coupon set has left, as Connectif last said. Below `low` for long: the stock is empty.",
    labels=["account", "set"],
)
COUPONS_STOCK = KeptGauge(
    "pipeline_coupons_stock_codes",
    "Codes that wait to be let into a coupon set. 0: nothing will top it up.",
    labels=["account", "set"],
)
COUPONS_STOPPED = KeptGauge(
    "pipeline_coupons_stopped",
    "1 while a coupon set is not topped up, with the reason: absent, forbidden (the key may not read "
    "sets), not_multiple, unreadable, refused (Connectif takes none of its codes).",
    labels=["account", "set", "reason"],
)


class DeliverCollector(Collector):
    """Gauges of one worker; sum them over the workers.

    Args:
        partition_states: the partitions held.
        accounts: the accounts that are delivered to.
        configured: the accounts of the settings, each with its stores.
        partitions: how many the accounts are spread over.
    """

    def __init__(
        self,
        partition_states: Callable[[], Iterable[PartitionState]],
        accounts: Callable[[], Iterable[tuple[str, AccountDelivery]]],
        configured: Mapping[str, Collection[str]],
        partitions: int,
    ) -> None:
        self._partition_states = partition_states
        self._accounts = accounts
        self._configured = configured
        #: By partition, what can happen to its records: exported as 0 before it does, the first is seen.
        self._zeros: defaultdict[int, dict[Labels, int]] = defaultdict(dict)
        for account, stores in configured.items():
            for labels in itertools.product([account], stores, RecordKind, (ACCEPTED, *Outcome)):
                self._zeros[partition_of(account, partitions)][labels] = 0
        #: What waits of an account for which nothing does, as most do.
        self._idle: dict[str, dict[Labels, int]] = {}

    def collect(self) -> Iterator[GaugeRows]:
        """Read everything."""
        yield self._records()
        yield from self._waiting()
        yield from self._states()
        yield from self._coupons()

    def _records(self) -> GaugeRows:
        family = RECORDS.look()
        for partition_state in self._partition_states():
            counts = self._zeros[partition_state.partition].copy()
            for account, store, tally in partition_state.tallies():
                for kind, what, count in tally.rows():
                    counts[account, store, kind, what] = count
            for (account, store, kind), count in partition_state.versions.items():
                counts[account, store, kind, "pending"] = count
            family.add(counts)
        return family

    def _waiting(self) -> Iterator[GaugeRows]:
        waiting, oldest = PENDING.look(), OLDEST.look()
        now = time.time()
        for partition_state in self._partition_states():
            for account, index in partition_state.indexes.items():
                if index.empty:
                    waiting.add(self._nothing_waits(account))
                    continue
                for kind, lane in itertools.product(RecordKind, LANES):
                    labels, queue = (account, kind, lane), index[kind]
                    waiting.add_metric(labels, queue.pending(lane))
                    accepted = queue.oldest_pending(lane)
                    if accepted is not None:
                        oldest.add_metric(labels, max(0.0, now - accepted))
        yield waiting
        yield oldest

    def _nothing_waits(self, account: str) -> dict[Labels, int]:
        rows = self._idle.get(account)
        if rows is None:
            rows = self._idle[account] = dict.fromkeys(itertools.product([account], RecordKind, LANES), 0)
        return rows

    def _states(self) -> Iterator[GaugeRows]:
        used, limit, stopped, failing = USED.look(), LIMIT.look(), STOPPED.look(), FAILING.look()
        now = time.time()
        for name, delivery in self._accounts():
            admission = delivery.admission
            trouble = admission.call_failures.failing
            since = ("", 0.0) if trouble is None else (trouble.cause, max(0.0, now - trouble.since))
            failing.add_metric((name, since[0]), since[1])
            used.add_metric((name,), admission.used())
            limit.add_metric((name,), admission.budget.limit_now)
            if admission.health.stopped:
                stopped.add_metric((name, admission.health.stopped), 1)
        for partition_state in self._partition_states():
            for name, index in partition_state.indexes.items():
                if name not in self._configured and not index.empty:
                    stopped.add_metric((name, "not_configured"), 1)
        yield from (used, limit, stopped, failing)

    def _coupons(self) -> Iterator[GaugeRows]:
        available, stock, stopped = COUPONS_AVAILABLE.look(), COUPONS_STOCK.look(), COUPONS_STOPPED.look()
        for account, delivery in self._accounts():
            for name, watched in delivery.scheduler.coupons.sets.items():
                stock.add_metric((account, name), watched.waiting)
                if watched.available is not None:
                    available.add_metric((account, name), watched.available)
                if watched.trouble:
                    stopped.add_metric((account, name, watched.trouble), 1)
        yield from (available, stock, stopped)
