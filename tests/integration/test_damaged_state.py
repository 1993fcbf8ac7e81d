"""A worker whose state on disk is damaged restores it from Kafka by itself, and says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipeline.kafka.topics import TRANSLATE_APP, changelog, full_name
from tests.broker import KafkaSettings
from tests.integration.translating import Scene, product, scene
from tests.processes import wait_until

pytestmark = pytest.mark.kafka


def _stores(play: Scene) -> list[Path]:
    directory = play.settings.data_dir / TRANSLATE_APP / "w1"
    return sorted(directory.glob("*.db"))


def _each(play: Scene, pattern: str, damage: Callable[[Path], object]) -> None:
    found = [path for store in _stores(play) for path in store.glob(pattern)]
    assert found
    for path in found:
        damage(path)


def test_a_worker_comes_back_from_every_damage_with_its_account_whole(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings) as play:
        worker = play.worker()
        play.put([product(number, 1) for number in range(40)])
        play.settle()
        for pattern, damage in (
            ("*.sst", lambda path: os.truncate(path, path.stat().st_size // 2)),
            ("CURRENT", Path.unlink),
            ("MANIFEST-*", lambda path: os.truncate(path, path.stat().st_size - 3)),
            ("*.sst", Path.unlink),
        ):
            assert worker.stop() == 0
            before = play.produced
            _each(play, pattern, damage)
            worker.restart()
            wait_until(worker.is_ready, 60)
            assert sum(worker.account().values()) == before
            play.put([product(number, 1) for number in range(10)])
            play.settle()
            assert worker.account("pipeline_state_rebuilt", "table").total() > 0
        # Every product was told once: none of its repeats was news.
        assert worker.account()["accepted"] == 40
        aside = list((play.settings.data_dir / TRANSLATE_APP / "w1").glob("*.damaged-*"))
        assert 0 < len(aside) <= 3


def test_what_another_process_writes_into_a_changelog_is_made_good(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings) as play:
        worker = play.worker()
        play.put([product(number, 1) for number in range(40)])
        play.settle()
        topic = full_name(play.settings, changelog(TRANSLATE_APP, "entities"))
        held = {message.key(): message for message in play.messages(changelog(TRANSLATE_APP, "entities"))}
        late = Producer({"bootstrap.servers": play.settings.kafka.bootstrap})
        for key, message in held.items():
            late.produce(topic, b"[2,[],[],[]]", key, message.partition())
        assert late.flush(30) == 0
        # At rest: found by the changelogs' ends.
        wait_until(lambda: worker.account("pipeline_state_late_writes", "table").total() >= 40, 60)
        worker.kill()
        play.lose(worker)
        worker.restart()
        wait_until(worker.is_ready, 60)
        again = {
            message.key(): message.value() for message in play.messages(changelog(TRANSLATE_APP, "entities"))
        }
        assert again == {key: message.value() for key, message in held.items()}
        play.put([product(number, 1) for number in range(40)])
        play.settle()
        assert worker.account()["accepted"] == 40


def test_a_late_write_between_our_own_is_made_good(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings) as play:
        worker = play.worker()
        play.put([product(number, 1) for number in range(20)])
        play.settle()
        topic = full_name(play.settings, changelog(TRANSLATE_APP, "entities"))
        (key, place), *_ = {
            message.key(): message.partition()
            for message in play.messages(changelog(TRANSLATE_APP, "entities"))
        }.items()
        late = Producer({"bootstrap.servers": play.settings.kafka.bootstrap})
        late.produce(topic, b"[2,[],[],[]]", key, place)
        assert late.flush(30) == 0
        play.put([product(number, 1) for number in range(20, 40)])
        play.settle()
        wait_until(lambda: worker.account("pipeline_state_late_writes", "table").total() >= 1, 60)
        last = {
            message.key(): message.value() for message in play.messages(changelog(TRANSLATE_APP, "entities"))
        }
        assert last[key] != b"[2,[],[],[]]"
