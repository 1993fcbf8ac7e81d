"""What Connectif has by its own word: its export, from a file or asked for, or purchase by purchase.

A store may feed several accounts: each has its export, and is asked for its own purchases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.reconcile import verify
from pipeline.reconcile.activities_export import ActivitiesExport, windows
from pipeline.reconcile.belonging import NOWHERE, close_asking
from pipeline.reconcile.connectif_export import ExportedPurchase, read_export
from pipeline.reconcile.database import batched
from pipeline.reconcile.judging import ExportSpan
from pipeline.reconcile.run_options import API
from pipeline.reconcile.side import STEP, Side, SideContext
from pipeline.spare_calls import calls_per_minute
from pipeline.text import span

#: Seconds by which two clocks may differ; of a window of a minute.
CLOCKS = 60.0
#: Connectif's moments and the shop's differ: so much earlier than asked for is exported, too.
SLACK = timedelta(days=1)
#: In a file's name, the account's.
PLACE = "{account}"
#: What an account is asked for; what nothing places, until one has it.
_TO_ASK = """FROM findings f WHERE ask AND (account = :account OR account = :nowhere
    AND NOT EXISTS (SELECT 1 FROM verified v WHERE v.pid = f.pid AND v.found))"""


class ConnectifSide(Side):
    """Reads Connectif's side of a run into its database."""

    def __init__(self, context: SideContext) -> None:
        super().__init__(context)
        settings, wanted = self._settings, self._wanted
        self._accounts = settings.stores[wanted.store].accounts
        self._asked: dict[str, int] = {
            name: calls_per_minute(settings.accounts[name], wanted.calls_per_minute)
            for name in self._accounts
        }

    # Its export.

    def read_export(self, given: str) -> None:
        """The purchases of each account's export: a file, in whose name `{account}` stands for it, or `api`.

        Raises:
            PipelineError: one cannot be read, or not be had.
        """
        if given != API and len(self._accounts) > 1 and PLACE not in given:
            raise PipelineError(
                f"the store feeds {len(self._accounts)} accounts ({', '.join(self._accounts)}), and one file "
                "cannot be of all",
                field="--connectif-export",
                hint=f"write {PLACE} in the file's name where the account's is, or api",
            )
        said = []
        for number, name in enumerate(self._accounts):
            if given == API:
                said.append(self._read_asked(number, name))
            else:
                said.append(self._read_file(number, Path(given.replace(PLACE, name))))
        self._summary.connectif = ", ".join(said)

    def _read_file(self, number: int, path: Path) -> str:
        columns = self._wanted.export_columns
        listed = self._put(number, read_export(path, columns, self._frame.zone, self._wanted.decimal))
        first, last = next(
            self._database.rows("SELECT MIN(at_ms), MAX(at_ms) FROM exported WHERE account = ?", (number,))
        )
        self._frame.exports[number] = ExportSpan(first, last)
        if first is None:
            self._summary.remarks.append(
                f"{path.name} has no dates: what it lacks may be of another time and is not missing"
            )
        return f"{listed:,} purchases of {path.name}"

    def _read_asked(self, number: int, name: str) -> str:
        if self._frame.since_ms is None:
            raise PipelineError(
                "Connectif exports days, and none are named",
                field="--connectif-export",
                hint="name the first with --since, or give a list of the shop's with dates",
            )
        account = self._settings.accounts[name]
        until = datetime.now(UTC).replace(microsecond=0)
        since = min(datetime.fromtimestamp(self._frame.since_ms / 1_000, UTC) - SLACK, until)
        parts = len(windows(since, until))
        self._say(
            f"asking Connectif to export the purchases of {name} since {since:%Y-%m-%d}, 31 days at a time: "
            f"{parts:,} exports, {self._asked[name]:,} calls a minute of {account.calls_per_minute:,}. "
            "Started again after an end, it goes on where it was"
        )
        export = ActivitiesExport(
            name,
            account,
            self._asked[name],
            self._settings.data_dir / "reconcile" / "exports" / name / self._wanted.store,
            columns=self._wanted.export_columns,
            zone=self._frame.zone,
            decimal=self._wanted.decimal,
            timeout=self._settings.deliver.call_timeout,
            progress=lambda done, of: self._tell(f"exports of {name}", done, of),
        )
        listed = self._put(number, export.read(since, until))
        # Connectif's clock may be behind ours.
        known_ms = export.ends_ms - int(CLOCKS * 1_000 * account.window_seconds / 60)
        self._frame.exports[number] = ExportSpan(self._frame.since_ms, known_ms, known_ms)
        of = f" of {name}" if len(self._accounts) > 1 else ""
        return f"{listed:,} purchases of its own exports{of} since {since:%Y-%m-%d}"

    def _put(self, number: int, purchases: Iterable[ExportedPurchase]) -> int:
        """Write an account's purchases; returns how many there are."""
        rows = ((one.id, number, one.at_ms, amount_text(one.total)) for one in purchases)
        for count, batch in enumerate(batched(rows)):
            self._database.put("exported", batch)
            self._tell("purchases of Connectif's export", count * STEP, 0)
        return int(self._database.one("SELECT COUNT(*) FROM exported WHERE account = ?", (number,)))

    # Asking.

    def ask(self) -> None:
        """Ask each account for the purchases that should be there; Ctrl-C ends it.

        An order that nothing places is asked for in one account after the other, until one has it.
        """
        for number, name in enumerate(self._accounts):
            if not self._ask(number, name):
                break
        close_asking(self._database, len(self._accounts))
        unknown = self._database.one(
            "SELECT COUNT(*) FROM verified WHERE found IS NULL AND account <> ?", (NOWHERE,)
        )
        if unknown:
            self._summary.remarks.append(f"Connectif gave no answer for {unknown:,} purchases")

    def _ask(self, number: int, name: str) -> bool:
        """Ask one account; False: that was to end."""
        values = {"account": number, "nowhere": NOWHERE}
        total = self._database.one(f"SELECT COUNT(*) {_TO_ASK}", values)
        account, per_minute = self._settings.accounts[name], self._asked[name]
        seconds = verify.seconds_needed(total, per_minute, account)
        of = f" of {name}" if len(self._accounts) > 1 else ""
        self._say(
            f"asking Connectif for {total:,} purchases{of}, {per_minute:,} calls a minute of the account's "
            f"{account.calls_per_minute:,}: {span(seconds)} or more, as others' calls go first. Ctrl-C "
            "ends the asking, and the rest is reported as the receipts have it"
        )
        verifier = verify.Verifier(
            name,
            account,
            per_minute,
            timeout=self._settings.deliver.call_timeout,
            progress=lambda done: self._tell(f"asking Connectif{of}", done, total),
        )
        asked: Iterator[tuple[str]] = self._database.rows(f"SELECT pid {_TO_ASK} ORDER BY day, pid", values)
        try:
            verifier.run((pid for (pid,) in asked), lambda found: self._put_verified(number, found))
        except KeyboardInterrupt:
            self._summary.remarks.append(
                f"stopped after {verifier.done:,} of {total:,} purchases{of} were asked for"
            )
            return False
        except PipelineError as error:
            self._summary.remarks.append(f"{verifier.done:,} of {total:,} purchases{of}: {error.message}")
            self._console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return True

    def _put_verified(self, number: int, found: list[verify.Verified]) -> None:
        rows = [
            (one.id, number, None if one.found is None else int(one.found), amount_text(one.total))
            for one in found
        ]
        self._database.put("verified", rows)

    def say_what_speaks(self) -> None:
        """Write into the summary what said what Connectif has."""
        asked = self._database.one(
            "SELECT COUNT(DISTINCT pid) FROM verified WHERE found IS NOT NULL AND account <> ?", (NOWHERE,)
        )
        said = [self._summary.connectif, f"{asked:,} purchases asked for" if asked else "", "the receipts"]
        self._summary.connectif = ", ".join(filter(None, said))

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def amount_text(amount: Decimal | None) -> str | None:
    """An amount as the database has it."""
    return None if amount is None else str(amount)
