"""A shop, a broker, a sandbox, a worker of each stage, and `pipeline replay`, as an operator has them."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from pipeline.events import Kind, RawEvent
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.local.ports import free_port
from tests.broker import KafkaSettings
from tests.integration import delivering, translating
from tests.integration.operating import shopify_order
from tests.local_http import http

STORE = "acme-es"


class Site:
    """A broker, a sandbox, a worker of each stage, and the command."""

    def __init__(
        self,
        kafka: KafkaSettings,
        calls_per_minute: int = 100,
        speed: float = delivering.SPEED,
        **deliver: Any,
    ) -> None:
        port = free_port()
        tree: dict[str, Any] = {
            "kafka": {"session_timeout": 6.0},
            "deliver": {
                "import_poll": 0.3,
                "import_min_rows": 10,
                "retry_max": 2.0,
                "call_timeout": 5.0,
                **deliver,
            },
            "accounts": {
                "acme": {
                    "api_key": "acme:secret",
                    "base_url": f"http://127.0.0.1:{port}",
                    "calls_per_minute": calls_per_minute,
                    "window_seconds": 60 / speed,
                }
            },
            "stores": {
                STORE: {"platform": "shopify", "account": "acme", "domain": "acme.example", "secrets": ["s"]}
            },
        }
        self.tree = tree
        self.kafka = kafka
        self.settings = kafka(tree)
        self.path = kafka.write(tree)
        self.connectif = delivering.Connectif(self.path, port, speed)
        self.translate = translating.Worker(self.path, "t1", None)
        self.deliver = delivering.Worker(self.path, "d1")
        self._producer = Producer({**client_config(self.settings), "partitioner": "murmur2_random"})

    def close(self) -> None:
        """End everything."""
        self.translate.kill()
        self.deliver.kill()
        self.connectif.stop()

    def decide(self, **changes: Any) -> None:
        """Change settings of the store; translate works by them from now on."""
        self.tree["stores"][STORE] |= changes
        self.path = self.kafka.write(self.tree)
        assert self.translate.stop() == 0
        self.translate.restart()

    def say(self, number: int, topic: str = "orders/paid", **changes: Any) -> None:
        """What the shop says of an order."""
        self.put(number, topic, changes)
        self.flush()

    def flush(self) -> None:
        """Wait until Kafka has what was put."""
        assert self._producer.flush(120) == 0

    def put(
        self,
        number: int,
        topic: str = "orders/paid",
        changes: Mapping[str, Any] | None = None,
        received_ms: int = 1_800_000_000_000,
    ) -> None:
        """The same, without waiting for Kafka."""
        changes = changes or {}
        body = shopify_order(number, **changes)
        event = RawEvent(
            store=STORE,
            platform="shopify",
            kind=Kind.ORDER,
            entity=str(number),
            topic=topic,
            delivery=f"{topic}:{number}:{len(changes)}",
            received_ms=received_ms,
            body=orjson.dumps(body),
        )
        name = full_name(self.settings, Kind.ORDER.topic)
        while True:
            try:
                self._producer.produce(name, event.body, event.key, headers=list(event.to_kafka_headers()))
            except BufferError:
                self._producer.poll(0.1)
            else:
                break
        self._producer.poll(0)

    def held(self) -> dict[str, dict[str, Any]]:
        """What the account holds: kind -> key -> body, without what Connectif makes up for itself."""
        return {
            kind: {item["key"]: _own(item["body"]) for item in self._items(kind) if not item["deleted"]}
            for kind in ("contacts", "products", "purchases")
        }

    def count(self, kind: str = "purchases") -> int:
        """How many the account holds."""
        return int(self.connectif.stats("acme")["counts"][kind])

    def _items(self, kind: str) -> Iterator[dict[str, Any]]:
        query = {"account": "acme", "kind": kind, "limit": "50000"}
        for offset in itertools.count(0, 50_000):
            answer = http.get(
                f"{self.connectif.url}/_sandbox/ledger", params={**query, "offset": str(offset)}, timeout=120
            )
            items = answer.raise_for_status().json()[kind]["items"]
            yield from items
            if not items:
                break

    def purchases(self) -> dict[str, int]:
        """The purchases that the account holds, and how often each was created."""
        return {item["key"]: item["creates"] for item in self._items("purchases") if not item["deleted"]}

    def lose_everything(self) -> None:
        """Empty the account."""
        answer = http.post(f"{self.connectif.url}/_sandbox/reset", json={"account": "acme"}, timeout=30)
        answer.raise_for_status()
        assert self.held() == {"contacts": {}, "products": {}, "purchases": {}}

    def ranges(self) -> list[str]:
        """What the orders' topic holds, as `--offsets` takes it."""
        with RangeReader(client_config(self.settings)) as reader:
            found = reader.ranges(full_name(self.settings, Kind.ORDER.topic))
        return [f"shop.orders:{read.place.partition}:{read.start}-{read.end - 1}" for read in found]

    def replay(self, *words: str) -> subprocess.Popen[bytes]:
        """Start the command."""
        return command(self.path, *words)

    def printed(self, *words: str) -> list[str]:
        """Run the command to its end; the lines that it prints."""
        with self.replay(*words) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        return out.decode().splitlines()

    def replayed(self, *words: str, timeout: float = 120) -> dict[str, Any]:
        """Run the command to its end; what it says as JSON."""
        with self.replay(*words, "--json") as process:
            out, err = process.communicate(timeout=timeout)
        assert process.returncode == 0, err.decode()
        found: dict[str, Any] = orjson.loads(out)
        return found

    def runs(self) -> list[dict[str, Any]]:
        """`pipeline replay list`."""
        with self.replay("list", "--json") as process:
            out, _ = process.communicate(timeout=60)
        found: list[dict[str, Any]] = orjson.loads(out)
        return found

    def run(self, *words: str) -> None:
        """Run a command that says nothing."""
        with self.replay(*words) as process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()

    def calls(self) -> Counter[str]:
        """Calls that the deliver worker made, by purpose."""
        counts: Counter[str] = Counter()
        for sample in self.deliver.samples("pipeline_deliver_calls"):
            if sample.name.endswith("_total"):
                counts[sample.labels["purpose"]] += int(sample.value)
        return counts

    def trouble(self) -> set[tuple[str, str]]:
        """Replays that do not get on, and why, as translate exports it."""
        samples = self.translate.samples("pipeline_replay_trouble")
        return {(sample.labels["run"], sample.labels["trouble"]) for sample in samples if sample.value}

    def ended(self) -> bool:
        """Whether no record is pending, of those there are."""
        counts = self.deliver.records()
        return counts["accepted"] > 0 and counts["pending"] == 0


def command(path: Path, *words: str) -> subprocess.Popen[bytes]:
    """`pipeline replay`, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "replay", *words, "--config", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
    )


@contextlib.contextmanager
def site(kafka: KafkaSettings, **options: Any) -> Iterator[Site]:
    """A site that is cleared away; options as of `Site`."""
    made = Site(kafka, **options)
    try:
        yield made
    finally:
        made.close()


#: Of what Connectif holds: its own ids, and whether workflows ran.
_NOT_OURS = frozenset({"contactId", "triggerPurchaseEvent", "id"})


def _own(body: Any) -> Any:
    """A body without what Connectif makes up for itself."""
    if isinstance(body, dict):
        return {name: _own(value) for name, value in body.items() if name not in _NOT_OURS}
    return [_own(value) for value in body] if isinstance(body, list) else body
