"""How long looks at `/metrics`, the status page and `pipeline top` take with many stores, idle and loaded.

    python -m benchmarks.scrape [--stores 500] [--orders 25] [--rounds 30]

A gateway, a translate and a deliver worker with one account for each store; each store has told an order,
so every series of it is there. The time is the scraper's own, from the request to the last byte.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.arguments import argument_parser
from benchmarks.harness import PIPELINE, Bench, Worker, broker, free_port, machine, metric, report, wait_for
from pipeline.local.gateways import admin_port
from tests import webhooks
from tests.integration.operating import shopify_order
from tests.settings_trees import store_tree

PARTITIONS = 64
STAGES = ("gateway", "translate", "deliver")
#: Processor time of a look, and of all else meanwhile.
CPU = "processor ms, all else with it"
#: What a scrape may take at 500 stores, in milliseconds.
TARGET = 200


def tree(stores: int, sandbox: str) -> dict[str, Any]:
    """Settings of so many Shopify stores, each with an account of its own."""
    names = [f"store-{number}" for number in range(stores)]
    return {
        "accounts": {name: {"api_key": f"{name}:secret", "base_url": sandbox} for name in names},
        "stores": {
            name: store_tree(account=name, secrets=[webhooks.SECRET], domain=f"{name}.example")
            for name in names
        },
    }


def told(client: httpx.Client, url: str, store: str, number: int) -> None:
    """One signed order of a store; raises where the gateway refuses it."""
    body = orjson.dumps(shopify_order(number))
    headers = webhooks.shopify(body, delivery=f"d{number}") | {"x-shopify-topic": "orders/paid"}
    client.post(f"{url}/webhooks/shopify/{store}", content=body, headers=headers).raise_for_status()


@contextlib.contextmanager
def live_orders(url: str, stores: int, per_second: float) -> Iterator[None]:
    """Orders of all stores in turn, from a thread."""
    stop = threading.Event()

    def run() -> None:
        with httpx.Client(timeout=30) as client:
            number = stores + 1
            while not stop.wait(1 / per_second):
                told(client, url, f"store-{number % stores}", number)
                number += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def looks(case: str, stage: str, url: str, worker: Worker, rounds: int) -> dict[str, object]:
    """So many looks at one process, 0.2 s apart: nobody scrapes faster."""
    cpu = worker.cpu_seconds()
    with httpx.Client(timeout=30) as client:
        took, text = timed(lambda: client.get(f"{url}/metrics").raise_for_status().text, rounds)
    series = sum(not line.startswith("#") for line in text.splitlines())
    used = f"{(worker.cpu_seconds() - cpu) / rounds * 1_000:.0f}"
    return row(case, stage, took, text) | {"series": series, CPU: used}


def views(case: str, config: Path, urls: Mapping[str, str], rounds: int) -> list[dict[str, object]]:
    """Looks at the status page, the first one too, and at what `pipeline top` prints."""
    page = urls["status"]
    top = [PIPELINE, "top", "--once", "--config", str(config), "--process", urls["gateway"]]
    with httpx.Client(timeout=30) as client:
        first, text = timed(lambda: client.get(page).raise_for_status().text, 1)
        took, text = timed(lambda: client.get(page).raise_for_status().text, rounds)
    printed, said = timed(
        lambda: subprocess.run(top, capture_output=True, text=True, check=False).stdout, rounds // 5
    )
    return [
        row(case, "status page, first view", first, text),
        row(case, "status page", took, text),
        row(case, "pipeline top --once, with its start", printed, said),
    ]


def timed(look: Callable[[], str], rounds: int) -> tuple[list[float], str]:
    """What so many looks took, in milliseconds, and what the last one saw."""
    took, seen = [], ""
    for _ in range(rounds):
        began = time.perf_counter()
        seen = look()
        took.append((time.perf_counter() - began) * 1_000)
        time.sleep(0.2)
    return took, seen


def row(case: str, what: str, took: list[float], text: str) -> dict[str, object]:
    """A row of the table."""
    return {
        "case": case,
        "process": what,
        "kB": len(text) // 1_000,
        "median ms": round(statistics.median(took)),
        "p95 ms": round(sorted(took)[int(0.95 * len(took))]),
        "slowest ms": round(max(took)),
        "series": "",
        CPU: "",
    }


def run(stores: int, per_second: float, rounds: int) -> list[dict[str, object]]:
    """Start the stages, fill every store's series, and look."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox_port = free_port()
        settings_tree = tree(stores, f"http://127.0.0.1:{sandbox_port}")
        bench = Bench(directory, stack.enter_context(broker(directory)), settings_tree)
        bench.settings(account_partitions=PARTITIONS)
        commands = {"sandbox": ["sandbox"], "gateway": ["gateway"]}
        commands |= {stage: ["worker", stage] for stage in STAGES[1:]}
        ports = {name: free_port() for name in (*STAGES, "status")} | {"sandbox": sandbox_port}
        commands["status"] = [
            "status",
            "serve",
            "--process",
            f"http://127.0.0.1:{admin_port(ports['gateway'])}",
        ]
        workers = {}
        for name, command in commands.items():
            where = ["--config", str(bench.path), "--port", str(ports[name])]
            workers[name] = Worker([PIPELINE, *command, *where], directory / f"{name}.log")
            stack.callback(workers[name].kill)
        shops = f"http://127.0.0.1:{ports['gateway']}"
        ports["gateway"] = admin_port(ports["gateway"])
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        wait_for(lambda: metric(ports["deliver"], "pipeline_budget_limit_calls") >= stores * 100, 300, 1)
        wait_for(lambda: metric(ports["gateway"], "pipeline_gateway_kafka_up") > 0, 60, 1)
        with httpx.Client(timeout=30) as client:
            for number in range(stores):
                told(client, shops, f"store-{number}", number + 1)
        delivered = r'pipeline_account_records{[^}]*kind="purchase"[^}]*outcome="delivered"[^}]*}'
        wait_for(lambda: metric(ports["deliver"], delivered) >= stores, 300, 1)
        time.sleep(5)
        rows = views("idle", bench.path, urls, rounds)
        rows += [looks("idle", stage, urls[stage], workers[stage], rounds) for stage in STAGES]
        with live_orders(shops, stores, per_second):
            time.sleep(5)
            case = f"{per_second:g} orders a second"
            rows += views(case, bench.path, urls, rounds)
            rows += [looks(case, stage, urls[stage], workers[stage], rounds) for stage in STAGES]
        return rows


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--stores", type=int, default=500)
    parser.add_argument("--orders", type=float, default=25.0, help="live orders a second, of all stores")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    print(machine(), flush=True)
    rows = run(options.stores, options.orders, options.rounds)
    report(rows)
    slow = [one for one in rows if one["process"] in STAGES and float(str(one["p95 ms"])) > TARGET]
    print(f"scrapes under {TARGET} ms: {'all' if not slow else f'all but {len(slow)}'}")


if __name__ == "__main__":
    main()
