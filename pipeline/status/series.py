"""The few series of a process's `/metrics` that the status is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

#: Their names. With 500 accounts they are a fifth of the page; the others are not parsed.
WANTED = frozenset(
    {
        "pipeline_build_info",
        "pipeline_ready",
        "pipeline_settings_refused",
        "pipeline_settings_reload_refused",
        "pipeline_lag_messages",
        "pipeline_state_building_seconds",
        "pipeline_state_partitions",
        "pipeline_gateway_last_event_timestamp_seconds",
        "pipeline_gateway_kafka_up",
        "pipeline_gateway_spool_events",
        "pipeline_replay_status",
        "pipeline_replay_trouble",
        "pipeline_replay_events",
        "pipeline_replay_seconds_left",
        "pipeline_pending_records",
        "pipeline_pending_oldest_seconds",
        "pipeline_budget_used_calls",
        "pipeline_budget_limit_calls",
        "pipeline_account_stopped",
        "pipeline_account_failing_seconds",
        "pipeline_coupons_stopped",
        "pipeline_sync_waiting",
        "pipeline_sync_oldest_seconds",
        "pipeline_sync_stopped",
        "pipeline_sync_run",
        "pipeline_sync_age_seconds",
        "pipeline_sync_failing_seconds",
        "pipeline_sync_feed_stopped",
        "pipeline_reconcile_orders",
        "pipeline_reconcile_last_run_timestamp_seconds",
        "pipeline_reconcile_overdue_seconds",
        "pipeline_reconcile_failed_runs",
        "pipeline_reconcile_running",
    }
)
#: Series that say nothing where they are 0, which most of them are.
_SPARSE = ("pipeline_pending_records", "pipeline_settings_refused")


@dataclass(frozen=True, slots=True)
class Series:
    """What a process exports, by name: labels and value of each sample."""

    by_name: Mapping[str, list[tuple[Mapping[str, str], float]]] = field(default_factory=dict)

    def of(self, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """The samples of a name that is in `WANTED`."""
        if name not in WANTED:  # a name that is not read would always be found to be absent
            raise KeyError(name)
        yield from self.by_name.get(name, ())

    def value(self, name: str) -> float | None:
        """Of a series without labels, or of the only sample; None where there is none."""
        return next((value for _, value in self.of(name)), None)


def of_all(all_series: Iterable[Series], name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """The samples of a name, of all processes."""
    for series in all_series:
        yield from series.of(name)


def read(page: str) -> Series:
    """The wanted series of a page.

    Raises:
        ValueError: it is no page of metrics.
    """
    lines = [line for line in page.splitlines() if _is_wanted(line)]
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return Series(found)


def _is_wanted(line: str) -> bool:
    name = line.partition("{")[0].partition(" ")[0]
    return name in WANTED and not (name in _SPARSE and line.endswith(" 0.0"))
