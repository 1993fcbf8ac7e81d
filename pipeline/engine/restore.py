"""Changelog -> local store in bulk: thousands of records at a time, outside of the event loop.

Faust reads a changelog record by record on the loop (6,300 keys/s measured); a lost data directory of a
million keys kept a worker away for minutes.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.engine.store import Damaged, PartitionStore
from pipeline.kafka import client_log
from pipeline.metrics import STATE_FOREIGN

log = logging.getLogger(__name__)

BATCH = 10_000
#: Seconds: one look for records, and one question to a broker.
LOOK, ASK = 0.5, 30.0
#: Seconds by which a moment of ours, or of the broker's, may lie ahead of the clock.
CLOCKS_DIFFER = 3_600.0


class Stopped(Exception):  # noqa: N818 - not an error: a rebalance or the end of the process
    """The restore was called off; what it wrote is continued from, where no deletion can have been missed."""


@dataclass(slots=True)
class Job:
    """One changelog partition to be read to its present end.

    Attributes:
        topic: the changelog's full name.
        partition: its number.
        store: where it goes.
        applied: records read so far.
    """

    topic: str
    partition: int
    store: PartitionStore
    applied: int = 0
    _end: int = field(default=0, init=False)
    _next: int = field(default=0, init=False)

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
        self._next = max(low, 0 if position is None else position.offset + 1)
        self._end = high
        return self._next < high

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

    def at(self) -> TopicPartition:
        """Where to read next."""
        return TopicPartition(self.topic, self.partition, self._next)

    def take(self, messages: Sequence[Message], now: int) -> bool:
        """Write some records; returns whether the end is reached."""
        changes: dict[bytes, bytes | None] = {}
        last, written = -1, 0
        for message in messages:
            error = message.error()
            if error is None:
                last, (_, written) = message.offset(), message.timestamp()
                key = message.key()
                if key and key[0]:
                    changes[key] = message.value()
                else:
                    self._foreign(last)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the binding's public constant
                self._next = max(self._next, message.offset())
            else:
                raise KafkaException(error)
        self._next = max(self._next, last + 1)
        ended = self._next >= self._end
        if last >= 0:
            # Called off before the end, it has seen no deletion after the last record: that is its age.
            self.store.apply(changes, last, now if ended else min(now, written // 1_000), logged=False)
            self.applied += len(changes)
        return ended


def restore(
    config: Mapping[str, Any], jobs: Sequence[Job], *, stale_seconds: float, stop: threading.Event
) -> None:
    """Bring every store to the present end of its changelog. Blocks: run it in a thread.

    Args:
        config: librdkafka settings: where Kafka is and how to reach it.
        jobs: what to restore; `applied` of each tells how much it took.
        stale_seconds: a store away for longer than this is read again from the start.
        stop: ends it early.

    Raises:
        Stopped: `stop` was set.
        KafkaException: a broker refused, or did not answer.
    """
    consumer = Consumer(
        {
            "group.id": "pipeline-restore",  # required by the client, never joined or committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "check.crcs": False,
            # Nobody writes transactions here; one left open by another program must not hide what follows.
            "isolation.level": "read_uncommitted",
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 4_194_304,
            "queued.max.messages.kbytes": 32_768,
            **config,
        },
        logger=client_log,
    )
    try:
        _restore(consumer, jobs, stale_seconds, stop)
    finally:
        consumer.close()


def _restore(consumer: Consumer, jobs: Sequence[Job], stale_seconds: float, stop: threading.Event) -> None:
    reading = list(_planned(consumer, jobs, stale_seconds, stop))
    consumer.assign([job.at() for job in reading])
    try:
        _read(consumer, {(job.topic, job.partition): job for job in reading}, stop)
    finally:
        # Called off, too: what is written next goes to the log, and would survive what was read here.
        for job in reading:
            job.store.flush()


def _read(consumer: Consumer, open_jobs: dict[tuple[str, int], Job], stop: threading.Event) -> None:
    while open_jobs:
        sorted_out: dict[tuple[str, int], list[Message]] = {}
        for message in consumer.consume(BATCH, LOOK):
            sorted_out.setdefault((message.topic(), message.partition()), []).append(message)
        now = int(time.time())
        for place, messages in sorted_out.items():
            # Records that arrive after the end was taken belong to whoever writes next: to us.
            found = open_jobs.get(place)
            if found is not None and found.take(messages, now):
                del open_jobs[place]
        if stop.is_set():
            raise Stopped


def _planned(
    consumer: Consumer, jobs: Sequence[Job], stale_seconds: float, stop: threading.Event
) -> Iterator[Job]:
    """The jobs that have anything to read."""
    now = time.time()
    stale_before, latest = int(now - stale_seconds), now + CLOCKS_DIFFER
    for job in jobs:
        low, high = consumer.get_watermark_offsets(TopicPartition(job.topic, job.partition), timeout=ASK)
        if job.plan(low, high, stale_before, latest):
            yield job
        if stop.is_set():
            raise Stopped
