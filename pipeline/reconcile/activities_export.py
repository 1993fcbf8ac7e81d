"""Purchases that Connectif has, by an export of its activities that is asked for here, window by window.

Connectif exports 31 days at most at a time, so a range is several exports. Until all are read each is kept,
and an export that was asked for is remembered: a run that ended early and is started again within some hours
goes on where it was. What is kept has ids, dates and totals, and nothing of persons. Runs at the same time,
of one process or of several, each have a directory of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from pipeline import private
from pipeline.config_accounts import AccountSettings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.errors import PipelineError
from pipeline.reconcile.connectif_export import ExportedPurchase, read_export_file
from pipeline.spare_calls import SpareCalls

#: Days of one export, at most.
WINDOW = timedelta(days=31)
#: Hours for which what was read of one counts; the account changes meanwhile.
KEPT_HOURS = 6
#: A range that an earlier run left off is gone on with for so long.
RESUMED = timedelta(hours=1)
_MOMENT = "%Y%m%dT%H%M%SZ"
#: Held by the run that has a directory, for as long as its process lives.
_LOCK = "lock"
#: Seconds to the first look at an export, between two at most, and until one is given up. Of a window of a
#: minute: a sandbox's is shorter.
FIRST_LOOK, LONGEST_PAUSE, GIVEN_UP = 5.0, 60.0, 3_600.0
#: Times that an export is asked for anew after one that failed, or was not answered.
TRIES = 4


class ExportWindow(NamedTuple):
    """A part of the range; the end is not in it."""

    since: datetime
    until: datetime

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.since:{_MOMENT}}-{self.until:{_MOMENT}}"


def windows(since: datetime, until: datetime) -> list[ExportWindow]:
    """The range in parts that Connectif exports.

    Each begins at a fixed multiple of its length, whenever it is asked for: so what was read of the full ones
    still fits when the range has moved on.
    """
    epoch, found = datetime(2000, 1, 1, tzinfo=UTC), []
    at = epoch + (since - epoch) // WINDOW * WINDOW
    while at < until:
        found.append(ExportWindow(max(at, since), min(at + WINDOW, until)))
        at += WINDOW
    return found


class ActivitiesExport:
    """Asks for exports, and reads them.

    Args:
        name: the account's.
        account: its settings.
        per_minute: calls a minute at most.
        directory: where what was read is kept; of this account, this store and this user alone.
        columns: as of `read_export`.
        zone: of dates without an offset.
        decimal: as of `read_export`.
        timeout: seconds of a call.
        progress: told how many windows are read, of how many.
    """

    def __init__(
        self,
        name: str,
        account: AccountSettings,
        per_minute: int,
        directory: Path,
        *,
        columns: dict[str, str],
        zone: ZoneInfo,
        decimal: str | None,
        timeout: float,
        progress: Callable[[int, int], object] = lambda _done, _of: None,
    ) -> None:
        self._name, self._account, self._timeout = name, account, timeout
        self._spare = SpareCalls(name, account, per_minute, "make and read exports")
        self._columns, self._zone, self._decimal = columns, zone, decimal
        self._progress = progress
        self._pace = account.window_seconds / 60
        self._place = directory
        #: The run's own, once it has one.
        self._directory = directory
        #: Where what was read ends, epoch ms: what Connectif recorded later need not be in it.
        self.ends_ms = 0

    @property
    def calls(self) -> int:
        """How many were made."""
        return self._spare.made

    def read(self, since: datetime, until: datetime) -> Iterator[ExportedPurchase]:
        """Every purchase of the range, by the date that Connectif filters by; sets `ends_ms`.

        A run that was ended within the last hour is gone on with: the range then ends where its did.

        Raises:
            PipelineError: the key may not export, Connectif is away or its export fails, or has no column of
                purchase ids. What was read before is kept for the next run.
        """
        with _own(self._place) as self._directory:
            yield from self._read(since, until)

    def _read(self, since: datetime, until: datetime) -> Iterator[ExportedPurchase]:
        until = min(until, max((end for end in self._ends() if end > until - RESUMED), default=until))
        parts = windows(since, until)
        self.ends_ms = int(until.timestamp() * 1_000)
        for number, part in enumerate(parts):
            self._progress(number, len(parts))
            kept = self._directory / f"{part.name}.csv"
            if not kept.exists():
                asyncio.run(self._bring(part, kept))
            # One that was read by an earlier run knows nothing of what changed since.
            self.ends_ms = min(self.ends_ms, int(kept.stat().st_mtime * 1_000))
            yield from _kept(kept)
        self._progress(len(parts), len(parts))
        # All of it is with the caller: another run is to know what changes from now on.
        for path in _files(self._directory):
            path.unlink(missing_ok=True)

    def _ends(self) -> Iterator[datetime]:
        """Where the windows end that an earlier run left."""
        for path in _files(self._directory):
            with contextlib.suppress(ValueError):
                end = path.name.split(".")[0].rpartition("-")[2]
                yield datetime.strptime(end, _MOMENT).replace(tzinfo=UTC)

    async def _bring(self, part: ExportWindow, kept: Path) -> None:
        asked = self._directory / f"{part.name}.asked.json"
        async with ConnectifClient(self._name, self._account, timeout=self._timeout) as client:
            said = ""
            for attempt in range(TRIES):
                await asyncio.sleep(LONGEST_PAUSE * self._pace if attempt else 0)
                export_id = _remembered(asked)
                if not export_id:
                    export_id, said = await self._ask(client, part, asked)
                if not export_id:
                    continue
                with tempfile.TemporaryFile(dir=self._directory) as file:
                    said = await self._load(client, export_id, file)
                    if not said:
                        self._keep(file, kept, asked.stat().st_mtime)
                asked.unlink(missing_ok=True)
                if not said:
                    return
        raise PipelineError(
            f"Connectif's export of {part.since:%Y-%m-%d} to {part.until:%Y-%m-%d} failed: {said}",
            store=self._name,
            hint="what was exported before is kept for some hours: run it again",
        )

    async def _ask(self, client: ConnectifClient, part: ExportWindow, asked: Path) -> tuple[str, str]:
        """Ask for an export; returns its id, empty where none was made, and why not."""
        until = _now() + GIVEN_UP * self._pace
        while True:
            answer = await self._spare.call(lambda: client.create_purchases_export(part.since, part.until))
            export_id = _field(answer, "id")
            if export_id:
                _remember(asked, export_id)
                return export_id, ""
            # Others may have asked for as many as Connectif makes at a time.
            if answer.kind is not AnswerKind.QUEUE_FULL or _now() > until:
                return "", answer.detail or "it gave no answer"
            await asyncio.sleep(LONGEST_PAUSE * self._pace)

    async def _load(self, client: ConnectifClient, export_id: str, file: BinaryIO) -> str:
        """Wait for an export and fetch its file; returns what went wrong, empty: nothing."""
        until, pause = _now() + GIVEN_UP * self._pace, FIRST_LOOK
        while _now() < until:
            await asyncio.sleep(pause * self._pace)
            pause = min(LONGEST_PAUSE, pause * 1.5)
            answer = await self._spare.call(lambda: client.get_export(export_id))
            status = _field(answer, "status").casefold()
            if answer.kind is AnswerKind.ABSENT or status in {"error", "cancelled", "canceled"}:
                return f"it is {status or 'not there any more'}"
            url = _field(answer, "fileUrl")
            if status == "finished" and url:
                got = await client.get_export_file_into(file, url)
                return "" if got.good else got.detail or f"its file was answered {got.status}"
        return "it is not done"

    def _keep(self, file: BinaryIO, kept: Path, asked: float) -> None:
        """What a ZIP says, without the persons; the file's time is that of the asking, epoch seconds."""
        partial = kept.with_suffix(".partial")
        with open(partial, "w", encoding="utf-8", newline="", opener=private.opener) as out:
            writer = csv.writer(out)
            purchases = read_export_file(file, "Connectif's export", self._columns, self._zone, self._decimal)
            for purchase in purchases:
                writer.writerow("" if cell is None else str(cell) for cell in purchase)
        os.utime(partial, (asked, asked))
        partial.replace(kept)


