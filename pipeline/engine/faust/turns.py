"""How much of a worker's time a backlog may take, so that what comes in elsewhere does not wait for it."""

from __future__ import annotations

from collections.abc import Callable

from faust.types import TP

#: Seconds a partition rests at most: a round that took long may have waited for Kafka.
LONGEST_REST = 2.0


class Turns:
    """The partitions with a backlog: those that filled a whole fetch.

    One is read again when that fetch is dealt with and it has rested as long as its share asks for. Where
    many have a backlog, others are read meanwhile, and nothing is lost.

    Args:
        share: of the time in which one partition's backlog is worked on; 1: it never rests.
        now: a clock that does not go back, in seconds.
    """

    def __init__(self, share: float, now: Callable[[], float]) -> None:
        self._rest = 1 / share - 1
        self._now = now
        self._working: dict[TP, tuple[int, float]] = {}
        self._resting: dict[TP, float] = {}

    def read(self, tp: TP, end: int) -> None:
        """A whole fetch of a partition was given out, up to this offset."""
        if self._rest:
            self._working[tp] = (end, self._now())

    def released(self, tp: TP, offset: int) -> None:
        """All before an offset is dealt with."""
        end, began = self._working.get(tp, (offset + 1, 0.0))
        if offset >= end:
            del self._working[tp]
            now = self._now()
            self._resting[tp] = now + min(LONGEST_REST, self._rest * (now - began))

    def not_now(self) -> set[TP]:
        """The partitions that are not to be read."""
        now = self._now()
        self._resting = {tp: until for tp, until in self._resting.items() if until > now}
        return self._working.keys() | self._resting.keys()

    def clear(self) -> None:
        """Partitions are assigned anew."""
        self._working.clear()
        self._resting.clear()
