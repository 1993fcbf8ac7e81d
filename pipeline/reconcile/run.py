"""One run of `pipeline reconcile`: the sides into the database, the rules over it, the reports out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.errors import PipelineError, SettingsError
from pipeline.kafka.reader import RangeReader
from pipeline.reconcile import histories, meanings, output
from pipeline.reconcile.belonging import place_orders
from pipeline.reconcile.connectif_side import STEP, ConnectifSide, amount_text
from pipeline.reconcile.database import Database, batched
from pipeline.reconcile.findings import Summary, count
from pipeline.reconcile.judging import RunContext, day_of, places_to_look_at, write_findings
from pipeline.reconcile.repair import repair
from pipeline.reconcile.run_options import ReconcileOptions
from pipeline.reconcile.scan import TopicsScan
from pipeline.reconcile.shop_orders import Reading, ShopFile, ShopOrder
from pipeline.text import moment


def run(settings: Settings, wanted: ReconcileOptions, console: Console, *, printed: bool = True) -> Summary:
    """Compare, print and write what was asked for.

    Args:
        settings: with the store and its account.
        wanted: the options.
        console: for progress and what is said beside the results.
        printed: whether the report is printed, too.

    Raises:
        SettingsError: there is no such store.
        PipelineError: a file, Kafka or Connectif cannot be read.
    """
    if wanted.store not in settings.stores:
        known = ", ".join(sorted(settings.stores)) or "none"
        raise SettingsError(f"no store {wanted.store} in the settings", hint=f"they have: {known}")
    wanted = wanted.filled(settings.stores[wanted.store].reconcile)
    with (
        Database() as database,
        TopicsScan.reader(settings) as reader,
        _progress(console) as progress,
    ):
        reconciliation = _ReconcileRun(settings, wanted, database, console, progress)
        summary = reconciliation.compare(reader)
        progress.stop()
        output.write_files(database, wanted, summary)
        if printed:
            output.print_report(database, wanted, summary)
    return summary


class _ReconcileRun:
    """One run's steps."""

    def __init__(
        self,
        settings: Settings,
        wanted: ReconcileOptions,
        database: Database,
        console: Console,
        progress: Progress,
    ) -> None:
        self._settings, self._wanted, self._database = settings, wanted, database
        self._bars = progress
        self._store = settings.stores[wanted.store]
        accounts = self._store.accounts
        database.put("accounts", enumerate(accounts))
        self._zone = ZoneInfo(self._store.timezone)
        self._frame = RunContext(wanted.store, self._zone, sold_statuses=self._store.sold_statuses)
        self._frame.accounts = len(accounts)
        self._frame.since_ms = _start_of(wanted.since, self._zone)
        after = None if wanted.until is None else wanted.until + timedelta(days=1)
        self._frame.until_ms = _start_of(after, self._zone)
        self._tasks: dict[str, TaskID] = {}
        self._summary = Summary(wanted.store, accounts, datetime.now(UTC))
        self._summary.since = "" if wanted.since is None else wanted.since.isoformat()
        self._summary.until = "" if wanted.until is None else wanted.until.isoformat()
        self._connectif = ConnectifSide(
            settings,
            wanted,
            database,
            frame=self._frame,
            summary=self._summary,
            console=console,
            tell=self._tell,
        )
        #: Whether the list has every order of the time asked for.
        self._complete = wanted.shop is not None
        #: Whether events must be read to tell which purchase is which order's.
        self._numbered = False

    def compare(self, reader: RangeReader) -> Summary:
        """All steps but the reports."""
        if self._wanted.shop is not None:
            self._read_shop(self._wanted.shop)
        if self._wanted.connectif_export is not None:
            self._connectif.read_export(self._wanted.connectif_export)
        scan = TopicsScan(self._settings, self._wanted.store, self._database, self._tell)
        scan.run(reader, self._frame.since_ms or 0)
        self._frame.translated, self._frame.log_begins_ms = scan.translated, scan.log_begins_ms
        self._remark_on(scan)
        self._link(reader)
        if self._wanted.shop is None:
            self._list_from_events(reader)
        self._place()
        meanings.look(
            reader,
            self._settings,
            self._database,
            places_to_look_at(self._database, self._frame),
            lambda done, of: self._tell("the newest events of what is missing", done, of),
        )
        self._place()
        histories.put_together(
            reader,
            self._settings,
            self._wanted.store,
            self._database,
            places_to_look_at(self._database, self._frame),
            progress=lambda done, of: self._tell("all events of what nothing is known of", done, of),
        )
        self._judge()
        if self._wanted.verify:
            self._connectif.ask()
            self._place()
            self._judge()
        self._connectif.say_what_speaks()
        count(self._database, self._summary)
        if self._wanted.repair:
            self._summary.repair = repair(
                reader, self._settings, self._wanted.store, self._database, self._tell
            )
        return self._summary

    # The shop's side.

    def _read_shop(self, given: str) -> None:
        """The list of a file, or of standard input."""
        how = Reading(self._zone, self._wanted.columns, self._wanted.date_format, self._wanted.decimal)
        with _opened(given) as file:
            name = "standard input" if given == "-" else Path(given).name
            source = ShopFile(file, name, how)
            self._require_usable(source, name)
            size = None if given == "-" else os.fstat(file.fileno()).st_size
            for batch in batched(self._order_rows(source, file, name, size)):
                self._database.put("orders", batch)
        self._summary.remarks += [f"{name}: {remark}" for remark in source.remarks()]
        listed = self._database.one("SELECT COUNT(*) FROM orders WHERE inside")
        self._summary.shop = f"{listed:,} orders of {name}"
        if not listed:
            self._summary.remarks.append(f"{name} lists no order of the time asked for")
        if self._wanted.since is None and self._wanted.until is None:
            self._narrow_to_list()

    def _require_usable(self, source: ShopFile, name: str) -> None:
        by = self._store.purchase_id
        if by != "id" and not source.has_numbers:
            self._summary.remarks.append(f"{name} is read as purchase ids, which are the orders' {by}s here")
        if by == "id" and not source.has_ids:
            self._summary.remarks.append(f"{name} has no column of ids: its order numbers are taken for them")
        self._numbered = by != "id" and not (source.has_ids and source.has_numbers)

    def _order_rows(
        self, source: ShopFile, file: BinaryIO, name: str, size: int | None
    ) -> Iterator[tuple[Any, ...]]:
        for number, order in enumerate(source.orders()):
            if number % STEP == 0 and size:
                self._tell(name, file.tell(), size)
            pid, entity = self._ids_of(order)
            pid = self._store.id_prefix + pid if pid else pid
            inside = self._frame.covers(order.at_ms)
            total, refunded = amount_text(order.total), amount_text(order.refunded)
            yield pid, entity, order.number, order.at_ms, total, refunded, order.status, int(inside)

    def _ids_of(self, order: ShopOrder) -> tuple[str, str]:
        """What Connectif knows the order by, and what the shop does; empty where the list does not say."""
        by = self._store.purchase_id
        if by == "id":
            return order.id or order.number, order.id or order.number
        if not order.number:
            return order.id, ""
        number = order.number.removeprefix("#") if by == "number" else order.number
        return number, order.id

    def _narrow_to_list(self) -> None:
        """A list without bounds is about the days of its orders; one without dates about its orders alone."""
        first, last = next(self._database.rows("SELECT MIN(at_ms), MAX(at_ms) FROM orders"))
        if first is None:
            self._complete = False
            self._summary.remarks.append(
                "the list has no dates and no days were named: what only Connectif has is not looked for"
            )
            return
        self._frame.since_ms, self._frame.until_ms = first, last + 1
        self._summary.since = day_of(first, self._zone)
        self._summary.until = day_of(last, self._zone)

    def _list_from_events(self, reader: RangeReader) -> None:
        """Without a list of the shop's, whatever it sent events of is one."""
        if self._store.purchase_id != "id":
            self._look_at_all(reader)
        self._database.run(
            """INSERT OR IGNORE INTO orders
            SELECT COALESCE(MIN(k.pid), :prefix || e.entity), e.entity, '', MIN(e.first_ms), NULL, NULL, '', 1
            FROM events e LEFT JOIN links k ON k.entity = e.entity AND :by <> 'id'
            WHERE e.first_ms >= :since AND e.first_ms < :until GROUP BY e.entity""",
            {
                "by": self._store.purchase_id,
                "prefix": self._store.id_prefix,
                "since": self._frame.since_ms or 0,
                "until": self._frame.until_ms or 2**62,
            },
        )
        listed = self._database.one("SELECT COUNT(*) FROM orders")
        self._summary.shop = (
            f"{listed:,} orders that events came of, by the day of their arrival (no list of the shop's)"
        )

    # The topics.

    def _link(self, reader: RangeReader) -> None:
        """Which event is which order's."""
        if self._numbered and self._wanted.shop is not None:
            self._look_at_all(reader)
        self._database.run(
            """UPDATE orders SET entity = COALESCE((SELECT entity FROM links WHERE links.pid = orders.pid),
            CASE ? WHEN 'id' THEN pid ELSE '' END) WHERE entity = ''""",
            (self._store.purchase_id,),
        )

    def _look_at_all(self, reader: RangeReader) -> None:
        """Purchases are known by a number that only the bodies have: each order's newest event is read."""
        meanings.look(
            reader,
            self._settings,
            self._database,
            self._database.rows("SELECT part, off FROM events"),
            lambda done, of: self._tell("order numbers", done, of),
        )
        self._database.run("CREATE INDEX IF NOT EXISTS links_entity ON links (entity)")

    def _remark_on(self, scan: TopicsScan) -> None:
        begins = scan.log_begins_ms
        if begins is not None and begins > (self._frame.since_ms or 0):
            self._summary.remarks.append(
                f"events are kept since {moment(begins / 1_000)}: of earlier orders it cannot be told "
                "whether they came"
            )
        if scan.foreign:
            self._summary.remarks.append(
                f"{scan.foreign:,} messages are no records or receipts, and left out"
            )

    def _place(self) -> None:
        """In which of the store's accounts each order should be, by what is known so far."""
        place_orders(self._database, self._frame.accounts)

    def _judge(self) -> None:
        write_findings(self._database, self._frame, complete=self._complete)

    def _tell(self, what: str, done: int, of: int) -> None:
        """Progress; `of` is 0 where that is not known."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=done, total=of or None)


def _opened(given: str) -> BinaryIO:
    if given == "-":
        return sys.stdin.buffer
    try:
        return Path(given).open("rb")
    except OSError as error:
        raise PipelineError(f"{given} cannot be read: {error.strerror}", field="--shop") from error


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _start_of(day: date | None, zone: ZoneInfo) -> int | None:
    if day is None:
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1_000)
