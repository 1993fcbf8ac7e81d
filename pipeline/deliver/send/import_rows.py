"""What is done with the rows of imports: a receipt, a call of its own, or another file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportJob
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.send.consent_check import Asking
from pipeline.deliver.state.diff import fingerprint_of
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Waiting
from pipeline.deliver.state.key import Key
from pipeline.records import Outcome, RecordKind

#: Records read, or receipts written, before other tasks run.
CHUNK = 500
#: A coupon's import that never says anything of its row is given up after so many.
COUPON_TRIES = 10

End = Callable[[Sequence[tuple[Key, Waiting, Ending]]], None]


class ImportRows:
    """The rows of one account's imports.

    Args:
        account: its name.
        partition_state: its records.
        scheduler: its imports.
        asking: knows what Connectif was asked of people's consent.
        end: writes endings.
    """

    def __init__(
        self,
        account: str,
        partition_state: PartitionState,
        scheduler: Scheduler,
        *,
        asking: Asking,
        end: End,
    ) -> None:
        self._account = account
        self._partition_state = partition_state
        self._scheduler = scheduler
        self._asking = asking
        self._end = end

    async def deliver(self, job: ImportJob, ids: Sequence[str]) -> None:
        """Rows that Connectif took."""
        await self._end_ids(job, ids, self._imported)

    async def _end_ids(
        self, job: ImportJob, ids: Sequence[str], ending: Callable[[ImportJob, str, Waiting], Ending]
    ) -> None:
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            entries = self._partition_state.entries(self._account, job.kind, chunk)
            await self.end_all(
                [
                    (Key(job.kind, record_id), entry.current, ending(job, record_id, entry.current))
                    for record_id, entry in zip(chunk, entries, strict=True)
                    if entry.current is not None
                ]
            )

    def _imported(self, job: ImportJob, record_id: str, waiting: Waiting) -> Ending:
        detail, last_sent = f"import {job.import_id}", fingerprint_of(waiting.state)
        key = Key(job.kind, record_id)
        ending = Ending(
            Outcome.DELIVERED,
            "imported",
            detail,
            fingerprint=last_sent,
            unsubscribing_ms=self._asking.unsubscribing_since(key),
        )
        return self._asking.noted(key, ending)

    def _refusal(self, job: ImportJob, record_id: str, waiting: Waiting) -> Ending:
        """A code that may have been sent before is refused because the set has it."""
        detail = f"import {job.import_id}"
        if self._partition_state.index(self._account)[job.kind].maybe_sent(record_id):
            last_sent = fingerprint_of(waiting.state)
            return Ending(Outcome.DELIVERED, "already", detail, fingerprint=last_sent)
        return Ending(Outcome.DEAD, "refused_row", detail)

    async def singly(self, kind: RecordKind, ids: Sequence[str], ending: Ending) -> None:
        """Send rows by calls of their own, for an answer to each; coupons, which have none, end here."""
        if kind is not RecordKind.COUPON:
            self._scheduler.singly(kind, ids)
            return
        entries = self._partition_state.entries(self._account, kind, ids)
        await self.end_all(
            [
                (Key(kind, record_id), entry.current, ending)
                for record_id, entry in zip(ids, entries, strict=True)
                if entry.current is not None
            ]
        )

    async def again(self, kind: RecordKind, batch: ImportBatch, *, split: bool) -> None:
        """An import that said nothing of its rows: they are sent again, in halves where that helps."""
        if kind is RecordKind.COUPON and batch.tries >= COUPON_TRIES:
            await self.singly(kind, batch.ids, Ending(Outcome.DEAD, "import_failed"))
            return
        self.mark_tried(kind, batch)
        for part in self._scheduler.imports.failed(batch, split=split):
            self.set_aside(kind, part)

    def set_aside(self, kind: RecordKind, batch: ImportBatch) -> None:
        """Queue rows for another file; if they are too few, they go by calls of their own."""
        if self.too_few(kind, len(batch.ids)):
            self._scheduler.singly(kind, batch.ids)
        elif batch.ids:
            self._scheduler.batch(kind, batch)

    def too_few(self, kind: RecordKind, count: int) -> bool:
        """Whether this many rows cost fewer calls one by one."""
        return kind is not RecordKind.COUPON and count < self._scheduler.imports.worth(kind)

    def put_back(self, kind: RecordKind, batch: ImportBatch) -> None:
        """Cancelled: rows without a written ending are sent again."""
        queue = self._partition_state.index(self._account)[kind]
        left = [record_id for record_id in batch.ids if queue.phase(record_id) is Phase.IN_FLIGHT]
        self.mark_tried(kind, batch)
        self.set_aside(kind, part_of(batch, left))

    def mark_tried(self, kind: RecordKind, batch: ImportBatch) -> None:
        """Connectif may have what was sent of these."""
        for record_id in batch.ids:
            self._partition_state.index(self._account)[kind].mark_tried(record_id)

    async def refused(self, job: ImportJob, ids: Sequence[str], *, exactly: bool) -> None:
        """Rows that Connectif refused; where not `exactly`, some of them it took."""
        if job.kind is not RecordKind.COUPON:
            self._scheduler.singly(job.kind, ids)
        elif exactly:
            await self._end_ids(job, ids, self._refusal)
        else:
            await self.again(job.kind, part_of(job.batch, list(ids)), split=True)

    async def end_all(self, endings: Sequence[tuple[Key, Waiting, Ending]]) -> None:
        """Write endings, some at a time."""
        for start in range(0, len(endings), CHUNK):
            self._end(endings[start : start + CHUNK])
            await asyncio.sleep(0)


def part_of(batch: ImportBatch, ids: list[str]) -> ImportBatch:
    """A batch of some of its ids."""
    return ImportBatch(ids, batch.tries, batch.lane)
