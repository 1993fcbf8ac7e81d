"""One day's run, in a process of its own: what it takes is given back, and it can be ended at any moment."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline import logs, private
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.reconcile import run as reconcile
from pipeline.reconcile.daily.schedule import Due, ended_ms
from pipeline.reconcile.findings import Summary
from pipeline.reconcile.rules import Category
from pipeline.reconcile.run_options import ReconcileOptions
from pipeline.shops.settings import ReconcileSettings

log = logging.getLogger(__name__)

#: Days for which reports are kept.
REPORT_DAYS = 90
_NAMES = (".html", ".csv")


class JobResult(NamedTuple):
    """What came of a run; `error` in words, empty where it is done."""

    orders: dict[str, int]
    sent_again: int = 0
    words: str = ""
    remarks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    error: str = ""


def options(settings: Settings, store: str, due: Due) -> ReconcileOptions:
    """What a day's run is asked for.

    Raises:
        PipelineError: the directory of the reports cannot be used.
    """
    wanted = wish(settings, store)
    directory = private.directory(reports(settings, store))
    return ReconcileOptions(
        store,
        due.since,
        due.until,
        shop=None if wanted.shop is None else str(wanted.shop),
        connectif_export=wanted.connectif_export,
        verify=wanted.verify,
        csv=directory / f"{due.day}.csv",
        html=directory / f"{due.day}.html",
        repair=wanted.repair,
    )


def wish(settings: Settings, store: str) -> ReconcileSettings:
    """What a store asks for, which does ask."""
    found = settings.stores[store].reconcile
    assert found is not None  # noqa: S101 - the caller looked
    return found


def reports(settings: Settings, store: str) -> Path:
    """Where a store's reports lie."""
    root = wish(settings, store).reports or settings.data_dir / "reconcile" / "reports"
    return root / store


def work(connection: Connection, settings: Settings, store: str, due: Due) -> None:
    """The process's own: run, and send the result."""
    os.umask(private.UMASK)
    logs.set_up(logs.format_from(os.environ))
    try:
        found = _reconciled(settings, store, due)
    except PipelineError as error:
        found = JobResult({}, error=str(error))
    except Exception as error:
        log.exception("store %s: the daily reconcile met something unexpected", store)
        found = JobResult({}, error=f"{type(error).__name__}; the log has more")
    connection.send(found)
    connection.close()


def _reconciled(settings: Settings, store: str, due: Due) -> JobResult:
    wanted = options(settings, store, due)
    _require_new(settings, store, due)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        summary = reconcile.run(settings, wanted, Console(file=nowhere), printed=False)
    files = tuple(str(path) for path in (wanted.html, wanted.csv) if path is not None)
    _forget_old(reports(settings, store), due.day)
    sent = summary.repair.orders if summary.repair is not None else 0
    orders = {category.value: summary.counts[category] for category in Category}
    return JobResult(orders, sent, in_words(summary), tuple(summary.remarks), files)


def in_words(summary: Summary) -> str:
    """A run's result as a sentence."""
    listed = sum(summary.counts.values()) - summary.counts[Category.ONLY_CONNECTIF]
    counts: Mapping[str, int] = summary.counts
    said = ", ".join(
        f"{counts[category]:,} {words}"
        for category, words in (
            (Category.MISSING, "missing in Connectif"),
            (Category.DIFFERENT, "that disagree"),
            (Category.ONLY_CONNECTIF, "only in Connectif"),
            (Category.UNKNOWN, "of which nothing is known"),
            (Category.PENDING, "on their way"),
        )
    )
    again = f"; {summary.repair.in_words()}" if summary.repair is not None else ""
    return f"{listed:,} orders of {summary.since} to {summary.until}: {said}{again}"


def _require_new(settings: Settings, store: str, due: Due) -> None:
    """A list that was made before the last day was over lacks orders, and would accuse Connectif of them."""
    path = wish(settings, store).shop
    if not isinstance(path, Path):
        return
    try:
        written = path.stat().st_mtime
    except OSError as error:
        raise PipelineError(
            f"the shop's list {path} cannot be read: {error.strerror}", field=f"stores.{store}.reconcile.shop"
        ) from error
    if written * 1_000 < ended_ms(due, ZoneInfo(settings.stores[store].timezone)):
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(written))
        raise PipelineError(
            f"the shop's list {path} was last written on {made}, before {due.until} was over",
            field=f"stores.{store}.reconcile.shop",
            hint="export the orders each day before the time of the run",
        )


def _forget_old(directory: Path, today: date) -> None:
    """Delete reports of long ago; other files are left alone."""
    for path in directory.iterdir():
        try:
            day = date.fromisoformat(path.stem)
        except ValueError:
            continue
        if path.suffix in _NAMES and (today - day).days > REPORT_DAYS:
            path.unlink(missing_ok=True)
