"""Work that takes long, for a page: in a thread, so many at a time, and stopped when its time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline.kafka.reader import Stopped

Found = TypeVar("Found")


class BusyError(Exception):
    """As much is under way as there may be."""


class TooLongError(Exception):
    """It was not done within its time, and was stopped."""


class BoundedWork:
    """See the module.

    Args:
        at_once: how many may be under way.
        seconds: for each.
    """

    def __init__(self, at_once: int, seconds: float) -> None:
        self._limit = asyncio.BoundedSemaphore(at_once)
        self._seconds = seconds

    async def do(self, work: Callable[[Callable[[], bool]], Found]) -> Found:
        """Do it in a thread; it is given what to ask whether it has to stop, which it does by `Stopped`.

        Raises:
            BusyError: nothing more can be begun now.
            TooLongError: its time was over.
        """
        if self._limit.locked():
            raise BusyError
        until = time.monotonic() + self._seconds
        async with self._limit:
            try:
                return await asyncio.to_thread(work, lambda: time.monotonic() > until)
            except Stopped as error:
                raise TooLongError from error
