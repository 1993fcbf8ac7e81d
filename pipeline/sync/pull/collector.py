"""The stores' pulls as gauges, read at every scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.sync.pull.runner import StorePuller


class PullCollector(Collector):
    """See the module.

    Args:
        pullers: of the stores that are held.
        clock: seconds since the epoch.
    """

    def __init__(self, pullers: Callable[[], Mapping[str, StorePuller]], clock: Callable[[], float]) -> None:
        self._pullers = pullers
        self._clock = clock

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read everything."""
        status = GaugeMetricFamily(
            "pipeline_sync_run", "1: where the last run of `pipeline sync` is.", labels=["store", "status"]
        )
        age = GaugeMetricFamily(
            "pipeline_sync_age_seconds",
            "Since the last whole sync began, of stores that are read every day; before the first, since the "
            "store is known. More than a day and a half: changes may be missing.",
            labels=["store"],
        )
        failing = GaugeMetricFamily(
            "pipeline_sync_failing_seconds",
            "For how long the next page of a shop's API does not come, by the reason; 0: it comes.",
            labels=["store", "reason"],
        )
        held = GaugeMetricFamily(
            "pipeline_sync_held_deletions",
            "Entities missing at the shop in the last run, too many to be believed: they were not deleted.",
            labels=["store", "kind"],
        )
        for store, puller in list(self._pullers().items()):
            state, pages = puller.state, puller.pages
            if state.run is not None:
                status.add_metric([store, state.run.status], 1)
                for kind, count in state.run.held.items():
                    held.add_metric([store, kind], count)
            if puller.is_daily:
                since = (state.complete_ms or state.known_ms) / 1_000
                age.add_metric([store], max(0.0, self._clock() - since) if since else 0.0)
            if pages.trouble:
                failing.add_metric([store, pages.trouble], max(0.0, self._clock() - pages.troubled_at))
        return [status, age, failing, held]
