"""Findings as a table, CSV, JSON and a page: complete, and nothing of a shop's becomes part of the page."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipeline.reconcile import report, report_html
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary, count, findings
from pipeline.reconcile.judging import RunContext, write_findings
from pipeline.reconcile.report_html import MOST

UTC_ZONE = ZoneInfo("UTC")
DAY_MS = 86_400_000


def summary() -> Summary:
    """Of a run on a store."""
    return Summary("acme-es", ("acme",), datetime(2026, 1, 31, tzinfo=UTC), shop="2 orders of x.csv")


def listed(database: Database, *orders: tuple[str, str, int | None]) -> Summary:
    """A run over orders of the shop's list of which nothing ever came: id, number, day."""
    database.put(
        "orders",
        (
            (pid, pid, number, None if day is None else day * DAY_MS, "10.00", None, "paid", 1)
            for pid, number, day in orders
        ),
    )
    write_findings(database, RunContext("acme-es", UTC_ZONE), complete=True)
    found = summary()
    count(database, found)
    return found


class Reader(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_of(database: Database, found: Summary) -> Reader:
    """The page of a run, read."""
    out = io.StringIO()
    report_html.write_html(out, found, findings(database))
    reader = Reader()
    reader.feed(out.getvalue())
    reader.close()
    return reader


KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "dl", "dt", "dd", "svg"),
    *("g", "rect", "span", "i", "div", "table", "thead", "tbody", "tr", "th", "td"),
    *("header", "main", "figure", "figcaption", "details", "summary", "a"),
}


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_whatever_an_order_is_called_is_text_on_the_page(name: str) -> None:
    with Database() as database:
        page = page_of(database, listed(database, (name, f"</td><script>{name}", 20_000)))
    assert set(page.elements) <= KNOWN
    assert name in page.texts
    assert not {"src", "onload", "onclick"} & set(page.attributes)
    assert all(link.startswith("#") for link in page.links)


def test_the_page_has_a_bar_for_each_day_and_every_order() -> None:
    with Database() as database:
        page = page_of(database, listed(database, *((str(n), "", 20_000 + n % 3) for n in range(30))))
    assert page.elements.count("rect") == 3
    assert {str(n) for n in range(30)} <= set(page.texts)
    assert any("30 missing in Connectif" in text for text in page.texts)


def test_years_are_drawn_in_a_bounded_number_of_bars() -> None:
    with Database() as database:
        page = page_of(database, listed(database, *((str(n), "", 18_000 + n) for n in range(1_000))))
    assert page.elements.count("g") <= report_html.BARS


def test_a_page_is_cut_and_says_so() -> None:
    with Database() as database:
        found = listed(database, *((str(n), "", None) for n in range(MOST + 10)))
        page = page_of(database, found)
    assert page.elements.count("tr") < MOST + 20
    assert any(f"The first {MOST:,} of {MOST + 10:,}" in text for text in page.texts)


def test_json_and_csv_have_every_finding() -> None:
    with Database() as database:
        found = listed(database, ("1", "#1", 20_000), ("=2", "#2", None))
        out, table = io.StringIO(), io.StringIO()
        report.write_json(out, found, findings(database))
        report.write_csv(table, findings(database))
    tree = json.loads(out.getvalue())
    assert [one["id"] for one in tree["orders"]] == ["=2", "1"]
    assert tree["counts"]["missing"] == 2
    assert tree["agrees"] is False
    assert [row["id"] for row in csv.DictReader(io.StringIO(table.getvalue()))] == ["'=2", "1"]


def test_the_table_names_the_days_the_stages_and_the_first_orders(capsys: pytest.CaptureFixture[str]) -> None:
    with Database() as database:
        found = listed(database, *((f"[{n}]", "", 20_000) for n in range(5)))
        report.show(Console(width=200), found, findings(database), 3)
    shown = capsys.readouterr().out
    assert "2024-10-04" in shown
    assert "never_received" in shown
    assert "[2]" in shown
    assert "[3]" not in shown
    assert "the first 3 of 5" in shown


def test_an_empty_list_is_no_error() -> None:
    with Database() as database:
        found = listed(database)
        page = page_of(database, found)
    assert found.agrees
    assert "svg" not in page.elements
