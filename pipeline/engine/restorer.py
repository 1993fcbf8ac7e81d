"""The restore of a worker's tables: in a thread, one at a time, and it can be called off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.engine.restore import RestoreJob, restore
from pipeline.engine.table import StateTable
from pipeline.kafka.reader import Stopped


class Restorer:
    """Runs the bulk restore of all tables in a thread, one at a time, and can call it off."""

    def __init__(self, config: Mapping[str, Any], *, stale_seconds: float) -> None:
        self._config = config
        self._stale_seconds = stale_seconds
        self._stop = threading.Event()
        self._running: asyncio.Task[list[RestoreJob]] | None = None

    async def run(self, tables: Iterable[StateTable]) -> None:
        """Bring the held partitions of all tables to the ends of their changelogs.

        Raises:
            Stopped: `cancel` was called.
        """
        chosen = list(tables)
        self._stop.clear()
        self._running = asyncio.create_task(asyncio.to_thread(self._work, chosen), name="restore")
        # A cancelled wait must not leave the thread writing to stores that are being closed: see `cancel`.
        jobs = await asyncio.shield(self._running)
        for table in chosen:
            await table.restored(jobs)
        # The thread may have been past its last check: what waits for its end must not find the worker ready.
        if self._stop.is_set():
            raise Stopped

    def _work(self, tables: list[StateTable]) -> list[RestoreJob]:
        jobs = [job for table in tables for job in table.open_jobs()]
        restore(self._config, jobs, stale_seconds=self._stale_seconds, stop=self._stop)
        return jobs

    async def cancel(self) -> None:
        """Cancel a running restore and wait until its thread no longer uses the stores."""
        self._stop.set()
        if self._running is not None:
            await asyncio.wait([self._running])
