"""Translate: events/s of whole worker processes on a real broker, with the baselines of the same run.

    python -m benchmarks.translate [--events 60000] [--workers 1 2] [--baselines]

`BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.arguments import argument_parser
from benchmarks.harness import (
    Bench,
    Worker,
    broker,
    broker_cpu_seconds,
    free_port,
    machine,
    metric,
    produce,
    report,
    translate_worker,
    wait_for,
)
from benchmarks.load import STORES, events

ACCOUNT = "pipeline_account_events"
#: Series of the baselines: messages handled.
HANDLED = "bench_handled_total"


def measure(name: str, count: int, workers: list[Worker], ports: list[int], series: str) -> dict[str, object]:
    """Watch workers handle `count` events; the rate is taken from when all have begun to the last event."""

    def each() -> list[float]:
        for worker in workers:
            worker.check()
        return [metric(port, series) for port in ports]

    def handled() -> float:
        return sum(each())

    wait_for(lambda: all(each()), 60, 0.02)
    first, begun, cpu = handled(), time.perf_counter(), sum(worker.cpu_seconds() for worker in workers)
    kafka, idle = broker_cpu_seconds(), psutil.cpu_times().idle
    rss = 0.0

    def all_handled() -> bool:
        nonlocal rss
        rss = max(rss, sum(worker.rss_mb() for worker in workers))
        return handled() >= count

    wait_for(all_handled, 600)
    took = time.perf_counter() - begun
    used = sum(worker.cpu_seconds() for worker in workers) - cpu
    kafka, idle = broker_cpu_seconds() - kafka, psutil.cpu_times().idle - idle
    return {
        "program": name,
        "events/s": round((count - first) / took),
        "CPU %": round(100 * used / took),
        "broker CPU %": round(100 * kafka / took),
        "idle %": round(100 * idle / took),
        "RSS MB": round(rss),
        "us/event": round(1e6 * used / (count - first)),
    }


def ours(directory: Path, bootstrap: str, count: int, number: int) -> dict[str, object]:
    """`number` workers of ours."""
    bench = Bench(directory, bootstrap, STORES)
    produce(bench.settings(shop_partitions=4, account_partitions=4), events(count))
    ports = [free_port() for _ in range(number)]
    workers = [translate_worker(bench, port, str(place)) for place, port in enumerate(ports)]
    try:
        return measure(f"pipeline, {number} worker(s)", count, workers, ports, ACCOUNT)
    finally:
        for worker in workers:
            worker.stop()


def baseline(
    directory: Path, bootstrap: str, count: int, program: list[str], title: str
) -> dict[str, object]:
    """A program of `benchmarks/` that says how far it is at /metrics."""
    bench = Bench(directory, bootstrap, STORES)
    produce(bench.settings(shop_partitions=4, account_partitions=4), events(count))
    port = free_port()
    command = [sys.executable, "-m", *program, str(bench.path), str(port)]
    worker = Worker(command, directory / f"{program[0]}.log")
    try:
        return measure(title, count, [worker], [port], HANDLED)
    finally:
        worker.kill()


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--baselines", action="store_true")
    options = parser.parse_args()
    print(machine())
    rows = []
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as bootstrap:
        directory = Path(name)
        for number in options.workers:
            rows.append(ours(directory, bootstrap, options.events, number))
            print(rows[-1], flush=True)
        if options.baselines:
            for program, title in (
                (["benchmarks.baseline_quix"], "the same rules on quixstreams 3.28, at least once"),
                (["benchmarks.baseline_faust", "count"], "Faust 0.15.3 tuned, counting only"),
            ):
                rows.append(baseline(directory, bootstrap, options.events, program, title))
                print(rows[-1], flush=True)
    report(rows)


if __name__ == "__main__":
    main()
