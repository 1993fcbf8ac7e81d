"""Wakes tasks that wait for a change, or until a time."""

from __future__ import annotations

import asyncio
import math


class Notifier:
    """Wakes all tasks that wait at that moment; one that is not waiting must check before it waits."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake every waiting task."""
        for future in self._waiting:
            _finish(future)

    async def wait(self, seconds: float) -> None:
        """Return once `notify` is called or `seconds` have passed; infinity: only on `notify`."""
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
