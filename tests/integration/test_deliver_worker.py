"""The whole deliver path on a real Kafka, checked against the sandbox's ledger."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from pipeline.kafka import topic_check
from tests.broker import KafkaSettings
from tests.integration.delivering import running_environment
from tests.local_http import http
from tests.processes import wait_until
from tests.simulation import expected_state
from tests.simulation.shop import Shop
from tests.simulation.shop_actions import ShopLoad

pytestmark = pytest.mark.kafka

#: Seconds after which a worker that says nothing is missed, and within which one that leaves is replaced. It
#: takes two or three; a machine that does other things as well gets some more.
SESSION, TAKEN_OVER = 60, 20


def test_records_of_two_accounts_reach_connectif_each_once(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings, "acme", "bolt") as environment:
        worker = environment.worker()
        for account in ("acme", "bolt"):
            shop = Shop(environment, account, wall=time.time)
            for number in range(150):
                shop.order(f"o{number}", f"c{number % 40}@example.com", f"p{number % 9}")
        environment.settle()
        for account in ("acme", "bolt"):
            expected_state.check_state(environment, account)
            environment.limit_kept(account)
        assert environment.accounted()["dead"] == 0
        page = f"http://127.0.0.1:{worker.port}/explain"
        found = http.get(page, params={"account": "acme"}).json()
        assert (found["account"], found["state"], found["next"]) == ("acme", "It runs.", [])
        unknown = http.get(page, params={"account": "coil"})
        assert (unknown.status_code, unknown.json()["accounts"]) == (404, ["acme", "bolt"])
        assert unknown.json()["error"] == "unknown_account"
        assert worker.stop() == 0
        assert " ERROR " not in worker.log()


def test_kill_9_under_load_leaves_nothing_missing_twice_or_old(kafka_settings: KafkaSettings) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable chance is the point
    with running_environment(kafka_settings, "acme", "bolt") as environment:
        worker = environment.worker()
        loads = [
            ShopLoad(Shop(environment, account, wall=time.time), seed)
            for seed, account in enumerate(("acme", "bolt"))
        ]
        environment.connectif.faults(
            {"effect": "timeout_after_store", "probability": 0.02, "seconds": 8},
            {"effect": "close_after_store", "probability": 0.03},
            {"effect": "error", "probability": 0.03},
        )
        for _ in range(4):
            for load in loads:
                load.act(60)
            wait_until(lambda: worker.records()["accepted"] > 0, 40)
            time.sleep(chance.uniform(0.2, 1.5))
            worker.kill()
            worker.restart()
        environment.connectif.faults_gone()
        environment.settle(90)
        for account in ("acme", "bolt"):
            expected_state.check_state(environment, account)
            environment.limit_kept(account)
        environment.accounted()


@pytest.mark.slow
def test_workers_that_join_and_leave_take_accounts_over_whole(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings, "acme", "bolt") as environment:
        first = environment.worker("w1")
        loads = [
            ShopLoad(Shop(environment, account, wall=time.time), seed)
            for seed, account in enumerate(("acme", "bolt"))
        ]
        for load in loads:
            load.act(100)
        wait_until(lambda: first.records()["delivered"] > 0, 40)
        second = environment.worker("w2")
        wait_until(lambda: second.records()["accepted"] > 0, 60)
        for load in loads:
            load.act(100)
        second.kill()
        environment.workers.remove(second)
        environment.settle(90)
        for account in ("acme", "bolt"):
            expected_state.check_state(environment, account)
            environment.limit_kept(account)
        environment.accounted()


def test_a_worker_that_is_stopped_leaves_its_accounts_to_the_others_at_once(
    kafka_settings: KafkaSettings,
) -> None:
    accounts = [f"acme-{number}" for number in range(6)]
    broker = {"account_partitions": 12, "session_timeout": SESSION}
    with running_environment(kafka_settings, *accounts, broker=broker) as environment:
        loads = [
            ShopLoad(Shop(environment, account, wall=time.time), seed)
            for seed, account in enumerate(accounts)
        ]

        def all_are_called_after(before: Counter[str]) -> bool:
            for load in loads:
                load.act(1)
            return set(environment.connectif.calls() - before) == set(accounts)

        for load in loads:
            load.act(20)
        workers = [environment.worker("w1"), environment.worker("w2")]
        wait_until(lambda: all(worker.calls() > 0 for worker in workers), 90, every=0.2)
        wait_until(lambda: all_are_called_after(Counter()), 60, every=0.5)

        gone = environment.workers.pop()
        began = time.monotonic()
        assert gone.stop() == 0
        ended = environment.connectif.calls()
        wait_until(lambda: all_are_called_after(ended), 2 * SESSION, every=0.5)
        assert time.monotonic() - began < TAKEN_OVER
        assert "was not left" not in gone.log()

        environment.settle(90)
        for account in accounts:
            expected_state.check_state(environment, account)
            environment.limit_kept(account)
        assert environment.accounted()["dead"] == 0


def test_a_topic_made_anew_under_a_counted_account_is_refused(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings, "acme") as environment:
        worker = environment.worker()
        Shop(environment, wall=time.time).order("o1", "ann@example.com", "p1")
        environment.settle()
        assert worker.stop() == 0
        name = environment.settings.kafka.topic_prefix + "connectif.purchases"
        kafka_settings.cluster.delete([name])
        wait_until(lambda: name not in kafka_settings.cluster.names())
        topic_check.ensure(environment.settings)
        worker.restart()
        wait_until(lambda: worker.exit_code() is not None, 40)
        assert worker.exit_code() != 0
        assert f"{name} partition" in worker.log()
        assert "made anew" in worker.log()
