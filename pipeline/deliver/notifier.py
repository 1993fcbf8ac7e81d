"""Wakes those who wait for something to change, or for a moment to come."""

from __future__ import annotations

import asyncio
import math


class Notifier:
    """Rung for all who wait at that moment; who is not waiting must look before waiting."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake everyone."""
        for future in self._waiting:
            _finish(future)

    async def wait(self, seconds: float) -> None:
        """Until `notify` is called or so much time has passed; infinity: for `notify` alone."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.add(future)
        timer = None
        if seconds < math.inf:
            timer = loop.call_later(max(0.0, seconds), _finish, future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if timer is not None:
                timer.cancel()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
