"""How long one look at the status takes with many accounts: reading the pages, putting together, showing.

    python -m benchmarks.status --accounts 500

The pages of metrics are made up, of the size that such processes have. At last the page is asked for over
HTTP, with the processes and the page on one event loop; Kafka is not asked.
"""

from __future__ import annotations

import asyncio
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from unittest import mock

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.arguments import argument_parser
from pipeline.console import Console
from pipeline.listening import bound_socket
from pipeline.local import addresses
from pipeline.observe import AsgiApp, Receive, Scope, Send, observe_app, respond, served
from pipeline.status import gather, series, show
from pipeline.status.facts import Snapshot
from pipeline.status.page.app import StatusPage
from pipeline.status.page.render import Pages
from pipeline.status.page.visitor import Visitor
from pipeline.status.snapshot import ProcessPage, snapshot
from tests.status_pages import deliver_page, gateway_page, settings_of, translate_page

ROUNDS = 15
NOW = 1_780_000_000.0


def main() -> None:
    """Measure, and print medians and the slowest of the rounds."""
    parser = argument_parser(__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    accounts = parser.parse_args().accounts
    texts = {
        "deliver": deliver_page(accounts, failing=range(20), stopped=[3]),
        "gateway": gateway_page(accounts, NOW),
        "translate": translate_page(accounts),
    }
    settings, pages = settings_of(accounts), Pages()
    size = sum(map(len, texts.values()))
    print(f"{accounts} accounts and stores, {size / 1e6:.1f} MB of metrics, load {os.getloadavg()[0]:.1f}")

    def read() -> list[ProcessPage]:
        return [ProcessPage(name, "http://x", series=series.read(text)) for name, text in texts.items()]

    read_pages = read()
    found = snapshot(settings, read_pages, NOW)
    _timed("read the pages of three processes", read)
    _timed("put them together, worst first", lambda: snapshot(settings, read_pages, NOW))
    _timed("the overview as HTML, 100 rows", lambda: _overview(pages, found, 100))
    _timed("the overview as HTML, all rows", lambda: _overview(pages, found, None))
    _timed("a screen of `pipeline top`", lambda: _screen(found))
    _timed("for comparison: every series parsed", lambda: _all_parsed(texts.values()), rounds=3)
    with mock.patch("pipeline.status.gather.WorkerDirectory", _NoGroups):
        asyncio.run(_over_http(accounts, texts))


def _timed(what: str, work: Callable[[], object], rounds: int = ROUNDS) -> None:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1_000)
    print(f"{what}: median {statistics.median(took):.0f} ms, slowest {max(took):.0f} ms")


def _overview(pages: Pages, found: Snapshot, rows: int | None) -> object:
    who = Visitor(may_read=True, has_token=False, form_key="")
    common = {"who": who, "can_sign_in": True, "stores": ["s000"], "q": "", "store": "", "reveal": False}
    return pages.page("overview", {**common, "found": found, "rows": rows})


def _screen(found: Snapshot) -> None:
    Console(width=160, file=io.StringIO()).print(show.screen(found, 50))


def _all_parsed(texts: Iterable[str]) -> None:
    for text in texts:
        for family in text_string_to_metric_families(text):
            list(family.samples)


class _NoGroups:
    """Kafka without members of groups: the processes are found by the file of `pipeline up`."""

    def __init__(self, _: object) -> None:
        return

    def workers(self, *_: object) -> list[object]:
        return []


async def _over_http(accounts: int, texts: Mapping[str, str]) -> None:
    """The overview as a browser gets it: asked, put together and made."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        settings = settings_of(accounts, data_dir=directory)
        urls = {name: await _serve(stack, _metrics(text)) for name, text in texts.items()}
        addresses.write(settings.data_dir, urls, "http://127.0.0.1:8080")
        gatherer = stack.enter_context(gather.Gatherer(settings))
        observe = observe_app("status", lambda: None)
        url = await _serve(stack, StatusPage(settings, Path("none"), gatherer.gather, observe).app)
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            (await client.get(url)).raise_for_status()
            took.append((time.perf_counter() - began) * 1_000)
            await asyncio.sleep(1.1)  # so long all share one look
        first, median = took[0], statistics.median(took)
        print(f"the page over HTTP: first {first:.0f} ms, median {median:.0f} ms, slowest {max(took):.0f} ms")


async def _serve(stack: AsyncExitStack, app: AsgiApp) -> str:
    sock = bound_socket("127.0.0.1", 0)
    await stack.enter_async_context(served(app, sock))
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


def _metrics(text: str) -> AsgiApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, text.encode())

    return app


if __name__ == "__main__":
    main()
