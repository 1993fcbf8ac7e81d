"""How far a run may be ahead of delivery, so that a pause or a cancellation takes effect at once. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: The most events and records under way, where next to nothing of them costs a call.
MOST = 8_000
#: Minutes of calls that are under way where they cost calls.
MINUTES = 2.0
#: So many at least: an import needs rows.
LEAST = 100
#: Seconds' worth of what ends without a call that may be under way besides.
FREE_SECONDS = 4.0
#: Seconds that are too short for a rate.
SHORTEST = 0.01


@dataclass(slots=True)
class Window:
    """The most that may be under way: `base`, and as much more as ends in some seconds without a call.

    Attributes:
        base: where deliver has to make calls.
        rate: what ends in a second without a call, smoothed.
    """

    base: int
    rate: float = 0.0

    @classmethod
    def of(cls, calls_per_minute: float) -> Window:
        """For accounts that take so many calls together."""
        return cls(max(LEAST, int(calls_per_minute * MINUTES)))

    @property
    def size(self) -> int:
        """The most that may be under way now."""
        return min(max(MOST, self.base), self.base + int(self.rate * FREE_SECONDS))

    def room(self, under_way: int) -> int:
        """How many more may be let out."""
        return max(0, self.size - under_way)

    def ended(self, free: int, seconds: float) -> None:
        """So many ended without a call in that time."""
        if seconds >= SHORTEST:
            self.rate += (1 - math.exp(-seconds / FREE_SECONDS)) * (free / seconds - self.rate)


@dataclass(slots=True)
class Throttle:
    """Events a minute; `per_minute` None: as many as there is room for."""

    per_minute: float | None = None
    allowed: float = 0.0

    def passed(self, seconds: float) -> None:
        """So much time went by."""
        if self.per_minute is not None:
            second = self.per_minute / 60
            self.allowed = min(max(1.0, second), self.allowed + second * seconds)

    def room(self, wanted: int) -> int:
        """How many of these may go now."""
        return wanted if self.per_minute is None else min(wanted, int(self.allowed))

    def took(self, count: int) -> None:
        """So many went."""
        if self.per_minute is not None:
            self.allowed -= count


__all__ = ["MOST", "Throttle", "Window"]
