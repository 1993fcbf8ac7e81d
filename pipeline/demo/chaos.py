"""Kills processes of the running pipeline with SIGKILL, at random moments."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from random import Random

from pipeline.local.supervisor import ProcessPhase, ProcessStatus

VICTIMS = ("gateway", "translate", "sync", "deliver", "kafka")
#: Seconds between two kills, at least and at most: some hit a process that is just coming back.
PAUSE = (1.5, 5.0)


class Chaos:
    """Kills one process after another.

    Args:
        statuses: the processes and their ids.
        rng: chooses who and when.
        kill: how; for tests, and for who counts.
        pause: how many seconds to the next kill.
    """

    def __init__(
        self,
        statuses: Callable[[], Sequence[ProcessStatus]],
        rng: Random,
        kill: Callable[[int, int], None] = os.kill,
        *,
        pause: Callable[[Random], float] = lambda rng: rng.uniform(*PAUSE),
    ) -> None:
        self.killed: list[str] = []
        self._statuses = statuses
        self._rng = rng
        self._kill = kill
        self._pause = pause

    async def run(self, enough: asyncio.Event) -> None:
        """Each victim once in a random order, then again in another, until it is enough; once in any case."""
        spared = set(VICTIMS)
        while True:
            for name in self._rng.sample(VICTIMS, k=len(VICTIMS)):
                if enough.is_set() and not spared:
                    return
                await asyncio.sleep(self._pause(self._rng))
                self._strike(name)
                spared -= set(self.killed)

    def _strike(self, name: str) -> None:
        for status in self._statuses():
            if status.name == name and status.pid is not None and status.phase is not ProcessPhase.STOPPED:
                with contextlib.suppress(ProcessLookupError):  # it was about to come back
                    self._kill(status.pid, signal.SIGKILL)
                    self.killed.append(name)
