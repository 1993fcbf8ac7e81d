"""How far a run may be ahead of delivery, so that a pause or a cancellation takes effect at once. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: The most events and records under way, where next to nothing of them costs a call.
MOST = 8_000
#: Minutes of calls that are under way where they cost calls.
MINUTES = 2.0
#: So many at least: an import needs rows.
LEAST = 100
#: Seconds within which what is under way must be gone for more of it to be let out at once.
QUICK = 2.0


@dataclass(slots=True)
class Window:
    """The most that may be under way: `base`, and more while it is dealt with at once.

    Attributes:
        base: where deliver has to make calls.
        size: now.
    """

    base: int
    size: int

    @classmethod
    def of(cls, calls_per_minute: float) -> Window:
        """For accounts that take so many calls together."""
        base = max(LEAST, int(calls_per_minute * MINUTES))
        return cls(base, base)

    def room(self, under_way: int) -> int:
        """How many more may be let out."""
        return max(0, self.size - under_way)

    def gone(self, seconds: float) -> None:
        """All that was under way is dealt with, after so long."""
        if seconds <= QUICK:
            self.size = min(MOST, self.size * 2)
        else:
            self.stays()

    def stays(self) -> None:
        """What is under way needs calls."""
        self.size = self.base


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
