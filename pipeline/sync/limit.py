"""When the next request to a shop may be made: its limit, and the pauses it asked for. Pure."""

from __future__ import annotations

from collections import deque

from pipeline.shops.api import RequestLimit

#: Longest pause after failures in a row, seconds; and after refused credentials, which a person must mend.
LONGEST_WAIT, LONGEST_UNAUTHORISED = 300.0, 900.0
FIRST_WAIT, FIRST_UNAUTHORISED = 1.0, 60.0


class ShopLimit:
    """The requests to one shop.

    Args:
        limit: the platform's.

    Attributes:
        stopped: why nothing is asked now, in a word of a bounded set; "" while all is well.
    """

    def __init__(self, limit: RequestLimit) -> None:
        self._limit = limit
        self._sent: deque[float] = deque()
        self._until = 0.0
        self._failures = 0
        self.stopped = ""

    def wait(self, now: float) -> float:
        """Seconds until the next request may be made; 0: now."""
        while self._sent and self._sent[0] + self._limit.seconds <= now:
            self._sent.popleft()
        full = len(self._sent) >= self._limit.requests
        free = self._sent[0] + self._limit.seconds if full else now
        return max(0.0, free - now, self._until - now)

    def sent(self, now: float) -> None:
        """A request is made."""
        self._sent.append(now)

    def answered(self) -> None:
        """The shop works."""
        self._failures = 0
        self._until = 0.0
        self.stopped = ""

    def rest(self, now: float, seconds: float) -> None:
        """The shop works, and asks for a pause before its limit is reached."""
        self._until = max(self._until, now + seconds)

    def too_many(self, now: float, seconds: float | None) -> None:
        """The shop asks for a pause."""
        self._pause(now, self._limit.pause if seconds is None else seconds, "too_many")

    def failed(self, now: float, share: float, why: str) -> None:
        """A request failed for a reason that may be the shop's.

        Args:
            now: the moment.
            share: a random number from 0 to 1: stores of one host do not come back at the same moment.
            why: a word of a bounded set.
        """
        self._failures += 1
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._failures - 1, 20))
        self._pause(now, longest * (0.5 + share / 2), why)

    def unauthorised(self, now: float) -> None:
        """The credentials were refused: asked again rarely, as hosts ban who insists."""
        self._failures += 1
        self._pause(
            now,
            min(LONGEST_UNAUTHORISED, FIRST_UNAUTHORISED * 2 ** min(self._failures - 1, 10)),
            "unauthorised",
        )

    def _pause(self, now: float, seconds: float, why: str) -> None:
        self._until = max(self._until, now + seconds)
        self.stopped = why
