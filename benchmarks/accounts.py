"""Many accounts: freshness, processor time and memory of 500, beside one with a million records pending.

    python -m benchmarks.accounts [--accounts 500] [--orders 6] [--pending 1000000] [--seconds 60]

All accounts but one have a trickle of live orders; that one gets a backfill of `--pending` purchases, and
every 25th a backfill that keeps its budget used up: a budget spent twice would show. Then workers join and
leave, politely and not. Limits are the real ones, 100 calls a minute, in a sandbox at the real speed.
Freshness is from an order's arrival in Kafka to Connectif's answer, read from the receipts of live purchases,
by when they arrived. All of it runs on this machine; `BENCH_BOOTSTRAP` names a broker to use.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.arguments import argument_parser
from benchmarks.deliver import produce
from benchmarks.harness import PIPELINE, Bench, Worker, broker, free_port, machine, metric, report, wait_for
from pipeline.config import Settings
from pipeline.events import Lane
from pipeline.kafka import topics
from pipeline.records import (
    Contact,
    ContactRecord,
    Line,
    Origin,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    Record,
    Source,
    partition_of,
    record_key,
)
from tests.local_http import http

LIMIT = 100
BIG = "acme-0"
#: One account in so many has a backfill of its own, of so many purchases.
BUSY_EVERY, BUSY = 25, 3_000
PARTITIONS = 64
#: Products of an account; customers that buy again, of a hundred orders.
PRODUCTS, AGAIN = 5, 30


def order(account: str, number: int, email: str, lane: Lane = Lane.LIVE) -> Iterator[Record]:
    """A contact, a product and a purchase, as an order makes them."""
    product = f"product-{number % PRODUCTS}"
    common: dict[str, Any] = {
        "account": account,
        "store": "shop",
        "version": number + 1,
        "source": Source(topic="shop.orders", partition=0, offset=number),
        "origin": Origin.ORDER,
        "lane": lane,
        "received_ms": int(time.time() * 1_000),
    }
    price = Decimal("19.90")
    known: dict[str, Any] = {"product_id": product, "name": "A shirt", "unit_price": price}
    known["url"] = f"https://shop.example/p/{product}"
    yield ContactRecord(**common, id=email, body=Contact(email=email, name="Ann", surname="Jones"))
    yield ProductRecord(**common, id=product, body=Product(**known))
    purchase = Purchase(
        purchase_id=f"{lane}-{number}",
        contact_email=email,
        cart_id=f"{lane}-{number}",
        purchase_date="2024-01-01T10:00:00Z",
        total_price=price,
        total_quantity=1,
        lines=(Line(**known, quantity=1, price=price),),
    )
    yield PurchaseRecord(**common, id=purchase.purchase_id, body=purchase)


def backfill(account: str, count: int) -> Iterator[Record]:
    """Purchases of the same hundred people: each costs a call, and next to nothing else does."""
    for number in range(count):
        records = list(order(account, number, f"person{number % 100}@example.com", Lane.BACKFILL))
        yield from records if number < 100 else records[-1:]


class Trickle:
    """Live orders of all accounts but one, at random moments, from a thread."""

    def __init__(self, settings: Settings, accounts: list[str], per_second: float) -> None:
        self._settings, self._accounts, self._rate = settings, accounts, per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        chance, due, number = random.Random(1), time.monotonic(), 0  # noqa: S311 - a load, no secret
        producer = Producer({"bootstrap.servers": self._settings.kafka.bootstrap, "linger.ms": 5})
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += chance.expovariate(self._rate)
            number += 1
            who = chance.randrange(100) if chance.randrange(100) < AGAIN else number
            for record in order(chance.choice(self._accounts), number, f"customer{who}@example.com"):
                producer.produce(
                    topics.full_name(self._settings, record.kind.topic),
                    record.model_dump_json().encode(),
                    record_key(record.account, record.kind, record.id),
                    partition_of(record.account, PARTITIONS),
                )
            producer.poll(0)
        producer.flush(10)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class Receipts:
    """Reads receipts as they come, from a thread; keeps arrival and freshness of live purchases."""

    def __init__(self, settings: Settings) -> None:
        self._topic = topics.full_name(settings, topics.RECEIPTS)
        self._bootstrap = settings.kafka.bootstrap
        self._seen: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": "bench"})
        consumer.assign([TopicPartition(self._topic, number, 0) for number in range(PARTITIONS)])
        while not self._stop.is_set():
            for message in consumer.consume(1_000, 0.2):
                receipt = orjson.loads(message.value())
                if receipt["lane"] == Lane.LIVE and receipt["kind"] == "purchase":
                    arrived = receipt["received_ms"] / 1_000
                    self._seen.append((arrived, receipt["at_ms"] / 1_000 - arrived))
        consumer.close()

    def since(self, begun: float, until: float) -> dict[str, object]:
        """Percentiles of what arrived between two moments."""
        found = sorted(took for arrived, took in list(self._seen) if begun <= arrived < until) or [0.0]
        names = {"p50 s": 0.5, "p95 s": 0.95, "p99 s": 0.99}
        shares = {name: round(found[int(share * len(found))], 2) for name, share in names.items()}
        return {"orders": len(found), **shares, "max s": round(found[-1], 1)}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass
class Stage:
    """The workers of a run and what is measured of them."""

    bench: Bench
    sandbox: str
    receipts: Receipts
    accounts: int
    ports: dict[str, int] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)

    def start(self, name: str) -> None:
        """Start a worker."""
        port = self.ports[name] = free_port()
        command = [PIPELINE, "worker", "deliver", "--config", str(self.bench.path), "--port", str(port)]
        self.workers[name] = Worker([*command, "--worker", name], self.bench.directory / f"{name}.log")

    def wait_open(self) -> float:
        """Seconds until every account has a worker, and every worker accounts."""

        def settled() -> bool:
            found = [metric(self.ports[name], "pipeline_budget_limit_calls") / LIMIT for name in self.workers]
            return all(found) and sum(found) == self.accounts

        return wait_for(settled, 300, 1)

    def kill(self) -> None:
        """End the workers."""
        for worker in self.workers.values():
            worker.kill()

    def measure(self, case: str, seconds: float, *, moved: bool = False) -> None:
        """Let it run for a while, first until every account has a worker where some have moved; add a row."""
        cpu, calls, begun = self._cpu(), self._calls(), time.time()
        if moved:
            case += f": every account has a worker after {self.wait_open():.1f} s"
        time.sleep(seconds)
        until = time.time()
        took, used, made = until - begun, self._cpu(), self._calls() - calls
        row = {
            "calls/s": round(made / took),
            "CPU %": " ".join(f"{100 * (used[name] - cpu[name]) / took:.0f}" for name in self.workers),
            "RSS MB": " ".join(f"{worker.rss_mb():.0f}" for worker in self.workers.values()),
        }
        self._add(case, begun, until, row)

    def _add(self, case: str, begun: float, until: float, row: dict[str, object]) -> None:
        self.rows.append({"case": case, **self.receipts.since(begun, until), **row})
        self.spans.append((begun, until))
        print(self.rows[-1], flush=True)

    def table(self) -> list[dict[str, object]]:
        """The rows, once the orders of every one have been delivered."""
        live = r'pipeline_pending_records{[^}]*kind="purchase",lane="live"}'
        wait_for(lambda: sum(metric(self.ports[name], live) for name in self.workers) < 5, 300, 1)
        time.sleep(2)
        return [
            {**row, **self.receipts.since(*span)} for row, span in zip(self.rows, self.spans, strict=True)
        ]

    def _cpu(self) -> dict[str, float]:
        return {name: worker.cpu_seconds() for name, worker in self.workers.items()}

    def _calls(self) -> int:
        return sum(counts["calls_total"] for counts in self.stats().values())

    def stats(self) -> dict[str, dict[str, Any]]:
        """The sandbox's counts of every account."""
        found: dict[str, Any] = http.get(f"{self.sandbox}/_sandbox/stats", timeout=30).json()["accounts"]
        return found

    def fill(self, account: str, pending: int) -> None:
        """Give one account its backfill; add a row for the others meanwhile."""
        begun = time.time()
        produce(self.bench.settings(account_partitions=PARTITIONS), backfill(account, pending))
        wait_for(lambda: metric(self.ports["1"], "pipeline_lag_messages") < 100, 1_800, 2)
        until = time.time()
        row: dict[str, object] = {"calls/s": "", "CPU %": "", "RSS MB": round(self.workers["1"].rss_mb())}
        self._add(f"{pending} coming in for one, {until - begun:.0f} s", begun, until, row)


