"""How far behind a worker is: messages, and for how long they have waited."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from prometheus_client.registry import Collector

from pipeline.kafka.messages import TopicPartition
from pipeline.kept_series import GaugeRows, KeptGauge

#: Looks that are remembered of a partition, at most: an hour of them, every five seconds.
REMEMBERED = 720

MESSAGES = KeptGauge(
    "pipeline_lag_messages",
    "Messages not processed yet; rising for minutes means the worker is too slow or stuck.",
    labels=["topic", "partition"],
)
SECONDS = KeptGauge(
    "pipeline_lag_seconds",
    "For how long the first message of a partition has waited that is not processed, as far as this "
    "worker saw it come: since its start at most. 0: none waits.",
    labels=["topic", "partition"],
)


class WaitingSince:
    """Since when messages wait, by the ends of partitions as each look finds them.

    It is never too long: a message is taken to have come with the look that first sees it.
    """

    def __init__(self) -> None:
        self._ends: dict[TopicPartition, deque[tuple[float, int]]] = {}

    def look(self, now: float, behind: Mapping[TopicPartition, range]) -> dict[TopicPartition, float]:
        """The seconds for which the first message has waited that is not dealt with; 0: none waits.

        Args:
            now: of a clock that does not jump.
            behind: the offsets that are not dealt with; a partition that is not named is forgotten.
        """
        for place in self._ends.keys() - behind.keys():
            del self._ends[place]
        return {place: self._of(now, place, offsets) for place, offsets in behind.items()}

    def _of(self, now: float, place: TopicPartition, offsets: range) -> float:
        seen = self._ends.setdefault(place, deque())
        while seen and seen[0][1] <= offsets.start:
            seen.popleft()
        if offsets and (not seen or seen[-1][1] < offsets.stop):
            seen.append((now, offsets.stop))
        if len(seen) > REMEMBERED:
            self._ends[place] = seen = deque([*seen][::2])
        return now - seen[0][0] if seen else 0.0


class LagCollector(Collector):
    """How far behind the worker is, per partition it holds.

    Args:
        behind: the offsets that are not dealt with.
        clock: seconds, of one that does not jump.
    """

    def __init__(
        self,
        behind: Callable[[], Mapping[TopicPartition, range]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._behind = behind
        self._clock = clock
        self._since = WaitingSince()

    def collect(self) -> list[GaugeRows]:
        """Read at every scrape."""
        messages, seconds = MESSAGES.look(), SECONDS.look()
        behind = self._behind()
        ages = self._since.look(self._clock(), behind)
        for place, offsets in behind.items():
            labels = place.topic, str(place.partition)
            messages.add_metric(labels, len(offsets))
            seconds.add_metric(labels, ages[place])
        return [messages, seconds]
