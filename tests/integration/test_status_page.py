"""The status page in a real browser: it can be read on any screen, by keyboard, and asks nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from pipeline.dead.groups import GroupKey, LetterGroup
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.listening import bound_socket
from pipeline.observe import Pages, observe_app, served
from pipeline.status import series
from pipeline.status.facts import Snapshot
from pipeline.status.page import app as routes
from pipeline.status.page.search import Found
from pipeline.status.snapshot import ProcessPage, snapshot
from tests.browser import Page, needs_chromium, page_in_chromium
from tests.integration.test_reconcile_page import CONTRAST, TOO_WIDE
from tests.processes import until
from tests.status_pages import deliver_page, gateway_page, page, settings_of, translate_page
from tests.unit.explaining import LimitedAccount
from tests.unit.scheduling import CONTACT, PRODUCT

pytestmark = needs_chromium

TOKEN = "the-right-token"
NOW = 1_780_000_000.0
#: Where pictures of the pages are put, such as docs/pictures; none are taken where it is not set.
PICTURES = Path(os.environ["STATUS_PICTURES"]) if "STATUS_PICTURES" in os.environ else None
#: Texts as long as shops and workers make them; in the pictures a short one.
LONG = "a reason of " + "many " * 30 + "words " + "x" * 90 if PICTURES is None else "it does not answer"


def explained() -> bytes:
    """What a deliver worker says of an account with something of everything."""
    account = LimitedAccount(limit=10)
    for number in range(30):
        needs = Key(CONTACT, f"buyer{number}@example.com"), Key(PRODUCT, f"p{number % 7}")
        account.order(f"10{number}", Lane.LIVE if number % 3 else Lane.BACKFILL, *needs)
    said = account.explained()
    said["coupon_sets"] = [
        {"name": "welcome", "available": None, "stock": 3, "low": 100, "trouble": "absent", "why": LONG}
    ]
    said["imports"] = [
        {
            "id": "0123456789abcdef01234567",
            "kind": "contact",
            "lane": "live",
            "rows": 1_234,
            "age_seconds": 12.5,
            "expected_end_in_seconds": -3.0,
            "next_look_in_seconds": 4.0,
            "looks": 2,
            "late": True,
        }
    ]
    return orjson.dumps(said | {"worker": "w1", "not_ready": ""})


def gather(worker: str, accounts: int = 12) -> Callable[[], Snapshot]:
    """A pipeline with one account of each trouble."""
    waits = {"account": "a000", "kind": "purchase", "lane": "live"}
    late = page(
        ("pipeline_pending_records", waits, 1_234),
        ("pipeline_pending_oldest_seconds", waits, 4_000),
        ("pipeline_settings_refused", {"table": "stores", "name": "s005"}, 1),
        ("pipeline_sync_failing_seconds", {"store": "s003", "reason": "server_error"}, 700),
        ("pipeline_replay_status", {"run": "20260101-120000-ab12", "status": "running"}, 1),
        ("pipeline_replay_events", {"run": "20260101-120000-ab12", "what": "total"}, 5_000),
        ("pipeline_replay_events", {"run": "20260101-120000-ab12", "what": "delivered"}, 1_200),
        ("pipeline_replay_seconds_left", {"run": "20260101-120000-ab12"}, 300),
    )
    texts = {
        "deliver": deliver_page(accounts, failing=[2], stopped=[1]) + late,
        "gateway": gateway_page(accounts, NOW),
        "translate": translate_page(accounts),
    }
    urls = {name: worker if name == "deliver" else f"http://127.0.0.1/{name}" for name in texts}
    pages = [ProcessPage(name, urls[name], "1", series.read(text)) for name, text in texts.items()]
    pages.append(ProcessPage("sync", "http://10.0.0.7:8083", "s1", why=LONG))
    notes = [LONG] if PICTURES is None else []
    return lambda: snapshot(settings_of(accounts), pages, NOW, notes)


def life(reveal: bool) -> dict[str, Any]:
    """An order's, as the trace has it."""
    place = {"topic": "shop.orders", "partition": 3, "offset": 1_034}
    event = {
        "at_ms": int(NOW * 1_000),
        "topic": "orders/paid",
        "waiting": False,
        "outcome": "accepted",
        "place": place,
        "reason": "",
        "detail": LONG,
        "delivery": "x" * 64,
        "version": int(NOW * 1_000),
        "emits": ["acme|contact|" + ("ann@b.example" if reveal else "a…@b…"), "acme|purchase|11"],
        "unchanged": [],
    }
    letter = {
        "at_ms": int(NOW * 1_000),
        "stage": "deliver",
        "reason": "bad_domain",
        "field": "url",
        "detail": LONG,
        "place": place,
    }
    return {
        "answer": "It is a dead letter: " + LONG,
        "store": "s000",
        "kind": "order",
        "id": "11",
        "whole": True,
        "events": [event] * 3,
        "records": [],
        "receipts": [],
        "dead_letters": [letter],
        "left_out": {},
        "memory": None,
        "now": [],
        "silent": {"deliver": LONG},
    }


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[str]:
    """The page over pretended processes; its address."""

    async def explain(_: Any) -> tuple[int, bytes]:
        return 200, explained()

    socks = [bound_socket("127.0.0.1", 0) for _ in range(2)]
    worker_url, url = (f"http://127.0.0.1:{sock.getsockname()[1]}" for sock in socks)
    settings = settings_of(12).model_copy(update={"http_token": SecretStr(TOKEN)})
    worker = observe_app("deliver", lambda: None, Pages({"/explain": explain}))
    observe = observe_app("status", lambda: None)
    app = routes.StatusPage(settings, Path("none.toml"), gather(worker_url), observe).app
    async with served(worker, socks[0]), served(app, socks[1]):
        yield url


