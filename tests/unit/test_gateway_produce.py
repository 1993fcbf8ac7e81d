"""The connection to Kafka where there is none."""

from __future__ import annotations

import gc
import weakref

import pytest
from confluent_kafka import KafkaError

from pipeline import config
from pipeline.gateway.produce import producer_of
from pipeline.kafka.producer import Producer, Refused
from tests.webhooks import STORES


def link() -> Producer:
    tree = {**STORES, "kafka": {"bootstrap": "127.0.0.1:1", "max_message_bytes": 1_000_000}}
    return producer_of(config.parse(tree, {}))


def test_a_connection_given_up_leaves_nothing_open() -> None:
    """While Kafka is away one is made every few seconds, each with threads and open files."""
    gc.disable()
    try:
        made = link()
        assert made.probe("shop.orders") is not None
        made.send("shop.orders", b"v", b"k", None, [], lambda *_: None)
        gone = weakref.ref(made)
        made.close()
        del made
        assert gone() is None
    finally:
        gc.enable()


def test_a_message_too_large_for_kafka_is_refused_for_good_and_others_are_not() -> None:
    made = link()
    with pytest.raises(Refused) as refused:
        made.send("shop.orders", b"v" * 2_000_000, b"k", None, [], lambda *_: None)
    assert refused.value.for_good
    assert not made.refuses(KafkaError(KafkaError._MSG_TIMED_OUT))
    assert not made.refuses(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    assert made.refuses(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    made.close()
