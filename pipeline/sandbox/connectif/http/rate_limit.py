"""The limit of calls: one bucket per account, over all routes and keys."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from pipeline.sandbox.connectif.http.responses import Header
from pipeline.sandbox.connectif.simulation.behaviour import Switches


class Verdict(NamedTuple):
    """Whether a call is let in, and what its headers say. `reset` is in epoch seconds."""

    admitted: bool
    limit: int
    remaining: int
    reset: float


class Bucket:
    """The calls of one account's current window. Times are epoch seconds, `window` is in seconds."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._ends = 0.0
        self._used = 0
        self._recent: deque[float] = deque()
        #: Most calls let in during a window as it was enforced; a sliding one begins with every call.
        self.most_admitted = 0

    def take(self, now: float, limit: int, switches: Switches) -> Verdict:
        """Count a call and say whether it is within the limit."""
        used = self._count(now, switches)
        admitted = used < limit
        if admitted or switches.refused_calls_count:
            self._used += 1
            self._recent.append(now)
            used += 1
        if admitted:
            self.most_admitted = max(self.most_admitted, used)
        return Verdict(admitted, limit, max(0, limit - used), self._reset(now, switches))

    def give_back(self, verdict: Verdict) -> Verdict:
        """Take back the newest call, which is not to count; the verdict as its headers then read."""
        self._used -= 1
        self._recent.pop()
        return verdict._replace(remaining=verdict.remaining + 1)

    def peek(self, now: float, limit: int, switches: Switches) -> Verdict:
        """What the headers of a burst's 429 say: nothing remains until the window ends."""
        self._count(now, switches)
        return Verdict(admitted=False, limit=limit, remaining=0, reset=self._reset(now, switches))

    def _count(self, now: float, switches: Switches) -> int:
        while self._recent and self._recent[0] <= now - self._window:
            self._recent.popleft()
        if switches.window == "sliding":
            return len(self._recent)
        if now >= self._ends:
            aligned = switches.window_start == "aligned"
            start = math.floor(now / self._window) * self._window if aligned else now
            self._ends = start + self._window
            self._used = 0
        return self._used

    def _reset(self, now: float, switches: Switches) -> float:
        if switches.window == "sliding":
            return (self._recent[0] if self._recent else now) + self._window
        return self._ends


def rate_headers(verdict: Verdict, now: float, switches: Switches) -> tuple[Header, ...]:
    """The headers of the family that is switched on, and Retry-After on a refusal."""
    headers: list[Header] = []
    if switches.rate_headers != "none":
        epoch = switches.rate_headers == "x"
        prefix = "X-RateLimit-" if epoch else "RateLimit-"
        reset = verdict.reset if epoch else max(0.0, verdict.reset - now)
        texts = {
            "Limit": str(verdict.limit),
            "Remaining": str(verdict.remaining),
            # Rounded up: whoever waits until then finds the window over.
            "Reset": f"{reset:.3f}" if switches.reset_fraction else str(math.ceil(reset)),
        }
        lower = switches.rate_header_case == "lower"
        headers += [
            ((prefix + name).lower().encode() if lower else (prefix + name).encode(), text.encode())
            for name, text in texts.items()
        ]
    if switches.retry_after and not verdict.admitted:
        headers.append((b"Retry-After", str(math.ceil(max(0.0, verdict.reset - now))).encode()))
    return tuple(headers)
