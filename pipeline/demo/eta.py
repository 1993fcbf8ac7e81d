"""How long it will still take, from how fast it went lately; nothing is said before that is known."""

from __future__ import annotations

from collections import deque


class Eta:
    """An estimate over a sliding window.

    Args:
        window: seconds of the past that count.
    """

    def __init__(self, window: float = 8.0) -> None:
        self._window = window
        self._past: deque[tuple[float, int]] = deque()

    def update(self, now: float, done: int) -> None:
        """Remember how much is done; `now` in seconds."""
        self._past.append((now, done))
        while len(self._past) > 2 and self._past[1][0] <= now - self._window:  # noqa: PLR2004 - two make a rate
            self._past.popleft()

    @property
    def rate(self) -> float | None:
        """Done per second lately; None until something was, over a second at least."""
        if not self._past:
            return None
        (began, first), (now, last) = self._past[0], self._past[-1]
        if now - began < 1 or last <= first:
            return None
        return (last - first) / (now - began)

    def remaining(self, total: int) -> float | None:
        """Seconds until `total` are done at that rate; None if it cannot be estimated."""
        if not self._past or total <= self._past[-1][1]:
            return 0.0 if self._past else None
        rate = self.rate
        return None if rate is None else (total - self._past[-1][1]) / rate
