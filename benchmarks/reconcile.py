"""`pipeline reconcile` over many orders: time and memory of the process, from files and topics to reports.

    python -m benchmarks.reconcile [--orders 1000000] [--most-mb 320] [--directory DIR [--make]]

Beside it a bare client that reads the same messages. One order in a hundred never came, one in a hundred is
unpaid, so that its event is read and translated; all others are delivered. `BENCH_BOOTSTRAP` names a broker
to use instead of an embedded one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.arguments import argument_parser
from benchmarks.harness import PIPELINE, Bench, broker, machine, report
from pipeline import config
from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import RECEIPTS, TRANSLATE_APP, full_name
from pipeline.records import RecordKind, partition_of, record_key

STORE, ACCOUNT, EVERY = "acme-es", "acme", 100
TREE: dict[str, Any] = {
    "accounts": {ACCOUNT: {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}},
    "stores": {
        STORE: {"platform": "shopify", "account": ACCOUNT, "domain": "acme.example", "secrets": ["s"]}
    },
}
#: What a run may take of memory, however many orders there are.
MOST_MB = 320
FIRST, NOW = 5_000_000_000_000, 1_790_000_000_000


def never_came(number: int) -> bool:
    """Whether an order is in the shop's list alone."""
    return number % EVERY == 7


def unpaid(number: int) -> bool:
    """Whether an order makes no purchase."""
    return number % EVERY == 13


def day(number: int) -> str:
    """When an order was placed."""
    return f"2026-{number // 31 % 9 + 1:02}-{number % 28 + 1:02}"


def write_list(path: Path, count: int) -> None:
    """The export of the shop's admin, two lines for every third order."""
    with path.open("w", encoding="utf-8") as file:
        file.write("Name,Email,Financial Status,Currency,Total,Created at,Lineitem name,Id\n")
        for number in range(count):
            status = "pending" if unpaid(number) else "paid"
            who, placed = f"#{number},b{number}@shop.example", f"{day(number)} 10:00:00 +0100"
            file.write(f"{who},{status},EUR,40.85,{placed},Shirt,{FIRST + number}\n")
            if number % 3 == 0:
                file.write(f"{who},,,,,Cup,\n")


def messages(settings: Settings, count: int) -> Iterator[Outgoing]:
    """Events, records and receipts of all orders that came."""
    events, purchases = full_name(settings, Kind.ORDER.topic), full_name(settings, RecordKind.PURCHASE.topic)
    receipts = full_name(settings, RECEIPTS)
    place = partition_of(ACCOUNT, settings.kafka.account_partitions)
    headers = _event("0", 0).to_kafka_headers()
    names = [name for name, _ in headers]
    entity_at, delivery_at = names.index("pipeline-entity"), names.index("pipeline-delivery")
    record, receipt = _template(_record()), _template(_receipt(place))
    offset = 0
    for number in range(count):
        if never_came(number):
            continue
        entity = b"%d" % (FIRST + number)
        said = list(headers)
        said[entity_at] = names[entity_at], entity
        said[delivery_at] = names[delivery_at], b"d%d" % number
        yield Outgoing(events, _body(number), b"%s|order|%s" % (STORE.encode(), entity), headers=said)
        if unpaid(number):
            continue
        filled = {b"@entity": entity, b"@day": day(number).encode(), b'"@offset"': b"%d" % offset}
        key = record_key(ACCOUNT, RecordKind.PURCHASE, entity.decode())
        yield Outgoing(purchases, _fill(record, filled), key, place)
        yield Outgoing(receipts, _fill(receipt, filled), key, place)
        offset += 1


def _template(tree: dict[str, Any]) -> list[bytes]:
    """A message in pieces, every other of them a place that is filled in."""
    return re.split(rb'("@offset"|@entity|@day)', orjson.dumps(tree))


def _fill(template: list[bytes], filled: dict[bytes, bytes]) -> bytes:
    return b"".join(filled.get(piece, piece) for piece in template)


def _known() -> dict[str, Any]:
    known: dict[str, Any] = {"account": ACCOUNT, "store": STORE, "kind": "purchase", "id": "@entity"}
    source = {"topic": "shop.orders", "partition": 0, "offset": "@offset"}
    return known | {"version": NOW, "source": source, "lane": "live", "received_ms": NOW}


def _record() -> dict[str, Any]:
    line = {"product_id": "77", "name": "Shirt", "url": "https://acme.example/shirt", "quantity": 2}
    body = {"purchase_id": "@entity", "contact_email": "b@entity@shop.example", "cart_id": "c" * 32}
    body |= {"purchase_date": "@dayT09:00:00Z", "total_price": "40.85"}
    lines = [line | {"unit_price": "19.95", "price": "35.90"}] * 2
    return _known() | {
        "origin": "order",
        "op": "upsert",
        "owner": "order|@entity",
        "body": {**body, "total_quantity": 3, "lines": lines},
    }


def _receipt(place: int) -> dict[str, Any]:
    made = {"topic": "connectif.purchases", "partition": place, "offset": "@offset"}
    return _known() | {"record": made, "outcome": "delivered", "reason": "created", "at_ms": NOW}


