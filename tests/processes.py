"""Waiting for other processes: for a condition and a deadline, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

_LONGEST_PAUSE = 0.5


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for the condition; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            began = time.monotonic()
            found = condition()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(_pause(time.monotonic() - began, 0.02))


def wait_until(condition: Callable[[], bool], seconds: float = 20, *, every: float = 0.02) -> None:
    """The same where no event loop runs."""
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now > deadline:
            raise TimeoutError
        time.sleep(_pause(now - began, every))
        began = time.monotonic()


def _pause(look: float, least: float) -> float:
    """Until the next look; a look that takes long takes it from those that are waited for."""
    return max(least, min(4 * look, _LONGEST_PAUSE))


def is_alive(pid: int) -> bool:
    """A zombie counts as dead: its parent has not yet asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
