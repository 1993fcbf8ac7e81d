"""One run of `pipeline reconcile`: the sides into the database, the rules over it, the reports out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline.config import Settings
from pipeline.config_checks import require_store
from pipeline.console import Console
from pipeline.kafka.reader import RangeReader
from pipeline.reconcile import histories, meanings, output
from pipeline.reconcile.belonging import place_orders
from pipeline.reconcile.connectif_side import ConnectifSide
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary, count
from pipeline.reconcile.judging import RunContext, places_to_look_at, write_findings
from pipeline.reconcile.repair import read_again, repair
from pipeline.reconcile.run_options import API, EVENTS, ReconcileOptions
from pipeline.reconcile.scan import TopicsScan
from pipeline.reconcile.shop_side import ShopSide
from pipeline.reconcile.side import SideContext
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
    require_store(settings, wanted.store)
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
        context = SideContext(settings, wanted, database, self._frame, self._summary, console, self._tell)
        self._connectif = ConnectifSide(context)
        self._shop = ShopSide(context)

    def compare(self, reader: RangeReader) -> Summary:
        """All steps but the reports."""
        self._shop.read()
        if self._wanted.connectif_export is not None:
            self._connectif.read_export(self._wanted.connectif_export)
        scan = TopicsScan(self._settings, self._wanted.store, self._database, self._tell)
        scan.run(reader, self._frame.since_ms or 0)
        self._frame.translated, self._frame.log_begins_ms = scan.translated, scan.log_begins_ms
        self._remark_on(scan)
        self._link(reader)
        if self._shop.source == EVENTS:
            self._shop.list_events()
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
            if self._shop.source == API:
                read_again(self._settings, self._wanted.store, self._database, self._summary.repair)
        return self._summary

    # The topics.

    def _link(self, reader: RangeReader) -> None:
        """Which event is which order's."""
        by_event = self._shop.source == EVENTS and self._store.purchase_id != "id"
        if self._shop.numbered or by_event:
            self._look_at_all(reader)
        self._shop.link_nameless()
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
        write_findings(self._database, self._frame, complete=self._shop.complete)

    def _tell(self, what: str, done: int, of: int) -> None:
        """Progress; `of` is 0 where that is not known."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=done, total=of or None)


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _start_of(day: date | None, zone: ZoneInfo) -> int | None:
    if day is None:
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1_000)
