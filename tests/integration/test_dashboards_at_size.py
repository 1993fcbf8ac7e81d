"""Dashboards with 500 stores and accounts: a real Prometheus, and no panel that nobody could read."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from pipeline.metrics_page import Series, every_series
from tests.integration.showing import panels
from tests.integration.watching import DASHBOARDS, Prometheus, Values, needs_prometheus
from tests.processes import wait_until

pytestmark = [pytest.mark.slow, needs_prometheus]
FILES = sorted(path.stem for path in DASHBOARDS.glob("*.json"))

STORES, CHOSEN = 500, 20
#: The most lines or rows of a panel: those that are chosen, of each of a few kinds.
LEGIBLE = 5 * CHOSEN
#: The longest an expression may take, on a machine that does other work, too.
SECONDS = 2.0
#: What other labels say, besides the values that expressions ask for.
VALUES = {
    "kind": ("order", "customer", "purchase"),
    "lane": ("live", "backfill"),
    "outcome": ("accepted", "delivered", "dead", "rejected", "pending", "unauthorized"),
    "result": ("missing", "different"),
    "what": ("total", "delivered"),
    "run": ("one", "two"),
    "table": ("stores",),
}


def exposed(series: Series) -> Iterator[str]:
    """A series with all its labels, of 500 stores that each feed an account of their own."""
    many = {"store", "account"} & set(series.labels)
    others = [label for label in series.labels if label not in many]
    for number in range(STORES if many else 1):
        for said in itertools.product(*(VALUES.get(label, (label,)) for label in others)):
            labels = {label: f"{label}-{number:03}" for label in many} | dict(zip(others, said, strict=True))
            text = ",".join(f'{label}="{value}"' for label, value in labels.items())
            if series.kind != "histogram":
                yield f"{series.name}{{{text}}} {1 + number}"
                continue
            for bound in (*series.buckets, "+Inf"):
                yield f'{series.name}_bucket{{{text}{"," if text else ""}le="{bound}"}} {1 + number}'
            yield f"{series.name}_count{{{text}}} {1 + number}"


@contextlib.contextmanager
def exporting(text: bytes) -> Iterator[str]:
    """A process that exports this; its address."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    lines = [line for series in every_series() for line in exposed(series)]
    assert len(lines) > 50 * STORES
    path = tmp_path_factory.mktemp("size") / "prometheus"
    with (
        exporting("\n".join((*lines, "")).encode()) as url,
        Prometheus(path, {"all": url}, every="20s") as made,
    ):
        last = "pipeline_gateway_last_event_timestamp_seconds"
        wait_until(lambda: len(made.values(last)) == STORES, 60, every=0.5)
        yield made


def timed(prometheus: Prometheus, expression: str, chosen: Mapping[str, str]) -> tuple[Values, float]:
    """What an expression comes to, and the least seconds of three: a look at the process may come between."""
    found: list[float] = []
    while len(found) < 3 and min(found, default=SECONDS + 1) > SECONDS:
        started = time.monotonic()
        values = prometheus.values(expression, interval="5m", **chosen)
        found.append(time.monotonic() - started)
    return values, min(found)


@pytest.mark.parametrize("file", FILES)
def test_no_panel_has_more_lines_or_rows_than_can_be_read(prometheus: Prometheus, file: str) -> None:
    chosen = {"run": "one", "top": str(CHOSEN)}
    if file not in {"stores", "inside"}:
        chosen |= {"store": "store-007", "account": "account-007"}
    too_many, slow = [], []
    for title, expressions in panels(file).items():
        for number, expression in enumerate(expressions):
            values, seconds = timed(prometheus, expression, chosen)
            if seconds > SECONDS:
                slow.append(f"{title} {number}: {seconds:.1f} s")
            if len(values) > LEGIBLE:
                too_many.append(f"{title} {number}: {len(values)}")
    assert not too_many, "\n".join(too_many)
    assert not slow, "\n".join(slow)


def test_the_worst_come_first(prometheus: Prometheus) -> None:
    asked = panels("stores")
    order, *columns = (
        [dict(labels)["account"] for labels in prometheus.values(expression, top=str(CHOSEN))]
        for expression in asked["Accounts, worst first"]
    )
    worst = [f"account-{number:03}" for number in reversed(range(STORES - CHOSEN, STORES))]
    assert order == worst
    assert all(set(column) == set(worst) for column in columns if column)
    [silent] = asked["Since a store's last webhook"]
    stores = [dict(labels)["store"] for labels in prometheus.values(silent, top=str(CHOSEN))]
    assert stores == [f"store-{number:03}" for number in range(CHOSEN)]
