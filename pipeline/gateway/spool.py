"""The spool as the event loop sees it: a lane for each topic, whose waiting events share one commit."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import PipelineError
from pipeline.gateway.directory import can_be_written, locked
from pipeline.gateway.message import TIMES_WHAT_IS_FREE, Message, Overloaded, Stored
from pipeline.gateway.spool_log import START, LogPosition, Row, SpoolLog, files_in
from pipeline.logs import of_delivery
from pipeline.metrics import (
    GATEWAY_REFUSED_EVENTS,
    GATEWAY_SPOOL_BYTES,
    GATEWAY_SPOOL_EVENTS,
    GATEWAY_SPOOL_FAILURES,
    GATEWAY_SPOOL_WRITABLE,
)
from pipeline.tracing import delivery_in

log = logging.getLogger(__name__)

#: How long after a failed write the disk is tried again.
RETRY_SECONDS = 1.0
#: With less room than this for another event, nearly all are refused: the spool counts as full.
ROOM = 16_384
#: Beside a topic's own files: what Kafka refuses for good.
REFUSED = "refused"
#: The names Kafka allows.
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class _Waiting(NamedTuple):
    """An event to be written; `refused` says why Kafka would not take it, where that is known."""

    message: Message
    size: int
    future: asyncio.Future[Stored] | None
    refused: str


class Spool:
    """Keeps events on disk, each topic's in order of arrival, until they are deleted.

    Made and used on a running event loop.

    Args:
        directory: the spool's own; its lock keeps a second gateway out, which would break the order.
        left_behind: those of processes that there are no more; what they hold is only drained.
        max_bytes: the sum of sizes above which no event is taken.
        topics: those there is a lane for; topics found on the disk have one, too.
        shared: whether several stores share it; then each leaves room for the others.

    Attributes:
        lanes: by topic; those of a directory that was left behind, by its name and the topic.
        writable: whether the disk took what was last written.

    Raises:
        PipelineError: the directory cannot be used, or another process has it.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        topics: Iterable[str] = (),
        *,
        shared: bool = False,
        left_behind: Iterable[Path] = (),
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._locks = [locked(directory)]
        self.writable = True
        self._probing = False
        self.lanes: dict[str, TopicSpool] = {}
        for topic in sorted(_topics_in(directory).union(topics)):
            self._add(topic, TopicSpool(self, topic, directory))
        for other in left_behind:
            self._take_over(other)
        self.not_written(can_be_written(directory))
        GATEWAY_SPOOL_BYTES.set_function(lambda: self.size)

    def _add(self, name: str, lane: TopicSpool) -> None:
        self.lanes[name] = lane
        self.count(lane.topic)

    def _take_over(self, directory: Path) -> None:
        """The lanes of a process that there is no more."""
        topics = _topics_in(directory)
        if not topics:
            return
        try:
            self._locks.append(locked(directory))
        except PipelineError as error:  # it still ends: the next start takes it over
            log.warning("%s is not drained now: %s", directory, error.message)
            return
        for topic in sorted(topics):
            self._add(f"{directory.name}/{topic}", TopicSpool(self, topic, directory))
        log.info("what an earlier process left in %s is sent to Kafka from here", directory)

    def count(self, topic: str) -> None:
        """Tell the metrics of a topic's events."""
        lanes = [lane for lane in self.lanes.values() if lane.topic == topic]
        GATEWAY_SPOOL_EVENTS.labels(topic).set(sum(lane.events for lane in lanes))
        GATEWAY_REFUSED_EVENTS.labels(topic).set(sum(lane.events - lane.unrefused for lane in lanes))

    @property
    def events(self) -> int:
        """What is held, with what is still being written."""
        return sum(lane.events for lane in self.lanes.values())

    @property
    def size(self) -> int:
        """The sum of their sizes."""
        return sum(lane.bytes for lane in self.lanes.values())

    def refusal(self, store: bytes = b"", size: int = ROOM) -> str | None:
        """Why an event of this store and size is not taken; None where it is."""
        free = self._max_bytes - self.size
        if size > free or free <= 0:
            return "the spool is full"
        held = sum(lane.by_store[store] for lane in self.lanes.values()) if self._shared else 0
        if held + size > TIMES_WHAT_IS_FREE * free:
            return "the spool leaves what is free to other stores"
        return None

    def complaint(self) -> str | None:
        """Why no event at all is taken; None where some are."""
        if not self.writable:
            return "the spool's disk cannot be written"
        return self.refusal(size=min(ROOM, self._max_bytes // 10))

    def not_written(self, reason: str | None) -> None:
        """The disk refused a write, and is tried again soon; None: it took one."""
        if reason is None:
            if not self.writable:
                log.info("the spool in %s can be written again", self.directory)
            self.writable = True
        else:
            GATEWAY_SPOOL_FAILURES.inc()
            if self.writable:
                log.error(
                    "the spool in %s cannot be written: %s; what Kafka does not take at once is answered 503",
                    self.directory,
                    reason,
                )
            self.writable = False
            if not self._probing:
                self._probing = True
                self._loop.call_later(RETRY_SECONDS, self._probe)
        GATEWAY_SPOOL_WRITABLE.set(self.writable)

    async def close(self) -> None:
        """Commit what waits, close the files, and let another process have them."""
        for lane in self.lanes.values():
            await lane.close()
        while self._locks:
            os.close(self._locks.pop())

    def _probe(self) -> None:
        self._probing = False
        if self._locks:
            task = self._loop.run_in_executor(None, can_be_written, self.directory)
            task.add_done_callback(lambda done: self.not_written(done.result()))


class TopicSpool:
    """One topic's part of the spool.

    Only one commit runs at a time; what arrives meanwhile goes into the next, so the rate does not depend
    on how slow an fsync is.

    Attributes:
        events, bytes: what is held, with what is still being written.
        by_store: the bytes, by store.
        on_change: called after each commit.
        start: where reading begins.
    """

    def __init__(self, spool: Spool, topic: str, directory: Path) -> None:
        self.topic = topic
        self._spool = spool
        self._directory = directory / topic
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._batch: list[_Waiting] = []
        self._through: LogPosition | None = None
        self._aside: list[_Waiting] = []
        self._writing = self._closed = False
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.events = self.bytes = self._refused = 0
        self.by_store: Counter[bytes] = Counter()
        self.on_change: Callable[[], None] = lambda: None
        self._refused_log = SpoolLog(self._directory / REFUSED)
        self._log = SpoolLog(self._directory)
        self.start = self._log.start
        self._open()

    def _open(self) -> None:
        """Count what lies there; what Kafka refused is tried again, behind it."""
        for row in self._log.rows(self._log.start):
            self._add(row.message, row.size)
        for row in self._refused_log.rows(self._refused_log.start):
            self._add(row.message, row.size)
            if not self._refused and self._log.write([row.message])[1] is None:
                self._refused_log.delete_through(row.place)
            else:
                self._refused += 1
        self._log.lost = self._refused_log.lost = 0
        self._count()

    @property
    def unrefused(self) -> int:
        """Events that Kafka may take."""
        return self.events - self._refused

    @property
    def quiet(self) -> bool:
        """Whether nothing waits to be written."""
        return self._quiet.is_set()

    def refuses_all(self) -> str | None:
        """Why no event is taken; None where some are."""
        return self._spool.complaint()

    def append(self, message: Message, future: asyncio.Future[Stored], refused: str = "") -> None:
        """Keep a message; `future` gets `Stored.SPOOL` once it is on disk, else `Overloaded`.

        `refused`: why Kafka will not take it; then it is kept in `refused` until the next start.
        """
        size = message.size
        reason = self._spool.refusal(_store(message), size)
        if reason is not None:
            _fail(future, reason)
            return
        self._add(message, size)
        self._refused += bool(refused)
        self._batch.append(_Waiting(message, size, future, refused))
        self._write_soon()

    def delete_through(self, row: Row, refused: str = "") -> None:
        """Delete the oldest events up to and with this one; to be called for each, in order.

        `refused`: why Kafka does not take this one; then it is kept in `refused` until the next start.
        """
        self._through = row.place
        if refused:
            self._refused += 1
            self._aside.append(_Waiting(row.message, row.size, None, refused))
        else:
            self._take_off(row.message, row.size)
        self._write_soon()

    async def read(self, after: LogPosition, max_rows: int, max_bytes: int) -> list[Row]:
        """The first events on disk after a position, in order."""
        rows = await self._loop.run_in_executor(self._thread, self._log.read, after, max_rows, max_bytes)
        lost, self._log.lost = self._log.lost, 0
        if lost:
            self.events -= lost
            self._count()
        return rows

    async def close(self) -> None:
        """Commit what waits, then close the files."""
        await self._quiet.wait()
        self._closed = True
        await self._loop.run_in_executor(self._thread, self._log.close)
        await self._loop.run_in_executor(self._thread, self._refused_log.close)
        self._thread.shutdown()

    def _write_soon(self) -> None:
        """At the end of this iteration of the loop, so that its other events share the commit."""
        if not self._writing and not self._closed:
            self._writing = True
            self._quiet.clear()
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        batch, self._batch = self._batch, []
        aside, self._aside = self._aside, []
        through, self._through = self._through, None
        good = [one for one in batch if not one.refused]
        bad = aside + [one for one in batch if one.refused]
        task = self._loop.run_in_executor(self._thread, self._commit, good, bad, len(aside), through)
        task.add_done_callback(lambda done: self._written(done, good, bad, aside, through))

    def _commit(
        self, good: list[_Waiting], bad: list[_Waiting], aside: int, through: LogPosition | None
    ) -> tuple[int, int, bool, OSError | None]:
        """How many of both were written, whether the deletion was made, and what failed; in the thread."""
        refused, error = self._refused_log.write([one.message for one in bad])
        deletes = through is not None and refused >= aside
        if through is not None and deletes:
            self._log.delete_through(through)
        written, failure = self._log.write([one.message for one in good])
        return written, refused, deletes, failure or error

    def _written(
        self,
        done: asyncio.Future[tuple[int, int, bool, OSError | None]],
        good: list[_Waiting],
        bad: list[_Waiting],
        aside: list[_Waiting],
        through: LogPosition | None,
    ) -> None:
        self._writing = False
        defect = done.exception()
        written, refused, deleted, error = (0, 0, False, None) if defect else done.result()
        self._settle(good, written)
        self._settle(bad[len(aside) :], max(0, refused - len(aside)))
        for one in bad[:refused]:
            self._say_refused(one)
        if defect is None and (error is not None or written):
            self._spool.not_written(None if error is None else error.strerror or str(error))
        again = through is not None and not deleted
        if again:  # what Kafka refused could not be moved to `refused`: no room
            self._aside = aside[refused:] + self._aside
            self._through = self._through or through
            self._loop.call_later(RETRY_SECONDS, self._write_soon)
        if self._batch or (self._through is not None and not again):
            self._write_soon()
        if not self._writing:
            self._quiet.set()
        self._count()
        self.on_change()
        if defect is not None:
            raise defect

    def _say_refused(self, one: _Waiting) -> None:
        log.error(
            "Kafka does not take an event of %s, key %s: %s. It is kept in %s and tried again when the "
            "gateway starts",
            self.topic,
            _shown(one.message.key),
            one.refused,
            self._directory / REFUSED,
            extra=of_delivery(delivery_in(one.message.headers)),
        )

    def _settle(self, waiting: list[_Waiting], written: int) -> None:
        """Answer those that are on the disk, and those that are not."""
        for one in waiting[:written]:
            if one.future is not None and not one.future.done():
                one.future.set_result(Stored.SPOOL)
        for one in waiting[written:]:
            self._take_off(one.message, one.size)
            self._refused -= bool(one.refused)
            if one.future is not None:
                _fail(one.future, "the spool cannot be written")

    def _add(self, message: Message, size: int) -> None:
        self.events += 1
        self.bytes += size
        self.by_store[_store(message)] += size

    def _take_off(self, message: Message, size: int) -> None:
        self.events -= 1
        self.bytes -= size
        self.by_store[_store(message)] -= size

    def _count(self) -> None:
        if self.events == 0:  # whatever was lost to damage
            self.bytes = 0
            self.by_store.clear()
        self._spool.count(self.topic)


def _store(message: Message) -> bytes:
    return message.key.partition(b"|")[0]


def _topics_in(directory: Path) -> set[str]:
    """Those of which it holds events."""
    return {path.name for path in directory.iterdir() if _holds_events(path)}


def _holds_events(path: Path) -> bool:
    """Whether it is a topic's directory with something in it, and no other thing that lies there."""
    return bool(_TOPIC.fullmatch(path.name) and (files_in(path) or files_in(path / REFUSED)))


def _fail(future: asyncio.Future[Stored], why: str) -> None:
    if not future.done():
        future.set_exception(Overloaded(why))


def _shown(key: bytes) -> str:
    """A message's key for a log; an id may be a person's address."""
    text = key.decode(errors="replace")
    return f"{text.partition('|')[0]}|***" if "@" in text else text


__all__ = ["START", "Spool", "TopicSpool"]
