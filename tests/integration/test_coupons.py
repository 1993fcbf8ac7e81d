"""`pipeline coupons` on a real broker: codes from files and topics to a sandbox's sets, and what was used."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import NewTopic

from pipeline.kafka import topics
from pipeline.local.ports import free_port
from pipeline.records import CouponRecord, CouponUse, Source, partition_of
from tests.broker import KafkaSettings
from tests.integration.delivering import SPEED, Connectif, Worker
from tests.local_http import http
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

TO = ("--account", "acme", "--set")


class Counter:
    """The command, on the settings of a test."""

    def __init__(self, kafka: KafkaSettings, path: Path) -> None:
        self.kafka = kafka
        self.path = path

    def __call__(self, *args: str, given: bytes = b"") -> tuple[int, str, str]:
        """Exit code, output and messages."""
        command = [sys.executable, "-m", "pipeline", "coupons", *args, "--config", str(self.path)]
        done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def add(self, *args: str, to: str = "s1", given: str = "") -> dict[str, Any]:
        """Codes from standard input, or as the arguments say."""
        code, output, said = self("add", *TO, to, "--json", *args, given=given.encode())
        assert output, said
        report: dict[str, Any] = json.loads(output)
        assert code == (1 if report["bad"] else 0)
        return report

    def queued(self) -> list[CouponRecord]:
        """What lies in `connectif.coupons`."""
        topic = self.kafka.prefix + "connectif.coupons"
        found = read(self.kafka, topic)
        assert {partition for partition, _ in found} == {partition_of("acme", 2)}
        return [CouponRecord.model_validate_json(value) for _, value in found]


def read(kafka: KafkaSettings, topic: str) -> list[tuple[int, bytes]]:
    """Partition and value of every message of a topic."""
    settings = kafka(create=False)
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap, "group.id": "test", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found = []
    end = time.monotonic() + 10
    while time.monotonic() < end:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            found.append((message.partition() or 0, message.value() or b""))
            end = time.monotonic() + 1.5
    consumer.close()
    return found


def write(kafka: KafkaSettings, topic: str, *values: bytes) -> None:
    """Messages into a topic."""
    producer = Producer({"bootstrap.servers": kafka(create=False).kafka.bootstrap})
    for value in values:
        producer.produce(topic, value)
    assert not producer.flush(10)


@pytest.fixture(name="counter")
def _counter(kafka_settings: KafkaSettings) -> Counter:
    """Accounts without workers."""
    account = {"api_key": "acme:secret", "base_url": "http://127.0.0.1:9"}
    tree = {"accounts": {"acme": account, "other": account}}
    kafka_settings(tree)
    return Counter(kafka_settings, kafka_settings.write(tree))


def test_codes_of_a_file_become_records_in_the_accounts_partition(counter: Counter, tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    file.write_text("id;code\n1;A\n2;B\n3;A\n\n")
    code, output, said = counter("add", *TO, "s1", str(file))
    assert (code, output) == (0, "")
    assert "left out: line 4: the same as line 2" in said
    assert "2 codes added to set s1" in said
    records = counter.queued()
    assert [(record.id, record.body.code) for record in records] == [("s1/A", "A"), ("s1/B", "B")]
    assert {record.account for record in records} == {"acme"}


def test_a_file_with_what_is_no_code_adds_nothing_unless_told_to(counter: Counter) -> None:
    text = "A\nB\x07\nC\n"
    refused = counter.add(given=text)
    assert (refused["added"], refused["bad"]) == (
        0,
        [{"place": "line 2", "why": "contains control characters"}],
    )
    assert counter.add("--skip-bad", given=text)["added"] == 2
    assert [record.body.code for record in counter.queued()] == ["A", "C"]


@pytest.mark.slow
def test_a_topic_is_read_on_from_where_it_was_read_to(counter: Counter) -> None:
    topic = counter.kafka.prefix + "shop-codes"
    counter.kafka.cluster.create([NewTopic(topic, 2, 1)])
    counter.kafka.cluster.await_leaders([topic])
    write(counter.kafka, topic, b"A", b'{"code": "B"}')
    assert counter.add("--from-topic", topic)["added"] == 2
    assert counter.add("--from-topic", topic)["added"] == 0
    write(counter.kafka, topic, b"C", b'{"coupon": "D"}')
    refused = counter.add("--from-topic", topic)
    assert (refused["added"], len(refused["bad"])) == (0, 1)
    assert counter.add("--from-topic", topic, "--skip-bad")["added"] == 1, "what was refused is read again"
    assert counter.add("--from-topic", topic)["added"] == 0
    assert sorted(record.body.code for record in counter.queued()) == ["A", "B", "C"]


def test_what_cannot_be_is_said_with_the_way_out(counter: Counter) -> None:
    code, _, said = counter("add", *TO, "s1", "--from-topic", "nowhere")
    assert (code, "there is no topic nowhere" in said) == (1, True)
    code, _, said = counter("add", "--account", "nobody", "--set", "s1")
    assert (code, "there are: acme, other" in said) == (2, True)
    code, _, said = counter("used", "--account", "acme", "--csv", "--json")
    assert (code, "exclude each other" in said) == (2, True)


def test_used_codes_are_exported(counter: Counter) -> None:
    def use(code: str, order: str, version: int, *, used: bool = True, account: str = "acme") -> bytes:
        said = CouponUse(
            account=account,
            store="shop",
            purchase_id=order,
            code=code,
            used=used,
            purchase_date=f"2026-03-0{order}T10:00:00Z" if used else None,
            version=version,
            source=Source(topic="shop.orders", partition=0, offset=version),
            received_ms=version,
        )
        return said.model_dump_json().encode()

    topic = counter.kafka.prefix + topics.COUPONS_USED
    said = [
        use("A", "1", 1),
        use("A", "1", 1),
        use("B", "2", 2),
        use("C", "3", 3),
        use("X", "1", 4, account="other"),
    ]
    write(counter.kafka, topic, *said, b"\xff{", use("B", "2", 5, used=False), b'{"version": 1e99}')
    code, output, told = counter("used", "--account", "acme", "--json")
    assert code == 0
    assert "2 messages are not uses of a code and are left out" in " ".join(told.split())
    assert json.loads(output) == [
        {"code": "A", "purchase_id": "1", "store": "shop", "purchase_date": "2026-03-01T10:00:00Z"},
        {"code": "C", "purchase_id": "3", "store": "shop", "purchase_date": "2026-03-03T10:00:00Z"},
    ]
    _, output, _ = counter("used", "--account", "acme", "--csv", "--since", "2026-03-02")
    assert [row["code"] for row in csv.DictReader(io.StringIO(output))] == ["C"]
    _, output, _ = counter("used", "--account", "acme")
    assert "2 codes used, account acme" in output


@pytest.mark.slow
def test_codes_reach_their_sets_each_once_through_kill_9(kafka_settings: KafkaSettings) -> None:
    port = free_port()
    account = {
        "api_key": "acme:secret",
        "base_url": f"http://127.0.0.1:{port}",
        "calls_per_minute": 200,
        "window_seconds": 60 / SPEED,
    }
    plain = {"deliver": {"import_poll": 0.3}, "accounts": {"acme": account}}
    kafka_settings(plain)
    connectif = Connectif(kafka_settings.write(plain), port)
    workers: list[Worker] = []
    try:
        spring = http.get(
            f"{connectif.url}/coupon-sets/", headers={"Authorization": "apiKey acme:secret"}
        ).json()["results"][0]["id"]
        seed = {"account": "acme", "name": "At once"}
        at_once = http.post(f"{connectif.url}/_sandbox/coupon-sets", json=seed).json()["id"]
        watched = account | {"coupons": {"spring": {"set_id": spring, "low": 20, "batch": 50}}}
        counter = Counter(kafka_settings, kafka_settings.write(plain | {"accounts": {"acme": watched}}))
        worker = Worker(counter.path, "w1")
        workers.append(worker)

        def held(set_id: str) -> list[int]:
            items = connectif.ledger("acme", "coupons")
            return [item["creates"] for item in items if item["body"]["couponSetId"] == set_id]

        for _ in range(2):
            counter.add(to=at_once, given="\n".join(f"N{number}" for number in range(100)))
            report = counter.add(to="spring", given="\n".join(f"S{number}" for number in range(120)))
            assert report["kept_as_stock"]
        wait_until(lambda: worker.records()["accepted"] > 0, 40)
        worker.kill()
        worker.restart()
        wait_until(lambda: len(held(at_once)) == 100, 60)
        wait_until(lambda: len(held(spring)) > 0, 60)
        worker.kill()
        worker.restart()
        wait_until(lambda: worker.records()["accepted"] == 440, 60)
        # Told after all that waits: once it is there, the worker has dealt with what was left of the others.
        counter.add(to=at_once, given="LAST")
        wait_until(lambda: len(held(at_once)) == 101, 60)
        wait_until(lambda: worker.records()["accepted"] == 441, 60)
        wait_until(lambda: worker.records()["delivered"] in {101, 151}, 60)
        assert held(at_once) == [1] * 101
        assert held(spring) == [1] * 50
        counts = worker.records()
        assert counts["dead"] == 0
        # Those that the first worker saw no end of stay with the stock, until it is their turn again.
        assert counts["delivered"] in {101, 151}
        assert counts["delivered"] + counts["pending"] == 221
    finally:
        for one in workers:
            one.kill()
        connectif.stop()
