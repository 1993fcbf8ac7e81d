"""Ingest: signed webhooks a second through one gateway process, and through a bare baseline in the same run.

    python benchmarks/ingest.py [--seconds 6] [--rounds 3] [--sizes 2000 15000] [--connections 64 256]

The load comes from wrk where it is installed, else from `benchmarks/blast.py`. Bodies are a pool of 300
signed orders with ids of their own, made from a real one. The servers run all the time and are loaded in
turn: the baseline, the gateway, one of `--processes` processes on one port, and a gateway that reaches no
Kafka, so that every event goes to its spool.
`BENCH_BOOTSTRAP` names a broker to use instead of an embedded one.

On a machine that others use, `--patience S` repeats a round, for S seconds at most in all, while programs
that are not the benchmark's take more than a tenth of the processors; the column `others` says how much.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import Consumer, TopicPartition
from tomli_w import dumps

from benchmarks.arguments import argument_parser
from benchmarks.harness import PIPELINE, Bench, Worker, broker, free_port, machine, metric, report, wait_for
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.address import answers
from pipeline.kafka.topics import full_name
from pipeline.local.gateways import admin_port
from tests.settings_trees import store_tree, stores_tree

SECRET = "benchmark-secret"
POOL = 300
#: More than this share of the processors taken by other programs spoils a round.
OTHERS = 0.1
BARE, OURS, SPOOLING = "bare ASGI", "gateway", "gateway, Kafka away"
SHARED = "gateway, {} processes"
STORES = stores_tree(acme=store_tree(secrets=[SECRET]))


def order(size: int) -> dict[str, Any]:
    """A real order brought to about `size` bytes: its largest parts left out, or its lines repeated."""
    source = resources.files("pipeline") / "bodies/shopify/webhook-orders_updated-2026-04.json"
    body: dict[str, Any] = orjson.loads(source.read_bytes())
    while len(orjson.dumps(body)) > size:
        del body[max(body, key=lambda name: len(orjson.dumps(body[name])))]
    lines = list(body.get("line_items", []))
    while lines and len(orjson.dumps(body)) < size:
        body["line_items"].extend(lines[:1])
    return body


def write_pool(path: Path, size: int) -> int:
    """Write the signed requests; returns the size of a body."""
    template = order(size)
    with path.open("wb") as file:
        for number in range(POOL):
            body = orjson.dumps(
                {"id": 5_000_000_000 + number, **{k: v for k, v in template.items() if k != "id"}}
            )
            request = _head(body, number) + body
            file.write(b"%d\n" % len(request) + request)
    return len(body)


def _head(body: bytes, number: int) -> bytes:
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    lines = [
        "POST /webhooks/shopify/acme HTTP/1.1",
        "Host: hooks.acme.example",
        "User-Agent: Shopify-Captain-Hook",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "X-Shopify-Topic: orders/updated",
        f"X-Shopify-Hmac-Sha256: {signature}",
        "X-Shopify-Shop-Domain: acme.myshopify.com",
        "X-Shopify-API-Version: 2026-04",
        f"X-Shopify-Webhook-Id: b54557e4-bdd9-4b37-8a5f-{number:012d}",
        f"X-Shopify-Event-Id: 98880550-7158-44d4-b7cd-{number:012d}",
        "X-Shopify-Triggered-At: 2026-11-23T10:00:00.123456789Z",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Server:
    """A server under load."""

    name: str
    worker: Worker
    port: int
    answered: int = 0

    def quiet_load(self, pool: Path, connections: int, options: argparse.Namespace) -> dict[str, float]:
        """As `load`, again while others disturb it and patience lasts."""
        while True:
            began = time.monotonic()
            found = self.load(pool, connections, options.seconds)
            print(f"  {self.name}: {found['rate']:.0f}/s, others {found['others']:.0%}", file=sys.stderr)
            if found["others"] <= OTHERS or options.patience <= 0:
                return found
            time.sleep(1)
            options.patience -= time.monotonic() - began

    def load(self, pool: Path, connections: int, seconds: float) -> dict[str, float]:
        """Load it; what the load saw, the server's processor time for each request, and the others' share."""
        wrk = shutil.which("wrk")
        if wrk:
            script = str(Path(__file__).with_name("wrk.lua"))
            command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", script]
            command.append(f"http://127.0.0.1:{self.port}")
        else:
            command = [
                sys.executable,
                "-m",
                "benchmarks.blast",
                str(self.port),
                str(connections),
                f"{seconds:g}",
            ]
        used, busy, own = self.worker.cpu_seconds(), _busy_seconds(), _own_seconds()
        done = subprocess.run(
            command, env={**os.environ, "BENCH_POOL": str(pool)}, capture_output=True, text=True, check=True
        )
        self.worker.check()
        found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        assert not found["refused"], f"{self.name} refused {found['refused']} requests"
        self.answered += int(found["requests"])
        found["rate"] = found["requests"] / found["seconds"]
        others = _busy_seconds() - busy - (_own_seconds() - own)
        found["others"] = max(0.0, others / found["seconds"] / (os.cpu_count() or 1))
        found["cpu_us"] = 1e6 * (self.worker.cpu_seconds() - used) / found["requests"]
        return found

    def answers(self) -> bool:
        """Whether it listens."""
        self.worker.check()
        return answers(f"127.0.0.1:{self.port}")


def _busy_seconds() -> float:
    """Processor time the whole machine has used."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _own_seconds() -> float:
    """Processor time of this benchmark: broker, servers, and loads that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return float(sum(each.user + each.system for each in times) + children.ru_utime + children.ru_stime)


def start(bench: Bench, settings: Settings, processes: int) -> list[Server]:
    """The servers, each with topics or a directory of its own."""
    away = bench.directory / "away.toml"
    away.write_text(
        dumps(
            {
                "data_dir": str(bench.directory / "away"),
                "kafka": {"bootstrap": "127.0.0.1:1"},
                "gateway": {"spool_max_bytes": 40_000_000_000},
                **STORES,
            }
        )
    )
    products = full_name(settings, Kind.PRODUCT.topic)
    port = free_port()
    bare = Worker(
        [sys.executable, "-m", "benchmarks.bare", str(port), bench.bootstrap, products],
        bench.directory / "bare.log",
    )
    servers = [Server(BARE, bare, port)]
    for name, path in ((OURS, bench.path), (SPOOLING, away)):
        port = free_port()
        command = [PIPELINE, "gateway", "--config", str(path), "--port", str(port)]
        servers.append(Server(name, Worker(command, bench.directory / f"{path.stem}.log"), port))
    port = free_port()
    command = [PIPELINE, "gateway", "--config", str(bench.path), "--port", str(port)]
    command += ["--processes", str(processes)]
    own = {"PIPELINE__DATA_DIR": str(bench.directory / "shared")}
    shared = Worker(command, bench.directory / "shared.log", own)
    servers.insert(2, Server(SHARED.format(processes), shared, port))
    for server in servers:
        wait_for(server.answers, 30)
    ports = [admin_port(servers[1].port), *(admin_port(port) + number for number in range(processes))]
    for one in ports:
        wait_for(lambda one=one: metric(one, "pipeline_gateway_kafka_up") == 1, 30)  # type: ignore[misc]
    return servers


def stored(settings: Settings, kind: Kind) -> int:
    """How many messages a topic holds."""
    consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap, "group.id": "bench"})
    topic = full_name(settings, kind.topic)
    total = 0
    for partition in range(settings.kafka.shop_partitions):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        total += high - low
    consumer.close()
    return total


def compare(
    servers: list[Server], pool: Path, size: int, connections: int, options: argparse.Namespace
) -> list[dict[str, object]]:
    """Load the servers in turn; one row for each, of its median round."""
    rounds: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    for server in servers:
        server.load(pool, connections, 2)
    for _ in range(options.rounds):
        for server in servers:
            rounds[server.name].append(server.quiet_load(pool, connections, options))
    base = statistics.median(one["rate"] for one in rounds[BARE])
    rows: list[dict[str, object]] = []
    for server in servers:
        median = sorted(rounds[server.name], key=lambda one: one["rate"])[options.rounds // 2]
        rows.append(
            {
                "server": server.name,
                "body, bytes": size,
                "connections": connections,
                "req/s": round(median["rate"]),
                "all rounds": " ".join(str(round(one["rate"])) for one in rounds[server.name]),
                "p50 ms": median["p50_ms"],
                "p99 ms": median["p99_ms"],
                "CPU us/req": round(median["cpu_us"]),
                "of bare": f"{median['rate'] / base:.2f}",
                "others %": round(100 * median["others"]),
            }
        )
    return rows


def main() -> None:
    """Run everything and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 15_000])
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    # Told to stop, it stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"{machine()}; load: {'wrk' if shutil.which('wrk') else 'benchmarks/blast.py'}")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as bootstrap:
        directory = Path(name)
        bench = Bench(directory, bootstrap, STORES)
        settings = bench.settings()
        servers = start(bench, settings, options.processes)
        try:
            for wanted in options.sizes:
                pool = directory / f"pool-{wanted}"
                size = write_pool(pool, wanted)
                for connections in options.connections:
                    rows += compare(servers, pool, size, connections, options)
            ports = [admin_port(servers[2].port) + number for number in range(options.processes)]
            taken = [metric(port, "pipeline_gateway_requests_total") for port in ports]
            shares = ", ".join(f"{one / sum(taken):.0%}" for one in taken)
            print(f"requests by process of the gateway of several: {shares}")
        finally:
            for server in servers:
                server.worker.stop()
        found, answered = stored(settings, Kind.ORDER), sum(one.answered for one in servers[1:3])
        print(f"answered by the gateways: {answered}; found in their topic: {found}")
        assert found >= answered
    report(rows)


if __name__ == "__main__":
    main()
