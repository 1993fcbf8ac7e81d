"""When the next request to a shop may be made: its limit, and the pauses it asked for. Pure."""

from __future__ import annotations

from collections import deque

from pipeline.shops.api import RequestLimit
from pipeline.sync.lanes import ShopLane
from pipeline.sync.points import PointsBucket

#: One of so many requests of a limit is left to those that are urgent.
KEPT_FREE = 50
#: By so much a limit's time is taken to be longer, as a share and in seconds at least: the shop counts a
#: request when it arrives, and not all are under way for as long.
GUARD, LEAST_GUARD = 0.02, 0.04

#: Longest pause after failures in a row, seconds; and after refused credentials, which a person must mend.
LONGEST_WAIT, LONGEST_UNAUTHORISED = 300.0, 900.0
FIRST_WAIT, FIRST_UNAUTHORISED = 1.0, 60.0


class ShopLimit:
    """The requests to one shop.

    Pulls leave a few requests of the limit to withdrawals, and are spread over its time: were they made at
    once, nothing could be asked until that time is over.

    Args:
        limit: the platform's.

    Attributes:
        points: of a shop that counts them.
        stopped: why nothing is asked now, in a word of a bounded set; "" while all is well.
    """

    def __init__(self, limit: RequestLimit) -> None:
        self._limit = limit
        self._free = limit.requests // KEPT_FREE
        self._seconds = limit.seconds + max(GUARD * limit.seconds, LEAST_GUARD)
        self._gap = self._seconds / (limit.requests - self._free)
        self._catches_up = max(2 * self._gap, self._seconds / 12)
        self._sent: deque[float] = deque()
        self._paced_from = 0.0
        self._until = 0.0
        self._paused_at = 0.0
        self._failures = 0
        self.points = PointsBucket()
        self.stopped = ""

    def wait(self, now: float, lane: ShopLane, form: str = "") -> float:
        """Seconds until the next request of a lane may be made; 0: now."""
        while self._sent and self._sent[0] + self._seconds <= now:
            self._sent.popleft()
        most = self._limit.requests - (0 if lane.is_urgent else self._free)
        surplus = len(self._sent) - most
        free = now if surplus < 0 else self._sent[surplus] + self._seconds
        paced = self._paced_from if lane.is_paced else now
        return max(0.0, free - now, paced - now, self._until - now, self.points.wait(now, form, lane))

    def sent(self, now: float) -> None:
        """A request is made; whichever it is, pulls leave its place in the limit's time free."""
        self._sent.append(now)
        late = now - self._paced_from  # what a slow answer held up is caught up with; a pause is none
        self._paced_from = (self._paced_from if late <= self._catches_up else now) + self._gap

    def answered(self, sent: float) -> None:
        """The shop works, by the answer to a request that was sent then.

        What it said since, in answers to later requests, counts: a pause is not over because of an older one.
        """
        if sent < self._paused_at:
            return
        self._failures = 0
        self._until = 0.0
        self.stopped = ""

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
        self._paused_at = now
        self.stopped = why
