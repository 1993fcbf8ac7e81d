"""Broker, topics, processes and clocks for the benchmarks of the stages."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tomli_w import dumps

from pipeline import config
from pipeline.config import Settings
from pipeline.events import RawEvent
from pipeline.kafka import topic_check, topics
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.local.broker import EmbeddedKafka
from pipeline.local.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = str(Path(sys.executable).with_name("pipeline"))


@contextlib.contextmanager
def broker(directory: Path) -> Iterator[str]:
    """The bootstrap address of a broker of our own, or of `BENCH_BOOTSTRAP`."""
    configured = os.environ.get("BENCH_BOOTSTRAP")
    if configured:
        yield configured
        return
    flush = bool(os.environ.get("BENCH_FLUSH"))
    with EmbeddedKafka(directory, heap="1g", flush_each_message=flush) as kafka:
        yield kafka.bootstrap


def broker_cpu_seconds() -> float:
    """User and system time so far of the brokers this process started; 0 where `BENCH_BOOTSTRAP` has one."""
    brokers = [child for child in psutil.Process().children() if child.name() == "java"]
    return float(sum(sum(child.cpu_times()[:2]) for child in brokers))


@dataclass(slots=True)
class Bench:
    """One run's settings, under a topic prefix of its own; `path` is their file."""

    directory: Path
    bootstrap: str
    tree: dict[str, Any]
    prefix: str = field(default_factory=lambda: f"b{time.time_ns():x}-")

    @property
    def path(self) -> Path:
        """The settings file."""
        return self.directory / f"{self.prefix}pipeline.toml"

    def settings(self, **kafka: int) -> Settings:
        """Write the settings file, create the topics, and return the settings."""
        tree = {
            "data_dir": str(self.directory / f"{self.prefix}data"),
            "kafka": {"bootstrap": self.bootstrap, "topic_prefix": self.prefix, **kafka},
            **self.tree,
        }
        self.path.write_text(dumps(tree), encoding="utf-8")
        settings = config.load(self.path)
        topic_check.ensure(settings)
        return settings


def produce(settings: Settings, events: Iterable[RawEvent]) -> int:
    """Put events into the shop topics; returns how many."""
    producer = Producer(
        {"bootstrap.servers": settings.kafka.bootstrap},
        max_message_bytes=settings.kafka.max_message_bytes,
        queue_messages=1_000_000,
    )
    count = 0

    def messages() -> Iterator[Outgoing]:
        nonlocal count
        for count, event in enumerate(events, 1):  # noqa: B007 - the last one is returned
            topic = topics.full_name(settings, event.kind.topic)
            yield Outgoing(topic, event.body, event.key, headers=event.to_kafka_headers())

    producer.send_all(messages())
    return count


class Worker:
    """A process under test, with its metrics."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.started = time.perf_counter()
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=self._log, stderr=self._log, env={**os.environ, **(env or {})}
        )
        self._watch = psutil.Process(self.process.pid)

    def cpu_seconds(self) -> float:
        """User and system time so far, with that of the processes it started and that run."""
        times = [one.cpu_times() for one in (self._watch, *self._watch.children(recursive=True))]
        return float(sum(one.user + one.system for one in times))

    def rss_mb(self) -> float:
        """Resident memory now."""
        return float(self._watch.memory_info().rss / 1e6)

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def check(self) -> None:
        """Raise where the process ended by itself."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}; see {self._log.name}")


def translate_worker(bench: Bench, port: int, name: str = "1") -> Worker:
    """Start `pipeline worker translate`."""
    command = [PIPELINE, "worker", "translate", "--config", str(bench.path), "--port", str(port)]
    return Worker([*command, "--worker", name], bench.directory / f"translate-{name}.log")


def metric(port: int, name: str) -> float:
    """The sum of a series over its labels; 0 where nobody answers yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return 0.0
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def wait_for(what: Callable[[], bool], timeout: float, every: float = 0.05) -> float:
    """Wait until `what` holds; returns how long it took, in seconds."""
    start = time.perf_counter()
    while not what():
        if time.perf_counter() - start > timeout:
            raise TimeoutError(f"not within {timeout} s")
        time.sleep(every)
    return time.perf_counter() - start


def machine() -> str:
    """What this runs on, for the table of results."""
    load = os.getloadavg()[0]
    memory = psutil.virtual_memory().total / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {python}, load average before: {load:.1f}"


def report(rows: list[dict[str, object]]) -> None:
    """Print rows as a Markdown table, and as JSON for tools."""
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
    print(json.dumps(rows))


__all__ = [
    "Bench",
    "Worker",
    "broker",
    "broker_cpu_seconds",
    "free_port",
    "machine",
    "metric",
    "produce",
    "report",
    "translate_worker",
    "wait_for",
]