def _body(number: int) -> bytes:
    """An order of some 1.1 KB, which packs no better than a real one."""
    status = b"pending" if unpaid(number) else b"paid"
    return (
        b'{"id":%d,"financial_status":"%s","cancelled_at":null,"test":false,'
        b'"updated_at":"%sT10:00:00+01:00","note":"%s","attributes":"%s"}'
    ) % (FIRST + number, status, day(number).encode(), random.randbytes(300).hex().encode(), b"x" * 400)  # noqa: S311


def _event(entity: str, number: int) -> RawEvent:
    return RawEvent(
        store=STORE,
        platform="shopify",
        kind=Kind.ORDER,
        entity=entity,
        topic="orders/updated",
        delivery=f"d{number}",
        received_ms=NOW,
        body=_body(number),
    )


def translate_is_through(settings: Settings) -> None:
    """As if translate had read all of it."""
    with RangeReader(client_config(settings), group=full_name(settings, TRANSLATE_APP)) as reader:
        ranges = reader.ranges(full_name(settings, Kind.ORDER.topic))
        reader.commit({found.place: found.end for found in ranges})


def bare(settings: Settings) -> int:
    """The baseline: a bare client over what reconcile reads, each message's key and value looked at."""
    place = partition_of(ACCOUNT, settings.kafka.account_partitions)
    shop = full_name(settings, Kind.ORDER.topic)
    places = [TopicPartition(shop, number, 0) for number in range(settings.kafka.shop_partitions)]
    topics = RecordKind.PURCHASE.topic, RECEIPTS
    places += [TopicPartition(full_name(settings, topic), place, 0) for topic in topics]
    consumer = Consumer({**client_config(settings), "group.id": "bare", "enable.auto.commit": False})
    count = sum(_end(consumer, one) for one in places)
    consumer.assign(places)
    read = size = 0
    while read < count:
        for message in consumer.consume(10_000, 0.1):
            assert message.error() is None
            size += len(message.value()) + len(message.key())
            read += 1
    consumer.close()
    return count


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """The end of a partition; a broker that has just begun with old data leads none for some seconds."""
    for _ in range(60):
        with contextlib.suppress(KafkaException):
            return int(consumer.get_watermark_offsets(place)[1])
        time.sleep(1)
    raise TimeoutError(f"nobody leads {place}")


def measured(
    name: str, command: list[str], output: Path, orders: int, codes: tuple[int, ...] = (0,)
) -> dict[str, object]:
    """Run a process to its end: a row."""
    began = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) in codes, name
    wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    return {
        "what": name,
        "orders": f"{orders:,}",
        "s": f"{wall:.0f}",
        "orders a second": f"{orders / wall:,.0f}",
        "s of processor": f"{cpu:.0f}",
        "µs of processor an order": f"{cpu / orders * 1e6:.0f}",
        "most memory, MB": f"{usage.ru_maxrss / 1024:.0f}",
    }


def made(directory: Path, bench: Bench, orders: int) -> Settings:
    """Topics with so many orders, and the shop's list; those of an earlier run in the directory, if any."""
    note = directory / "made.json"
    if note.exists():
        found = json.loads(note.read_text())
        assert found["orders"] == orders, f"{directory} has {found['orders']:,} orders"
        bench.prefix = found["prefix"]
        return bench.settings()
    settings = bench.settings()
    began = time.perf_counter()
    producer = Producer(
        client_config(settings), max_message_bytes=settings.kafka.max_message_bytes, queue_messages=200_000
    )
    producer.send_all(messages(settings, orders))
    producer.close()
    translate_is_through(settings)
    write_list(directory / "orders.csv", orders)
    note.write_text(json.dumps({"orders": orders, "prefix": bench.prefix}))
    print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
    return settings


def measure(directory: Path, bench: Bench, orders: int, most_mb: float) -> None:
    """Print a row for each process."""
    listed, output = directory / "orders.csv", directory / "found.json"
    command = [sys.executable, "-m", "benchmarks.reconcile", "--bare", str(bench.path)]
    rows = [measured("bare client, reading alone", command, directory / "bare", orders)]
    command = [PIPELINE, "reconcile", STORE, "--config", str(bench.path), "--shop", str(listed), "--json"]
    command += ["--html", str(directory / "report.html")]
    rows.append(measured("reconcile", command, output, orders, codes=(0, 1)))
    report(rows)
    counts = json.loads(output.read_bytes())["counts"]
    rare = len(range(7, orders, EVERY))
    assert counts["missing"] == rare, counts
    assert counts["not_due"] == len(range(13, orders, EVERY)), counts
    assert counts["there"] == orders - rare - counts["not_due"], counts
    assert float(str(rows[1]["most memory, MB"])) <= most_mb, "more memory than is allowed"


def main() -> None:
    """Make the data and measure."""
    parser = argument_parser(__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--most-mb", type=float, default=MOST_MB, help="memory that reconcile may take")
    parser.add_argument("--directory", type=Path, help="keeps the broker's data for another run")
    parser.add_argument("--make", action="store_true", help="make the data alone")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare is not None:
        print(bare(config.load(args.bare)))
        return
    print(machine(), flush=True)
    with contextlib.ExitStack() as stack:
        directory = args.directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(exist_ok=True)
        bench = Bench(directory, stack.enter_context(broker(directory)), TREE)
        made(directory, bench, args.orders)
        if not args.make:
            measure(directory, bench, args.orders, args.most_mb)


if __name__ == "__main__":
    main()