@pytest.fixture(autouse=True)
def _without_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    group = LetterGroup(GroupKey("a001", "s001", "deliver", "purchase", "bad_domain", "open"), 7, 1, 5, 9_000)
    monkeypatch.setattr(routes, "open_letters", lambda *_: [group])
    monkeypatch.setattr(routes, "search", lambda *_, reveal, **__: Found([life(reveal)], [LONG]))


def looked_at(tmp_path: Path, look: Callable[[Page, str], Awaitable[None]]) -> None:
    """Carry out something with the page in a browser."""

    async def carry_out() -> None:
        async with running() as url, page_in_chromium(tmp_path / "profile") as browser:
            await look(browser, url)
            assert browser.complaints == []

    asyncio.run(carry_out())


async def sign_in(browser: Page) -> None:
    """Give the token in the form that is shown."""
    await browser.value(
        f"document.getElementById('token').value = '{TOKEN}'; "
        "document.querySelector('form[action=\"/signin\"]').submit()"
    )

    async def is_there() -> bool:
        return bool(await browser.value("location.pathname + document.readyState") == "/complete")

    await until(is_there, 30)


async def is_well_made(browser: Page, what: str) -> None:
    """What holds of every page."""
    assert await browser.value(CONTRAST) == [], what
    assert await browser.value(TOO_WIDE.replace('"body *"', '"main *, header *"')) == [], what
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await browser.value(wide) == 0, what
    assert await browser.value("document.querySelectorAll('h1').length") == 1, what
    assert await browser.value("document.querySelectorAll('th:not([scope])').length") == 0, what
    assert await browser.value("document.querySelectorAll('table:not(:has(caption))').length") == 0, what
    ids = await browser.value("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(set(ids)) == len(ids), what
    unnamed = "[...document.querySelectorAll('input:not([type=hidden]), select, button, a')].filter(one => "
    unnamed += "!(one.ariaLabel || one.textContent.trim() || one.labels?.length)).map(one => one.outerHTML)"
    assert await browser.value(unnamed) == [], what
    asked = await browser.value("performance.getEntriesByType('resource').map(one => one.name)")
    own = await browser.value("location.origin")
    assert [one for one in asked if not one.startswith(f"{own}/")] == [], what


def test_every_page_can_be_read_on_any_screen_in_both_schemes(tmp_path: Path) -> None:
    async def look(browser: Page, url: str) -> None:
        for signed_in in (False, True):
            if signed_in:
                await browser.visit(f"{url}/signin", width=360)
                await is_well_made(browser, "signin")
                await sign_in(browser)
            for path in ("/", "/account/a001", "/search?q=11&store=s000", "/search"):
                for width, dark in ((360, True), (1_280, signed_in)):
                    await browser.visit(url + path, width=width, dark=dark)
                    await is_well_made(browser, f"{path} {width} {dark} {signed_in}")
                    if PICTURES is not None and width > path.count("search") * 1_000:
                        await _keep(browser, PICTURES, path, width, dark)

    looked_at(tmp_path, look)


async def _keep(browser: Page, directory: Path, path: str, width: int, dark: bool) -> None:
    """Take the pictures of the documentation anew."""
    name = path.split("?", maxsplit=1)[0].strip("/").replace("/", "-") or "overview"
    picture = await browser.picture(900 if width > 1_000 else 800)
    target = directory / f"status-{name}-{width}-{'dark' if dark else 'light'}.png"
    await asyncio.to_thread(target.write_bytes, picture)


def test_a_keyboard_gets_everywhere_and_keeps_its_place_while_the_page_renews_itself(tmp_path: Path) -> None:
    async def look(browser: Page, url: str) -> None:
        await browser.visit(url, width=360)
        await browser.value("document.getElementById('live').dataset.every = '0.1'")
        reached = set()
        for _ in range(14):
            await browser.press("Tab")
            reached.add(await browser.value("document.activeElement.tagName"))
            shown = await browser.value("getComputedStyle(document.activeElement).outlineStyle")
            assert shown != "none" or await browser.value("document.activeElement === document.body")
        assert reached >= {"A", "INPUT", "SELECT", "BUTTON", "DIV"}

        link = 'a[href="/account/a002"]'
        await browser.value(f"window.before = document.querySelector('{link}'); window.before.focus()")

        async def is_renewed() -> bool:
            return bool(await browser.value(f"document.querySelector('{link}') !== window.before"))

        await until(is_renewed, 30)
        assert await browser.value(f"document.activeElement === document.querySelector('{link}')")
        await browser.value("document.getElementById('pause').click()")
        assert await browser.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"

    looked_at(tmp_path, look)
