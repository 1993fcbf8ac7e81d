"""The page of a run in a real browser: nothing runs over, texts can be read, a keyboard gets everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.reconcile import report_html
from pipeline.reconcile.database import Database
from pipeline.reconcile.findings import Summary, count, findings
from pipeline.reconcile.judging import RunContext, write_findings
from pipeline.reconcile.repair import Repair
from tests.browser import Page, needs_chromium, page_in_chromium

pytestmark = needs_chromium

DAY_MS = 86_400_000
#: The least contrast of each text with what is behind it, and what would be less.
CONTRAST = """
(() => {
  const parts = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(one => one / 255)
      .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (one, two) => (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  const page = light(parts(getComputedStyle(document.body).backgroundColor));
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(one);
    if (own && ratio(light(parts(style.color)), page) < 4.5) poor.push(one.outerHTML.slice(0, 80));
    if (one.tagName === "rect" && ratio(light(parts(style.fill)), page) < 3) poor.push(one.outerHTML);
  }
  return poor;
})()
"""
#: Elements that are wider than the page, and not in something that is scrolled by itself.
TOO_WIDE = """
[...document.querySelectorAll("body *")]
  .filter(one => !one.closest(".scroll") || one.matches(".scroll"))
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map(one => one.outerHTML.slice(0, 80))
"""


def _mixed(database: Database) -> None:
    """Some of each result, with texts as long as shops make them."""
    tables: dict[str, list[tuple[Any, ...]]] = {
        name: [] for name in ("orders", "events", "letters", "receipts", "verified")
    }
    orders, events, letters, receipts, verified = tables.values()
    for number in range(200):
        pid, at = str(5_912_345_678_000 + number), (20_454 + number % 30) * DAY_MS
        orders.append((pid, pid, f"#{number}", at, "40.85", None, "paid", 1))
        if number % 9 == 0:
            continue
        events.append((pid, 1, at, at, 0, number))
        if number % 9 == 1:
            letters.append((pid, 0, number, "no_email", "customer.email: " + "there is none " * 15))
        elif number % 9 == 2:
            receipts.append((pid, 0, "", number, "dead", "bad_domain", "400; E0103", "acme-es", at, at))
        else:
            receipts.append((pid, 0, "there", number, "delivered", "created", "", "acme-es", at, at))
            verified += [(pid, 0, 0, None)] if number % 9 == 3 else []
    orders.append(("A" * 180, "A" * 180, "#" + "9" * 120, None, "1234567890.12", None, "paid", 1))
    receipts.append(("77", 0, "there", 1, "delivered", "created", "", "acme-es", 1, 1))
    for table, rows in tables.items():
        database.put(table, rows)


def _many(database: Database) -> None:
    """More than is shown."""
    rows = (
        (str(n), str(n), "", (18_000 + n % 900) * DAY_MS, "1.00", None, "paid", 1)
        for n in range(report_html.MOST + 500)
    )
    database.put("orders", rows)


def _nothing(database: Database) -> None:
    """One order, which is there."""
    database.put("orders", [("1", "1", "#1", 20_454 * DAY_MS, "1.00", None, "paid", 1)])
    database.put("receipts", [("1", 0, "there", 1, "delivered", "created", "", "acme-es", 1, 1)])


def written(directory: Path, fill: Callable[[Database], None]) -> Path:
    """The page of a run."""
    path = directory / f"{fill.__name__}.html"
    summary = Summary("acme-es", ("acme",), datetime(2026, 1, 31, tzinfo=UTC), shop="201 orders of x.csv")
    summary.remarks.append("a remark of " + "many " * 60 + "words")
    summary.repair = Repair("reconcile-1", 3, 7)
    with Database() as database, path.open("w", encoding="utf-8") as file:
        fill(database)
        write_findings(database, RunContext("acme-es", ZoneInfo("UTC")), complete=True)
        count(database, summary)
        report_html.write_html(file, summary, findings(database, most=report_html.MOST))
    return path


def looked_at(tmp_path: Path, look: Callable[[Page], Awaitable[None]]) -> None:
    """Carry out something with a page."""

    async def carry_out() -> None:
        async with page_in_chromium(tmp_path / "profile") as page:
            await look(page)
            assert page.complaints == []

    asyncio.run(carry_out())


def test_every_page_can_be_read_on_any_screen_in_both_schemes(tmp_path: Path) -> None:
    paths = [written(tmp_path, fill) for fill in (_mixed, _many, _nothing)]

    async def look(page: Page) -> None:
        for path in paths:
            screens = ((360, False), (360, True), (1_280, False), (1_280, True))
            for width, dark in screens if path.stem != "_many" else screens[1:3]:
                await page.open(path, width=width, dark=dark)
                await page.value("document.querySelectorAll('details').forEach(one => one.open = true)")
                assert await page.value(CONTRAST) == [], (path, dark)
                assert await page.value(TOO_WIDE) == [], (path, width)
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert await page.value(wide) == 0, (path, width)
                background = await page.value("getComputedStyle(document.body).backgroundColor")
                assert (background == "rgb(255, 255, 255)") is not dark

    looked_at(tmp_path, look)


def test_those_who_hear_it_are_told_what_a_table_and_the_chart_are(tmp_path: Path) -> None:
    path = written(tmp_path, _mixed)

    async def look(page: Page) -> None:
        await page.open(path, width=1_280)
        assert await page.value("document.querySelectorAll('th:not([scope])').length") == 0
        assert await page.value("document.querySelectorAll('main').length") == 1
        named = "[...document.querySelectorAll('[aria-labelledby]')].every(one => "
        named += "document.getElementById(one.getAttribute('aria-labelledby'))?.textContent)"
        assert await page.value(named)
        assert "at most" in await page.value("document.querySelector('svg').getAttribute('aria-label')")
        ids = "[...document.querySelectorAll('[id]')].map(one => one.id)"
        found = await page.value(ids)
        assert len(set(found)) == len(found)

    looked_at(tmp_path, look)


def test_a_keyboard_reaches_links_tables_and_the_days(tmp_path: Path) -> None:
    path = written(tmp_path, _mixed)

    async def look(page: Page) -> None:
        await page.open(path, width=360)
        reached = set()
        for _ in range(40):
            await page.press("Tab")
            reached.add(await page.value("document.activeElement.tagName"))
            if await page.value("document.activeElement.matches('details:not([open]) summary')"):
                await page.press("Enter")
                assert await page.value("document.querySelector('details').open")
            shown = await page.value("getComputedStyle(document.activeElement).outlineStyle")
            assert shown != "none" or await page.value("document.activeElement === document.body")
        assert reached >= {"A", "DIV", "SUMMARY"}

    looked_at(tmp_path, look)


@pytest.mark.parametrize("fill", [_mixed, _nothing])
def test_the_page_asks_the_network_for_nothing(tmp_path: Path, fill: Callable[[Database], None]) -> None:
    path = written(tmp_path, fill)

    async def look(page: Page) -> None:
        await page.open(path, width=1_280)
        assert await page.value("performance.getEntriesByType('resource').length") == 0
        assert await page.value("document.scripts.length") == 0

    looked_at(tmp_path, look)
