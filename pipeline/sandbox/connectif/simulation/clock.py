"""Time as the sandbox sees it: the machine's, or a virtual one that passes a day in seconds."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol

#: Loop rounds for the tasks that a virtual moment woke, before the next moment comes.
_SETTLE_ROUNDS = 20


class Clock(Protocol):
    """What the sandbox asks of time."""

    def now(self) -> float:
        """Epoch seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed."""
        ...


class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed."""
        await asyncio.sleep(seconds)


class VirtualClock:
    """Time that stands still until it is advanced."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Epoch seconds."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by `seconds`."""
        if seconds <= 0:
            return
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Advance by `seconds`, stopping at each moment a task sleeps until, and let it run."""
        end = self._now + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, wake = heapq.heappop(self._sleepers)
            if wake.done():
                continue
            self._now = moment
            wake.set_result(None)
            await self._settle()
        self._now = end
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(_SETTLE_ROUNDS):
            await asyncio.sleep(0)
