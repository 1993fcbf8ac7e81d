"""The deliver worker as processes, on a real broker and a sandbox behind HTTP."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.kafka.keys import unique_key
from pipeline.kafka.topics import RECEIPTS
from pipeline.local.ports import free_port
from pipeline.records import Receipt, Record, partition_of, record_key
from tests.broker import KafkaSettings
from tests.integration.worker_process import WorkerProcess
from tests.local_http import http
from tests.processes import wait_until

#: Connectif's minute is a second: the worker is told so, and the sandbox.
SPEED = 60


class Connectif:
    """The sandbox as a process."""

    def __init__(self, config_path: Path, port: int, speed: float = SPEED) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._process = _pipeline("sandbox", config_path, port, "--speed", str(speed))
        wait_until(lambda: _answers(f"{self.url}/healthz"), 60)

    def ledger(self, account: str, kind: str) -> list[dict[str, Any]]:
        """Every element of a kind."""
        query = {"account": account, "kind": kind, "limit": "50000"}
        items: list[dict[str, Any]] = []
        while True:
            params = {**query, "offset": str(len(items))}
            page = http.get(f"{self.url}/_sandbox/ledger", params=params, timeout=30).json()[kind]
            items += page["items"]
            if len(items) >= page["total"]:
                return items

    def stats(self, account: str) -> dict[str, Any]:
        """Counts of an account."""
        found: dict[str, Any] = self._stats()[account]
        return found

    def calls(self) -> Counter[str]:
        """Calls that each account had."""
        return Counter({account: counts["calls_total"] for account, counts in self._stats().items()})

    def _stats(self) -> dict[str, Any]:
        found: dict[str, Any] = http.get(f"{self.url}/_sandbox/stats", timeout=30).json()["accounts"]
        return found

    def faults(self, *rules: dict[str, Any]) -> None:
        """Put rules in force."""
        http.post(f"{self.url}/_sandbox/faults", json=list(rules), timeout=30).raise_for_status()

    def switch(self, **switches: str | bool | float) -> None:
        """Let the API behave otherwise where its documents leave that open."""
        http.post(f"{self.url}/_sandbox/switches", json=switches, timeout=30).raise_for_status()

    def calls_of(self, account: str, method: str, route: str) -> int:
        """How many of an account's calls were of a route."""
        query = {"account": account, "calls": "1"}
        found = http.get(f"{self.url}/_sandbox/ledger", params=query, timeout=30).json()["calls"]
        items = found["items"] if isinstance(found, dict) else found
        return sum((one["method"], one["route"]) == (method, route) for one in items)

    def faults_gone(self) -> None:
        """Take all rules out of force."""
        http.delete(f"{self.url}/_sandbox/faults", timeout=30).raise_for_status()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Worker(WorkerProcess):
    """A deliver worker as a process."""

    def __init__(self, config_path: Path, name: str) -> None:
        self._config, self.name = config_path, name
        super().__init__()

    def _start(self) -> subprocess.Popen[bytes]:
        return _pipeline("worker", self._config, self.port, "--worker", self.name, "deliver")

    def log(self) -> str:
        """What it said."""
        return self._config.with_name(f"worker-{self.port}.log").read_text()

    def records(self) -> Counter[str]:
        """The account of records by outcome, with what is pending."""
        counts: Counter[str] = Counter()
        for sample in self.samples("pipeline_account_records"):
            counts[sample.labels["outcome"]] += int(sample.value)
        return counts

    def calls(self) -> int:
        """Calls it has made since it started."""
        return sum(
            int(sample.value)
            for sample in self.samples("pipeline_deliver_calls")
            if sample.name.endswith("_total")
        )


