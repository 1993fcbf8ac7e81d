"""`pipeline topics` against a real cluster."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipeline.errors import BrokerError
from pipeline.kafka import topic_check, topics
from pipeline.kafka.admin import Cluster
from pipeline.local.ports import free_port
from tests.broker import KafkaSettings

pytestmark = pytest.mark.kafka


def test_missing_topics_are_created_and_found_good_afterwards(kafka_settings: KafkaSettings) -> None:
    settings = kafka_settings(create=False)

    created = topic_check.ensure(settings)
    again = topic_check.ensure(settings)

    assert {result.state for result in created.results} == {topic_check.TopicState.CREATED}
    assert {result.state for result in again.results} == {topic_check.TopicState.OK}
    assert topic_check.verify(settings).problems == ()


def test_what_differs_is_named_and_altered_only_when_asked(kafka_settings: KafkaSettings) -> None:
    shorter = kafka_settings({"kafka": {"shop_retention_days": 30}})
    settings = kafka_settings({"kafka": {"shop_retention_days": 400}}, create=False)
    orders = topics.full_name(settings, "shop.orders")

    with pytest.raises(
        topic_check.TopicsError, match=rf"{orders}: retention.ms is 2592000000, must be"
    ) as caught:
        topic_check.ensure(settings)
    assert "run `pipeline topics --apply`" in str(caught.value)

    applied = topic_check.ensure(settings, apply=True)
    assert {v.topic.name.removeprefix(kafka_settings.prefix) for v in applied.results if v.differences} == {
        "shop.orders",
        "shop.customers",
        "shop.products",
        "coupons.used",
    }
    with pytest.raises(topic_check.TopicsError, match="it would delete what is kept today"):
        topic_check.ensure(shorter, apply=True)
    assert topic_check.verify(settings).problems == ()


def test_verifying_creates_nothing(kafka_settings: KafkaSettings) -> None:
    settings = kafka_settings(create=False)
    with pytest.raises(topic_check.TopicsError, match=rf"missing: {kafka_settings.prefix}shop.orders, "):
        topic_check.verify(settings)
    assert not [name for name in kafka_settings.cluster.names() if name.startswith(kafka_settings.prefix)]


def test_the_command_prints_json_and_fails_with_the_code_of_broker_errors(
    kafka_settings: KafkaSettings,
) -> None:
    argv = [sys.executable, "-m", "pipeline", "topics", "--config", str(kafka_settings.write()), "--json"]

    checked = subprocess.run([*argv, "--check"], capture_output=True, text=True, timeout=60, check=False)
    created = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert (checked.returncode, created.returncode) == (3, 0)
    assert "run `pipeline topics`" in checked.stderr
    assert {topic["state"] for topic in json.loads(checked.stdout)["topics"]} == {"missing"}
    assert {topic["state"] for topic in json.loads(created.stdout)["topics"]} == {"created"}
    assert created.stderr == ""


def test_a_cluster_that_does_not_answer_is_an_error_not_a_hang() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    cluster = Cluster({"bootstrap.servers": nobody}, timeout=1)
    with pytest.raises(BrokerError, match=r"Kafka does not answer .*Connection refused"):
        cluster.names()
    with pytest.raises(BrokerError, match="Kafka's client refuses its settings"):
        Cluster({"bootstrap.servers": nobody, "no.such.setting": "1"})
