"""Imports: queued, worked through as the clock goes, over.

Nothing runs in the background: each access to an account first computes the state of its imports.
"""

from __future__ import annotations

import csv
import io
import math
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from pipeline.sandbox.connectif.jobs.error_report import ErrorReport
from pipeline.sandbox.connectif.jobs.import_rows import (
    BadRowError,
    ImportOptions,
    RowResult,
    RowWriter,
    UnusableFileError,
    row_writer,
)
from pipeline.sandbox.connectif.model.account_data import AccountData
from pipeline.sandbox.connectif.model.api_errors import Violation, coded_error, unprocessable
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.ids import MakeId
from pipeline.sandbox.connectif.simulation.faults import InjectedFault

ImportStatus = Literal["queued", "inProgress", "finished", "error", "cancelled"]
#: Imports that are over and still listed, per account.
MAX_KEPT_IMPORTS = 2_000
#: Rows done before other calls get their turn.
_ROWS_AT_ONCE = 500


@dataclass(slots=True, eq=False, weakref_slot=True)
class SimulatedImport:
    """One import. Times are epoch seconds; `ready` is when it may leave the queue, `ends` when it is over."""

    id: str
    options: ImportOptions
    total: int
    created: float
    ready: float
    rows: Iterator[list[str]]
    file: io.TextIOBase | None
    header: list[str]
    write: RowWriter | None
    fault: InjectedFault | None = None
    started: float | None = None
    ends: float = math.inf
    finished: float | None = None
    cancelled: float | None = None
    status: ImportStatus = "queued"
    done: int = 0
    success: int = 0
    errors: int = 0
    report: ErrorReport | None = None

    @property
    def can_be_deleted(self) -> bool:
        """Whether it is finished or failed."""
        return self.status in ("finished", "error")

    def to_json(self, report_url: str | None) -> dict[str, Any]:
        """The import as GET answers it; without an error report it has no `errorReportFileUrl`."""
        options: dict[str, Any] = {
            "delimiter": self.options.delimiter,
            "overrideExisting": self.options.override_existing,
            "updateOnlyEmptyFields": self.options.update_only_empty,
        }
        if self.options.coupon_set_id is not None:
            options["couponSetId"] = self.options.coupon_set_id
        moments = {
            "startedAt": self.started,
            "finishedAt": self.finished,
            "cancelledAt": self.cancelled,
        }
        return {
            "id": self.id,
            "type": self.options.type,
            "status": self.status,
            "total": self.total,
            "success": self.success,
            "errors": self.errors,
            **({"errorReportFileUrl": report_url} if report_url is not None else {}),
            "createdAt": iso(self.created),
            **{name: iso(at) for name, at in moments.items() if at is not None},
            "origin": "api",
            "options": options,
        }


