"""`pipeline replay` on a real broker: what Connectif lost is there again, whatever is killed meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Producer

from pipeline.events import Kind, RawEvent
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.local.ports import free_port
from tests.broker import KafkaSettings
from tests.integration import delivering, translating
from tests.integration.operating import shopify_order
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

STORE = "acme-es"
ORDERS = 120
#: Calls that look at imports, at most.
LOOKS = 5


class Site:
    """A broker, a sandbox, a worker of each stage, and the command."""

    def __init__(self, kafka: KafkaSettings, extra: Mapping[str, Any]) -> None:
        port = free_port()
        tree: dict[str, Any] = {
            **extra,
            "kafka": {"session_timeout": 6.0},
            "deliver": {"import_poll": 0.3, "import_min_rows": 10, "retry_max": 2.0, "call_timeout": 5.0},
            "accounts": {
                "acme": {
                    "api_key": "acme:secret",
                    "base_url": f"http://127.0.0.1:{port}",
                    "calls_per_minute": 100,
                    "window_seconds": 1.0,
                }
            },
            "stores": {
                STORE: {"platform": "shopify", "account": "acme", "domain": "acme.example", "secrets": ["s"]}
            },
        }
        self.settings = kafka(tree)
        self.path = kafka.write(tree)
        self.connectif = delivering.Connectif(self.path, port)
        self.translate = translating.Worker(self.path, "t1", None)
        self.deliver = delivering.Worker(self.path, "d1")
        self._producer = Producer({**client_config(self.settings), "partitioner": "murmur2_random"})

    def close(self) -> None:
        """End everything."""
        self.translate.kill()
        self.deliver.kill()
        self.connectif.stop()

    def say(self, number: int, topic: str = "orders/paid", **changes: Any) -> None:
        """What the shop says of an order."""
        body = shopify_order(number, **changes)
        event = RawEvent(
            store=STORE,
            platform="shopify",
            kind=Kind.ORDER,
            entity=str(number),
            topic=topic,
            delivery=f"{topic}:{number}:{len(changes)}",
            received_ms=1_800_000_000_000,
            body=orjson.dumps(body),
        )
        name = full_name(self.settings, Kind.ORDER.topic)
        self._producer.produce(name, event.body, event.key, headers=list(event.to_kafka_headers()))
        assert self._producer.flush(10) == 0

    def purchases(self) -> dict[str, int]:
        """The purchases that the account holds, and how often each was created."""
        items = self.connectif.ledger("acme", "purchases")
        return {item["key"]: item["creates"] for item in items if not item["deleted"]}

    def lose_everything(self) -> None:
        """Empty the account."""
        answer = httpx.post(f"{self.connectif.url}/_sandbox/reset", json={"account": "acme"}, timeout=30)
        answer.raise_for_status()
        assert self.purchases() == {}

    def ranges(self) -> list[str]:
        """What the orders' topic holds, as `--offsets` takes it."""
        with RangeReader(client_config(self.settings)) as reader:
            found = reader.ranges(full_name(self.settings, Kind.ORDER.topic))
        return [f"shop.orders:{read.place.partition}:{read.start}-{read.end - 1}" for read in found]

    def replay(self, *words: str) -> subprocess.Popen[bytes]:
        """Start the command."""
        command = [sys.executable, "-m", "pipeline", "replay", *words, "--config", str(self.path)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "200"}
        )

    def replayed(self, *words: str) -> dict[str, Any]:
        """Run the command to its end; what it says as JSON."""
        with self.replay(*words, "--json") as process:
            out, err = process.communicate(timeout=120)
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

    def ended(self) -> bool:
        """Whether no record is pending, of those there are."""
        counts = self.deliver.records()
        return counts["accepted"] > 0 and counts["pending"] == 0


@contextlib.contextmanager
def site(kafka: KafkaSettings, extra: Mapping[str, Any] = MappingProxyType({})) -> Iterator[Site]:
    """A site that is cleared away; `extra` is of its settings."""
    made = Site(kafka, extra)
    try:
        yield made
    finally:
        made.close()


