"""Processes the two agents' rounds: records in, receipts back, each in two confirmed phases."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.partition.unit_of_work import Committer, UnitOfWork
from pipeline.notifier import Notifier
from pipeline.records import Receipt, Record, RecordKind

log = logging.getLogger(__name__)

#: Seconds between checks whether a receipt's record has been counted; a notification mostly comes first.
COUNT_LOOK = 0.1
#: Seconds after which Kafka is asked whether such a record exists.
DOUBT = 5.0

S = TypeVar("S", bound=UnitOfWork)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartitionBatch(Generic[T, S]):
    """One partition's share of a round.

    Attributes:
        partition_state: the partition's.
        values: with their offsets.
        done: marks them as processed, in a step.
        refuse: called with the offset of a foreign value, and why it is foreign.
        passed: the offset before which every record of a kind was processed.
        end: asks Kafka for the end offset of a kind's topic, in this partition.
    """

    partition_state: PartitionState
    values: Sequence[tuple[int, T]]
    done: Callable[[S], None]
    refuse: Callable[[int, str], None] = lambda _offset, _why: None
    passed: Callable[[RecordKind], int] = lambda _kind: 0
    end: Callable[[RecordKind], Awaitable[int]] | None = None


class CalledOff(Exception):  # noqa: N818 - not an error: a rebalance or the end of the process
    """A round was not processed; it will be read again."""


class TwoPhaseProcessor(Generic[S]):
    """Processes the rounds of one worker.

    Args:
        committer: makes and confirms steps.
        settled: called with each receipt that ended a record.
    """

    def __init__(self, committer: Committer[S], settled: Callable[[Receipt], None]) -> None:
        self._committer = committer
        self._settled = settled
        self._counted = Notifier()
        self._called_off = False

    def call_off(self) -> None:
        """Abandon rounds that wait for records to be counted: those records may never come."""
        self._called_off = True
        self._counted.notify()

    def go_on(self) -> None:
        """Let rounds wait again."""
        self._called_off = False

    async def take(self, kind: RecordKind, batches: Sequence[PartitionBatch[Record, S]]) -> None:
        """Process a round of records of one kind."""
        with self._committer.begin() as step:
            for batch in batches:
                batch.partition_state.accept(kind, batch.values, step)
            await self._committer.confirm(step)
        with self._committer.begin() as step:
            for batch in batches:
                batch.partition_state.count(kind, batch.values, step)
                batch.done(step)
            self._counted.notify()
            await self._committer.submit(step)

    async def settle(self, batches: Sequence[PartitionBatch[Receipt, S]]) -> None:
        """Process a round of receipts.

        A record may be sent before it is counted, so its receipt can come first, and waits until it is. If
        all records up to it were processed and it was not counted, or if there is no such record, it never
        will be: then a record with an entry is counted now, and a receipt without one is foreign.

        Raises:
            CalledOff: see `call_off`.
        """
        late = [await self._wait_until_counted(batch) for batch in batches]
        settled: list[Sequence[tuple[int, Receipt]]] = []
        with self._committer.begin() as step:
            for batch, receipts in zip(batches, late, strict=True):
                foreign = batch.partition_state.count_late(receipts)
                for offset in foreign:
                    batch.refuse(offset, "no record of ours is where it says")
                settled.append([value for value in batch.values if value[0] not in foreign])
                batch.partition_state.send(settled[-1], step)
            await self._committer.confirm(step)
        with self._committer.begin() as step:
            for batch, receipts in zip(batches, settled, strict=True):
                for receipt in batch.partition_state.clear(receipts, step):
                    self._settled(receipt)
                batch.done(step)
            await self._committer.submit(step)

    async def _wait_until_counted(self, batch: PartitionBatch[Receipt, S]) -> Sequence[tuple[int, Receipt]]:
        """Wait until the receipts' records are counted; returns the receipts whose records never will be."""
        loop = asyncio.get_running_loop()
        began, ends = loop.time(), dict[RecordKind, int]()
        while waiting := batch.partition_state.uncounted(batch.values):
            if self._called_off:
                raise CalledOff
            if all(
                receipt.record.offset < batch.passed(receipt.kind)
                or receipt.record.offset >= ends.get(receipt.kind, sys.maxsize)
                for _, receipt in waiting
            ):
                # Checked again: one may have been counted between the two checks.
                return batch.partition_state.uncounted(batch.values)
            await self._counted.wait(COUNT_LOOK)
            if not ends and batch.end is not None and loop.time() - began > DOUBT:
                log.warning("%d receipts wait for records that are not counted yet", len(waiting))
                for kind in {receipt.kind for _, receipt in waiting}:
                    ends[kind] = await batch.end(kind)
        return ()
