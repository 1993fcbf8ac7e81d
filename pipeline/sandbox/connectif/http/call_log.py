"""The record of an account's calls: every one in few bytes, the oldest forgotten, the counts exact."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

#: Windows whose counts are kept: a day and a half of minutes.
WINDOWS_KEPT = 2_160
#: Times of refused calls that are kept.
REFUSALS_KEPT = 1_000


class LoggedCall(NamedTuple):
    """A call: epoch seconds, the route's number, the status sent (0: none), seconds, the element's key."""

    time: float
    route: int
    status: int
    duration: float
    key: str | None


class CallLog:
    """Calls of one account.

    Args:
        kept: calls remembered one by one; all are counted.
        window: the limit's window in seconds, for the counts per window.
    """

    def __init__(self, kept: int, window: float) -> None:
        self._kept = kept
        self._window = window
        self._times, self._durations = array("d"), array("f")
        self._routes, self._statuses = array("H"), array("H")
        self._keys: list[str | None] = []
        self._oldest = 0
        self._recent: deque[float] = deque()
        self._window_counts: dict[int, list[int]] = {}
        self.total = 0
        self.refused = 0
        self.injected = 0
        self.refused_at: deque[float] = deque(maxlen=REFUSALS_KEPT)
        self.by_route: Counter[tuple[int, int]] = Counter()
        #: Most calls seen in any stretch of time as long as the window, wherever it begins.
        self.most_in_any_window = 0

    def record_arrival(self, now: float, *, refused: bool) -> None:
        """Count a call when it comes in, before it is known how it ends."""
        self._recent.append(now)
        while self._recent[0] <= now - self._window:
            self._recent.popleft()
        self.most_in_any_window = max(self.most_in_any_window, len(self._recent))
        counts = self._window_counts.setdefault(int(now / self._window), [0, 0])
        counts[0] += 1
        if refused:
            counts[1] += 1
            self.refused += 1
            self.refused_at.append(now)
        if len(self._window_counts) > WINDOWS_KEPT:
            del self._window_counts[next(iter(self._window_counts))]

    def record(self, call: LoggedCall) -> None:
        """Record a call that is over."""
        self.total += 1
        self.by_route[call.route, call.status] += 1
        if len(self._keys) < self._kept:
            self._times.append(call.time)
            self._durations.append(call.duration)
            self._routes.append(call.route)
            self._statuses.append(call.status)
            self._keys.append(call.key)
            return
        position = self._oldest
        self._times[position], self._durations[position] = call.time, call.duration
        self._routes[position], self._statuses[position] = call.route, call.status
        self._keys[position] = call.key
        self._oldest = (position + 1) % self._kept

    @property
    def forgotten(self) -> int:
        """Calls no longer remembered one by one."""
        return self.total - len(self._keys)

    def page(self, offset: int, limit: int) -> Iterator[LoggedCall]:
        """Remembered calls in the order they ended; the first ever has offset 0, forgotten or not."""
        first = max(offset, self.forgotten)
        for number in range(first, min(offset + limit, self.total)):
            position = (self._oldest + number - self.forgotten) % len(self._keys)
            yield LoggedCall(
                self._times[position],
                self._routes[position],
                self._statuses[position],
                self._durations[position],
                self._keys[position],
            )

    def windows(self) -> list[tuple[float, int, int]]:
        """Start, calls and refused calls of the windows in which there were any, aligned to the clock."""
        return [
            (number * self._window, calls, refused)
            for number, (calls, refused) in self._window_counts.items()
        ]
