"""Full syncs: rows a second, processor time, memory, the share of the shop's limit, and withdrawals beside.

    python -m benchmarks.sync rows [--rows 100000]         a shop that makes its rows while it lists them
    python -m benchmarks.sync sandboxes [--rows 10000]     the simulated WooCommerce and Shopify
    python -m benchmarks.sync share [--seconds 120]        the same with limits: the judge's share
    python -m benchmarks.sync withdrawals [--people 60]    all of `pipeline up`, a full sync in the same store
        [--every 7]   seconds between two who leave: each is three requests of the shop's limit

The baseline of `rows` and `sandboxes` is a bare httpx reader of the same pages, which stores nothing.
`BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.
"""

from __future__ import annotations

import asyncio
import base64
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
from tomli_w import dumps

from benchmarks.arguments import argument_parser
from benchmarks.harness import PIPELINE, Bench, Worker, broker, free_port, machine, report, wait_for
from pipeline import config
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.shops.api import ApiRequest
from pipeline.shops.pull import PullAnswer, PullPass, PullScope
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.pull import operate
from pipeline.sync.pull.state import Wanted
from tests.integration.operating import Site
from tests.local_http import http
from tests.simulation.pulled_shop import graphql_row, woo_customer

STORE = "acme-es"
ACCOUNT = {"api_key": "acme:secret", "base_url": "http://127.0.0.1:9", "calls_per_minute": 100}
CHANGED = "2024-05-06T08:00:00"
SHOPS: Mapping[str, Mapping[str, Any]] = {
    "woocommerce": {"consumer_key": "ck", "consumer_secret": "cs", "api_requests_per_minute": 6_000},
    "shopify": {"access_token": "t"},
}
ACCESS: Mapping[str, Mapping[str, Any]] = {
    "woocommerce": {"scheme": "basic", "user": "ck", "password": "cs"},
    "shopify": {"scheme": "headers", "headers": {"x-shopify-access-token": "t"}},
}
PATIENCE = 7_200.0
#: Customers of the shop in which people leave: more than are read meanwhile.
SYNCED = 100_000
#: Seconds for a process to start, on a machine that others use.
START = 240.0
#: Rows after which the bare reader has shown its pace.
BARE_ROWS = 50_000
Row = dict[str, Any]


def tree(platform: str, api_url: str, **own: Any) -> dict[str, Any]:
    """The settings of one store."""
    store = {
        "platform": platform,
        "account": "acme",
        "domain": "acme.example",
        "secrets": ["s"],
        "api_url": api_url,
        "sync": {"daily": False},
        **SHOPS[platform],
        **own,
    }
    return {"accounts": {"acme": ACCOUNT}, "stores": {STORE: store}}


class SyncWorker:
    """A sync worker alone, and what it says of the store."""

    def __init__(self, bench: Bench) -> None:
        self.port = free_port()
        command = [PIPELINE, "worker", "sync", "--config", str(bench.path), "--port", str(self.port)]
        self.worker = Worker([*command, "--worker", "1"], bench.directory / "sync.log")
        wait_for(lambda: self.said() is not None, START)

    def said(self) -> dict[str, Any] | None:
        """How the store's pulls are; None where it does not answer."""
        self.worker.check()
        url = f"http://127.0.0.1:{self.port}/sync/store"
        try:
            answer = http.get(url, params={"store": STORE}, timeout=30)
        except httpx.HTTPError:
            return None
        return dict(answer.json()) if answer.status_code == httpx.codes.OK else None

    def reads(self, settings: Settings, look: Callable[[int], None] = lambda _: None) -> list[dict[str, Any]]:
        """Have everything read; returns the lists. `look` is given the rows so far, twice a second."""
        command = operate.command(STORE, Wanted.FULL, kinds=[Kind.CUSTOMER])
        operate.give(settings, command)

        def is_over() -> bool:
            run = (self.said() or {}).get("run") or {}
            if (run.get("command") or {}).get("id") != command.id:
                return False
            look(sum(one["read"] for one in run["passes"]))
            return str(run["status"]) != "running"

        wait_for(is_over, PATIENCE, every=0.5)
        run = (self.said() or {})["run"]
        if run["status"] != "done":
            raise RuntimeError(f"the run is {run['status']}")
        return list(run["passes"])


