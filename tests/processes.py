"""Waiting for other processes: for a condition and a deadline, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for the condition; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def wait_until(condition: Callable[[], bool], seconds: float = 20, *, every: float = 0.02) -> None:
    """The same where no event loop runs; `every` is longer where a look costs others their time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(every)


def is_alive(pid: int) -> bool:
    """A zombie counts as dead: its parent has not yet asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
