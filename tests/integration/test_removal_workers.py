"""Workers on topics that messages are removed from: nobody misses anything, and a tombstone is nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pipeline.config import Settings
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.removal import remove
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import DEADLETTERS, RECEIPTS, TRANSLATE_APP, changelog, full_name
from pipeline.records import RecordKind
from tests.broker import KafkaSettings
from tests.integration import delivering, translating
from tests.integration.translating import product
from tests.processes import wait_until
from tests.simulation import expected_state
from tests.simulation.shop import Shop

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def _keys(
    settings: Settings, topics: list[str], wanted: Callable[[bytes], bool]
) -> dict[TopicPartition, set[bytes]]:
    """The keys of topics that are about something."""
    found: dict[TopicPartition, set[bytes]] = {}
    with RangeReader(client_config(settings)) as reader:
        names = [full_name(settings, topic) for topic in topics]
        for batch in reader.read(reader.ranges(*names)):
            keys = {key for raw in batch.raw if wanted(entity_key(key := raw.key()))}
            found.setdefault(batch.place, set()).update(keys)
    return {place: keys for place, keys in found.items() if keys}


def _count(settings: Settings, topic: str) -> int:
    with RangeReader(client_config(settings)) as reader:
        return sum(len(batch.raw) for batch in reader.read(reader.ranges(full_name(settings, topic))))


def test_a_translate_worker_that_was_away_misses_nothing_of_others_and_believes_no_old_store(
    kafka_settings: KafkaSettings,
) -> None:
    with translating.running_environment(kafka_settings) as environment:
        settings = environment.settings
        worker = environment.worker()
        environment.put([product(number, 1) for number in range(40)])
        environment.settle()
        assert worker.stop() == 0
        # It has not read these; 5 are of one who leaves, who leaves the memory of the stage, too.
        environment.put([product(number, 2) for number in range(40)])
        gone = {product(number, 1).key for number in range(5)}
        topics = ["shop.products", changelog(TRANSLATE_APP, "entities")]
        keys = _keys(settings, topics, gone.__contains__)
        assert sum(map(len, keys.values())) == 15
        remove(settings, keys, read_within=None, file_delay_ms=100)
        environment.produced -= 5

        worker.restart()
        environment.settle()

        assert +worker.account() == {"accepted": 75}
        # As nothing is remembered of it, what was said before is news again.
        environment.put([product(0, 1), product(9, 1)])
        environment.settle()
        assert +worker.account() == {"accepted": 76, "duplicate": 1}
        worker.kill()
        environment.lose(worker)
        worker.restart()
        wait_until(worker.is_ready, 60)
        assert +worker.account() == {"accepted": 76, "duplicate": 1}
        assert _count(settings, DEADLETTERS) == 0


def test_a_deliver_worker_reads_over_what_was_removed_while_it_runs(kafka_settings: KafkaSettings) -> None:
    with delivering.running_environment(kafka_settings, "acme") as environment:
        settings = environment.settings
        worker = environment.worker()
        shop = Shop(environment, "acme", wall=time.time)
        for number in range(30):
            shop.order(f"o{number}", f"c{number % 10}@example.com", "p1")
        environment.settle()
        person = b"acme|contact|c3@example.com"
        topics = [RecordKind.CONTACT.topic, RECEIPTS]
        keys = _keys(settings, topics, person.__eq__)
        assert {place.topic for place in keys} == {full_name(settings, topic) for topic in topics}
        # It waits until the worker has committed what it has read.
        remove(settings, keys, read_within=60.0, file_delay_ms=100)
        assert _keys(settings, topics, person.__eq__) == {}
        for number in range(30, 40):
            shop.order(f"o{number}", f"c{number % 10}@example.com", "p1")
        environment.settle()
        expected_state.check_state(environment, "acme")
        environment.accounted()
        worker.kill()
        worker.restart()
        wait_until(lambda: worker.records()["accepted"] == len(environment.said), 60)
        environment.accounted()
        assert _count(settings, DEADLETTERS) == 0
        assert worker.stop() == 0
        assert " ERROR " not in worker.log()
