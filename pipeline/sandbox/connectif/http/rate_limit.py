"""The limit of calls: counted per account, over all routes and keys."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from pipeline.sandbox.connectif.http.responses import Header
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour


class RateLimitDecision(NamedTuple):
    """Whether a call is let in, and what its headers say. `reset` is in epoch seconds."""

    admitted: bool
    limit: int
    remaining: int
    reset: float


class RateLimiter:
    """The calls of one account's current window. Times are epoch seconds, `window` is in seconds."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._ends = 0.0
        self._used = 0
        self._recent: deque[float] = deque()
        #: Most calls let in during a window as it was enforced; a sliding one begins with every call.
        self.most_admitted = 0

    def register(self, now: float, limit: int, behaviour: ApiBehaviour) -> RateLimitDecision:
        """Count a call and say whether it is within the limit."""
        used = self._used_calls(now, behaviour)
        admitted = used < limit
        if admitted or behaviour.refused_calls_count:
            self._used += 1
            self._recent.append(now)
            used += 1
        if admitted:
            self.most_admitted = max(self.most_admitted, used)
        return RateLimitDecision(admitted, limit, max(0, limit - used), self._reset(now, behaviour))

    def uncount(self, decision: RateLimitDecision) -> RateLimitDecision:
        """Take back the newest call, which is not to count; the decision as its headers then read."""
        self._used -= 1
        self._recent.pop()
        return decision._replace(remaining=decision.remaining + 1)

    def exhausted(self, now: float, limit: int, behaviour: ApiBehaviour) -> RateLimitDecision:
        """What the headers of a burst's 429 say: nothing remains until the window ends."""
        self._used_calls(now, behaviour)
        return RateLimitDecision(admitted=False, limit=limit, remaining=0, reset=self._reset(now, behaviour))

    def _used_calls(self, now: float, behaviour: ApiBehaviour) -> int:
        while self._recent and self._recent[0] <= now - self._window:
            self._recent.popleft()
        if behaviour.window == "sliding":
            return len(self._recent)
        if now >= self._ends:
            aligned = behaviour.window_start == "aligned"
            start = math.floor(now / self._window) * self._window if aligned else now
            self._ends = start + self._window
            self._used = 0
        return self._used

    def _reset(self, now: float, behaviour: ApiBehaviour) -> float:
        if behaviour.window == "sliding":
            return (self._recent[0] if self._recent else now) + self._window
        return self._ends


def rate_headers(decision: RateLimitDecision, now: float, behaviour: ApiBehaviour) -> tuple[Header, ...]:
    """The headers of the family that the behaviour names, and Retry-After on a refusal."""
    headers: list[Header] = []
    if behaviour.rate_headers != "none":
        epoch = behaviour.rate_headers == "x"
        prefix = "X-RateLimit-" if epoch else "RateLimit-"
        reset = decision.reset if epoch else max(0.0, decision.reset - now)
        texts = {
            "Limit": str(decision.limit),
            "Remaining": str(decision.remaining),
            # Rounded up: a client that waits until then finds the window over.
            "Reset": f"{reset:.3f}" if behaviour.reset_fraction else str(math.ceil(reset)),
        }
        lower = behaviour.rate_header_case == "lower"
        headers += [
            ((prefix + name).lower().encode() if lower else (prefix + name).encode(), text.encode())
            for name, text in texts.items()
        ]
    if behaviour.retry_after and not decision.admitted:
        headers.append((b"Retry-After", str(math.ceil(max(0.0, decision.reset - now))).encode()))
    return tuple(headers)
