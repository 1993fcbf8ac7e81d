"""The translate worker as processes on a real broker, and shops whose products change."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.kafka import topic_check, topics
from pipeline.kafka.keys import entity_key, partition_of_key, unique_key
from pipeline.kafka.settings import client_config
from tests.broker import KafkaSettings
from tests.integration.worker_process import WorkerProcess
from tests.local_http import http
from tests.processes import wait_until
from tests.settings_trees import store_tree, stores_tree
from tests.shopify import load

STORE = "acme-es"
TREE: dict[str, Any] = {
    "kafka": {"session_timeout": 6.0},
    "translate": {"retired_stores": ["gone"]},
    **stores_tree(**{STORE: store_tree(), "woo": store_tree("woocommerce", "woo", domain="woo.example")}),
}
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_PRODUCT = load("webhook-products_update-2024-04")


def product(number: int, version: int) -> RawEvent:
    """A product of Shopify as its `version`-th change left it."""
    said = {"id": 9_000_000 + number, "title": f"v{version}"}
    moment = _BEGINNING + timedelta(minutes=version)
    return RawEvent(
        store=STORE,
        platform="shopify",
        kind=Kind.PRODUCT,
        entity=str(said["id"]),
        topic="products/update",
        delivery=f"products/update:{number}.{version}",
        received_ms=1_800_000_000_000,
        body=orjson.dumps(_PRODUCT | said | {"updated_at": moment.isoformat()}),
    )


class Worker(WorkerProcess):
    """A translate worker as a process."""

    def __init__(
        self, config_path: Path, name: str, data_dir: Path | None, machine: Path | None = None
    ) -> None:
        self._config, self.name, self._data_dir = config_path, name, data_dir
        self._elsewhere: dict[str, str] = {}
        if machine is not None:
            self._data_dir = machine / "data"
            (machine / "tmp").mkdir(parents=True)
            self._elsewhere["TMPDIR"] = str(machine / "tmp")
        super().__init__()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pipeline", "worker", "translate", "--config", str(self._config)]
        elsewhere = {**self._elsewhere}
        if self._data_dir:
            elsewhere["PIPELINE__DATA_DIR"] = str(self._data_dir)
        command += ["--port", str(self.port), "--worker", self.name]
        return subprocess.Popen(command, env={**os.environ, **elsewhere})

    def is_ready(self) -> bool:
        """Whether it holds its partitions and their tables, and hears from Kafka."""
        with contextlib.suppress(httpx.HTTPError):
            return http.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10).status_code == 200
        return False

    def readiness(self) -> str:
        """What it says of that."""
        return http.get(f"http://127.0.0.1:{self.port}/readyz", timeout=10).text

    def account(self, series: str = "pipeline_account_events", label: str = "outcome") -> Counter[str]:
        """The exact account by one label; empty where nobody answers."""
        counts: Counter[str] = Counter()
        for sample in self.samples(series):
            counts[sample.labels[label]] += int(sample.value)
        return counts


class Environment:
    """A broker, workers, and what lies on the topics."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.settings: Settings = kafka(TREE)
        self.config_path = kafka.write(TREE)
        topic_check.ensure(self.settings)
        self._producer = Producer(client_config(self.settings))
        self.workers: list[Worker] = []
        self.produced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.kill()

    def worker(self, name: str = "w1", data_dir: Path | None = None, machine: Path | None = None) -> Worker:
        """Start a worker, with data of its own, as if on another machine, or in the settings' directory."""
        self.workers.append(Worker(self.config_path, name, data_dir, machine))
        return self.workers[-1]

    def lose(self, worker: Worker) -> None:
        """Delete what a dead worker had on disk."""
        shutil.rmtree(self.settings.data_dir / topics.TRANSLATE_APP / worker.name)

    def put(self, events: Iterable[RawEvent]) -> None:
        """Produce events, as the gateway does."""
        for event in events:
            self.put_raw(event.kind, unique_key(event.key), event.body, event.to_kafka_headers())
        assert self._producer.flush(30) == 0

    def put_raw(self, kind: Kind, key: bytes | None, value: bytes | None, headers: list[Any]) -> None:
        """Produce anything."""
        topic = topics.full_name(self.settings, kind.topic)
        about = entity_key(key or b"")
        partition = partition_of_key(about, self.settings.kafka.shop_partitions)
        self._producer.produce(topic, value, key, partition, headers=headers)
        self._producer.poll(0)
        self.produced += 1

    def counted(self) -> int:
        """Events in the account, over all workers."""
        return sum(sum(worker.account().values()) for worker in self.workers)

    def settle(self, seconds: float = 90) -> None:
        """Wait until every event is in the account."""
        wait_until(lambda: self.counted() >= self.produced, seconds)
        assert self.counted() == self.produced

    def messages(self, topic: str) -> Iterator[Message]:
        """Everything on a topic, partition by partition."""
        name = topics.full_name(self.settings, topic)
        consumer = Consumer({**client_config(self.settings), "group.id": "test"})
        try:
            count = len(consumer.list_topics(name, 10).topics[name].partitions)
            for number in range(count):
                place = TopicPartition(name, number, 0)
                end = consumer.get_watermark_offsets(place, 10)[1]
                consumer.assign([place])
                while end and (message := consumer.poll(10)) is not None:
                    yield message
                    if message.offset() + 1 >= end:
                        break
        finally:
            consumer.close()

    def told(self, topic: str) -> dict[str, dict[str, Any]]:
        """The last record of each id."""
        last: dict[str, dict[str, Any]] = {}
        for message in self.messages(topic):
            record = orjson.loads(message.value() or b"")
            last[record["id"]] = record
        return last


@contextlib.contextmanager
def running_environment(kafka: KafkaSettings) -> Iterator[Environment]:
    """A scene whose workers end with it."""
    with Environment(kafka) as environment:
        yield environment
