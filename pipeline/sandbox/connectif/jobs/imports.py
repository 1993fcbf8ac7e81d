"""Imports: queued, worked through as the clock goes, over.

Nothing runs in the background: whoever looks at an account first brings its imports to where they are.
"""

from __future__ import annotations

import csv
import io
import math
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

from pipeline.sandbox.connectif.http.responses import Answer, Violation, custom, problem, unprocessable
from pipeline.sandbox.connectif.jobs.error_report import ErrorReport
from pipeline.sandbox.connectif.jobs.import_rows import (
    BadRowError,
    Outcome,
    UnusableFileError,
    Writer,
    writer,
)
from pipeline.sandbox.connectif.model.field_types import iso
from pipeline.sandbox.connectif.model.storage import MakeId

if TYPE_CHECKING:
    from pipeline.sandbox.connectif.http.account import Account
    from pipeline.sandbox.connectif.simulation.faults import Strike

Status = Literal["queued", "inProgress", "finished", "error", "cancelled"]
#: Imports that are over and still listed, per account.
KEPT = 2_000
#: Rows done before other calls get their turn.
_ROWS_AT_ONCE = 500


class Options(NamedTuple):
    """What an import was asked to do."""

    type: str
    delimiter: str
    override_existing: bool
    update_only_empty: bool
    coupon_set_id: str | None


@dataclass(slots=True, eq=False, weakref_slot=True)
class Import:
    """One import. Times are epoch seconds; `ready` is when it may leave the queue, `ends` when it is over."""

    id: str
    options: Options
    total: int
    created: float
    ready: float
    rows: Iterator[list[str]]
    file: io.TextIOBase | None
    header: list[str]
    write: Writer | None
    strike: Strike | None = None
    started: float | None = None
    ends: float = math.inf
    finished: float | None = None
    cancelled: float | None = None
    status: Status = "queued"
    done: int = 0
    success: int = 0
    errors: int = 0
    report: ErrorReport | None = None

    def shown(self, report_url: str | None) -> dict[str, Any]:
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


