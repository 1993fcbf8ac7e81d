"""Every call of an account is admitted here: by limit, health and concurrency, and written to the journal."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.connectif.answers import Answer
from pipeline.deliver.send.call_failures import CallFailures
from pipeline.deliver.send.health import Health, Sign, of_its_size, sign_of
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import Observation
from pipeline.notifier import Notifier

#: Purposes of calls, as metric labels: sending a record, or again without refused fields; reading consent.
TELL, WITHOUT, CONSENT = "tell", "without", "consent"
#: The lane of calls that are for no record.
UPKEEP = "upkeep"
#: Polling imports; reading a purchase to compare it; repairs; counters of coupon sets.
LOOK, COMPARE, REPAIR, STOCK = "look", "compare", "repair", "stock"


@dataclass(frozen=True, slots=True)
class HeardCall:
    """An answered call: its lane, its purpose, what it says of the account, the seconds it took."""

    lane: str
    route: str
    purpose: str
    answer: Answer
    sign: Sign
    seconds: float

    @property
    def use(self) -> str:
        """Told, asked or wasted."""
        if self.sign is not Sign.WELL:
            return "wasted"
        return "told" if self.purpose in {TELL, WITHOUT} else "asked"


class CallJournal(Protocol):
    """Where calls are recorded before they are made; `journal.Journal` is one."""

    def started(self, wall: float) -> int:
        """A call is about to be made; returns what `answered` needs."""

    def answered(self, call: int, wall: float) -> None:
        """It has its answer, or was given up."""


class ServerLimits:
    """Reports each lower limit of the server once.

    Args:
        notify: called with a limit per window, or with a `Retry-After` that is longer than is obeyed, in
            seconds; the other is None.
    """

    def __init__(
        self, notify: Callable[[int | None, float | None], None] = lambda _limit, _away: None
    ) -> None:
        self._notify = notify
        self._lowest: float = math.inf
        self._away = False

    def observe(self, budget: Limiter, seen: Observation) -> None:
        """Take an answer's headers into account."""
        if seen.limit is not None and seen.limit < min(self._lowest, budget.limit):
            self._lowest = seen.limit
            self._notify(seen.limit, None)
        absurd = seen.limited and seen.retry_after is not None and seen.retry_after > budget.longest_away
        if absurd and not self._away:
            self._notify(None, seen.retry_after)
        if absurd or not seen.limited:
            self._away = absurd


