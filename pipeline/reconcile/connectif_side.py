"""What Connectif has by its own word: its export, from a file or asked for, or purchase by purchase."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from pipeline.config import Settings
from pipeline.config_checks import only_account
from pipeline.errors import PipelineError
from pipeline.reconcile import verify
from pipeline.reconcile.activities_export import ActivitiesExport, windows
from pipeline.reconcile.connectif_export import ExportedPurchase, read_export
from pipeline.reconcile.database import Database, batched
from pipeline.reconcile.findings import Summary
from pipeline.reconcile.judging import RunContext
from pipeline.reconcile.run_options import API, ReconcileOptions
from pipeline.spare_calls import calls_per_minute
from pipeline.text import span

#: Told of what is done: (what, how much, of how much).
Tell = Callable[[str, int, int], object]
#: Rows between two words of progress.
STEP = 10_000
#: Seconds by which two clocks may differ; of a window of a minute.
CLOCKS = 60.0
#: Connectif's moments and the shop's differ: so much earlier than asked for is exported, too.
SLACK = timedelta(days=1)


class ConnectifSide:
    """Reads Connectif's side of a run into its database.

    Args:
        settings: the program's.
        wanted: the options.
        database: gets what is read.
        frame: of the run; gets of which time the export speaks.
        summary: gets the remarks.
        console: for what is said beside the results.
        tell: progress.
    """

    def __init__(
        self,
        settings: Settings,
        wanted: ReconcileOptions,
        database: Database,
        *,
        frame: RunContext,
        summary: Summary,
        console: Console,
        tell: Tell,
    ) -> None:
        self._settings, self._wanted, self._database = settings, wanted, database
        self._frame, self._summary, self._console, self._tell = frame, summary, console, tell
        self._name = only_account(settings, wanted.store)
        self._account = settings.accounts[self._name]
        self._per_minute = calls_per_minute(self._account, wanted.calls_per_minute)

    # Its export.

    def read_export(self, given: str) -> None:
        """The purchases of an export: a file, or `api`.

        Raises:
            PipelineError: it cannot be read, or not be had.
        """
        if given == API:
            self._read_asked()
        else:
            self._read_file(Path(given))

    def _read_file(self, path: Path) -> None:
        columns = self._wanted.export_columns
        listed = self._put(read_export(path, columns, self._frame.zone, self._wanted.decimal))
        self._frame.export_from_ms, self._frame.export_to_ms = next(
            self._database.rows("SELECT MIN(at_ms), MAX(at_ms) FROM exported")
        )
        self._summary.connectif = f"{listed:,} purchases of {path.name}"
        if self._frame.export_from_ms is None:
            self._summary.remarks.append(
                f"{path.name} has no dates: what it lacks may be of another time and is not missing"
            )

    def _read_asked(self) -> None:
        if self._frame.since_ms is None:
            raise PipelineError(
                "Connectif exports days, and none are named",
                field="--connectif-export",
                hint="name the first with --since, or give a list of the shop's with dates",
            )
        until = datetime.now(UTC).replace(microsecond=0)
        since = min(datetime.fromtimestamp(self._frame.since_ms / 1_000, UTC) - SLACK, until)
        parts = len(windows(since, until))
        self._say(
            f"asking Connectif to export its purchases since {since:%Y-%m-%d}, 31 days at a time: {parts:,} "
            f"exports, {self._per_minute:,} calls a minute of {self._account.calls_per_minute:,}. Started "
            "again after an end, it goes on where it was"
        )
        export = ActivitiesExport(
            self._name,
            self._account,
            self._per_minute,
            self._settings.data_dir / "reconcile" / "exports" / self._name,
            columns=self._wanted.export_columns,
            zone=self._frame.zone,
            decimal=self._wanted.decimal,
            timeout=self._settings.deliver.call_timeout,
            progress=lambda done, of: self._tell("Connectif's exports", done, of),
        )
        listed = self._put(export.read(since, until))
        # Connectif's clock may be behind ours.
        known_ms = export.ends_ms - int(CLOCKS * 1_000 * self._account.window_seconds / 60)
        self._frame.export_from_ms, self._frame.export_to_ms = self._frame.since_ms, known_ms
        self._frame.export_known_ms = known_ms
        self._summary.connectif = f"{listed:,} purchases of its own exports since {since:%Y-%m-%d}"

    def _put(self, purchases: Iterable[ExportedPurchase]) -> int:
        """Write purchases; returns how many there are."""
        for number, batch in enumerate(batched(self._row(one) for one in purchases)):
            self._database.put("exported", batch)
            self._tell("purchases of Connectif's export", number * STEP, 0)
        return int(self._database.one("SELECT COUNT(*) FROM exported"))

    def _row(self, purchase: ExportedPurchase) -> tuple[str, int | None, str | None]:
        return purchase.id, purchase.at_ms, amount_text(purchase.total)

    # Asking.

    def ask(self) -> None:
        """Ask for the purchases that should be there; Ctrl-C ends it."""
        total = self._database.one("SELECT COUNT(*) FROM findings WHERE ask")
        seconds = verify.seconds_needed(total, self._per_minute, self._account)
        self._say(
            f"asking Connectif for {total:,} purchases, {self._per_minute:,} calls a minute of the account's "
            f"{self._account.calls_per_minute:,}: {span(seconds)} or more, as others' calls go first. Ctrl-C "
            "ends the asking, and the rest is reported as the receipts have it"
        )
        verifier = verify.Verifier(
            self._name,
            self._account,
            self._per_minute,
            timeout=self._settings.deliver.call_timeout,
            progress=lambda done: self._tell("asking Connectif", done, total),
        )
        asked: Iterator[tuple[str]] = self._database.rows(
            "SELECT pid FROM findings WHERE ask ORDER BY day, pid"
        )
        try:
            verifier.run((pid for (pid,) in asked), self._put_verified)
        except KeyboardInterrupt:
            self._summary.remarks.append(
                f"stopped after {verifier.done:,} of {total:,} purchases were asked for"
            )
        except PipelineError as error:
            self._summary.remarks.append(f"{verifier.done:,} of {total:,} were asked for: {error.message}")
            self._console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        unknown = self._database.one("SELECT COUNT(*) FROM verified WHERE found IS NULL")
        if unknown:
            self._summary.remarks.append(f"Connectif gave no answer for {unknown:,} purchases")

    def _put_verified(self, found: list[verify.Verified]) -> None:
        rows = [
            (one.id, None if one.found is None else int(one.found), amount_text(one.total)) for one in found
        ]
        self._database.put("verified", rows)

    def say_what_speaks(self) -> None:
        """Write into the summary what said what Connectif has."""
        asked = self._database.one("SELECT COUNT(*) FROM verified WHERE found IS NOT NULL")
        said = [self._summary.connectif, f"{asked:,} purchases asked for" if asked else "", "the receipts"]
        self._summary.connectif = ", ".join(filter(None, said))

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def amount_text(amount: Decimal | None) -> str | None:
    """An amount as the database has it."""
    return None if amount is None else str(amount)
