"""Deliver: records/s of a whole worker with the budget lifted, and memory per pending record.

    python -m benchmarks.deliver speed [--orders 10000] [--accounts 4]
    python -m benchmarks.deliver memory [--records 1000000]

`speed` runs one worker against a sandbox process on a real broker, everything on this machine; the sandbox's
own work is in the wall time but not in the worker's CPU time. `memory` fills one worker's `pending` while
Connectif cannot be reached, and takes the slope of its resident memory between a tenth of the records and all
of them; beside it stands the index alone, in this process. `BENCH_BOOTSTRAP` names a broker to use.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
from confluent_kafka import Producer

from benchmarks.arguments import argument_parser
from benchmarks.harness import PIPELINE, Bench, Worker, broker, free_port, machine, metric, report, wait_for
from pipeline.config import Settings
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import PendingQueue
from pipeline.deliver.schedule.purchase_readiness import BLOCKED, PurchaseReadiness
from pipeline.deliver.schedule.scheduler import AHEAD
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.kafka import topics
from pipeline.records import (
    Contact,
    ContactRecord,
    Origin,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    Record,
    RecordKind,
    Source,
    partition_of,
    record_key,
)
from pipeline.records import (
    Line as PurchaseLine,
)

UNLIMITED = 100_000_000


def tree(accounts: int, sandbox_port: int, **deliver: Any) -> dict[str, Any]:
    """Settings whose budget never binds."""
    return {
        "deliver": {"import_poll": 1.0, **deliver},
        "sandbox": {"calls_kept": 1_000, "switches": {"import_rows_per_second": 1_000_000}},
        "accounts": {
            f"acme-{number}": {
                "api_key": f"{number}:secret",
                "base_url": f"http://127.0.0.1:{sandbox_port}",
                "calls_per_minute": UNLIMITED,
            }
            for number in range(accounts)
        },
    }


def orders(accounts: int, count: int) -> Iterator[Record]:
    """A contact, a product and a purchase each; every tenth customer and product is new."""
    for number in range(count):
        common: dict[str, Any] = {
            "account": f"acme-{number % accounts}",
            "store": "shop",
            "version": number + 1,
            "source": Source(topic="shop.orders", partition=0, offset=number),
            "origin": Origin.ORDER,
            "received_ms": int(time.time() * 1_000),
        }
        email, product = f"customer{number // 10}@example.com", f"product-{number // 10}"
        url = f"https://shop.example/p/{product}"
        yield ContactRecord(**common, id=email, body=Contact(email=email, name="Ann", surname="Jones"))
        stub = Product(product_id=product, name="A shirt", url=url, unit_price=Decimal("19.90"))
        yield ProductRecord(**common, id=product, body=stub)
        queue = PurchaseLine(
            product_id=product,
            name="A shirt",
            url=url,
            unit_price=Decimal("19.90"),
            quantity=1,
            price=Decimal("19.90"),
        )
        purchase = Purchase(
            purchase_id=f"o{number}",
            contact_email=email,
            cart_id=f"o{number}",
            purchase_date="2024-01-01T10:00:00Z",
            total_price=Decimal("19.90"),
            total_quantity=1,
            lines=(queue,),
        )
        yield PurchaseRecord(**common, id=f"o{number}", body=purchase)


def customers(count: int) -> Iterator[Record]:
    """Customers of one account, with addresses of a usual length."""
    for number in range(count):
        email = f"someone.with.a.name.{number:07d}@example.com"
        yield ContactRecord(
            account="acme-0",
            store="shop",
            id=email,
            version=number + 1,
            source=Source(topic="shop.customers", partition=0, offset=number),
            origin=Origin.CUSTOMER,
            received_ms=1,
            body=Contact(email=email, name="Ann", surname="Jones", mobile_phone="+34600000001"),
        )


def produce(settings: Settings, records: Iterator[Record]) -> int:
    """Put records into the connectif topics; returns how many."""
    producer = Producer(
        {"bootstrap.servers": settings.kafka.bootstrap, "linger.ms": 20, "compression.type": "lz4"}
    )
    partitions, count = settings.kafka.account_partitions, 0
    for record in records:
        count += 1
        topic = topics.full_name(settings, record.kind.topic)
        key = record_key(record.account, record.kind, record.id)
        value = record.model_dump_json().encode()
        while True:
            try:
                producer.produce(topic, value, key, partition_of(record.account, partitions))
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
    return count


def worker(bench: Bench, port: int) -> Worker:
    """Start `pipeline worker deliver`."""
    command = [PIPELINE, "worker", "deliver", "--config", str(bench.path), "--port", str(port)]
    return Worker(command, bench.directory / "deliver.log")


def accepted(port: int, outcome: str) -> float:
    """The account's records with one outcome."""
    return metric(port, rf'pipeline_account_records{{[^}}]*outcome="{outcome}"[^}}]*}}')