async def bare(platform: str, base: str) -> tuple[int, int, float, float]:
    """Read the same pages, one after the other; returns rows, requests, seconds and processor seconds."""
    known = PLATFORMS[platform]
    assert known.pull is not None
    settings = known.settings.model_validate(
        {**tree(platform, base)["stores"][STORE], "secrets": ("s",)}, strict=False
    )
    scope = PullScope(Kind.CUSTOMER, PullPass.FULL, None, 2_000_000_000_000)
    request: ApiRequest | None = known.pull.first(settings, scope)
    headers = {"x-shopify-access-token": "t"} if platform == "shopify" else _basic()
    rows, requests, began, cpu = 0, 0, time.perf_counter(), time.process_time()
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        while request is not None and rows < BARE_ROWS:
            answer = await client.request(request.method, request.path, content=request.body, headers=headers)
            page = known.pull.read(settings, scope, request, PullAnswer(answer.json(), dict(answer.headers)))
            rows, requests, request = rows + len(page.rows), requests + 1, page.following
    return rows, requests, time.perf_counter() - began, time.process_time() - cpu


def _basic() -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(b'ck:cs').decode()}"}


def measured(bench: Bench, platform: str, base: str) -> dict[str, object]:
    """One full sync, and the bare reader beside it."""
    rows, _, seconds, cpu = asyncio.run(bare(platform, base))
    settings = bench.settings(shop_partitions=4, account_partitions=4)
    sync = SyncWorker(bench)
    memory: list[tuple[int, float]] = []
    try:
        before, began = sync.worker.cpu_seconds(), time.perf_counter()
        passes = sync.reads(settings, lambda read: memory.append((read, sync.worker.rss_mb())))
        took, used = time.perf_counter() - began, sync.worker.cpu_seconds() - before
    finally:
        sync.worker.stop()
    read = sum(one["read"] for one in passes)
    return {
        "shop": platform,
        "rows": read,
        "events": sum(one["sent"] for one in passes),
        "requests": sum(one["requests"] for one in passes),
        "rows/s": round(read / took),
        "s of processor for 1,000 rows": round(1_000 * used / read, 3),
        "bare: rows/s": round(rows / seconds),
        "bare: s of processor for 1,000 rows": round(1_000 * cpu / rows, 3),
        "RSS MB at a tenth, half, the end": " ".join(
            f"{next(mb for count, mb in memory if count >= share * read):.0f}" for share in (0.1, 0.5, 1.0)
        ),
        "RSS MB, most": round(max(mb for _, mb in memory)),
    }


def rows(directory: Path, bootstrap: str, count: int) -> None:
    """A shop of so many rows."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.listed_shop", str(port), str(count)]
    shop, base = Worker(command, directory / "shop.log"), f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(f"{base}/wp-json/wc/v3/orders"), START)
        report([measured(Bench(directory, bootstrap, tree("woocommerce", base)), "woocommerce", base)])
    finally:
        shop.kill()


# Simulated shops.


class Sandbox:
    """`pipeline sandbox` with one shop."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = directory / "sandbox.toml"
        account = {"api_key": "acme:secret", "base_url": self.url}
        settings.write_text(dumps({"accounts": {"acme": account}}), encoding="utf-8")
        command = [PIPELINE, "sandbox", "--config", str(settings), "--port", str(port)]
        self.worker = Worker(command, directory / "sandbox.log")
        wait_for(self._is_up, START)

    def _is_up(self) -> bool:
        self.worker.check()
        return _answers(f"{self.url}/healthz")

    @property
    def control(self) -> str:
        """Of the shop."""
        return f"{self.url}/_sandbox/shops/{STORE}"

    @property
    def api(self) -> str:
        """Of the shop."""
        return f"{self.url}/_shops/{STORE}"

    def makes(self, platform: str, count: int, lists: Mapping[str, Any] | None = None, **shop: Any) -> None:
        """A shop of so many customers."""
        given = {"access": ACCESS[platform], "lists": {"platform": platform, **(lists or {})}, **shop}
        http.put(self.control, json=given).raise_for_status()
        hold(self.control, platform, count)


