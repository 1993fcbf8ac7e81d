"""The stock of coupon sets that are kept filled: which codes wait, when to look at a set, how many to let go.

A code of such a set waits as any record, but out of line: what waits for a set is its stock, on disk with
all that waits. Nothing here has to survive a crash. Pure: clock and what Connectif says are passed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.config import CouponSetSettings
from pipeline.deliver.book import Line, Phase
from pipeline.events import Lane

#: The counters of a set may be 10 s old: so long after the last change they are true.
LAG = 15.0
#: Codes kept back in one decision, at most: others get their turn.
AT_ONCE = 5_000
#: So many top-ups in a row that left a set as it was are the last.
FRUITLESS = 3

#: A set has no more codes than this; a greater number is no count.
MOST_CODES = 10**12

#: Why a set is not topped up, as metric labels.
ABSENT, FORBIDDEN = "absent", "forbidden"
NOT_MULTIPLE, UNREADABLE, REFUSED = "not_multiple", "unreadable", "refused"


@dataclass(frozen=True, slots=True)
class Counters:
    """What Connectif says of a set; or `trouble`, why it says nothing of use."""

    available: int = 0
    quantity: int = 0
    trouble: str = ""


@dataclass(slots=True)
class WatchedSet:
    """One set.

    Attributes:
        available: codes to be had, as Connectif last said; None before it did.
        trouble: why it is not topped up; empty while it is.
        look_at: when to look at it next.
    """

    settings: CouponSetSettings
    available: int | None = None
    trouble: str = ""
    look_at: float = -math.inf
    _looking: bool = False
    _quiet: bool = False
    _looked_at: float = -math.inf
    _kept: deque[str] = field(default_factory=deque)
    _let_go: set[str] = field(default_factory=set)
    _before: int = -1
    _fruitless: int = 0

    def copy(self) -> WatchedSet:
        """One that stands as this one does."""
        return replace(self, _kept=self._kept.copy(), _let_go=self._let_go.copy())

    @property
    def stock(self) -> int:
        """Codes that wait."""
        return len(self._kept)

    @property
    def is_low(self) -> bool:
        """Whether it was found to have fewer codes than it should."""
        return self.available is not None and self.available < self.settings.low

    @property
    def is_empty(self) -> bool:
        """Whether it is low and nothing waits for it."""
        return self.is_low and not self.stock

    def may_go(self, record_id: str) -> bool:
        """Whether a code was let go."""
        return record_id in self._let_go

    def keep(self, record_id: str) -> None:
        """Another code waits; a set that went without is looked at soon."""
        if not self._kept and self.is_low:
            self.look_at = min(self.look_at, self._looked_at + LAG)
        self._kept.append(record_id)

    def is_due(self, now: float, line: Line, *, unsure: bool) -> bool:
        """Whether to look now; while codes are on their way, and until the counters have them, it is put off.

        After a start as well: the worker before us may have seen its last codes arrive a moment ago.

        Args:
            now: the clock.
            line: where codes are.
            unsure: whether codes of unknown content may be on their way.
        """
        if self._looking or now < self.look_at:
            return False
        self._let_go = {record_id for record_id in self._let_go if record_id in line}
        under_way = unsure or bool(self._let_go)
        if not under_way and self._quiet:
            self._looking = True
            return True
        self._quiet = not under_way
        self.look_at = now + LAG
        return False

    def seen(self, counters: Counters | None, now: float, line: Line) -> int:
        """What a look found, None where there was no answer; returns how many codes are let go."""
        self._looking, self._looked_at = False, now
        if counters is None:
            self.look_at = now + LAG
            return 0
        self.look_at = now + self.settings.every
        self.available = None if counters.trouble else counters.available
        if counters.trouble or not self.is_low:
            self.trouble, self._before, self._fruitless = counters.trouble, -1, 0
            return 0
        self._fruitless = self._fruitless + 1 if counters.quantity <= self._before else 0
        self.trouble = REFUSED if self._fruitless >= FRUITLESS else ""
        released = 0 if self.trouble else self._release(line)
        if released:
            self._before = counters.quantity
            self._quiet = False
            self.look_at = now + LAG
        return released

    def _release(self, line: Line) -> int:
        chosen: list[str] = []
        while self._kept and len(chosen) < self.settings.batch:
            record_id = self._kept.popleft()
            if line.phase(record_id) is Phase.HELD:  # else a receipt of the worker before us settled it
                chosen.append(record_id)
        self._let_go.update(chosen)
        for record_id in reversed(chosen):  # each goes to the head of its lane
            line.release(record_id)
        return len(chosen)


class Stock:
    """One account's.

    Args:
        sets: its sets, by the names of the settings.
        line: where its codes are.
    """

    def __init__(self, sets: Mapping[str, CouponSetSettings], line: Line) -> None:
        self.sets = {name: WatchedSet(settings) for name, settings in sets.items()}
        self._by_id = {watched.settings.set_id: watched for watched in self.sets.values()}
        self._line = line

    def copy(self, line: Line) -> Stock:
        """One that stands as this one does; `line` is a copy of its line."""
        twin = Stock({}, line)
        twin.sets = {name: watched.copy() for name, watched in self.sets.items()}
        twin._by_id = {watched.settings.set_id: watched for watched in twin.sets.values()}
        return twin

    def take(self, lane: Lane, most: int) -> list[str]:
        """The next codes of a lane that may go, now flying; the others that come first are kept back."""
        taken: list[str] = []
        kept = 0
        while len(taken) < most and kept < AT_ONCE and (record_id := self._line.take(lane)) is not None:
            watched = self._by_id.get(set_of(record_id))
            if watched is None or watched.may_go(record_id):
                taken.append(record_id)
                continue
            kept += 1
            self._line.hold(record_id)
            if self._line.phase(record_id) is Phase.HELD:
                watched.keep(record_id)
        return taken

    def due(self, now: float, *, unsure: bool) -> str | None:
        """The name of a set to look at now; `unsure`: see `WatchedSet.is_due`."""
        due = (name for name, watched in self.sets.items() if watched.is_due(now, self._line, unsure=unsure))
        return next(due, None)

    def seen(self, name: str, counters: Counters | None, now: float) -> int:
        """See `WatchedSet.seen`."""
        return self.sets[name].seen(counters, now, self._line)

    def next_moment(self) -> float:
        """When there is something to look at next."""
        return min((watched.look_at for watched in self.sets.values()), default=math.inf)


def set_of(record_id: str) -> str:
    """The coupon set of a coupon record's id, `set/code`."""
    return record_id.partition("/")[0]


def code_of(record_id: str) -> str:
    """Its code."""
    return record_id.partition("/")[2]


def read_counters(body: object) -> Counters:
    """A coupon set as GET answers it."""
    if not isinstance(body, Mapping):
        return Counters(trouble=UNREADABLE)
    available, quantity = body.get("available"), body.get("quantity")
    if body.get("type") == "single" or available is None or quantity is None:
        return Counters(trouble=NOT_MULTIPLE)
    if not all(type(count) is int and abs(count) <= MOST_CODES for count in (available, quantity)):
        return Counters(trouble=UNREADABLE)
    return Counters(available, quantity)
