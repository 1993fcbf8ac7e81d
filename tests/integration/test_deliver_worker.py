"""The whole deliver path on a real Kafka, judged by the sandbox's ledger."""

from __future__ import annotations

import random
import time

import httpx
import pytest

from pipeline.kafka import topic_check
from tests.broker import KafkaSettings
from tests.integration.delivering import scene
from tests.processes import wait_until
from tests.simulation import oracle
from tests.simulation.shop import Shop
from tests.simulation.shop_actions import FaultRun

pytestmark = pytest.mark.kafka


def test_records_of_two_accounts_reach_connectif_each_once(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings, "acme", "bolt") as play:
        worker = play.worker()
        for account in ("acme", "bolt"):
            shop = Shop(play, account, wall=time.time)
            for number in range(150):
                shop.order(f"o{number}", f"c{number % 40}@example.com", f"p{number % 9}")
        play.settle()
        for account in ("acme", "bolt"):
            oracle.judge(play, account)
            play.limit_kept(account)
        assert play.accounted()["dead"] == 0
        page = f"http://127.0.0.1:{worker.port}/explain"
        found = httpx.get(page, params={"account": "acme"}).json()
        assert (found["account"], found["state"], found["next"]) == ("acme", "It runs.", [])
        unknown = httpx.get(page, params={"account": "coil"})
        assert (unknown.status_code, unknown.json()["accounts"]) == (404, ["acme", "bolt"])
        assert "ask the others" in unknown.json()["hint"]
        assert worker.stop() == 0
        assert " ERROR " not in worker.log()


def test_kill_9_under_load_leaves_nothing_missing_twice_or_old(kafka_settings: KafkaSettings) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable chance is the point
    with scene(kafka_settings, "acme", "bolt") as play:
        worker = play.worker()
        storms = [
            FaultRun(Shop(play, account, wall=time.time), seed)
            for seed, account in enumerate(("acme", "bolt"))
        ]
        play.connectif.faults(
            {"effect": "timeout_after_store", "probability": 0.02, "seconds": 8},
            {"effect": "close_after_store", "probability": 0.03},
            {"effect": "error", "probability": 0.03},
        )
        for _ in range(4):
            for storm in storms:
                storm.rage_at_once(60)
            wait_until(lambda: worker.records()["accepted"] > 0, 40)
            time.sleep(chance.uniform(0.2, 1.5))
            worker.kill()
            worker.restart()
        play.connectif.faults_gone()
        play.settle(90)
        for account in ("acme", "bolt"):
            oracle.judge(play, account)
            play.limit_kept(account)
        play.accounted()


def test_workers_that_join_and_leave_take_accounts_over_whole(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings, "acme", "bolt") as play:
        first = play.worker("w1")
        storms = [
            FaultRun(Shop(play, account, wall=time.time), seed)
            for seed, account in enumerate(("acme", "bolt"))
        ]
        for storm in storms:
            storm.rage_at_once(100)
        wait_until(lambda: first.records()["delivered"] > 0, 40)
        second = play.worker("w2")
        wait_until(lambda: second.records()["accepted"] > 0, 60)
        for storm in storms:
            storm.rage_at_once(100)
        second.kill()
        play.workers.remove(second)
        play.settle(90)
        for account in ("acme", "bolt"):
            oracle.judge(play, account)
            play.limit_kept(account)
        play.accounted()


def test_a_topic_made_anew_under_a_counted_account_is_refused(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings, "acme") as play:
        worker = play.worker()
        Shop(play, wall=time.time).order("o1", "ann@example.com", "p1")
        play.settle()
        assert worker.stop() == 0
        name = play.settings.kafka.topic_prefix + "connectif.purchases"
        kafka_settings.cluster.delete([name])
        wait_until(lambda: name not in kafka_settings.cluster.names())
        topic_check.ensure(play.settings)
        worker.restart()
        wait_until(lambda: worker.exit_code() is not None, 40)
        assert worker.exit_code() != 0
        assert "made anew" in worker.log()