def hold(control: str, platform: str, count: int) -> None:
    """Let a simulated shop have so many customers."""
    for first in range(0, count, 2_000):
        listed = [customer(platform, number + 1) for number in range(first, min(count, first + 2_000))]
        http.put(f"{control}/rows", json=[{"list": "customers", "rows": listed}]).raise_for_status()


def customer(platform: str, number: int) -> Row:
    """One of them."""
    if platform == "woocommerce":
        return woo_customer(number, CHANGED)
    address = {"emailAddress": f"c{number}@mail.example", "marketingState": "NOT_SUBSCRIBED"}
    return graphql_row("Customer", number, CHANGED, firstName="Ada", defaultEmailAddress=address)


def sandboxes(directory: Path, bootstrap: str, count: int) -> None:
    """Without limits that matter."""
    found = []
    sandbox = Sandbox(directory)
    try:
        for platform in SHOPS:
            sandbox.makes(platform, count, {"points": 1e6, "restore": 1e5} if platform == "shopify" else {})
            found.append(
                measured(Bench(directory, bootstrap, tree(platform, sandbox.api)), platform, sandbox.api)
            )
    finally:
        sandbox.worker.kill()
    report(found)


def share(directory: Path, bootstrap: str, seconds: float) -> None:
    """Of what the simulated shop would have allowed, from the first request of the run until its last."""
    cases: Iterable[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], int]] = (
        ("woocommerce", {"limit": {"requests": 120, "seconds": 60}}, {}, {"api_requests_per_minute": 120}, 2),
        ("shopify", {}, {}, {}, 1),
    )
    found, sandbox = [], Sandbox(directory)
    try:
        for platform, shop, lists, own, requests in cases:
            sandbox.makes(platform, int(seconds * requests * 95), lists, latency=0.3, **shop)
            bench = Bench(directory, bootstrap, tree(platform, sandbox.api, **own))
            settings = bench.settings(shop_partitions=4, account_partitions=4)
            sync = SyncWorker(bench)
            try:
                sync.reads(settings)
            finally:
                sync.worker.stop()
            figures = http.get(sandbox.control, timeout=60).json()
            moments = [one["at"] for one in figures["log"]]
            span, limit = max(moments) - min(moments), shop.get("limit")
            allowed = limit["requests"] * span / limit["seconds"] if limit else figures["points"]["allowed"]
            used = figures["by_status"]["200"] if limit else figures["points"]["spent"]
            found.append(
                {
                    "shop": platform,
                    "s": round(span),
                    "requests": figures["requests"],
                    "by status": figures["by_status"],
                    "share": round(used / allowed, 3),
                }
            )
    finally:
        sandbox.worker.kill()
    report(found)


# Withdrawals.

TOKEN = "callback-token-of-the-benchmark"
KEPT = {"woocommerce": {"consent_field": "mailchimp_woocommerce_is_subscribed"}, "shopify": {}}


