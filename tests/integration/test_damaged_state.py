"""A worker whose state on disk is damaged restores it from Kafka by itself, and says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipeline.kafka.topics import TRANSLATE_APP, changelog, full_name
from tests.broker import KafkaSettings
from tests.integration.translating import Environment, product, running_environment
from tests.processes import wait_until

pytestmark = pytest.mark.kafka


def _stores(environment: Environment) -> list[Path]:
    directory = environment.settings.data_dir / TRANSLATE_APP / "w1"
    return sorted(directory.glob("*.db"))


def _each(environment: Environment, pattern: str, damage: Callable[[Path], object]) -> None:
    found = [path for store in _stores(environment) for path in store.glob(pattern)]
    assert found
    for path in found:
        damage(path)


def test_a_worker_comes_back_from_every_damage_with_its_account_whole(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        environment.put([product(number, 1) for number in range(40)])
        environment.settle()
        for pattern, damage in (
            ("*.sst", lambda path: os.truncate(path, path.stat().st_size // 2)),
            ("CURRENT", Path.unlink),
            ("MANIFEST-*", lambda path: os.truncate(path, path.stat().st_size - 3)),
            ("*.sst", Path.unlink),
        ):
            assert worker.stop() == 0
            before = environment.produced
            _each(environment, pattern, damage)
            worker.restart()
            wait_until(worker.is_ready, 60)
            assert sum(worker.account().values()) == before
            environment.put([product(number, 1) for number in range(10)])
            environment.settle()
            assert worker.account("pipeline_state_rebuilt", "table").total() > 0
        # Every product was told once: none of its repeats was news.
        assert worker.account()["accepted"] == 40
        kept = list((environment.settings.data_dir / TRANSLATE_APP / "w1").glob("*.damaged-*"))
        assert 0 < len(kept) <= 3


@pytest.mark.slow
def test_what_another_process_writes_into_a_changelog_is_made_good(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        environment.put([product(number, 1) for number in range(40)])
        environment.settle()
        topic = full_name(environment.settings, changelog(TRANSLATE_APP, "entities"))
        held = {
            message.key(): message for message in environment.messages(changelog(TRANSLATE_APP, "entities"))
        }
        late = Producer({"bootstrap.servers": environment.settings.kafka.bootstrap})
        for key, message in held.items():
            late.produce(topic, b"[2,[],[],[]]", key, message.partition())
        assert late.flush(30) == 0
        # At rest: found by the changelogs' ends.
        wait_until(lambda: worker.account("pipeline_state_late_writes", "table").total() >= 40, 60)
        worker.kill()
        environment.lose(worker)
        worker.restart()
        wait_until(worker.is_ready, 60)
        again = {
            message.key(): message.value()
            for message in environment.messages(changelog(TRANSLATE_APP, "entities"))
        }
        assert again == {key: message.value() for key, message in held.items()}
        environment.put([product(number, 1) for number in range(40)])
        environment.settle()
        assert worker.account()["accepted"] == 40


@pytest.mark.slow
def test_a_late_write_between_our_own_is_made_good(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings) as environment:
        worker = environment.worker()
        environment.put([product(number, 1) for number in range(20)])
        environment.settle()
        topic = full_name(environment.settings, changelog(TRANSLATE_APP, "entities"))
        (key, place), *_ = {
            message.key(): message.partition()
            for message in environment.messages(changelog(TRANSLATE_APP, "entities"))
        }.items()
        late = Producer({"bootstrap.servers": environment.settings.kafka.bootstrap})
        late.produce(topic, b"[2,[],[],[]]", key, place)
        assert late.flush(30) == 0
        environment.put([product(number, 1) for number in range(20, 40)])
        environment.settle()
        wait_until(lambda: worker.account("pipeline_state_late_writes", "table").total() >= 1, 60)
        last = {
            message.key(): message.value()
            for message in environment.messages(changelog(TRANSLATE_APP, "entities"))
        }
        assert last[key] != b"[2,[],[],[]]"