def speed(count: int, accounts: int) -> list[dict[str, object]]:
    """Records/s from the first that is accepted to the last that has its receipt."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as bootstrap:
        directory, sandbox_port, port = Path(name), free_port(), free_port()
        bench = Bench(directory, bootstrap, tree(accounts, sandbox_port))
        settings = bench.settings(account_partitions=4)
        records = produce(settings, orders(accounts, count))
        command = [PIPELINE, "sandbox", "--config", str(bench.path), "--port", str(sandbox_port)]
        sandbox = Worker(command, directory / "sandbox.log")
        deliver = worker(bench, port)
        try:
            wait_for(lambda: accepted(port, "accepted") > 0, 60, 0.02)
            begun, cpu, theirs = time.perf_counter(), deliver.cpu_seconds(), sandbox.cpu_seconds()
            first = accepted(port, "accepted")
            wait_for(lambda: accepted(port, "accepted") >= records, 600)
            read = time.perf_counter() - begun
            wait_for(lambda: accepted(port, "pending") == 0, 600)
            took = time.perf_counter() - begun
            used = deliver.cpu_seconds() - cpu
            calls = metric(port, "pipeline_deliver_calls_total")
            ours = {
                "program": f"worker deliver, {records} records of {count} orders",
                "calls/s": round(calls / took),
                "CPU %": round(100 * used / took),
                "us/call": round(1e6 * used / calls),
                "records/s": round(records / took),
                "accepted/s": round((records - first) / read),
                "calls": round(calls),
                "sandbox CPU %": round(100 * (sandbox.cpu_seconds() - theirs) / took),
                "RSS MB": round(deliver.rss_mb()),
            }
            deliver.kill()
            rest = dict.fromkeys(ours, "")
            return [ours, rest | asyncio.run(bare(sandbox_port, accounts, count))]
        finally:
            deliver.kill()
            sandbox.kill()


async def bare(sandbox_port: int, accounts: int, count: int) -> dict[str, object]:
    """What httpx alone costs: as many POSTs to the same sandbox, as many at once, and nothing else."""
    limits, begun, cpu = asyncio.Semaphore(8 * accounts), time.perf_counter(), time.process_time()
    clients = [
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{sandbox_port}", headers={"Authorization": f"apiKey {number}:secret"}
        )
        for number in range(accounts)
    ]

    async def post(number: int) -> None:
        body = {
            "purchaseId": f"bare{number}",
            "contactEmail": f"customer{number // 10}@example.com",
            "purchaseDate": "2024-01-01T10:00:00Z",
            "totalPrice": 19.9,
            "totalQuantity": 1,
            "products": [],
        }
        async with limits:
            await clients[number % accounts].post("/purchases/", json=body)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(post(number))
    took, used = time.perf_counter() - begun, time.process_time() - cpu
    for client in clients:
        await client.aclose()
    return {
        "program": "bare httpx, purchases only",
        "calls/s": round(count / took),
        "CPU %": round(100 * used / took),
        "us/call": round(1e6 * used / count),
    }


def index_bytes(count: int) -> float:
    """Resident bytes per id of the index alone, in this process."""
    queue, process = PendingQueue(), psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    for number in range(count):
        queue.add(f"someone.with.a.name.{number:07d}@example.com", Lane.LIVE, 1_700_000_000 + number // 100)
    gc.collect()
    return float(process.memory_info().rss - before) / len(queue)


def aside_bytes(count: int) -> float:
    """The same for purchases that all wait for one import, which is stuck."""
    index, process = PendingIndex(), psutil.Process()
    contact = Key(RecordKind.CONTACT, "someone@example.com")
    purchases = PurchaseReadiness(
        index, needs=lambda _: (contact,), was_sent=lambda _: False, delay=lambda *_: None
    )
    index[contact.kind].add(contact.id, Lane.BACKFILL, 1_700_000_000)
    gc.collect()
    before = process.memory_info().rss
    for number in range(count):
        index[RecordKind.PURCHASE].add(f"order-{number:07d}", Lane.BACKFILL, 1_700_000_000 + number // 100)
    for _ in range(1_000):
        purchases.look(Lane.BACKFILL, 0.0, time.time(), ahead=AHEAD)
    assert purchases.blocked(Lane.BACKFILL) == BLOCKED
    gc.collect()
    return float(process.memory_info().rss - before) / count


def memory(count: int) -> list[dict[str, object]]:
    """Resident bytes per pending record of a worker that cannot deliver."""
    alone, blocked = index_bytes(count), aside_bytes(count)
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as bootstrap:
        # Nobody listens at the sandbox's port; imports of so many rows are never tried.
        bench = Bench(Path(name), bootstrap, tree(1, free_port(), import_min_rows=1_000_000_000))
        settings, port = bench.settings(account_partitions=1), free_port()
        deliver = worker(bench, port)
        try:
            tenth = produce(settings, customers(count // 10))
            wait_for(lambda: accepted(port, "pending") >= tenth, 600, 0.5)
            time.sleep(5)
            small = deliver.rss_mb()
            begun = time.perf_counter()
            produce(settings, customers(count))
            wait_for(lambda: metric(port, "pipeline_pending_records") >= count, 1_800, 0.5)
            took = time.perf_counter() - begun
            time.sleep(5)
            full = deliver.rss_mb()
        finally:
            deliver.kill()
        deliver = worker(bench, port)
        try:
            restarted = wait_for(lambda: metric(port, "pipeline_pending_records") >= count, 600, 0.1)
            time.sleep(5)
            after = deliver.rss_mb()
        finally:
            deliver.kill()
    return [
        {
            "pending": count,
            "index alone B/record": round(alone),
            "purchases, all blocked B/record": round(blocked),
            f"RSS MB at {tenth}": round(small),
            f"RSS MB at {count}": round(full),
            "worker B/record": round((full - small) * 1e6 / (count - tenth)),
            "filled/s": round(count / took),
            "kill -9 to index rebuilt s": round(restarted, 1),
            "RSS MB after": round(after),
        }
    ]


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("what", choices=["speed", "memory"])
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--accounts", type=int, default=8)
    parser.add_argument("--records", type=int, default=1_000_000)
    options = parser.parse_args()
    print(machine(), flush=True)
    report(speed(options.orders, options.accounts) if options.what == "speed" else memory(options.records))


if __name__ == "__main__":
    main()