class AdmissionControl:
    """One account's.

    Args:
        budget: the limit.
        health: whether calls may be made at all.
        call_journal: survives the process.
        wall: epoch seconds.
        at_once: the most tasks at a time.
        heard: called with each answer.
        slowed: called with a limit of the server that is lower than the settings'; see `ServerLimits`.

    Attributes:
        call_failures: whether calls fail, since when and why.
    """

    def __init__(
        self,
        budget: Limiter,
        health: Health,
        call_journal: CallJournal,
        *,
        wall: Callable[[], float],
        at_once: int,
        heard: Callable[[HeardCall], None],
        call_failures: CallFailures | None = None,
        slowed: ServerLimits | None = None,
    ) -> None:
        self.budget = budget
        self.health = health
        self.call_failures = call_failures or CallFailures()
        self._slowed = slowed or ServerLimits()
        self.notifier = Notifier()
        self._call_journal = call_journal
        self._wall = wall
        self.at_once = at_once
        self._heard = heard
        self._permits = 0
        self._queue = 0
        self._closed = False

    def open(self) -> None:
        """Calls may be made."""
        self._closed = False

    def close(self) -> None:
        """No call starts any more: tasks that wait for one are cancelled."""
        self._closed = True
        self.notifier.notify()

    def wait(self, now: float) -> float:
        """Seconds until a new task may start; infinity: not before something changes."""
        if self._permits >= self.at_once or self._queue:
            return math.inf
        return self._wait_for_call(now)

    def enter(self, now: float, lane: str) -> Permit:
        """Start a task of a lane, with a slot of the limit for its first call."""
        self._permits += 1
        return Permit(self, self.budget.start(now), lane)

    def used(self) -> int:
        """Slots taken now."""
        return self.budget.used(asyncio.get_running_loop().time())

    def _wait_for_call(self, now: float) -> float:
        return max(self.budget.wait(now), self.health.wait(now, self.budget.in_flight))

    async def slot(self) -> int:
        """A slot for another call of a running task; new tasks wait for it."""
        loop = asyncio.get_running_loop()
        self._queue += 1
        try:
            while (seconds := self._wait_for_call(loop.time())) > 0 or self._closed:
                if self._closed:
                    raise asyncio.CancelledError
                await self.notifier.wait(seconds)
        finally:
            self._queue -= 1
            self.notifier.notify()
        return self.budget.start(loop.time())

    async def call(
        self,
        slot: int,
        route: str,
        make: Callable[[], Awaitable[Answer]],
        *,
        may_be_absent: bool,
        size: int,
        lane: str,
        purpose: str,
    ) -> Answer:
        """Make a call and take its answer into account."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        entry = self._call_journal.started(self._wall())
        answer: Answer | None = None
        try:
            answer = await make()
        finally:
            self._call_journal.answered(entry, self._wall())
            now = loop.time()
            if answer is None:
                self.budget.finish(slot, now)  # cancelled: the server may have counted it
            else:
                sign = sign_of(answer, may_be_absent=may_be_absent)
                heard = HeardCall(lane, route, purpose, answer, sign, now - started)
                self._observe(slot, heard, started, now, size)
                self._heard(heard)
            self.notifier.notify()
        return answer

    def _observe(self, slot: int, heard: HeardCall, started: float, now: float, size: int) -> None:
        answer, sign, rate = heard.answer, heard.sign, heard.answer.rate
        if size and of_its_size(answer, size):
            sign = Sign.NOTHING
        limited = sign is Sign.LIMITED
        seen = Observation(rate.limit, rate.remaining, rate.reset_in, rate.retry_after, limited=limited)
        self.budget.finish(slot, now, seen)
        self._slowed.observe(self.budget, seen)
        self.health.answered(sign, answer, started, now)
        wall = self._wall()
        self.call_failures.answered(heard.route, sign, answer, wall - (now - started), wall)

    async def pause(self, seconds: float) -> None:
        """Wait; another task may start meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        self._permits -= 1
        self.notifier.notify()
        try:
            while (left := end - loop.time()) > 0 and not self._closed:
                await self.notifier.wait(left)
        finally:
            self._permits += 1
        if self._closed:
            raise asyncio.CancelledError

    def left(self, slot: int | None) -> None:
        """A task has ended; an unused slot is free again."""
        if slot is not None:
            self.budget.cancel(slot)
        self._permits -= 1
        self.notifier.notify()


class Permit:
    """The right of one task to make calls, one after the other. `calls` counts them."""

    def __init__(self, admission: AdmissionControl, slot: int, lane: str) -> None:
        self._admission = admission
        self._lane = lane
        self._slot: int | None = slot
        self._open = True
        self.calls = 0

    async def call(
        self,
        route: str,
        make: Callable[[], Awaitable[Answer]],
        *,
        may_be_absent: bool = False,
        size: int = 0,
        purpose: str = TELL,
    ) -> Answer:
        """Make a call as soon as the account may.

        Args:
            route: of the API, as a metric label.
            make: sends it.
            may_be_absent: whether a 404 is an answer to it.
            size: bytes of the file it sends: a failure may be due to it.
            purpose: as a metric label.
        """
        slot = await self._admission.slot() if self._slot is None else self._slot
        self._slot = None
        self.calls += 1
        return await self._admission.call(
            slot, route, make, may_be_absent=may_be_absent, size=size, lane=self._lane, purpose=purpose
        )

    async def pause(self, seconds: float) -> None:
        """Wait while other tasks may start; cancelled if no call may start any more."""
        await self._admission.pause(seconds)

    def leave(self) -> None:
        """The task makes no more calls; harmless when repeated."""
        if self._open:
            self._open = False
            self._admission.left(self._slot)
            self._slot = None
