"""The embedded Kafka: what it keeps, what it survives, and what it says when it cannot run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.config import Settings, parse
from pipeline.errors import BrokerError
from pipeline.kafka import topic_check, topics
from pipeline.kafka.address import address_file, answers, bootstrap
from pipeline.local import artefacts, broker
from pipeline.local.broker import EmbeddedKafka
from pipeline.local.ports import free_port
from tests.broker import KafkaSettings, RunningKafka

pytestmark = pytest.mark.kafka

QUIET = {"log_level": 0}


def write(servers: str, topic: str, values: list[bytes]) -> None:
    """Write with acks=all; every value is confirmed on return."""
    refused: list[object] = []
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, **QUIET})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: refused.append(error) if error else None)
    assert producer.flush(30) == 0
    assert refused == []


def read(servers: str, topic: str, partitions: int, count: int) -> set[bytes]:
    """The first `count` values of a topic, or what there is of them after 20 s."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", **QUIET})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    values: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(values) < count and time.monotonic() < deadline:
        values += [message.value() for message in consumer.consume(100, 0.2) if not message.error()]
    consumer.close()
    return set(values)


@pytest.fixture
def embedded(kafka: RunningKafka) -> EmbeddedKafka:
    if kafka.embedded is None:
        pytest.skip("the session's broker is not the embedded one")
    return kafka.embedded


def test_what_was_confirmed_survives_kill_9_at_the_same_address(
    embedded: EmbeddedKafka, kafka_settings: KafkaSettings
) -> None:
    topic = topics.full_name(kafka_settings(), "shop.orders")
    address, values = embedded.bootstrap, [b"%d" % number for number in range(200)]
    write(address, topic, values)

    embedded.kill()
    assert embedded.pids == {}
    assert embedded.start() == address

    assert read(address, topic, 2, 200) == set(values)


def test_a_clean_stop_and_start_keep_data_and_address_without_a_network(
    embedded: EmbeddedKafka, kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, address = topics.full_name(kafka_settings(), "shop.orders"), embedded.bootstrap
    write(address, topic, [b"kept"])
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    embedded.stop()
    assert not answers(address)
    began = time.monotonic()
    assert embedded.start() == address

    assert time.monotonic() - began < 75, "it waits for a network"
    assert read(address, topic, 2, 1) == {b"kept"}


@pytest.mark.slow
def test_three_brokers_take_confirmed_writes_while_one_is_killed_and_after_it_is_back(
    tmp_path: Path,
) -> None:
    settings = parse(
        {
            "data_dir": str(tmp_path),
            "kafka": {"replication": 3, "min_insync": 2, "shop_partitions": 3, "account_partitions": 1},
        },
        {},
    )
    with EmbeddedKafka(tmp_path, brokers=3, heap="256m") as three:
        with pytest.raises(topic_check.TopicsError, match=r"kafka.replication = 1 on 3 brokers"):
            topic_check.ensure(Settings(data_dir=tmp_path))
        topic_check.ensure(settings)
        assert bootstrap(settings) == three.bootstrap
        values = [b"%d" % number for number in range(60)]
        write(three.bootstrap, "shop.orders", values[:20])

        three.kill(2)
        write(three.bootstrap, "shop.orders", values[20:40])
        with pytest.raises(BrokerError, match="broker 2 stopped"):
            three.check()

        three.restart(2)
        write(three.bootstrap, "shop.orders", values[40:])
        assert read(three.bootstrap, "shop.orders", 3, 60) == set(values)
        three.kill()  # their data go with the test: no time is spent on a clean stop


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "pipeline", "kafka", "--data-dir", str(tmp_path), "--port", str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"127.0.0.1:{port}\n"
        assert bootstrap(Settings(data_dir=tmp_path)) == f"127.0.0.1:{port}"
        with pytest.raises(BrokerError, match=r"an embedded broker runs in .* already"):
            EmbeddedKafka(tmp_path).start()
        with pytest.raises(BrokerError, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedKafka(tmp_path / "other", port=port).start()

        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
    assert not address_file(tmp_path).exists()


def test_a_broker_that_cannot_run_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"(?s)broker 1 cannot be formatted.*initialization of VM"):
        EmbeddedKafka(tmp_path, heap="1m").start()
    assert not address_file(tmp_path).exists()


def test_a_directory_keeps_its_number_of_brokers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "find_java", refuse)
    with pytest.raises(BrokerError, match="no Java today"):
        EmbeddedKafka(tmp_path).start()
    with pytest.raises(BrokerError, match=r"holds a cluster of 1 broker\(s\), not 3"):
        EmbeddedKafka(tmp_path, brokers=3).start()
    with pytest.raises(BrokerError, match="has 1 or 3"):
        EmbeddedKafka(tmp_path, brokers=2)


def refuse(_: str) -> Path:
    raise BrokerError("no Java today")


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match="file/kafka cannot be used: Not a directory"):
        EmbeddedKafka(tmp_path / "file").start()


def test_a_full_disk_is_found_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(BrokerError, match="MB of free disk, too little for a broker"):
        EmbeddedKafka(tmp_path).start()


def test_without_cache_and_network_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(BrokerError, match=r"is not cached in .* and cannot be fetched") as caught:
        artefacts.class_path()
    assert "connect to the network for the first start" in str(caught.value)


def test_a_cache_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIPELINE_CACHE", os.fspath(tmp_path / "file"))
    with pytest.raises(BrokerError, match=r"the cache .* cannot be used: Not a directory"):
        artefacts.class_path()


def test_without_the_resolver_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jgo", None)
    with pytest.raises(BrokerError, match="jgo, which fetches Kafka, is not installed") as caught:
        artefacts.class_path()
    assert "pip install 'shop-connectif-pipeline[local]'" in str(caught.value)


def test_jars_that_vanished_from_the_cache_are_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CACHE", str(tmp_path))
    jar = tmp_path / "kafka.jar"
    fetched: list[Path] = []

    def fetch(_: Path) -> list[Path]:
        jar.touch()
        fetched.append(jar)
        return [jar]

    monkeypatch.setattr(artefacts, "_fetch", fetch)
    assert artefacts.class_path() == artefacts.class_path() == [jar]
    assert len(fetched) == 1

    jar.unlink()
    assert artefacts.class_path() == [jar]
    assert len(fetched) == 2
