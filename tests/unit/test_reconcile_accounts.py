"""A store that feeds several accounts: in which of them an order should be, and what that account says."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from pipeline.reconcile import report, report_html
from pipeline.reconcile.belonging import NOWHERE, close_asking, place_orders
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary, count, findings
from pipeline.reconcile.judging import ExportSpan, RunContext, places_to_look_at, write_findings

ES, FR = 0, 1
DAY_MS = 86_400_000

#: (account, category, stage, reason)
Result = tuple[int, str, str, str]


class Told:
    """What the topics and Connectif say of the orders of a list."""

    def __init__(self, database: Database, *listed: str) -> None:
        self.database = database
        self.frame = RunContext("acme", ZoneInfo("UTC"), translated={0: 1_000}, accounts=2)
        database.put("accounts", [(ES, "es"), (FR, "fr")])
        database.put("orders", [(pid, pid, "", DAY_MS, None, None, "paid", 1) for pid in listed])

    def record(self, pid: str, account: int, offset: int, *, takes_back: bool = False) -> None:
        self.database.put("records", [(pid, account, offset, int(takes_back), None, None, "acme")])

    def receipt(self, pid: str, account: int, held: str, offset: int = 1, outcome: str = "delivered") -> None:
        row = (pid, account, held, offset, outcome, "", "", "acme", DAY_MS, DAY_MS)
        self.database.put("receipts", [row])

    def event(self, entity: str, offset: int = 1) -> None:
        self.database.put("events", [(entity, 1, DAY_MS, DAY_MS, 0, offset)])

    def judged(self) -> dict[str, list[Result]]:
        place_orders(self.database, self.frame.accounts)
        write_findings(self.database, self.frame, complete=True)
        found: dict[str, list[Result]] = {}
        question = "SELECT pid, account, category, stage, reason FROM findings ORDER BY pid, account"
        for pid, *rest in self.database.rows(question):
            found.setdefault(pid, []).append((rest[0], rest[1], rest[2], rest[3]))
        return found

    def to_ask(self, account: int) -> set[str]:
        from pipeline.reconcile.connectif_side import _TO_ASK  # noqa: PLC0415

        values = {"account": account, "nowhere": NOWHERE}
        return {pid for (pid,) in self.database.rows(f"SELECT pid {_TO_ASK}", values)}


def test_records_and_receipts_name_the_account() -> None:
    with Database() as database:
        told = Told(database, "es", "fr", "waits")
        told.receipt("es", ES, "there")
        told.receipt("fr", FR, "there")
        told.record("waits", FR, 5)
        assert told.judged() == {
            "es": [(ES, "there", "in_connectif", "")],
            "fr": [(FR, "there", "in_connectif", "")],
            "waits": [(FR, "pending", "pending", "waits")],
        }


def test_an_order_that_moved_is_where_it_was_told_last() -> None:
    with Database() as database:
        told = Told(database, "moved")
        told.record("moved", ES, 3, takes_back=True)
        told.receipt("moved", ES, "gone", 3)
        told.record("moved", FR, 4)
        told.receipt("moved", FR, "there", 4)
        assert told.judged() == {"moved": [(FR, "there", "in_connectif", "")]}


def test_what_waits_to_be_taken_back_in_one_account_is_expected_in_the_other_alone() -> None:
    with Database() as database:
        told = Told(database, "moves")
        told.receipt("moves", ES, "there", 2)
        told.record("moves", ES, 3, takes_back=True)
        told.receipt("moves", FR, "there", 4)
        assert told.judged() == {"moves": [(FR, "there", "in_connectif", "")]}


def test_an_order_of_two_accounts_is_judged_in_each() -> None:
    with Database() as database:
        told = Told(database, "both")
        told.receipt("both", ES, "there")
        told.receipt("both", FR, "", outcome="dead")
        assert told.judged() == {
            "both": [(ES, "there", "in_connectif", ""), (FR, "missing", "dead", "")],
        }


def test_an_order_that_was_taken_back_everywhere_counts_once() -> None:
    with Database() as database:
        told = Told(database, "gone")
        told.receipt("gone", ES, "gone")
        told.receipt("gone", FR, "gone")
        assert told.judged() == {"gone": [(ES, "not_due", "taken_back", "")]}


def test_without_records_the_newest_event_names_the_account() -> None:
    with Database() as database:
        told = Told(database, "late", "ignored")
        told.event("late", 1)
        told.event("ignored", 2)
        place_orders(database, 2)
        assert set(places_to_look_at(database, told.frame)) == {(0, 1), (0, 2)}
        database.put("meanings", [("late", "tells", "", "", None, None)])
        database.put("meanings", [("ignored", "ignored", "not_sold", "", None, None)])
        database.put("meant", [("late", FR)])
        assert told.judged() == {
            "late": [(FR, "unknown", "not_kept", "receipt_not_kept")],
            "ignored": [(NOWHERE, "not_due", "ignored", "not_sold")],
        }


def test_an_order_that_never_came_is_missing_once_and_in_no_account() -> None:
    with Database() as database:
        assert Told(database, "never").judged() == {"never": [(NOWHERE, "missing", "never_received", "")]}


def test_each_accounts_export_speaks_of_its_own_orders() -> None:
    with Database() as database:
        told = Told(database, "es", "fr", "moved", "old")
        told.frame.log_begins_ms = 2 * DAY_MS
        told.frame.exports = {ES: ExportSpan(0, 9 * DAY_MS), FR: ExportSpan(0, 9 * DAY_MS)}
        told.receipt("es", ES, "there")
        told.receipt("fr", FR, "there")
        told.receipt("moved", ES, "gone")
        told.receipt("moved", FR, "there")
        rows = [("es", ES), ("moved", ES), ("moved", FR), ("old", FR), ("other", FR)]
        database.put("exported", [(pid, account, DAY_MS, None) for pid, account in rows])
        assert told.judged() == {
            "es": [(ES, "there", "in_connectif", "")],
            "fr": [(FR, "missing", "lost", "not_in_export")],
            "moved": [(ES, "different", "taken_back", "still_there"), (FR, "there", "in_connectif", "")],
            "old": [(FR, "there", "in_connectif", "")],
            "other": [(FR, "only_connectif", "in_connectif", "told_by_others")],
        }


def test_each_account_is_asked_for_its_own_and_one_after_the_other_for_what_nothing_places() -> None:
    with Database() as database:
        told = Told(database, "es", "fr", "found", "lost", "unanswered")
        told.frame.log_begins_ms = 2 * DAY_MS
        told.receipt("es", ES, "there")
        told.receipt("fr", FR, "there")
        told.judged()
        assert told.to_ask(ES) == {"es", "found", "lost", "unanswered"}
        answers = {"es": 1, "found": 1, "lost": 0, "unanswered": None}
        database.put("verified", [(pid, ES, found, None) for pid, found in answers.items()])
        assert told.to_ask(FR) == {"fr", "lost", "unanswered"}
        database.put("verified", [("fr", FR, 0, None), ("lost", FR, 0, None), ("unanswered", FR, 0, None)])
        close_asking(database, 2)
        assert told.judged() == {
            "es": [(ES, "there", "in_connectif", "")],
            "found": [(ES, "there", "in_connectif", "")],
            "fr": [(FR, "missing", "lost", "not_found")],
            "lost": [(NOWHERE, "missing", "not_kept", "before_log")],
            "unanswered": [(NOWHERE, "unknown", "not_kept", "before_log")],
        }


def test_every_report_names_the_account(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary("acme", ("es", "fr"), datetime(2026, 1, 31, tzinfo=UTC))
    table, page = io.StringIO(), io.StringIO()
    with Database() as database:
        told = Told(database, "1", "2")
        told.receipt("1", FR, "", outcome="dead")
        told.judged()
        count(database, summary)
        report.write_csv(table, findings(database))
        report_html.write_html(page, summary, findings(database))
        report.show(Console(width=200), summary, findings(database), 5)
    rows = {row["id"]: row["account"] for row in csv.DictReader(io.StringIO(table.getvalue()))}
    assert rows == {"1": "fr", "2": ""}
    assert '<th scope="col">account</th>' in page.getvalue()
    assert summary.as_json()["accounts"] == ["es", "fr"]
    assert "es, fr" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spans", "speaks_of"),
    [
        ({ES: ExportSpan(0, 10, 10)}, None),
        ({ES: ExportSpan(0, 10, 10), FR: ExportSpan(5, 20, 20)}, ExportSpan(5, 10, 10)),
        ({ES: ExportSpan(0, 10), FR: ExportSpan(None, None)}, ExportSpan(None, None)),
    ],
)
def test_of_what_nothing_places_the_exports_speak_together(
    spans: dict[int, ExportSpan], speaks_of: ExportSpan | None
) -> None:
    frame = RunContext("acme", ZoneInfo("UTC"), accounts=2, exports=spans)
    assert frame.export_of(NOWHERE) == speaks_of
