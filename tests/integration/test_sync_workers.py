"""Two sync workers on a real Kafka, killed at random: each run is made once, each row told once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline import config
from pipeline.sync.pull import operate
from pipeline.sync.pull.state import Wanted
from tests.broker import RunningKafka
from tests.integration.operating import Site
from tests.integration.worker_process import WorkerProcess
from tests.local_http import http
from tests.platforms import IN_TESTS
from tests.processes import wait_until
from tests.shop_bodies import Article, Person, Sale, SoldLine

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
STORES = tuple(f"pulled-{number}" for number in range(5))
PEOPLE, ARTICLES, SALES = 120, 40, 150
KILLS, SEED = 8, 20261130


class SyncProcess(WorkerProcess):
    """A sync worker beside that of `up`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pipeline", "worker", "sync", "--config", str(self._path)]
        with self._path.with_name("second.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--port", str(self.port), "--worker", "second"], stdout=log, stderr=log
            )


def stores(url: str, at: str) -> dict[str, Any]:
    plain = {
        "platform": "woocommerce",
        "secrets": ["the hook's own secret"],
        "consumer_key": "ck",
        "consumer_secret": "cs",
        "api_requests_per_minute": 600,
        "timezone": "UTC",
        "sync": {"at": at},
    }
    return {
        name: {**plain, "domain": f"{name}.example", "api_url": f"{url}/_shops/{name}"} for name in STORES
    }


@pytest.fixture
def site(kafka: RunningKafka, tmp_path: Path) -> Iterator[Site]:
    """The daily run is due a minute or two after the beginning, while the full one is under way."""
    at = (datetime.now(UTC) + timedelta(seconds=120)).strftime("%H:%M")
    kafka_settings = {
        "bootstrap": kafka.bootstrap,
        "topic_prefix": f"two{time.time_ns()}-",
        "account_partitions": 8,
        "session_timeout": 6,
    }
    made = Site(tmp_path, {"kafka": kafka_settings}, lambda url: stores(url, at))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def fill(site: Site, store: str) -> None:
    """Let the shop of a store list its rows, slowly."""
    control = f"{site.connectif.url}/_sandbox/shops/{store}"
    access = {"scheme": "basic", "user": "ck", "password": "cs"}
    settings = {"access": access, "latency": 0.3, "lists": {"platform": "woocommerce"}}
    http.put(control, json=settings).raise_for_status()
    bodies, at = IN_TESTS["woocommerce"].bodies, datetime.now(UTC).replace(microsecond=0)
    people = [
        bodies.customer(
            Person(str(7_000 + n), email=f"c{n}@mail.example", created=at, changed=at, consented=at)
        )
        for n in range(PEOPLE)
    ]
    articles = [
        bodies.product(Article(str(500 + n), variant=str(9_500 + n), sku=None, changed=at))
        for n in range(ARTICLES)
    ]
    sales = [
        bodies.order(
            Sale(
                str(1_000 + n),
                placed=at - timedelta(minutes=1_000 - n),
                changed=at - timedelta(minutes=1_000 - n),
                lines=(SoldLine(product=str(500 + n % ARTICLES), variant=str(9_000 + n)),),
                customer=str(7_000 + n % PEOPLE),
                email=f"c{n % PEOPLE}@mail.example",
            )
        )
        for n in range(SALES)
    ]
    lists = {"customers": people, "products": articles, "orders": sales}
    held = [{"list": name, "rows": [one.document for one in rows]} for name, rows in lists.items()]
    http.put(f"{control}/rows", json=held).raise_for_status()


def state(urls: list[str], store: str) -> dict[str, Any]:
    """How a store's pulls are, by the worker that holds them; empty where none says."""
    for url in urls:
        try:
            answer = http.get(f"{url}/sync/store", params={"store": store}, timeout=5)
        except httpx.HTTPError:
            continue
        if answer.status_code == 200:
            return dict(answer.json())
    return {}


def is_done(found: dict[str, Any], runs: int) -> bool:
    run = found.get("run") or {}
    return bool(found.get("runs", 0) >= runs and run.get("status") == "done")


def told(site: Site, store: str) -> Counter[str]:
    """How many calls there were for each purchase of a store."""
    query = {"account": store, "calls": "1", "limit": "50000"}
    found = http.get(f"{site.connectif.url}/_sandbox/ledger", params=query, timeout=30).json()["calls"]
    items = found["items"] if isinstance(found, dict) else found
    made = (one for one in items if (one["method"], one["route"]) == ("POST", "/purchases/"))
    return Counter(one["key"] for one in made)


def test_two_sync_workers_killed_at_random_read_each_store_once_and_lose_no_row(site: Site) -> None:
    chance, second = random.Random(SEED), SyncProcess(site.path)  # noqa: S311 - when to kill
    urls = [site.urls["sync"], f"http://127.0.0.1:{second.port}"]
    try:
        wait_until(lambda: _ready(urls[1]), 60, every=0.2)
        settings = config.load(site.path)
        for store in STORES:
            fill(site, store)
            operate.give(settings, operate.command(store, Wanted.FULL))
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.5, 6.0))
            if chance.random() < 0.5:
                site.kill("sync")
            else:
                second.kill()
                second.restart()
        second.kill()  # and is not started again: the other one takes its stores
        wait_until(lambda: all(is_done(state(urls, store), 2) for store in STORES), 240, every=1.0)
    finally:
        second.kill()
    for store in STORES:
        found = state(urls, store)
        assert found["runs"] == 2, "a full run and the day's, each begun once"
        if found["run"]["command"]["wanted"] == "daily":  # on a slow machine it is the first, and replaced
            assert sum(one["sent"] for one in found["run"]["passes"]) == 0, "all was told before"
    everything = {str(1_000 + number) for number in range(SALES)}
    wait_until(lambda: all(told(site, store).keys() >= everything for store in STORES), 120, every=1.0)
    wait_until(lambda: site.totals().is_at_rest, 60, every=0.5)
    for store in STORES:
        assert told(site, store) == Counter(dict.fromkeys(everything, 1)), store
        contacts = {one["key"] for one in site.connectif.ledger(store, "contacts") if not one["deleted"]}
        assert contacts == {f"c{number}@mail.example" for number in range(PEOPLE)}
    assert site.dead() == []


def _ready(url: str) -> bool:
    try:
        return http.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