def run(accounts: int, per_minute: float, pending: int, seconds: float) -> list[dict[str, object]]:
    """The phases, one after the other."""
    names = [f"acme-{number}" for number in range(accounts)]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox_port = free_port()
        url = f"http://127.0.0.1:{sandbox_port}"
        tree = {
            "sandbox": {"calls_kept": 1_000},
            "accounts": {name: {"api_key": f"{name}:secret", "base_url": url} for name in names},
        }
        bench = Bench(directory, stack.enter_context(broker(directory)), tree)
        settings = bench.settings(account_partitions=PARTITIONS)
        command = [PIPELINE, "sandbox", "--config", str(bench.path), "--port", str(sandbox_port)]
        sandbox = Worker(command, directory / "sandbox.log")
        stack.callback(sandbox.kill)
        receipts = stack.enter_context(Receipts(settings))
        stage = Stage(bench, url, receipts, accounts)
        stack.callback(stage.kill)
        stage.start("1")
        started = stage.wait_open()
        time.sleep(5)
        idle = stage.workers["1"].rss_mb()
        print(f"1 worker, {accounts} accounts: open after {started:.1f} s, RSS {idle:.0f} MB", flush=True)
        stack.enter_context(Trickle(settings, names[1:], accounts * per_minute / 60))
        for name in names[BUSY_EVERY::BUSY_EVERY]:
            produce(settings, backfill(name, BUSY))
        time.sleep(30)
        stage.measure("1 worker", seconds)
        stage.fill(BIG, pending)
        stage.measure(f"1 worker, {pending} pending for one", seconds)
        stage.start("2")
        stage.measure("a second joins", seconds, moved=True)
        stage.start("3")
        stage.measure("a third joins", seconds, moved=True)
        stage.measure("3 workers", seconds)
        stage.workers.pop("3").stop()
        stage.measure("the third ends (SIGTERM)", seconds, moved=True)
        stage.workers.pop("2").kill()
        stage.measure("the second is killed (-9), and not started again", seconds, moved=True)
        rows = stage.table()
        found = stage.stats().values()
        most = max(counts["max_calls_in_any_window"] for counts in found)
        refused = sum(counts["refused"] for counts in found)
        print(f"most calls of any account in any window: {most} of {LIMIT}; refused: {refused}")
        return rows


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--orders", type=float, default=6.0, help="live orders per account and minute")
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    options = parser.parse_args()
    print(machine(), flush=True)
    report(run(options.accounts, options.orders, options.pending, options.seconds))


if __name__ == "__main__":
    main()
