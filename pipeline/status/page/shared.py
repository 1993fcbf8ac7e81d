"""One answer for all who ask at the same time, and for a moment after: no look is made twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Shared(Generic[Made]):
    """See the module.

    Args:
        make: makes the answer.
        seconds: for which it is good.
        clock: seconds.
    """

    def __init__(
        self, make: Callable[[], Awaitable[Made]], seconds: float, clock: Callable[[], float]
    ) -> None:
        self._make, self._seconds, self._clock = make, seconds, clock
        self._task: asyncio.Task[Made] | None = None
        self._ends = 0.0

    async def get(self) -> Made:
        """The answer; errors are those of making it, and are not kept."""
        task = self._task
        is_over = task is None or (
            task.done() and (task.cancelled() or task.exception() or self._clock() >= self._ends)
        )
        if task is None or is_over:
            task = self._task = asyncio.create_task(self._made())
            # Where all who asked are gone, its error is nobody's.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Whoever goes away does not take it from the others.
        return await asyncio.shield(task)

    async def _made(self) -> Made:
        made = await self._make()
        self._ends = self._clock() + self._seconds
        return made
