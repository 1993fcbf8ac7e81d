"""Which lane is next: live before retry before backfill, each with a floor, the slower ones paced.

A slower lane could use every slot at once, and a live order would wait for most of a window. So it takes one
only while enough will be left, or come back in time, for what the live lane may ask for meanwhile. That look
ahead also spreads its calls over the window: where no slot would come back for long, it keeps some for then.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from pipeline.deliver.schedule.pending_queue import LANES
from pipeline.events import Lane

#: Windows over which live calls are averaged.
MEMORY = 2.0
#: Standard deviations of the live lane's demand that are kept for it: 99 of 100 times it needs less.
SURE = 2.5
#: Live calls come in pairs, an order's contact and its purchase: their variance is so many times their mean.
TOGETHER = 2.0
#: Spacings for which a live call may wait for a slot. With none, one is always kept and never used: 1 %.
MOMENT = 1.0
#: If there were no calls for long, slots still come back at most so many spacings apart,
EVENLY = 1.1
#: for which at most this share of a window is kept.
KEPT = 0.2
#: Calls a lane is owed at most: it may be unable to use them for a while.
OWED = 5.0
#: Floating-point error of sums of shares.
ROUNDING = 1e-9


class Lanes:
    """One account's.

    Args:
        floors: the share of calls a lane gets at least while it needs them.
        window: of the limit, in seconds.
    """

    def __init__(self, floors: Mapping[Lane, float], window: float) -> None:
        self._floors = dict(floors)
        self._memory = MEMORY * window
        self._credits = dict.fromkeys(LANES, 0.0)
        self._live = 0.0
        self._live_at = 0.0

    def copy(self) -> Lanes:
        """A copy."""
        copied = Lanes(self._floors, self._memory / MEMORY)
        copied._credits = self._credits.copy()
        copied._live, copied._live_at = self._live, self._live_at
        return copied

    def order(self, wanting: Collection[Lane]) -> list[Lane]:
        """Who goes first, second and so on, if the first cannot."""
        for lane in LANES:
            if lane not in wanting:
                self._credits[lane] = 0.0  # a lane that needs no calls accumulates none
        return sorted(wanting, key=lambda lane: (not self.owed(lane), LANES.index(lane)))

    def owed(self, lane: Lane) -> bool:
        """Whether a lane has had less than its floor: then nothing holds it."""
        return self._credits[lane] > 1.0 - ROUNDING

    def took(self, lane: Lane, wanting: Collection[Lane], now: float) -> None:
        """This lane got a call while the others needed one."""
        for other in wanting:
            self._credits[other] = min(self._credits[other] + self._floors[other], OWED)
        self._credits[lane] = max(0.0, self._credits[lane] - 1.0)
        if lane is Lane.LIVE:
            self._live = self.live_rate(now) + 1.0 / self._memory
            self._live_at = now

    def live_rate(self, now: float) -> float:
        """Live calls per second in the last minutes."""
        return self._live * math.exp((self._live_at - now) / self._memory)

    def wait(self, now: float, *, free: int, returning: Sequence[float], spacing: float) -> float:
        """Seconds until a slower lane may take a slot; 0: now.

        Args:
            now: the clock.
            free: slots to be had now, at least one.
            returning: seconds until each slot that is taken comes back, the next first.
            spacing: seconds of a window per slot.
        """
        rate, most = self.live_rate(now), KEPT * (free + len(returning))
        left, longest = free - 1, 0.0
        for slot, seconds in enumerate(returning):
            reach = _reach(left + slot, rate, most, spacing)
            longest = max(longest, seconds - reach)
        return longest


def _reach(slots: int, rate: float, most: float, spacing: float) -> float:
    """For how many seconds so many slots are enough for the live lane, or nearly."""
    evenly = math.inf if slots >= most else (slots + 1) * EVENLY * spacing
    if rate <= 0:
        return evenly
    # `slots` = rate * t + sure * sqrt(rate * t)
    sure = SURE * math.sqrt(TOGETHER)
    root = (math.sqrt(sure * sure + 4 * slots) - sure) / 2
    return min(evenly, root * root / rate + MOMENT * spacing)