def test_orders_that_connectif_lost_are_there_again_and_what_was_cancelled_since_is_not(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.say(number)
        wait_until(lambda: len(play.purchases()) == ORDERS, 60, every=0.2)
        ranges = [word for offsets in play.ranges() for word in ("--offsets", offsets)]
        moment = "2026-11-24T10:00:00Z"
        play.say(7, "orders/cancelled", cancelled_at=moment, updated_at=moment)
        wait_until(lambda: len(play.purchases()) == ORDERS - 1, 60, every=0.2)
        before = set(play.purchases())
        wait_until(play.ended, 30, every=0.2)

        found = play.replayed("start", *ranges, "--dry-run", "--force")
        assert found["events"] == {"accepted": ORDERS}
        assert found["records"]["acme"]["purchase"] == {"same": ORDERS}

        found = play.replayed("start", *ranges)
        assert (found["status"], found["events_repeated"], found["delivered"]) == ("done", ORDERS, 0)
        assert play.purchases() == dict.fromkeys(before, 1), "Connectif was told all of it before"

        play.lose_everything()
        found = play.replayed("start", *ranges, "--force")
        assert (found["status"], found["events_repeated"], found["dead"]) == ("done", ORDERS, 0)
        assert play.purchases() == dict.fromkeys(before, 1), "each is created once, the cancelled one is not"
        calls = play.connectif.stats("acme")["calls_total"]
        # A call for each purchase, at most one for its contact and one for its product, and looks at imports.
        assert calls <= 3 * ORDERS + LOOKS
        assert play.translate.account()["accepted"] == ORDERS + 1, "a replay is not counted as received"
        assert [run["status"] for run in play.runs()] == ["done", "done"]


def test_a_replay_goes_on_after_its_process_and_the_workers_were_killed(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.say(number)
        wait_until(lambda: len(play.purchases()) == ORDERS, 60, every=0.2)
        wait_until(play.ended, 30, every=0.2)
        before = set(play.purchases())
        play.lose_everything()

        first = play.replay("start", "--force", "--store", STORE, "--per-minute", "400")
        wait_until(lambda: any(run["offsets_done"] for run in play.runs()), 60, every=0.1)
        assert len(play.purchases()) < ORDERS
        first.kill()
        first.communicate()
        play.translate.kill()
        play.deliver.kill()
        [run] = play.runs()
        assert 0 < run["offsets_done"] < run["offsets"]
        play.translate.restart()
        play.deliver.restart()
        found = play.replayed("resume", run["run"])
        assert found["status"] == "done"
        assert set(play.purchases()) == before
        assert set(play.purchases().values()) == {1}


@pytest.mark.slow
def test_a_detached_replay_is_limited_paused_resumed_and_cancelled_from_any_terminal(
    kafka_settings: KafkaSettings,
) -> None:
    with site(kafka_settings) as play:
        for number in range(1, ORDERS + 1):
            play.say(number)
        wait_until(lambda: len(play.purchases()) == ORDERS, 60, every=0.2)
        wait_until(play.ended, 30, every=0.2)
        play.lose_everything()

        with play.replay("start", "--force", "--detach", "--per-minute", "300") as process:
            name = process.communicate(timeout=60)[0].decode().strip()
        wait_until(lambda: 0 < play.runs()[0]["events_repeated"] < ORDERS, 60, every=0.1)
        play.run("pause", name)
        wait_until(lambda: play.runs()[0]["status"] == "paused", 20, every=0.1)
        at = play.runs()[0]["events_repeated"]
        wait_until(lambda: len(play.purchases()) == at, 30, every=0.2)
        play.run("throttle", name, "180")
        assert play.runs()[0]["events_repeated"] == at < ORDERS, "nothing is repeated while it is paused"
        play.run("resume", name)
        wait_until(lambda: play.runs()[0]["events_repeated"] > at, 30, every=0.1)
        play.run("cancel", name)
        wait_until(lambda: play.runs()[0]["status"] == "cancelled", 20, every=0.1)
        assert play.runs()[0]["events_repeated"] < ORDERS
