"""Tasks of the stores that a sync worker holds: one each, at work until their partition goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from pipeline.engine.engine import Engine

#: Seconds between checks whether a store's task is to be started.
LOOK = 0.2


class StoreTasks:
    """One task for each store.

    Args:
        engine: whose partitions they belong to, and that has not started.
        held: the stores that have a task now, by name.
        start: the work of one, until cancelled; None where it cannot begin yet.
        title: what the tasks are called.
    """

    def __init__(
        self,
        engine: Engine,
        held: Callable[[], Iterable[str]],
        start: Callable[[str], Coroutine[Any, Any, None] | None],
        *,
        title: str,
    ) -> None:
        self._engine = engine
        self._held = held
        self._start = start
        self._title = title
        self._tasks: dict[str, asyncio.Task[None]] = {}
        engine.background(self._conduct)
        engine.on_pause(self._pause)

    async def halt(self, name: str) -> None:
        """End the task of a store, if it has one."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _conduct(self) -> None:
        """Keep the stores that are held at work."""
        while True:
            if self._engine.not_ready is None:
                for name in self._held():
                    work = None if name in self._tasks else self._start(name)
                    if work is not None:
                        self._tasks[name] = asyncio.create_task(work, name=f"{self._title} {name}")
            for task in list(self._tasks.values()):
                if task.done() and not task.cancelled():
                    task.result()  # whatever it is, it ends the process
            await asyncio.sleep(LOOK)

    async def _pause(self) -> None:
        """Partitions may be revoked, or the worker stops."""
        for name in list(self._tasks):
            await self.halt(name)