class Environment:
    """A broker, a sandbox, workers, and shops that talk.

    Args:
        kafka: settings on the session's broker.
        accounts: their names.
        per_minute: calls of each account's minute.
        speed: what that minute is divided by.
        broker: settings of the section `kafka`.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *accounts: str,
        per_minute: int = 200,
        speed: float = SPEED,
        broker: Mapping[str, Any] | None = None,
    ) -> None:
        port = free_port()
        tree = {
            "kafka": broker or {},
            "deliver": {"import_poll": 0.3, "import_min_rows": 10, "retry_max": 2.0, "call_timeout": 5.0},
            "accounts": {
                name: {
                    "api_key": f"{name}:secret",
                    "base_url": f"http://127.0.0.1:{port}",
                    "calls_per_minute": per_minute,
                    "window_seconds": 60 / speed,
                    "authorised_domains": ["https://shop.example"],
                }
                for name in accounts
            },
        }
        self.settings = kafka(tree)
        self.config_path = kafka.write(tree)
        self.connectif = Connectif(self.config_path, port, speed)
        self.workers: list[Worker] = []
        self.said: list[Record] = []
        self._producer = Producer({"bootstrap.servers": self.settings.kafka.bootstrap, "linger.ms": 5})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.kill()
        self.connectif.stop()

    def worker(self, name: str = "w1") -> Worker:
        """Start a worker."""
        worker = Worker(self.config_path, name)
        self.workers.append(worker)
        return worker

    def say(self, record: Record) -> None:
        """A record comes out of the translate stage."""
        self.said.append(record)
        self._producer.produce(
            self.settings.kafka.topic_prefix + record.kind.topic,
            record.model_dump_json().encode(),
            unique_key(record_key(record.account, record.kind, record.id)),
            partition_of(record.account, self.settings.kafka.account_partitions),
        )
        self._producer.poll(0)

    def settle(self, seconds: float = 60) -> None:
        """Wait until every record that was said has ended."""
        assert not self._producer.flush(10)
        wait_until(self._ended, seconds, every=0.2)

    def records(self) -> Counter[str]:
        """The account over all workers."""
        counts: Counter[str] = Counter()
        for worker in self.workers:
            counts += worker.records()
        return counts

    def _ended(self) -> bool:
        counts = self.records()
        return counts["accepted"] == len(self.said) and counts["pending"] == 0

    def accounted(self) -> Counter[str]:
        """The account over all workers; asserts the second identity."""
        counts = self.records()
        ends = ("delivered", "unchanged", "superseded", "dead")
        assert sum(counts[end] for end in ends) == counts["accepted"] == len(self.said)
        return counts

    def receipts(self) -> list[Receipt]:
        """Every receipt there is, partition by partition."""
        topic = self.settings.kafka.topic_prefix + RECEIPTS
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap,
                "group.id": "test",
                "enable.auto.commit": False,
            }
        )
        found: list[Receipt] = []
        try:
            for partition in range(self.settings.kafka.account_partitions):
                place = TopicPartition(topic, partition, 0)
                _, end = consumer.get_watermark_offsets(place, timeout=30)
                consumer.assign([place])
                while (left := end - max(0, consumer.position([place])[0].offset)) > 0:
                    # Asked for more than there are, it would wait for these.
                    found += [
                        Receipt.model_validate_json(message.value())
                        for message in consumer.consume(min(left, 5_000), timeout=1)
                    ]
        finally:
            consumer.close()
        return found

    def consent_log(self, _account: str) -> None:
        """Nobody withdraws in Connectif."""

    def fresh(self) -> float:
        """Seconds within which `subscribed` is told unasked."""
        return self.settings.deliver.consent_fresh

    def holds(self, kind: str, account: str) -> dict[str, dict[str, Any]]:
        """Bodies by key."""
        items = self.connectif.ledger(account, kind)
        return {item["key"]: item["body"] for item in items if not item["deleted"]}

    def made(self, kind: str, account: str) -> dict[str, int]:
        """How often each key was created."""
        return {item["key"]: item["creates"] for item in self.connectif.ledger(account, kind)}

    def limit_kept(self, account: str) -> None:
        """No call was over the limit."""
        stats = self.connectif.stats(account)
        assert stats["refused"] == 0
        assert stats["max_calls_in_any_window"] <= stats["limit"]


@contextlib.contextmanager
def running_environment(
    kafka: KafkaSettings,
    *accounts: str,
    per_minute: int = 200,
    speed: float = SPEED,
    broker: Mapping[str, Any] | None = None,
) -> Iterator[Environment]:
    """A scene that is cleared away."""
    with Environment(kafka, *accounts, per_minute=per_minute, speed=speed, broker=broker) as made:
        yield made


def _pipeline(command: str, config_path: Path, port: int, *rest: str) -> subprocess.Popen[bytes]:
    *options, last = rest if command == "worker" else (*rest, "")
    words = [command, last] if command == "worker" else [command]
    with config_path.with_name(f"{command}-{port}.log").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable,
                *("-m", "pipeline", *words),
                *("--config", str(config_path), "--port", str(port)),
                *options,
            ],
            stdout=log,
            stderr=log,
        )


def _answers(url: str) -> bool:
    try:
        return http.get(url, timeout=1).is_success
    except httpx.HTTPError:
        return False
