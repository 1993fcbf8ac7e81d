"""What others write onto the topics and changelogs stops no stage; real workers on a real broker."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Producer

from pipeline.kafka.topics import DEADLETTERS, DELIVER_APP, RECEIPTS, TRANSLATE_APP, changelog
from pipeline.records import RecordKind, partition_of
from tests.broker import KafkaSettings
from tests.integration import delivering, translating
from tests.processes import wait_until
from tests.simulation.shop import Shop
from tests.unit.receipts import receipt

pytestmark = pytest.mark.kafka

#: Compressed it passes every limit.
BIG = b"x" * 30_000_000


class ForeignProducer:
    """Another program that writes to our topics."""

    def __init__(self, prefix: str, bootstrap: str | None) -> None:
        self._prefix = prefix
        self._bootstrap = bootstrap
        self._plain = self._producer()

    def _producer(self, **more: Any) -> Producer:
        settings = {
            "bootstrap.servers": self._bootstrap,
            "message.max.bytes": 60_000_000,
            "queue.buffering.max.kbytes": 100_000,
            "compression.type": "gzip",
        }
        return Producer(settings | more)

    def put(self, topic: str, value: bytes | None, partition: int, **more: Any) -> None:
        """One message."""
        key = more.pop("key", b"k")
        self._plain.produce(self._prefix + topic, value, key, partition, **more)
        assert not self._plain.flush(30)

    def put_in_a_transaction(self, topic: str, partition: int, *, commit: bool) -> None:
        """A message, and the mark that ends its transaction."""
        producer = self._producer(**{"transactional.id": f"{self._prefix}{topic}{commit}"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(self._prefix + topic, b"junk", b"k", partition)
        assert not producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    def leave_a_transaction_open(self, topic: str, partition: int) -> Producer:
        """A message of a transaction that nobody ends."""
        producer = self._producer(**{"transactional.id": f"{self._prefix}{topic}open"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(self._prefix + topic, b"junk", b"\x01junk", partition)
        assert not producer.flush(30)
        return producer


#: The name of a header, which Kafka takes as it is.
ODD_NAME: Any = b"\xff\xfe"


@pytest.mark.slow
def test_deliver_goes_on_behind_whatever_lies_on_its_topics(kafka_settings: KafkaSettings) -> None:
    with delivering.running_environment(kafka_settings, "acme") as environment:
        home = partition_of("acme", environment.settings.kafka.account_partitions)
        foreign = ForeignProducer(
            environment.settings.kafka.topic_prefix, environment.settings.kafka.bootstrap
        )
        worker = environment.worker()
        shop = Shop(environment, "acme", wall=time.time)
        shop.order("o1", "ann@example.com", "p1")
        environment.settle()
        for topic in (*(kind.topic for kind in RecordKind), RECEIPTS):
            foreign.put(topic, None, home)
            foreign.put(topic, b"\xff{", home)
            foreign.put(topic, BIG, home)
            foreign.put(topic, b"x", home, headers=[(ODD_NAME, b"x")])
        for offset in (10**12, 0):
            value = receipt(offset, "nobody@example.com").model_copy(
                update={"record": receipt(offset).record.model_copy(update={"partition": home})}
            )
            foreign.put(RECEIPTS, value.model_dump_json().encode(), home)
        for table in ("pending", "delivered", "tally"):
            name = changelog(DELIVER_APP, table)
            for key in (b"", b"junk", b"\x00position", b"acme|", b"acme|contact|\xff"):
                foreign.put(name, b"[junk", home, key=key)
        foreign.put_in_a_transaction(RECEIPTS, home, commit=True)
        foreign.put_in_a_transaction(RECEIPTS, home, commit=False)
        foreign_out = foreign.leave_a_transaction_open(changelog(DELIVER_APP, "pending"), home)
        shop.order("o2", "bob@example.com", "p1")
        for _ in range(2):
            worker.kill()
            worker.restart()
            wait_until(lambda: worker.records()["accepted"] > 0, 60)
        shop.order("o3", "cid@example.com", "p1")
        environment.settle(90)
        assert {item["key"] for item in environment.connectif.ledger("acme", "purchases")} >= {
            "o1",
            "o2",
            "o3",
        }
        assert worker.exit_code() is None
        assert "no worker of ours wrote" in worker.log()
        del foreign_out


def test_translate_goes_on_behind_whatever_lies_on_its_topics(kafka_settings: KafkaSettings) -> None:
    with translating.running_environment(kafka_settings) as environment:
        foreign = ForeignProducer(
            environment.settings.kafka.topic_prefix, environment.settings.kafka.bootstrap
        )
        worker = environment.worker()
        environment.put([translating.product(number, 1) for number in range(6)])
        environment.settle()
        for partition in range(environment.settings.kafka.shop_partitions):
            for topic in ("shop.orders", "shop.customers", "shop.products"):
                foreign.put(topic, None, partition)
                foreign.put(topic, BIG, partition, headers=[("pipeline-store", b"\xff")])
                foreign.put(topic, b"x", partition, headers=[(ODD_NAME, b"x")])
                environment.produced += 3
            for table in ("entities", "tally"):
                name = changelog(TRANSLATE_APP, table)
                for key in (b"", b"junk", b"\x00position", b"acme-es|product|9000001"):
                    foreign.put(name, b"[junk", partition, key=key)
            foreign.put_in_a_transaction("shop.orders", partition, commit=False)
            environment.produced += 1
        worker.kill()
        worker.restart()
        environment.put([translating.product(number, 2) for number in range(6)])
        environment.settle()
        dead = [dict(message.headers()) for message in environment.messages(DEADLETTERS)]
        places = {tuple(found[f"dead-{part}"] for part in ("topic", "partition", "offset")) for found in dead}
        assert len(places) == environment.produced - 12  # some twice: they were read again after the kill
        assert worker.stop() == 0
