"""Faust's table recovery with our bulk restore in its place: same moments, same guarantees, much faster."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.tables import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from mode import Service

from pipeline.engine.restore import Job, Stopped, restore
from pipeline.engine.table import StateTable


class Restorer:
    """Runs the bulk restore of all tables in a thread, one at a time, and can call it off."""

    def __init__(self, config: Mapping[str, Any], *, stale_seconds: float) -> None:
        self._config = config
        self._stale_seconds = stale_seconds
        self._stop = threading.Event()
        self._running: asyncio.Task[list[Job]] | None = None

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
        # The thread may have been past its last look: what waits for its end must not find us ready.
        if self._stop.is_set():
            raise Stopped

    def _work(self, tables: list[StateTable]) -> list[Job]:
        jobs = [job for table in tables for job in table.open_jobs()]
        restore(self._config, jobs, stale_seconds=self._stale_seconds, stop=self._stop)
        return jobs

    async def cancel(self) -> None:
        """Call off a running restore and wait until its thread has let go of the stores."""
        self._stop.set()
        if self._running is not None:
            await asyncio.wait([self._running])


class BulkRecovery(Recovery):
    """Between an assignment and the first event: restore all tables, then let Faust resume the streams."""

    @Service.task
    async def _restart_recovery(self) -> None:
        manager = self.tables
        assert isinstance(manager, BulkTableManager)  # noqa: S101 - for the type checker
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            try:
                self._set_recovery_started()
                await self._wait(manager.restore())
                await self._wait(self.on_recovery_completed(generation))
            except (RebalanceAgain, IllegalStateError, Stopped):
                continue
            except ServiceStopped:
                break
            except Exception as error:  # noqa: BLE001 - a worker without its tables must not run
                manager.fatal(error)

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Nothing: changelogs are not read through Faust's queue."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Nothing: no recovery of Faust's ever runs."""


class BulkTableManager(TableManager):
    """Faust's table manager with BulkRecovery; `restore` and `fatal` are set by the engine."""

    restore: Callable[[], Any]
    fatal: Callable[[BaseException], None]

    @property
    def recovery(self) -> BulkRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        assert isinstance(self._recovery, BulkRecovery)  # noqa: S101 - for the type checker
        return self._recovery

    async def on_start(self) -> None:
        """As Faust's, without its second of waiting."""
        await self._update_channels()
        await self.recovery.start()
