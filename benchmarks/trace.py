"""`pipeline trace` where the entity's partition holds many events of others.

    python -m benchmarks.trace [--events 100000] [--rounds 3]

`BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
from rich.console import Console

import pipeline
from benchmarks.harness import broker, machine
from pipeline import config
from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka import topic_check
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.trace.life import EntityKey
from pipeline.trace.scan import LifeScan

OWN = 50
BODY = Path(pipeline.__file__).parent / "bodies" / "shopify" / "constructed-webhook-orders_paid.json"


def outgoing(count: int) -> Iterator[Outgoing]:
    """Paid orders, of which every so many is of the entity looked for; a record for each."""
    body = orjson.loads(BODY.read_bytes())
    for number in range(count):
        entity = "1" if number % (count // OWN) == 0 else str(number + 2)
        said = body | {"id": int(entity), "updated_at": f"2026-11-23T10:00:{number % 60:02}Z"}
        event = RawEvent(
            "acme", "shopify", Kind.ORDER, entity, "orders/paid", f"d{number}", 1, orjson.dumps(said)
        )
        yield Outgoing("shop.orders", event.body, event.key, headers=event.to_kafka_headers())
        source = {"topic": "shop.orders", "partition": 0, "offset": number}
        record = {"account": "acme", "store": "acme", "version": 1, "source": source, "lane": "live"}
        record |= {"kind": "purchase", "op": "upsert", "id": entity, "notes": []}
        key = f"acme|purchase|{entity}".encode()
        yield Outgoing("connectif.purchases", orjson.dumps(record), key)


def main() -> None:
    """Print how long each part takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as directory, broker(Path(directory)) as bootstrap:
        settings = _settings(bootstrap)
        topic_check.ensure(settings)
        producer = Producer(client_config(settings), max_message_bytes=1_000_000)
        producer.send_all(outgoing(args.events))
        key = EntityKey("acme", Kind.ORDER, "1")
        events, records = [], []
        for _ in range(args.rounds):
            with RangeReader(client_config(settings)) as reader:
                scan = LifeScan(settings, reader, Console(stderr=True), None)
                began = time.perf_counter()
                lives = scan.lives([key])
                events.append(time.perf_counter() - began)
                began = time.perf_counter()
                scan.follow(lives)
                records.append(time.perf_counter() - began)
            assert len(lives[0].events) == len(lives[0].records) == OWN
        for what, times in (("events, judged", events), ("records, receipts and dead letters", records)):
            taken = statistics.median(times)
            print(f"{what}: {args.events:,} in {taken:.2f} s, {args.events / taken:,.0f} a second")


def _settings(bootstrap: str) -> Settings:
    return config.parse(
        {
            "kafka": {"bootstrap": bootstrap, "shop_partitions": 1, "account_partitions": 1},
            "accounts": {"acme": {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}},
            "stores": {
                "acme": {
                    "platform": "shopify",
                    "account": "acme",
                    "domain": "acme.example",
                    "secrets": ["s"],
                }
            },
        },
        {},
    )


if __name__ == "__main__":
    main()
