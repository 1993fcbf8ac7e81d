"""Recovery: kill -9 to the first event, and a table of a million keys whose directory was lost.

    python -m benchmarks.recovery [--keys 1000000] [--kills 5] [--baseline]

`BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.arguments import argument_parser
from benchmarks.harness import (
    Bench,
    Worker,
    broker,
    free_port,
    machine,
    metric,
    produce,
    report,
    translate_worker,
    wait_for,
)
from benchmarks.load import STORES, events
from pipeline.config import Settings
from pipeline.kafka.topics import TRANSLATE_APP, changelog, full_name
from pipeline.records import RecordKind
from pipeline.translate.state import EmittedMark, EntityState, Newest, SeenDelivery

ACCOUNT = "pipeline_account_events"


def kills(directory: Path, bootstrap: str, count: int) -> dict[str, object]:
    """Kill -9 under a steady load; from the new process's start to the first event it handles."""
    bench = Bench(directory, bootstrap, STORES)
    settings = bench.settings(shop_partitions=4, account_partitions=4)
    stop = threading.Event()

    def feed() -> None:
        load = events(10_000_000)
        while not stop.is_set():
            produce(settings, itertools.islice(load, 50))
            stop.wait(0.1)

    feeder = threading.Thread(target=feed)
    feeder.start()
    port, took = free_port(), []
    worker = translate_worker(bench, port)
    try:
        wait_for(lambda: metric(port, ACCOUNT) > 500, 60)
        for _ in range(count):
            before = metric(port, ACCOUNT)
            worker.kill()
            worker = translate_worker(bench, port)
            took.append(_until_above(port, before))
            time.sleep(3)
    finally:
        stop.set()
        feeder.join()
        worker.kill()
    return {
        "case": f"kill -9 to the first event, {count} times",
        "seconds": f"{statistics.median(took):.1f} (median), {max(took):.1f} (worst)",
    }


def _until_above(port: int, before: float) -> float:
    return wait_for(lambda: metric(port, ACCOUNT) > before, 60, 0.02)


def fill(settings: Settings, keys: int) -> int:
    """Write a changelog of `keys` typical states; returns their bytes."""
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap,
            "linger.ms": 50,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 2_000_000,
        }
    )
    topic, size = full_name(settings, changelog(TRANSLATE_APP, "entities")), 0
    for number in range(keys):
        state = EntityState(
            newest={"entity": Newest(1_772_000_000_000 + number, number, deleted=False)},
            emitted={
                "north": {
                    (RecordKind.CONTACT, f"buyer{number}@example.com"): EmittedMark(f"{number:012x}", number),
                    (RecordKind.PRODUCT, str(8_000_000_000 + number % 5_000)): EmittedMark(
                        f"{number:012x}", number
                    ),
                    (RecordKind.PURCHASE, str(5_000_000_000 + number)): EmittedMark(f"{number:012x}", number),
                }
            },
            seen=[SeenDelivery(f"{number:012x}", number, stale=False)],
        )
        value, key = state.encode(), f"north|order|{5_000_000_000 + number}".encode()
        size += len(key) + len(value)
        while True:
            try:
                producer.produce(topic, value, key, partition=number % settings.kafka.shop_partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    return size


def restores(directory: Path, bootstrap: str, keys: int, *, baseline: bool) -> list[dict[str, object]]:
    """A worker with a large table: without its directory, after kill -9, after SIGTERM; and plain Faust."""
    bench = Bench(directory, bootstrap, STORES)
    settings = bench.settings(shop_partitions=4, account_partitions=4)
    size = fill(settings, keys)
    port, rows = free_port(), list[dict[str, object]]()

    def start(case: str) -> Worker:
        handled = metric(port, ACCOUNT)
        assert handled == 0
        worker = translate_worker(bench, port)
        ready = wait_for(lambda: metric(port, "pipeline_ready") == 1, 600)
        produce(settings, events(1, seed=time.time_ns()))
        seconds = ready + wait_for(lambda: metric(port, ACCOUNT) > 0, 60)
        rate = f", {keys / seconds:,.0f} keys/s" if "lost" in case else ""
        rows.append({"case": case, "seconds": f"{seconds:.1f}{rate}"})
        print(rows[-1], f"RSS {worker.rss_mb():.0f} MB", flush=True)
        return worker

    start(f"{keys:,} keys ({size / 1e6:.0f} MB), directory lost").kill()
    start("directory kept after kill -9").stop()
    worker = start("directory kept after SIGTERM")
    worker.stop()
    shutil.rmtree(settings.data_dir)
    if baseline:
        command = [sys.executable, "-m", "benchmarks.baseline_faust", "restore", str(bench.path), str(port)]
        other = Worker(command, directory / "faust.log")
        seconds = wait_for(lambda: metric(port, "bench_handled_total") > 0, 900)
        other.kill()
        rows.append({"case": "Faust's own recovery, directory lost", "seconds": f"{seconds:.1f}"})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--baseline", action="store_true")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as bootstrap:
        rows = []
        if options.kills:
            rows.append(kills(Path(name), bootstrap, options.kills))
            print(rows[-1], flush=True)
        if options.keys:
            rows += restores(Path(name), bootstrap, options.keys, baseline=options.baseline)
    report(rows)


if __name__ == "__main__":
    main()
