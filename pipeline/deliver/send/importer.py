"""Imports: make a file, send it, poll the job until it is finished, and settle every row."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence

from pipeline.config_stages import DeliverSettings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.csvfile import Row, write_csv
from pipeline.connectif.imports import (
    TYPES,
    ImportProgress,
    ImportStage,
    accounts_for_all,
    all_delivered,
    read_list,
    read_progress,
    suspects,
)
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.schedule.coupon_inventory import code_of
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportJob, halves
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.send.admission import LOOK, Permit
from pipeline.deliver.send.consent_check import Asking
from pipeline.deliver.send.contact_sync import ContactSync
from pipeline.deliver.send.file_size import FileSize
from pipeline.deliver.send.import_files import Sorted
from pipeline.deliver.send.import_rows import CHUNK, End, ImportRows, part_of
from pipeline.deliver.send.record_calls import Retry, result_of
from pipeline.deliver.state.consent import STATUS, UNSUBSCRIBED
from pipeline.deliver.state.ending import Ending
from pipeline.records import Outcome, RecordKind

log = logging.getLogger(__name__)

#: Pages of the list of imports that are read: the unfinished ones are on the first pages.
PAGES = 5
#: Attempts at one error report.
REPORT_TRIES = 3


class Importer:
    """One account's.

    Args:
        account: its name.
        partition_state: its records.
        scheduler: its imports.
        client: its API.
        contacts: what is sent of people.
        settings: sizes.
        end: writes endings.
    """

    def __init__(
        self,
        account: str,
        partition_state: PartitionState,
        scheduler: Scheduler,
        client: ConnectifClient,
        *,
        contacts: ContactSync,
        settings: DeliverSettings,
        end: End,
    ) -> None:
        self._account = account
        self._partition_state = partition_state
        self._scheduler = scheduler
        self._imports = scheduler.imports
        self._client = client
        self._contacts = contacts
        self.asking = Asking(account, partition_state, scheduler, client, contacts)
        self._settings = settings
        self._rows = ImportRows(account, partition_state, scheduler, asking=self.asking, end=end)
        self._size = FileSize(settings.import_max_bytes)

    async def send(self, kind: RecordKind, batch: ImportBatch, permit: Permit) -> None:
        """Send as much of a batch as one file holds; the rest goes into later files, or singly."""
        ask = False
        try:
            found = await self._sort(kind, batch.ids)
            ask = self.asking.set_aside(kind, batch, found.asked)
            await self._send(kind, batch, found, permit)
        except asyncio.CancelledError:
            if ask:
                self.asking.over()
            self._imports.doubt([kind], self._now())
            self._rows.put_back(kind, batch)
            raise
        finally:
            self._imports.starting(kind, batch.lane, yes=False)
        if ask:
            await self.asking.ask(permit)

    async def _send(self, kind: RecordKind, batch: ImportBatch, found: Sorted, permit: Permit) -> None:
        group = found.largest()
        if group is None:
            return
        rows = found.groups.pop(group)
        for others in found.groups.values():
            self._rows.set_aside(kind, part_of(batch, [record_id for record_id, _ in others]))
        if self._rows.too_few(kind, len(rows)):
            self._scheduler.singly(kind, [record_id for record_id, _ in rows])
            return
        csv, taken = write_csv(
            group.header,
            (cells for _, cells in rows),
            max_bytes=self._size.most,
            max_rows=self._settings.import_max_rows,
        )
        ids = [record_id for record_id, _ in rows]
        if not taken:
            self._scheduler.singly(kind, ids)  # one row is larger than a file may be
            return
        self._rows.set_aside(kind, part_of(batch, ids[taken:]))
        calls = self._contacts.unsubscribing
        first = calls.begin(_leaving(group.header, rows[:taken]), self._contacts.now_ms())
        answer = await permit.call(
            "imports",
            lambda: self._client.create_import(TYPES[kind], csv, coupon_set_id=group.coupon_set_id),
            size=len(csv),
        )
        if answer.carried_out is False:
            calls.end(first)
        of_size = self._size.learn(answer, len(csv))
        numbered = csv.count(b"\n") == taken + 1
        part = part_of(batch, ids[:taken])
        if of_size and taken > 1:
            self._halve(kind, part, answer)
            return
        await self._posted(kind, part, group.header[0], answer, numbered=numbered)

    def _halve(self, kind: RecordKind, batch: ImportBatch, answer: Answer) -> None:
        """A file that did not get there for its size, as far as we know: the same rows in two."""
        if answer.carried_out is None:
            self._imports.doubt([kind], self._now())
            self._rows.mark_tried(kind, batch)
        for part in halves(batch):
            self._rows.set_aside(kind, part)

    async def _sort(self, kind: RecordKind, ids: Sequence[str]) -> Sorted:
        found = Sorted()
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            entries = self._partition_state.entries(self._account, kind, chunk)
            found.add(kind, chunk, entries, self.asking.diff)
            await asyncio.sleep(0)
        self._scheduler.singly(kind, found.singly)
        for record_id in found.gone:
            self._partition_state.index(self._account)[kind].drop(record_id)
        await self._rows.end_all(
            [
                (key, was, self.asking.noted(key, Ending(Outcome.UNCHANGED, reason)))
                for key, was, reason in found.unchanged
            ]
        )
        return found

    async def _posted(
        self,
        kind: RecordKind,
        batch: ImportBatch,
        key_column: str,
        answer: Answer,
        *,
        numbered: bool,
    ) -> None:
        now, result = self._now(), result_of(answer, "")
        progress = read_progress(answer.body) if answer.good else None
        if progress is not None and self._imports.is_new(progress):
            self._imports.started(
                kind,
                progress.import_id,
                batch,
                key_column,
                now,
                numbered=numbered,
            )
        elif answer.kind is AnswerKind.QUEUE_FULL:
            self._imports.queue_full(now)
            self._scheduler.batch(kind, batch, first=True)
        elif answer.good:
            # It may have been taken, but no import of it is known.
            self._imports.doubt([kind], now)
            await self._rows.again(kind, batch, split=True)
        elif isinstance(result, Retry):
            if answer.carried_out is not False:
                self._imports.doubt([kind], now)
                self._rows.mark_tried(kind, batch)
            self._scheduler.batch(kind, batch, first=True)
        else:
            ending = Ending(Outcome.DEAD, result.reason, result.detail, result.status)
            await self._rows.singly(kind, batch.ids, ending)

    async def poll(self, job: ImportJob, permit: Permit) -> None:
        """Poll an import; settle its rows once it is finished."""
        try:
            await self._poll(job, permit)
        except asyncio.CancelledError:
            if self._imports.has_ended(job):
                self._rows.put_back(job.kind, job.batch)
            raise
        finally:
            job.in_flight = False

    async def _poll(self, job: ImportJob, permit: Permit) -> None:
        answer = await permit.call(
            "imports",
            lambda: self._client.get_import(job.import_id),
            may_be_absent=True,
            purpose=LOOK,
        )
        now, progress = self._now(), read_progress(answer.body) if answer.good else None
        job.polls += 1
        gone = answer.kind in (AnswerKind.ABSENT, AnswerKind.INVALID)
        failed = progress is not None and progress.stage is ImportStage.FAILED
        if progress is not None and progress.stage is ImportStage.FINISHED:
            self._imports.finished(job, now, progress.seconds)
            await self._finished(job, progress)
        elif gone or failed or self._imports.stuck(job, now):
            self._imports.ended(job)
            await self._rows.again(job.kind, job.batch, split=job.batch.tries > 0)
        else:
            self._imports.poll_again(job, now)

    async def _finished(self, job: ImportJob, progress: ImportProgress) -> None:
        ids, kind = job.batch.ids, job.kind
        if all_delivered(progress, len(ids)):
            self._imports.ended(job)
            await self._rows.deliver(job, ids)
        elif not accounts_for_all(progress, len(ids)):
            self._imports.ended(job)
            await self._rows.again(kind, job.batch, split=True)
        elif progress.errors == len(ids):
            self._imports.ended(job)
            await self._rows.refused(job, ids, exactly=True)
        else:
            await self._partly(job, progress)

    async def _partly(self, job: ImportJob, progress: ImportProgress) -> None:
        """Some rows were refused: the report says which, or the file is sent again in halves."""
        ids, named = job.batch.ids, None
        if progress.report_url is not None:
            answer, report = await self._client.get_error_report(progress.report_url, rows=len(ids))
            if answer.good:
                named = self._suspects(job, report, progress.errors or 0)
            elif job.retries < REPORT_TRIES:
                job.retries += 1
                self._imports.poll_again(job, self._now())  # each poll gives a fresh address
                return
        self._imports.ended(job)
        if named is None:
            await self._rows.again(job.kind, job.batch, split=True)
            return
        refused = [record_id for record_id in ids if record_id in named]
        await self._rows.refused(job, refused, exactly=len(refused) == progress.errors)
        await self._rows.deliver(job, [record_id for record_id in ids if record_id not in named])

    @staticmethod
    def _suspects(job: ImportJob, report: bytes, errors: int) -> set[str] | None:
        """The ids a report names; a coupon's row has the code alone, of `set/code`."""
        ids = job.batch.ids
        keys = [code_of(record_id) for record_id in ids] if job.kind is RecordKind.COUPON else ids
        named = suspects(report, keys, job.key_column, errors, numbered=job.numbered)
        return named and {record_id for record_id, key in zip(ids, keys, strict=True) if key in named}

    async def list(self, permit: Permit) -> None:
        """List imports of unknown content."""
        found: list[ImportProgress] = []
        link: str | None = None
        for _ in range(PAGES):
            page = functools.partial(self._client.list_imports, link)
            answer = await permit.call("imports", page, purpose=LOOK)
            if not answer.good:
                if link is None:
                    return  # the next poll is planned
                # The unfinished ones are new: those on the first page are all there can be.
                log.warning(
                    "account %s: the list of imports is read no further: %s",
                    self._account,
                    answer.cause or answer.kind,
                )
                break
            progresses, link = read_list(answer.body)
            found += progresses
            if link is None:
                break
        self._imports.listed(found, self._now())

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _leaving(header: Row, rows: Sequence[tuple[str, Row]]) -> list[str]:
    """The ids of rows that say that their contact unsubscribes."""
    if STATUS not in header:
        return []
    column = header.index(STATUS)
    return [record_id for record_id, cells in rows if cells[column] == UNSUBSCRIBED]