class Imports:
    """The imports of one account."""

    def __init__(self, account: Account, make_id: MakeId) -> None:
        self._account = account
        self._make_id = make_id
        self._made = 0
        self._all: dict[str, Import] = {}
        self._unfinished: list[Import] = []
        self._free_at: list[float] = []

    def check_queue(self) -> None:
        """Refuse one more while too many are waiting.

        Raises:
            Refusal: 400 E0401.
        """
        switches = self._account.world.switches
        queued_only = switches.max_imports_counts == "queued"
        waiting = sum(not queued_only or one.status == "queued" for one in self._unfinished)
        if waiting >= switches.max_imports:
            raise custom(
                "E0401",
                f"You have reached the limit of {switches.max_imports} queued imports. "
                "Please try again when any queued import has been completed.",
            )

    def create(self, options: Options, upload: BinaryIO, now: float, strike: Strike | None) -> Import:
        """Queue a file. How many rows it has is known at once; what they do comes later.

        Raises:
            Refusal: 422 for a file that cannot be used, where that is switched on.
        """
        self._made += 1
        account, world = self._account, self._account.world
        one = Import(
            id=self._make_id(self._made, now, 1),
            options=options,
            total=0,
            created=now,
            ready=now + world.scaled(world.switches.import_queue_seconds),
            rows=iter(()),
            file=None,
            header=[],
            write=None,
            strike=strike,
        )
        one.file = io.TextIOWrapper(upload, "utf-8-sig", newline="")
        # Whoever forgets the import, or the whole account, closes its file with it.
        weakref.finalize(one, one.file.close)
        try:
            rows = csv.reader(one.file, delimiter=options.delimiter)
            one.header = next(rows, [])
            one.total = sum(1 for row in rows if row)
            one.file.seek(0)
            one.rows = csv.reader(one.file, delimiter=options.delimiter)
            next(one.rows, None)
            one.write = writer(account, options, one.header)
        except (UnicodeDecodeError, csv.Error, UnusableFileError) as error:
            if world.switches.unusable_file == "422":
                _close(one)
                raise unprocessable([Violation("file", "/file", str(error))]) from None
            one.write = None
        self._all[one.id] = one
        self._unfinished.append(one)
        self._forget_oldest()
        return one

    def settle(self, now: float) -> None:
        """Bring every import to where it is by now."""
        for _ in self.steps(now):
            pass

    def steps(self, now: float) -> Iterator[None]:
        """`settle` with pauses, in which others may settle, too: no row is done twice."""
        if not self._unfinished:
            return
        parallel = self._account.world.switches.import_parallel
        if len(self._free_at) != parallel:
            self._free_at = (self._free_at + [0.0] * parallel)[:parallel]
        for one in self._unfinished:
            yield from self._settle(one, now)
        self._unfinished = [one for one in self._unfinished if one.finished is None and one.cancelled is None]

    def find(self, import_id: str) -> Import | None:
        """The import with that id."""
        return self._all.get(import_id)

    def newest_first(self) -> list[Import]:
        """Every import."""
        return list(reversed(self._all.values()))

    def delete(self, one: Import) -> Answer | None:
        """Delete an import that is finished or failed; the answer where it is neither."""
        if one.status not in ("finished", "error"):
            status = self._account.world.switches.delete_unfinished_import_status
            return problem(status, f"Import {one.id} is {one.status}: it cannot be deleted.")
        self._forget(one)
        return None

    def counts(self) -> dict[str, int]:
        """Imports by status."""
        found: dict[str, int] = {}
        for one in self._all.values():
            found[one.status] = found.get(one.status, 0) + 1
        return found

    def _settle(self, one: Import, now: float) -> Iterator[None]:
        world = self._account.world
        effect = one.strike.rule.effect if one.strike is not None else None
        if one.strike is not None and effect == "import_stuck":
            if world.faults.in_force(one.strike.number):
                return
            one.strike, one.ready = None, max(one.ready, now)
        if one.started is None:
            slot = min(range(len(self._free_at)), key=self._free_at.__getitem__)
            starts = max(one.ready, self._free_at[slot])
            if starts > now:
                return
            if effect == "import_cancelled":
                one.status, one.cancelled = "cancelled", starts
                _close(one)
                return
            one.started, one.status = starts, "inProgress"
            one.ends = starts + world.scaled(one.total / world.switches.import_rows_per_second)
            self._free_at[slot] = one.ends
        over = now >= one.ends
        rate = world.switches.import_rows_per_second * world.speed
        due = one.total if over else min(one.total, int((now - one.started) * rate))
        if one.strike is not None and effect == "import_error":
            due = min(due, one.strike.rule.rows)
        if one.write is not None:
            yield from self._work(one, one.write, due, now)
        if over:
            failed = effect == "import_error" or one.write is None
            one.status, one.finished = ("error" if failed else "finished"), one.ends
            _close(one)

    def _work(self, one: Import, write: Writer, due: int, now: float) -> Iterator[None]:
        while one.done < due:
            row = next(one.rows)
            if row:
                one.done += 1
                self._write(one, write, row, now)
            if one.done % _ROWS_AT_ONCE == 0:
                yield

    def _write(self, one: Import, write: Writer, row: list[str], now: float) -> None:
        try:
            outcome = write(row, now)
        except BadRowError as error:
            self._refuse_row(one, row, str(error))
            return
        if outcome is Outcome.WRITTEN:
            one.success += 1
        else:
            self._count_skipped(one, row)

    def _count_skipped(self, one: Import, row: list[str]) -> None:
        counted = self._account.world.switches.skipped_rows
        if counted == "success":
            one.success += 1
        elif counted == "error":
            self._refuse_row(one, row, "The element already exists")

    def _refuse_row(self, one: Import, row: list[str], reason: str) -> None:
        one.errors += 1
        if one.report is None:
            one.report = ErrorReport(one.header, self._account.world.switches.error_report)
        # Lines are counted as a reader of the file does: the header is the first.
        one.report.add(one.done + 1, row, reason)

    def _forget_oldest(self) -> None:
        over = [one for one in self._all.values() if one.status in ("finished", "error", "cancelled")]
        for one in over[: max(0, len(over) - KEPT)]:
            self._forget(one)

    def _forget(self, one: Import) -> None:
        del self._all[one.id]
        if one.report is not None:
            one.report.close()


def _close(one: Import) -> None:
    if one.file is not None:
        one.file.close()
        one.file = None
    one.rows = iter(())
