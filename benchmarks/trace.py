"""`pipeline trace`: its scans beside a bare consumer, and the answer that the workers give by themselves.

    python -m benchmarks.trace [--events 100000] [--rounds 3] [--waiting 2000]

One partition holds all the events. `BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, TopicPartition
from rich.console import Console

import pipeline
from benchmarks.arguments import argument_parser
from benchmarks.harness import Bench, Worker, broker, free_port, machine, metric, report, wait_for
from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.trace import find
from pipeline.trace.life import EntityKey, EntityLife
from pipeline.trace.scan import LifeScan

#: No other order has the number, however many events there are: those are numbered from 0.
OWN, NUMBER, EMAIL = 50, "#7777777777", "looked.for@example.com"
BODY = Path(pipeline.__file__).parent / "bodies" / "shopify" / "constructed-webhook-orders_paid.json"
#: Nobody listens there: what is told to Connectif waits.
AWAY = "http://127.0.0.1:1"
TREE: dict[str, Any] = {
    "accounts": {"acme": {"api_key": "id:secret", "base_url": AWAY}},
    "stores": {
        "acme": {"platform": "shopify", "account": "acme", "domain": "acme.example", "secrets": ["s"]}
    },
}
KEY = EntityKey("acme", Kind.ORDER, "1")


def order(number: int, entity: str) -> RawEvent:
    """A paid order; number and address are those looked for where it is the entity's."""
    own = entity == KEY.id
    said = orjson.loads(BODY.read_bytes()) if not _BODY else dict(_BODY[0])
    _BODY[:] = _BODY or [said]
    said = said | {
        "id": int(entity),
        "name": NUMBER if own else f"#{number}",
        "email": EMAIL if own else f"buyer{number}@example.com",
        "updated_at": f"2026-11-23T10:00:{number % 60:02}Z",
    }
    body = orjson.dumps(said)
    return RawEvent("acme", "shopify", Kind.ORDER, entity, "orders/paid", f"d{number}", 1, body)


_BODY: list[dict[str, Any]] = []


def outgoing(settings: Settings, count: int) -> Iterator[Outgoing]:
    """Orders, of which every so many is the entity's, and a record for each."""
    orders, purchases = full_name(settings, "shop.orders"), full_name(settings, "connectif.purchases")
    for number in range(count):
        event = order(number, KEY.id if number % (count // OWN) == 0 else str(number + 2))
        yield Outgoing(orders, event.body, event.key, headers=event.to_kafka_headers())
        source = {"topic": "shop.orders", "partition": 0, "offset": number}
        record = {"account": "acme", "store": "acme", "version": 1, "source": source, "lane": "live"}
        record |= {"kind": "purchase", "op": "upsert", "id": event.entity, "notes": []}
        yield Outgoing(purchases, orjson.dumps(record), f"acme|purchase|{event.entity}".encode())


def bare(settings: Settings, count: int) -> None:
    """A consumer that looks at the value of each order."""
    consumer = Consumer({**client_config(settings), "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition(full_name(settings, "shop.orders"), 0, 0)])
    read = 0
    while read < count:
        for message in consumer.consume(10_000, 0.1):
            assert message.error() is None
            read += bool(message.value())
    consumer.close()


def scans(settings: Settings, count: int, rounds: int) -> list[dict[str, object]]:
    """A row for each scan: the median of some rounds, in turn."""
    lives: list[EntityLife] = []

    def scanned(work: Callable[[LifeScan], None]) -> Callable[[], None]:
        def run() -> None:
            with RangeReader(client_config(settings)) as reader:
                work(LifeScan(settings, reader, Console(stderr=True), None))

        return run

    def by_id(scan: LifeScan) -> None:
        lives[:] = scan.lives([KEY])
        assert len(lives[0].events) == OWN

    def followed(scan: LifeScan) -> None:
        [life] = lives
        life.records.clear()
        scan.follow(lives)
        assert len(life.records) == OWN

    def by_number(scan: LifeScan) -> None:
        assert find.by_number(settings, "acme", NUMBER, scan) == ([KEY], 0)

    def by_email(scan: LifeScan) -> None:
        assert find.by_email("acme", EMAIL, scan) == ([KEY], 0)

    programs = {
        "bare consumer of the orders": lambda: bare(settings, count),
        "events of an id, judged": scanned(by_id),
        "records, receipts, dead letters": scanned(followed),
        "orders of a number": scanned(by_number),
        "events of an address": scanned(by_email),
    }
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            program()
            took[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    rows: list[dict[str, object]] = []
    for name, figures in took.items():
        wall, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
        rows.append(
            {
                "scan": name,
                "messages/s": f"{count / wall:,.0f}",
                "messages/s of one core": f"{count / cpu:,.0f}",
                "s for a million": f"{wall / count * 1e6:.0f}",
            }
        )
    return rows


@contextlib.contextmanager
def workers(bench: Bench) -> Iterator[dict[str, int]]:
    """Translate and deliver, as processes; their ports."""
    ports = {stage: free_port() for stage in ("translate", "deliver")}
    running = [
        Worker(
            [
                *(sys.executable, "-m", "pipeline", "worker", stage),
                *("--config", str(bench.path), "--port", str(port), "--worker", "1"),
            ],
            bench.directory / f"{stage}.log",
        )
        for stage, port in ports.items()
    ]
    try:
        yield ports
    finally:
        for worker in running:
            worker.kill()


def asked(bench: Bench, count: int, rounds: int) -> list[dict[str, object]]:
    """How long `pipeline trace --now` takes while so many orders wait for a Connectif that is away."""
    settings = bench.settings(shop_partitions=1, account_partitions=1)
    producer = Producer(client_config(settings), max_message_bytes=settings.kafka.max_message_bytes)
    topic = full_name(settings, "shop.orders")
    events = [order(number, str(number + 1)) for number in range(count)]
    producer.send_all(Outgoing(topic, one.body, one.key, headers=one.to_kafka_headers()) for one in events)
    command = [sys.executable, "-m", "pipeline", "trace", "acme", "order", KEY.id, "--now", "--json"]
    times: list[float] = []
    with workers(bench) as ports:
        # A contact and a purchase of each.
        wait_for(lambda: metric(ports["deliver"], "pipeline_pending_records") >= 2 * count, 120)
        for _ in range(rounds):
            began = time.perf_counter()
            done = subprocess.run(
                [*command, "--config", str(bench.path)], capture_output=True, text=True, check=True
            )
            times.append(time.perf_counter() - began)
            [entity] = json.loads(done.stdout)["entities"]
            assert entity["answer"].startswith("Not yet"), (entity["answer"], entity["silent"])
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline", "trace", "--help"], capture_output=True, check=True)
    start = time.perf_counter() - began
    return [
        {
            "command": "pipeline trace --now",
            "median s": f"{statistics.median(times):.2f}",
            "most s": f"{max(times):.2f}",
            "of it Python's start, s": f"{start:.2f}",
        }
    ]


def main() -> None:
    """Print a table for the scans and one for the workers' answer."""
    parser = argument_parser(__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waiting", type=int, default=2_000)
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as bootstrap:
        settings = Bench(Path(name), bootstrap, TREE, "scan-").settings(
            shop_partitions=1, account_partitions=1
        )
        producer = Producer(
            client_config(settings),
            max_message_bytes=settings.kafka.max_message_bytes,
            queue_messages=200_000,
        )
        producer.send_all(outgoing(settings, args.events))
        report(scans(settings, args.events, args.rounds))
        report(asked(Bench(Path(name), bootstrap, TREE, "now-"), args.waiting, 10))


if __name__ == "__main__":
    main()
