"""How long imports take, learned from those that finished, and when to poll one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

#: Before anything was learned: what any import takes, and a row, as shares of the limit's window.
FIXED, PER_ROW = 1 / 12, 1 / 60_000
#: Seconds below which nothing is learned.
LEAST = 0.01
#: An import found finished at its first poll may have finished long before: the estimate is lowered by this.
SHORTER = 0.7
#: Between two polls of one import passes at least this share of the time it has taken.
PATIENCE = 0.25
#: and never more seconds than these.
LONGEST = 120.0
#: The first poll comes this much later than expected: one that comes too early is a wasted call.
LATER = 1.05
#: Of the polls an import needs, so much of the mean is the newest one's.
NEWEST = 0.2


@dataclass(slots=True)
class ImportDurations:
    """Imports of one kind of one account.

    Attributes:
        fixed: seconds of an import, whatever its size.
        per_row: seconds of each row.
        polls: that an import needed, on average.
    """

    fixed: float
    per_row: float
    polls: float = 1.5

    @classmethod
    def unknown(cls, window: float) -> Self:
        """Before anything was learned; `window` of the limit in seconds, shorter where time runs faster."""
        return cls(FIXED * window, PER_ROW * window)

    def expected(self, rows: int) -> float:
        """Seconds an import of so many rows takes."""
        return self.fixed + self.per_row * rows

    def rows_within(self, seconds: float) -> int:
        """How many rows an import may have to be finished in that time."""
        return int(max(0.0, seconds - self.fixed) / self.per_row)

    @property
    def calls(self) -> float:
        """Calls of one import, its polls included."""
        return 1.0 + self.polls

    def learn(self, rows: int, *, longer_than: float, at_most: float, polls: int) -> None:
        """An import took between so many seconds; the larger part of the guess was the wrong one."""
        self.polls += NEWEST * (polls - self.polls)
        guess = self.expected(rows)
        took = min(max(guess, longer_than), at_most)
        if polls == 1 and longer_than < at_most:
            took = max(longer_than, min(took, guess * SHORTER))
        size = self.per_row * rows
        if size > self.fixed:
            self.per_row = max(LEAST / rows, (took - self.fixed) / rows)
        else:
            self.fixed = max(LEAST, took - size)

    def first_look(self, rows: int) -> float:
        """Seconds from the start of an import to its first poll."""
        return LATER * self.expected(rows)

    @staticmethod
    def next_look(took: float, shortest: float) -> float:
        """Seconds to the next poll of an import that has taken `took` seconds so far."""
        return max(shortest, min(LONGEST, PATIENCE * took))
