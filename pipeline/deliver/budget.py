"""The limit of calls, as an algorithm: no clock, no waiting, no files.

A call takes a place from its start until one window after its answer. The server counts it somewhere
between start and answer, so whatever its window's kind (fixed or sliding) and however long calls take, it
never counts more of ours in one window than there are places. What its headers say can only lower that:
others may share the limit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Seconds added to a window: two clocks run differently, and an interval's ends may both count.
GUARD = 0.005
#: Two resets closer than this share of a window are one reset, said at different moments.
SAME_RESET = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """What one answer said of the limit.

    Attributes:
        limit: calls per window by the server's word.
        remaining: calls left in its window when it answered.
        reset_in: seconds until its window ends.
        retry_after: seconds to stay away, with a 429.
        limited: whether the answer was a 429.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_in: float | None = None
    retry_after: float | None = None
    limited: bool = False


NOTHING_SEEN = Seen()


@dataclass(slots=True)
class Budget:
    """The places of one account.

    Args:
        limit: calls per window.
        window: its length in seconds.
    """

    limit: int
    window: float
    _flying: dict[int, float] = field(default_factory=dict)
    _cooling: deque[float] = field(default_factory=deque)
    _server_limit: int | None = None
    _remaining: int | None = None
    _reset_at: float = -math.inf
    _blocked_until: float = -math.inf
    _one_at_a_time: bool = False
    _next: int = 0

    @property
    def flying(self) -> int:
        """Calls that have started, or are about to, and have no answer."""
        return len(self._flying)

    def wait(self, now: float) -> float:
        """Seconds until a call may start; 0: now; infinity: not before an answer comes."""
        if now < self._blocked_until:
            return self._blocked_until - now
        self._refresh(now)
        if self._one_at_a_time and self._flying:
            return math.inf
        return max(self._wait_for_place(now), self._wait_for_share(now))

    def start(self, now: float) -> int:
        """Take a place for a call that starts now; returns what `finish` needs."""
        self._next += 1
        self._flying[self._next] = now
        return self._next

    def cancel(self, call: int) -> None:
        """The call was not made after all."""
        del self._flying[call]

    def finish(self, call: int, now: float, seen: Seen = NOTHING_SEEN) -> None:
        """The call's answer came, or was given up."""
        del self._flying[call]
        self._cool(now)
        self._refresh(now)
        if seen.limit is not None:
            self._server_limit = max(1, seen.limit)
        if seen.limited:
            self._block(now, seen)
            return
        self._one_at_a_time = False
        if seen.remaining is None:
            return
        reset_at = now + self._plausible(seen.reset_in)
        tolerance = SAME_RESET * self.window
        if self._remaining is None or reset_at > self._reset_at + tolerance:
            self._remaining, self._reset_at = seen.remaining, reset_at
        elif reset_at >= self._reset_at - tolerance:
            # Answers overtake each other: within one window the smallest number is the newest.
            self._remaining = min(self._remaining, seen.remaining)

    @property
    def spacing(self) -> float:
        """Seconds of a window per place."""
        return self.window / self._limit_now()

    def free(self, now: float) -> int:
        """Places to be had now."""
        if self.wait(now) > 0:
            return 0
        places = self._limit_now() - len(self._flying) - len(self._cooling)
        left = places if self._remaining is None else self._remaining - len(self._flying)
        return max(1, min(places, left))

    def returning(self, now: float) -> list[float]:
        """Seconds until each place that is taken comes back, the next first."""
        return [moment - now for moment in self._cooling]

    def _limit_now(self) -> int:
        return self.limit if self._server_limit is None else min(self.limit, self._server_limit)

    def used(self, now: float) -> int:
        """Places taken."""
        self._refresh(now)
        return len(self._flying) + len(self._cooling)

    def restore(self, calls: Iterable[tuple[float, float | None]], now: float) -> None:
        """Take places for calls made before this process began: (start, answer) on the present clock.

        A call without an answer ended with the process that made it, at the latest now.
        """
        for answer in sorted(now if end is None else min(end, now) for _, end in calls):
            self._cool(answer)
        self._refresh(now)

    def assume_used(self, now: float) -> None:
        """Another worker may have used all of it until now."""
        for _ in range(self.limit - len(self._flying)):
            self._cool(now)

    def _cool(self, answer: float) -> None:
        self._cooling.append(answer + self.window + GUARD)

    def _refresh(self, now: float) -> None:
        cooling = self._cooling
        while cooling and cooling[0] <= now:
            cooling.popleft()
        if self._remaining is not None and now >= self._reset_at:
            # Where others used it up, one call asks how much there is now.
            self._one_at_a_time = self._remaining <= len(self._flying)
            self._remaining = None

    def _wait_for_place(self, now: float) -> float:
        limit = self.limit if self._server_limit is None else min(self.limit, self._server_limit)
        surplus = len(self._flying) + len(self._cooling) - limit
        if surplus < 0:
            return 0.0
        return self._cooling[surplus] - now if surplus < len(self._cooling) else math.inf

    def _wait_for_share(self, now: float) -> float:
        """Calls in flight may not be in what the server said was left."""
        if self._remaining is None or self._remaining > len(self._flying):
            return 0.0
        return math.inf if self._flying else self._reset_at - now

    def _block(self, now: float, seen: Seen) -> None:
        span = self._plausible(seen.reset_in)
        if seen.retry_after is not None:
            span = seen.retry_after if seen.reset_in is None else max(span, seen.retry_after)
        self._blocked_until = max(self._blocked_until, now + span + GUARD)
        self._remaining = None
        self._one_at_a_time = True

    def _plausible(self, span: float | None) -> float:
        """A moment on a clock unlike ours says nothing: then it is a full window."""
        return self.window if span is None or not 0 < span <= self.window else span
