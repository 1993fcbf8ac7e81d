"""The whole translate path on a real Kafka: raw events to records, through crashes and moves."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from pipeline.errors import NameTakenError
from pipeline.events import Kind, RawEvent
from pipeline.kafka.topics import TRANSLATE_APP
from pipeline.local.broker import EmbeddedKafka
from pipeline.records import Record, RecordKind
from tests.broker import KafkaSettings
from tests.integration.translating import STORE, Environment, product, running_environment
from tests.processes import wait_until
from tests.shopify import delivered, load

pytestmark = pytest.mark.kafka


class ProductLoad:
    """Products that change; deliveries late, twice and out of order; and what must be told in the end."""

    def __init__(self, seed: int, products: int = 60) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self._versions = dict.fromkeys(range(products), 0)

    def events(self, count: int) -> Iterator[RawEvent]:
        """`count` events; every version is among them."""
        waiting: list[RawEvent] = []
        for _ in range(count):
            number = self._chance.randrange(len(self._versions))
            self._versions[number] += 1
            waiting.append(product(number, self._versions[number]))
            if self._chance.random() < 0.1:
                waiting.append(waiting[-1])
        for start in range(0, len(waiting), 20):
            late = waiting[start : start + 20]
            self._chance.shuffle(late)
            yield from late

    def check(self, environment: Environment) -> None:
        """The newest of each product was told last."""
        told = environment.told("connectif.products")
        newest = {
            str(9_000_000 + number): f"v{version}" for number, version in self._versions.items() if version
        }
        assert {record_id: record["body"]["name"] for record_id, record in told.items()} == newest


def test_every_message_ends_in_records_or_in_a_dead_letter(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings) as environment:
        order = load("webhook-orders_paid-2024-04") | {
            "cancelled_at": None,
            "test": False,
            "financial_status": "paid",
            "email": "A@b.example",
        }
        event = delivered("orders/paid", order)
        ours = [
            RawEvent(STORE, "shopify", event.kind, event.entity, event.topic, event.delivery, 5, event.body),
            RawEvent("gone", "shopify", event.kind, event.entity, event.topic, event.delivery, 5, event.body),
            RawEvent("woo", "woocommerce", Kind.ORDER, "7", "order.updated", "d", 5, b'{"truncated'),
        ]
        environment.put(ours)
        environment.put_raw(Kind.CUSTOMER, None, b"\x00\xff", [("pipeline-store", None)])
        worker = environment.worker()
        environment.settle()
        assert +worker.account() == {"accepted": 1, "rejected": 3}
        assert +worker.account("pipeline_account_reasons", "reason") == {
            "retired_store": 1,
            "invalid_json": 1,
            "not_an_event": 1,
        }
        records: TypeAdapter[Record] = TypeAdapter(Record)
        told = [
            records.validate_json(message.value() or b"")
            for kind in (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE)
            for message in environment.messages(kind.topic)
        ]
        assert {record.kind for record in told} == {
            RecordKind.CONTACT,
            RecordKind.PRODUCT,
            RecordKind.PURCHASE,
        }
        assert {record.source.topic for record in told} == {"shop.orders"}
        letters = {
            dict(message.headers() or [])["dead-reason"] for message in environment.messages("deadletters")
        }
        assert letters == {b"retired_store", b"invalid_json", b"not_an_event"}
        assert worker.stop() == 0
        worker.restart()
        wait_until(worker.is_ready, 60)
        assert sum(worker.account().values()) == environment.produced
        assert len(list(environment.messages("deadletters"))) == 3


def test_kill_9_at_any_moment_loses_nothing_and_counts_nothing_twice(kafka_settings: KafkaSettings) -> None:
    chance, products = random.Random(3), ProductLoad(3)  # noqa: S311 - not a secret
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        for _ in range(3):
            environment.put(products.events(1_500))
            before = environment.counted()
            wait_until(lambda before=before: environment.counted() > before, 60)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.6))
            worker.kill()
            worker.restart()
        environment.put(products.events(100))
        environment.settle()
        products.check(environment)
        assert worker.stop() == 0


@pytest.mark.slow
def test_workers_join_and_vanish_and_a_lost_directory_is_restored(kafka_settings: KafkaSettings) -> None:
    products = ProductLoad(5)
    with running_environment(kafka_settings) as environment:
        first = environment.worker("w1")
        environment.put(products.events(1_000))
        environment.settle()
        second = environment.worker("w2")
        wait_until(lambda: second.is_ready() and bool(second.account()), 90)
        environment.put(products.events(1_000))
        environment.settle()
        assert sum(first.account().values()) > 0
        environment.put(products.events(300))
        second.kill()
        environment.workers.remove(second)
        environment.lose(second)
        environment.settle()
        products.check(environment)

        account = first.account()
        assert first.stop() == 0
        environment.lose(first)
        first.restart()
        wait_until(first.is_ready, 60)
        assert first.account() == account
        environment.put([product(number, 1) for number in range(60)])
        environment.settle()
        again = first.account()
        assert again["stale"] + again["duplicate"] == account["stale"] + account["duplicate"] + 60
        products.check(environment)


@pytest.mark.slow
def test_a_worker_whose_kafka_hangs_is_not_ready_and_says_so(tmp_path: Path) -> None:
    with (
        EmbeddedKafka(tmp_path) as kafka,
        running_environment(KafkaSettings(kafka.bootstrap, tmp_path)) as environment,
    ):
        worker = environment.worker()
        wait_until(worker.is_ready, 60)
        for pid in kafka.pids.values():
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: "Kafka has not answered for" in worker.readiness(), 30)
            assert not worker.is_ready()
        finally:
            for pid in kafka.pids.values():
                os.kill(pid, signal.SIGCONT)


def test_a_second_worker_of_a_name_ends_and_the_first_goes_on(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        wait_until(worker.is_ready, 60)
        seconds = [
            environment.worker(),  # in the same directory
            environment.worker(data_dir=tmp_path / "beside"),
            environment.worker(machine=tmp_path / "elsewhere"),
        ]
        assert [second.wait() for second in seconds] == [NameTakenError.exit_code] * 3
        environment.workers = [worker]
        environment.put([product(1, 1)])
        environment.settle()
        assert worker.stop() == 0


def test_a_worker_that_lost_its_directory_gets_its_place_back_at_once(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        wait_until(worker.is_ready, 60)
        worker.kill()
        environment.lose(worker)
        worker.restart()
        wait_until(worker.is_ready, environment.settings.kafka.session_timeout - 1)


def test_a_worker_whose_place_another_took_ends_for_good(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        wait_until(worker.is_ready, 60)
        mine = Path(TRANSLATE_APP) / worker.name / "member"
        copied = tmp_path / "elsewhere" / "data" / mine
        copied.parent.mkdir(parents=True)
        shutil.copy(
            environment.settings.data_dir / mine, copied
        )  # so it takes itself for the first one's next life
        other = environment.worker(machine=tmp_path / "elsewhere")
        assert worker.wait() == NameTakenError.exit_code
        environment.workers = [other]
        environment.put([product(1, 1)])
        environment.settle()