class ImportJobs:
    """The imports of one account."""

    def __init__(self, data: AccountData, make_id: MakeId) -> None:
        self._data = data
        self._make_id = make_id
        self._created_count = 0
        self._jobs: dict[str, SimulatedImport] = {}
        self._unfinished: list[SimulatedImport] = []
        self._free_at: list[float] = []

    def check_queue(self) -> None:
        """Refuse one more while too many are waiting.

        Raises:
            ApiError: 400 E0401.
        """
        behaviour = self._data.simulation.behaviour
        queued_only = behaviour.max_imports_counts == "queued"
        waiting = sum(not queued_only or job.status == "queued" for job in self._unfinished)
        if waiting >= behaviour.max_imports:
            raise coded_error(
                "E0401",
                f"You have reached the limit of {behaviour.max_imports} queued imports. "
                "Please try again when any queued import has been completed.",
            )

    def create(
        self, options: ImportOptions, upload: BinaryIO, now: float, fault: InjectedFault | None
    ) -> SimulatedImport:
        """Queue a file. How many rows it has is known at once; what they do comes later.

        Raises:
            ApiError: 422 for a file that cannot be used, where the behaviour says so.
        """
        self._created_count += 1
        simulation = self._data.simulation
        job = SimulatedImport(
            id=self._make_id(self._created_count, now, 1),
            options=options,
            total=0,
            created=now,
            ready=now + simulation.scaled(simulation.behaviour.import_queue_seconds),
            rows=iter(()),
            file=None,
            header=[],
            write=None,
            fault=fault,
        )
        job.file = io.TextIOWrapper(upload, "utf-8-sig", newline="")
        # Dropping the import, or the whole account, closes its file.
        weakref.finalize(job, job.file.close)
        try:
            rows = csv.reader(job.file, delimiter=options.delimiter)
            job.header = next(rows, [])
            job.total = sum(1 for row in rows if row)
            job.file.seek(0)
            job.rows = csv.reader(job.file, delimiter=options.delimiter)
            next(job.rows, None)
            job.write = row_writer(self._data, options, job.header)
        except (UnicodeDecodeError, csv.Error, UnusableFileError) as error:
            if simulation.behaviour.unusable_file == "422":
                _close(job)
                raise unprocessable([Violation("file", "/file", str(error))]) from None
            job.write = None
        self._jobs[job.id] = job
        self._unfinished.append(job)
        self._forget_oldest()
        return job

    def catch_up(self, now: float) -> None:
        """Bring every import to where it is by now."""
        for _ in self.catch_up_in_steps(now):
            pass

    def catch_up_in_steps(self, now: float) -> Iterator[None]:
        """`catch_up` with pauses, in which others may catch up, too: no row is done twice."""
        if not self._unfinished:
            return
        parallel = self._data.simulation.behaviour.import_parallel
        if len(self._free_at) != parallel:
            self._free_at = (self._free_at + [0.0] * parallel)[:parallel]
        for job in self._unfinished:
            yield from self._advance(job, now)
        self._unfinished = [job for job in self._unfinished if job.finished is None and job.cancelled is None]

    def find(self, import_id: str) -> SimulatedImport | None:
        """The import with that id."""
        return self._jobs.get(import_id)

    def newest_first(self) -> list[SimulatedImport]:
        """Every import."""
        return list(reversed(self._jobs.values()))

    def delete(self, job: SimulatedImport) -> None:
        """Forget an import, which `can_be_deleted`."""
        del self._jobs[job.id]
        if job.report is not None:
            job.report.close()

    def counts(self) -> dict[str, int]:
        """Imports by status."""
        counts: dict[str, int] = {}
        for job in self._jobs.values():
            counts[job.status] = counts.get(job.status, 0) + 1
        return counts

    def _advance(self, job: SimulatedImport, now: float) -> Iterator[None]:
        simulation = self._data.simulation
        effect = job.fault.rule.effect if job.fault is not None else None
        if job.fault is not None and effect == "import_stuck":
            if simulation.faults.in_force(job.fault.number):
                return
            job.fault, job.ready = None, max(job.ready, now)
        if job.started is None:
            slot = min(range(len(self._free_at)), key=self._free_at.__getitem__)
            starts = max(job.ready, self._free_at[slot])
            if starts > now:
                return
            if effect == "import_cancelled":
                job.status, job.cancelled = "cancelled", starts
                _close(job)
                return
            job.started, job.status = starts, "inProgress"
            job.ends = starts + simulation.scaled(job.total / simulation.behaviour.import_rows_per_second)
            self._free_at[slot] = job.ends
        over = now >= job.ends
        rate = simulation.behaviour.import_rows_per_second * simulation.speed
        due = job.total if over else min(job.total, int((now - job.started) * rate))
        if job.fault is not None and effect == "import_error":
            due = min(due, job.fault.rule.rows)
        if job.write is not None:
            yield from self._work(job, job.write, due, now)
        if over:
            failed = effect == "import_error" or job.write is None
            job.status, job.finished = ("error" if failed else "finished"), job.ends
            _close(job)

    def _work(self, job: SimulatedImport, write: RowWriter, due: int, now: float) -> Iterator[None]:
        while job.done < due:
            row = next(job.rows)
            if row:
                job.done += 1
                self._write(job, write, row, now)
            if job.done % _ROWS_AT_ONCE == 0:
                yield

    def _write(self, job: SimulatedImport, write: RowWriter, row: list[str], now: float) -> None:
        try:
            result = write(row, now)
        except BadRowError as error:
            self._refuse_row(job, row, str(error))
            return
        if result is RowResult.WRITTEN:
            job.success += 1
        else:
            self._count_skipped(job, row)

    def _count_skipped(self, job: SimulatedImport, row: list[str]) -> None:
        counted = self._data.simulation.behaviour.skipped_rows
        if counted == "success":
            job.success += 1
        elif counted == "error":
            self._refuse_row(job, row, "The element already exists")

    def _refuse_row(self, job: SimulatedImport, row: list[str], reason: str) -> None:
        job.errors += 1
        if job.report is None:
            job.report = ErrorReport(job.header, self._data.simulation.behaviour.error_report)
        # Lines are counted as a reader of the file does: the header is the first.
        job.report.add(job.done + 1, row, reason)

    def _forget_oldest(self) -> None:
        over = [job for job in self._jobs.values() if job.status in ("finished", "error", "cancelled")]
        for job in over[: max(0, len(over) - MAX_KEPT_IMPORTS)]:
            self.delete(job)


def _close(job: SimulatedImport) -> None:
    if job.file is not None:
        job.file.close()
        job.file = None
    job.rows = iter(())
