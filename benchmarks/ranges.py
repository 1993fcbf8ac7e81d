"""The reader of ranges beside a bare confluent-kafka consumer, in turn.

    python -m benchmarks.ranges [--events 300000] [--bytes 2000] [--rounds 3]

`BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic

from benchmarks.arguments import argument_parser
from benchmarks.harness import broker, machine, report
from pipeline.kafka.admin import Cluster
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader

TOPIC, PARTITIONS = "ranges", 4


def bare(config: dict[str, Any], count: int) -> int:
    """Batches until all are there, each value looked at."""
    consumer = Consumer({**config, "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    read = size = 0
    while read < count:
        for message in consumer.consume(10_000, 0.1):
            assert message.error() is None
            size += len(message.value()) + message.offset() * 0
            read += 1
    consumer.close()
    return size


def raw(config: dict[str, Any], _count: int) -> int:
    """The reader, the client's own messages."""
    with RangeReader(config) as reader:
        batches = reader.read(reader.ranges(TOPIC))
        return sum(len(message.value()) for batch in batches for message in batch.raw)


def messages(config: dict[str, Any], _count: int) -> int:
    """The reader, messages as the rest of the program knows them."""
    with RangeReader(config) as reader:
        batches = reader.read(reader.ranges(TOPIC))
        return sum(len(message.value or b"") for batch in batches for message in batch.messages())


PROGRAMS: dict[str, Callable[[dict[str, Any], int], int]] = {
    "bare consumer": bare,
    "reader, raw messages": raw,
    "reader, messages": messages,
}


def main() -> None:
    """Print a row for each program."""
    parser = argument_parser(__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--bytes", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as directory, broker(Path(directory)) as bootstrap:
        config: dict[str, Any] = {"bootstrap.servers": bootstrap}
        cluster = Cluster(config)
        cluster.create([NewTopic(TOPIC, PARTITIONS, 1)])
        cluster.await_leaders([TOPIC])
        value = os.urandom(args.bytes // 4) * 4
        Producer(config, max_message_bytes=1_000_000).send_all(
            Outgoing(TOPIC, value, b"%d" % number, headers=[("pipeline-store", b"acme"), ("at", b"1")])
            for number in range(args.events)
        )
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
        for _ in range(args.rounds):
            for name, program in PROGRAMS.items():
                wall, cpu = time.perf_counter(), time.process_time()
                assert program(config, args.events) == args.events * len(value)
                took[name].append((time.perf_counter() - wall, time.process_time() - cpu))
        cluster.delete([TOPIC])
    rows: list[dict[str, object]] = []
    for name, rounds in took.items():
        wall, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        rows.append(
            {
                "program": name,
                "events/s": f"{args.events / wall:,.0f}",
                "events/s of one core": f"{args.events / cpu:,.0f}",
                "µs of processor/event": f"{cpu / args.events * 1e6:.2f}",
            }
        )
    report(rows)


if __name__ == "__main__":
    main()
