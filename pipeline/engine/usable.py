"""Which partitions a worker holds whose state cannot be used yet, and for how long it has been so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class UsableCollector(Collector):
    """How many partitions a worker can work on, and which it cannot yet.

    Args:
        process: the stage.
        held: the partitions held, each with whether its state can be used.
        clock: seconds, of one that does not jump.
    """

    def __init__(
        self,
        process: str,
        held: Callable[[], Mapping[int, bool]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = process
        self._held = held
        self._clock = clock
        #: When a look first found each partition that is not usable; by looks, as it costs nothing between.
        self._since: dict[int, float] = {}

    def collect(self) -> list[GaugeMetricFamily]:
        """Read at every scrape."""
        partitions = GaugeMetricFamily(
            "pipeline_state_partitions",
            "Partitions that the worker holds. building: their state is being restored or built, and nothing "
            "of them is read or sent until it can be used.",
            labels=["process", "state"],
        )
        seconds = GaugeMetricFamily(
            "pipeline_state_building_seconds",
            "For how long the worker has held a partition whose state cannot be used, as far as scrapes saw "
            "it; the longest. 0: all can.",
            labels=["process"],
        )
        held, now = self._held(), self._clock()
        building = {number for number, usable in held.items() if not usable}
        self._since = {number: self._since.get(number, now) for number in building}
        partitions.add_metric([self._process, "usable"], len(held) - len(building))
        partitions.add_metric([self._process, "building"], len(building))
        seconds.add_metric([self._process], max((now - since for since in self._since.values()), default=0.0))
        return [partitions, seconds]
