"""Changelog -> local store in bulk: thousands of records at a time, outside of the event loop.

Faust reads a changelog record by record on the loop (6,300 keys/s measured); a lost data directory of a
million keys kept a worker from starting for minutes.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engine.store import Damaged, PartitionStore
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import LostRange, OffsetRange
from pipeline.kafka.reader import RangeReader, Stopped
from pipeline.kafka.tombstones import MARKER_KEY
from pipeline.metrics import STATE_FOREIGN

log = logging.getLogger(__name__)

#: Seconds by which a time stamp of ours, or of the broker's, may lie ahead of the clock.
CLOCKS_DIFFER = 3_600.0


@dataclass(slots=True)
class RestoreJob:
    """One changelog partition to be read to its present end.

    Attributes:
        topic: the changelog's full name.
        partition: its number.
        store: where it goes.
        applied: records read so far.
        missed: whether deletions may be gone that the store has not seen: it is to be read from the start.
    """

    topic: str
    partition: int
    store: PartitionStore
    applied: int = 0
    missed: bool = False
    place: TopicPartition = field(init=False)
    _end: int = field(default=0, init=False)
    _next: int = field(default=0, init=False)
    _anew: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self.place = TopicPartition(self.topic, self.partition)

    def plan(self, low: int, high: int, stale_before: int, latest: float = math.inf) -> bool:
        """Decide where to start; returns whether there is anything to read.

        A store that is ahead of the topic, or so old that deletions may have been compacted away unseen, is
        wiped and read again from the start. So is one whose moment is yet to come: a clock was wrong, and
        its age is not known.
        """
        try:
            position = self.store.position
        except Damaged as damaged:
            log.warning("%s", damaged.message, extra={"event": "state.damaged"})
            self.store.start_anew()
            position = None
        if position is not None and (position.offset >= high or not stale_before <= position.at <= latest):
            self.store.wipe()
            position = None
        self._anew = position is None
        self._next = max(low, 0 if position is None else position.offset + 1)
        self._end = high
        return self._next < high

    def start_anew(self) -> None:
        """Forget what the store holds."""
        self.missed = False
        self.store.wipe()

    def _foreign(self, offset: int) -> None:
        """No worker writes a key that is empty or begins with a zero byte; the position has such a one."""
        STATE_FOREIGN.labels(self.store.path.stem.rpartition("-")[0]).inc()
        log.warning(
            "%s partition %d offset %d is no record of ours: left out", self.topic, self.partition, offset
        )

    @property
    def end(self) -> int:
        """Where the changelog ended when this was planned."""
        return self._end

    @property
    def range(self) -> OffsetRange:
        """What is left to read."""
        return OffsetRange(self.place, self._next, self._end)

    def take(self, messages: Sequence[Any], now: int) -> None:
        """Write some records; `messages` are the client's own, without errors."""
        if self.missed:
            return  # nothing is kept of a store that is not to be believed
        if not self._anew and any(message.key() == MARKER_KEY for message in messages):
            # An erasure was here: the deletions before it were compacted away at once, not after days.
            self.missed = True
            return
        changes: dict[bytes, bytes | None] = {}
        for message in messages:
            key = message.key()
            if key and key[0]:
                if not key.startswith(MARKER_KEY):
                    changes[key] = message.value()
            else:
                self._foreign(message.offset())
        last, (_, written) = messages[-1].offset(), messages[-1].timestamp()
        self._next = last + 1
        # Called off before the end, it has seen no deletion after the last record: that is its age.
        at = now if self._next >= self._end else min(now, written // 1_000)
        self.store.apply(changes, last, at, logged=False)
        self.applied += len(changes)

    def finish(self, now: int) -> None:
        """All is read; what lies behind the last record is none: the end of a transaction, or deleted."""
        if self._next < self._end and not self.missed:
            self._next = self._end
            self.store.apply({}, self._end - 1, now, logged=False)


def restore(
    config: Mapping[str, Any], jobs: Sequence[RestoreJob], *, stale_seconds: float, stop: threading.Event
) -> None:
    """Bring every store to the present end of its changelog. Blocks: run it in a thread.

    Args:
        config: librdkafka settings: where Kafka is and how to reach it.
        jobs: what to restore; `applied` of each counts what it took.
        stale_seconds: a store not updated for longer than this is restored from the start.
        stop: ends it early.

    Raises:
        Stopped: `stop` was set.
        BrokerError: a broker refused, or did not answer.
    """
    # There are no transactions here; one left open by another program must not hide what follows.
    with RangeReader(config, uncommitted=True, removals=True) as reader:
        _restore(reader, jobs, stale_seconds, stop)
        again = [job for job in jobs if job.missed]
        for job in again:
            log.info("%s is restored from its start: deletions were compacted away meanwhile", job.place)
            job.start_anew()
        if again:
            _restore(reader, again, stale_seconds, stop)


def _restore(
    reader: RangeReader, jobs: Sequence[RestoreJob], stale_seconds: float, stop: threading.Event
) -> None:
    reading = _planned(reader, jobs, stale_seconds, stop)
    try:
        batches = reader.read([job.range for job in reading.values()], stop=stop.is_set, on_lost=_tell)
        for batch in batches:
            reading[batch.place].take(batch.raw, int(time.time()))
        for job in reading.values():
            job.finish(int(time.time()))
    finally:
        # Called off, too: what is written next goes to the log, and would survive what was read here.
        for job in reading.values():
            job.store.flush()


def _planned(
    reader: RangeReader, jobs: Sequence[RestoreJob], stale_seconds: float, stop: threading.Event
) -> dict[TopicPartition, RestoreJob]:
    """The jobs that have anything to read."""
    now = time.time()
    stale_before, latest = int(now - stale_seconds), now + CLOCKS_DIFFER
    extents = reader.offsets.extents([job.place for job in jobs])
    reading: dict[TopicPartition, RestoreJob] = {}
    for job in jobs:
        extent = extents[job.place]
        if job.plan(extent.low, extent.high, stale_before, latest):
            reading[job.place] = job
        if stop.is_set():
            raise Stopped
    return reading


def _tell(lost: LostRange) -> None:
    """What a topic deletes by its age is as good as read."""
    log.info("%s: the offsets %d to %d were deleted meanwhile", lost.place, lost.start, lost.end - 1)
