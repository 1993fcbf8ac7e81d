"""Coupon sets that are kept filled: which codes wait, when to check a set, how many to release.

A code of such a set waits as any record does, but in no queue: codes are on disk with all that is
pending. Nothing here has to survive a crash. Pure: clock and what Connectif says are passed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.config_accounts import CouponSetSettings
from pipeline.deliver.schedule.pending_queue import PendingQueue, Phase
from pipeline.events import Lane

#: The counters of a set may be 10 s old: so long after the last change they are true.
LAG = 15.0
#: Codes moved in one decision, at most: other tasks run in between.
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
    """A set's counters in Connectif; or `trouble`, why there are none."""

    available: int = 0
    quantity: int = 0
    trouble: str = ""


@dataclass(slots=True)
class CouponSetInventory:
    """One set.

    Attributes:
        available: codes to be had, as Connectif last said; None before it did.
        trouble: why it is not topped up; empty while it is.
        look_at: when to check it next.
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

    def copy(self) -> CouponSetInventory:
        """A copy."""
        return replace(self, _kept=self._kept.copy(), _let_go=self._let_go.copy())

    @property
    def waiting(self) -> int:
        """Codes that wait."""
        return len(self._kept)

    @property
    def is_low(self) -> bool:
        """Whether it was found to have fewer codes than it should."""
        return self.available is not None and self.available < self.settings.low

    @property
    def is_empty(self) -> bool:
        """Whether it is low and nothing waits for it."""
        return self.is_low and not self.waiting

    def may_go(self, record_id: str) -> bool:
        """Whether a code was released."""
        return record_id in self._let_go

    def keep(self, record_id: str) -> None:
        """Another code waits; a set that had none is checked soon."""
        if not self._kept and self.is_low:
            self.look_at = min(self.look_at, self._looked_at + LAG)
        self._kept.append(record_id)

    def is_due(self, now: float, queue: PendingQueue, *, unsure: bool) -> bool:
        """Whether to check now; not while codes are in flight, nor until the counters include them.

        After a start as well: the worker before us may have seen its last codes arrive a moment ago.

        Args:
            now: the clock.
            queue: where codes are.
            unsure: whether imports of unknown content may be in flight.
        """
        if self._looking or now < self.look_at:
            return False
        self._let_go = {record_id for record_id in self._let_go if record_id in queue}
        under_way = unsure or bool(self._let_go)
        if not under_way and self._quiet:
            self._looking = True
            return True
        self._quiet = not under_way
        self.look_at = now + LAG
        return False

    def seen(self, counters: Counters | None, now: float, queue: PendingQueue) -> int:
        """Take a check's result, None if there was no answer; returns how many codes are released."""
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
        released = 0 if self.trouble else self._release(queue)
        if released:
            self._before = counters.quantity
            self._quiet = False
            self.look_at = now + LAG
        return released

    def _release(self, queue: PendingQueue) -> int:
        chosen: list[str] = []
        while self._kept and len(chosen) < self.settings.batch:
            record_id = self._kept.popleft()
            if queue.phase(record_id) is Phase.HELD:  # else a receipt of the worker before us settled it
                chosen.append(record_id)
        self._let_go.update(chosen)
        for record_id in reversed(chosen):  # each goes to the head of its lane
            queue.release(record_id)
        return len(chosen)


class CouponInventory:
    """One account's.

    Args:
        sets: its sets, by the names of the settings.
        queue: where its codes are.
    """

    def __init__(self, sets: Mapping[str, CouponSetSettings], queue: PendingQueue) -> None:
        self.sets = {name: CouponSetInventory(settings) for name, settings in sets.items()}
        self._by_id = {coupon_set.settings.set_id: coupon_set for coupon_set in self.sets.values()}
        self._queue = queue

    def copy(self, queue: PendingQueue) -> CouponInventory:
        """A copy; `queue` is a copy of its queue."""
        copied = CouponInventory({}, queue)
        copied.sets = {name: coupon_set.copy() for name, coupon_set in self.sets.items()}
        copied._by_id = {coupon_set.settings.set_id: coupon_set for coupon_set in copied.sets.values()}
        return copied

    def take(self, lane: Lane, most: int) -> list[str]:
        """The next codes of a lane that may go, now in flight; others that come before them are held."""
        taken: list[str] = []
        kept = 0
        while len(taken) < most and kept < AT_ONCE and (record_id := self._queue.take(lane)) is not None:
            coupon_set = self._by_id.get(set_of(record_id))
            if coupon_set is None or coupon_set.may_go(record_id):
                taken.append(record_id)
                continue
            kept += 1
            self._queue.hold(record_id)
            if self._queue.phase(record_id) is Phase.HELD:
                coupon_set.keep(record_id)
        return taken

    def due(self, now: float, *, unsure: bool) -> str | None:
        """The name of a set to check now; `unsure`: see `CouponSetInventory.is_due`."""
        due = (
            name
            for name, coupon_set in self.sets.items()
            if coupon_set.is_due(now, self._queue, unsure=unsure)
        )
        return next(due, None)

    def seen(self, name: str, counters: Counters | None, now: float) -> int:
        """See `CouponSetInventory.seen`."""
        return self.sets[name].seen(counters, now, self._queue)

    def next_moment(self) -> float:
        """When a set is to be checked next."""
        return min((coupon_set.look_at for coupon_set in self.sets.values()), default=math.inf)


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
