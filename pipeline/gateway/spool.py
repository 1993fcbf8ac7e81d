"""The spool as the event loop sees it: many waiting events share one commit, done in a thread."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.spool_file import Row, SpoolFile
from pipeline.metrics import GATEWAY_SPOOL_BYTES, GATEWAY_SPOOL_EVENTS, GATEWAY_SPOOL_FAILURES

log = logging.getLogger(__name__)

#: How long after a failed deletion the next is tried.
RETRY_SECONDS = 1.0

_Waiting = list[tuple[Row, asyncio.Future[Stored]]]


class Spool:
    """Keeps events on disk in order of arrival until they are deleted.

    Only one commit runs at a time; what arrives meanwhile goes into the next, so the rate does not depend
    on how slow an fsync is. Made and used on a running event loop.

    Args:
        file: the open file.
        max_bytes: the sum of sizes above which no event is taken.

    Attributes:
        events, bytes: what is held, with what is still being written.
        on_change: called after each commit.
    """

    def __init__(self, file: SpoolFile, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._batch: _Waiting = []
        self._delete_through = 0
        self._writing = False
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.events, self.bytes, self._last = file.extent()
        self.on_change: Callable[[], None] = lambda: None
        self._count()

    @property
    def is_full(self) -> bool:
        """Whether no event is taken."""
        return self.bytes >= self._max_bytes

    @property
    def quiet(self) -> bool:
        """Whether nothing waits to be written."""
        return self._quiet.is_set()

    def append(self, message: Message, future: asyncio.Future[Stored]) -> None:
        """Keep a message; `future` gets `Stored.SPOOL` once it is on disk, else `Overloaded`."""
        size = message.size
        if self.bytes + size > self._max_bytes:
            _fail(future, "the spool is full")
            return
        self._last += 1
        self.events += 1
        self.bytes += size
        self._batch.append((Row(self._last, size, message), future))
        self._write_soon()

    def delete_through(self, row: Row) -> None:
        """Delete the oldest events up to and with this one; to be called for each, in order."""
        self._delete_through = row.id
        self.events -= 1
        self.bytes -= row.size
        self._write_soon()

    async def read(self, after: int, max_rows: int, max_bytes: int) -> list[Row]:
        """The first events on disk with a higher id, in order."""
        return await self._loop.run_in_executor(self._thread, self._file.read, after, max_rows, max_bytes)

    async def close(self) -> None:
        """Commit what waits, then close the file."""
        await self._quiet.wait()
        await self._loop.run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    def _write_soon(self) -> None:
        """At the end of this turn of the loop, so that its other events share the commit."""
        if not self._writing:
            self._writing = True
            self._quiet.clear()
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        batch, self._batch = self._batch, []
        through, self._delete_through = self._delete_through, 0
        rows = [row for row, _ in batch]
        task = self._loop.run_in_executor(self._thread, self._file.write, rows, through)
        task.add_done_callback(lambda done: self._written(done, batch, through))

    def _written(self, done: asyncio.Future[None], batch: _Waiting, through: int) -> None:
        self._writing = False
        error = done.exception()
        if error is None:
            self._written_well(batch)
        else:
            self._not_written(error, batch, through)
        if not self._writing:
            self._quiet.set()
        self._count()
        self.on_change()

    def _written_well(self, batch: _Waiting) -> None:
        for _, future in batch:
            if not future.done():
                future.set_result(Stored.SPOOL)
        if self._batch or self._delete_through:
            self._write_soon()
        elif self.events == 0:
            self._loop.run_in_executor(self._thread, self._file.shrink)

    def _not_written(self, error: BaseException, batch: _Waiting, through: int) -> None:
        """The transaction changed nothing: the shops send again, the deletion is due again."""
        GATEWAY_SPOOL_FAILURES.inc()
        log.error("the spool cannot be written: %s", error)
        self.events -= len(batch)
        self.bytes -= sum(row.size for row, _ in batch)
        self._delete_through = max(through, self._delete_through)
        for _, future in batch:
            _fail(future, "the spool cannot be written")
        if self._batch:
            self._write_soon()
        elif self._delete_through:
            self._loop.call_later(RETRY_SECONDS, self._write_soon)
        if not isinstance(error, sqlite3.Error):
            raise error

    def _count(self) -> None:
        GATEWAY_SPOOL_EVENTS.set(self.events)
        GATEWAY_SPOOL_BYTES.set(self.bytes)


def _fail(future: asyncio.Future[Stored], why: str) -> None:
    if not future.done():
        future.set_exception(Overloaded(why))