@contextlib.contextmanager
def _own(directory: Path) -> Iterator[Path]:
    """The first of the numbered directories in it that no other run has.

    A run deletes what it kept when it is through: another one that reads the same days meanwhile would miss
    its files. What a run left that was ended is the next one's, as its lock went with its process.
    """
    _forget_old(private.directory(directory))
    for number in itertools.count(1):
        own = private.directory(directory / str(number))
        try:
            lock = private.hold(own / _LOCK, "An export of Connectif's", "wait until it is read")
        except private.InUse:
            continue
        with lock:
            yield own
        return


def _files(directory: Path) -> Iterator[Path]:
    """What a run keeps; the lock stays, else two runs could hold two files of one name."""
    return (path for path in directory.iterdir() if path.name != _LOCK)


def _forget_old(directory: Path) -> None:
    """Delete what no longer counts, of all runs that are over."""
    for path in directory.rglob("*"):
        with contextlib.suppress(OSError):
            is_old = time.time() - path.stat().st_mtime > KEPT_HOURS * 3_600
            if is_old and path.is_file() and path.name != _LOCK and not private.is_held(path.parent / _LOCK):
                path.unlink()


def _kept(path: Path) -> Iterator[ExportedPurchase]:
    with path.open(encoding="utf-8", newline="") as file:
        for found, at, total in csv.reader(file):
            yield ExportedPurchase(found, int(at) if at else None, Decimal(total) if total else None)


def _remembered(path: Path) -> str:
    """The export that an earlier run asked for; empty: none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(path.read_text(encoding="utf-8"))["id"])
    return ""


def _remember(path: Path, export_id: str) -> None:
    with open(path, "w", encoding="utf-8", opener=private.opener) as file:
        json.dump({"id": export_id}, file)


def _field(answer: Answer, name: str) -> str:
    """A text of a good answer; empty: there is none."""
    value = answer.body.get(name) if answer.good and isinstance(answer.body, Mapping) else None
    return value if isinstance(value, str) else ""


def _now() -> float:
    return asyncio.get_running_loop().time()