def withdrawals(directory: Path, bootstrap: str, people: int, every: float) -> None:
    """From a callback of Connectif to its statement at the shop, without and with a full sync."""
    limits = {"woocommerce": 120, "shopify": None}

    def stores(url: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for platform, per_minute in limits.items():
            own = {"api_requests_per_minute": per_minute} if per_minute else {}
            given = tree(platform, f"{url}/_shops/{platform}", **KEPT[platform], **own)["stores"][STORE]
            del given["account"]
            made[platform] = {**given, "domain": f"{platform}.example", "callback_tokens": [TOKEN]}
        return made

    site, found = Site(directory, {"kafka": {"bootstrap": bootstrap}}, stores), []
    try:
        site.start()
        settings = config.load(site.path)
        for platform, per_minute in limits.items():
            for synced in (False, True):
                control = _consenting(site, platform, people, per_minute)
                if synced:
                    hold(control, platform, SYNCED)
                    operate.give(settings, operate.command(platform, Wanted.FULL, kinds=[Kind.CUSTOMER]))
                    wait_for(lambda control=control: len(_log(control)) > 10, 60)  # type: ignore[misc]
                took = _leave(site, control, platform, people, every)
                cuts = statistics.quantiles(took, n=20)
                asked = Counter(one["status"] for one in _log(control))
                found.append(
                    {
                        "shop": platform,
                        "full sync": "yes" if synced else "no",
                        "withdrawals": len(took),
                        "p50 s": round(cuts[9], 2),
                        "p95 s": round(cuts[18], 2),
                        "most s": round(max(took), 2),
                        "requests": asked,
                        "refused": sum(
                            one["status"] == httpx.codes.TOO_MANY_REQUESTS for one in _log(control)
                        ),
                    }
                )
                if synced:
                    operate.give(settings, operate.command(platform, Wanted.STOP))
    finally:
        site.stop()
    report(found)


def _consenting(site: Site, platform: str, people: int, per_minute: int | None) -> str:
    """A shop with readers, and its account's callbacks; returns its control."""
    url = site.connectif.url
    control = f"{url}/_sandbox/shops/{platform}"
    limit = {"limit": {"requests": per_minute, "seconds": 60}} if per_minute else {}
    given = {"access": ACCESS[platform], "lists": {"platform": platform}, "latency": 0.2, **limit}
    http.put(control, json=given).raise_for_status()
    readers = [
        {
            "id": str(900_000 + n),
            "email": f"reader{n}@mail.example",
            "state": "subscribed",
            "at": time.time() - 60,
        }
        for n in range(people)
    ]
    http.put(f"{control}/newsletter", json={"form": platform, "people": readers}).raise_for_status()
    gateway = f"{site.gateway}/callbacks/{platform}/{TOKEN}"
    urls = {what: f"{gateway}/{what}" for what in ("subscribed", "unsubscribed", "bounced")}
    http.post(f"{url}/_sandbox/callback-urls", json={"account": platform, **urls}).raise_for_status()
    return control


def _leave(site: Site, control: str, platform: str, people: int, every: float) -> list[float]:
    """People leave at random, one in `every` seconds; returns the seconds until the shop holds it."""
    chance, said = random.Random(7), {}  # noqa: S311 - moments only
    for number in range(people):
        time.sleep(chance.expovariate(1 / every))
        email = f"reader{number}@mail.example"
        said[email] = time.time()
        callback = {"account": platform, "type": "unsubscribed", "email": email, "ip": "203.0.113.7"}
        http.post(f"{site.connectif.url}/_sandbox/callbacks", json=callback, timeout=60).raise_for_status()

    def written() -> dict[str, float]:
        held = http.get(f"{control}/newsletter", timeout=60).json()["written"]
        return {one["email"]: one["at"] for one in held}

    wait_for(lambda: len(written()) >= people, 300, every=1.0)
    return [at - said[email] for email, at in written().items()]


def _log(control: str) -> list[dict[str, Any]]:
    return list(http.get(control, timeout=60).json()["log"])


def _answers(url: str) -> bool:
    try:
        return http.get(url, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def main() -> None:
    """Print the figures."""
    parser = argument_parser(__doc__)
    parser.add_argument("what", choices=["rows", "sandboxes", "share", "withdrawals"])
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--every", type=float, default=7.0, help="seconds between two who leave")
    options = parser.parse_args()
    print(machine(), f"processors used by others: {psutil.cpu_percent(1.0):.0f} %")
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with broker(directory / "broker") as bootstrap:
            match options.what:
                case "rows":
                    rows(directory, bootstrap, options.rows or 100_000)
                case "sandboxes":
                    sandboxes(directory, bootstrap, options.rows or 10_000)
                case "share":
                    share(directory, bootstrap, options.seconds)
                case _:
                    withdrawals(directory, bootstrap, options.people, options.every)


if __name__ == "__main__":
    main()
