"""The producer in bulk: everything is confirmed when it returns, or it says what was not."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import BrokerError
from pipeline.kafka.producer import Outgoing, Producer

#: A cluster inside librdkafka.
MOCK: dict[str, Any] = {"test.mock.num.brokers": 1, "allow.auto.create.topics": True}


def test_bulk_waits_for_room_and_for_every_confirmation() -> None:
    producer = Producer(MOCK, max_message_bytes=1_000_000, linger_ms=0, queue_messages=10)
    told: list[int] = []
    producer.send_all((Outgoing("t", b"%d" % number) for number in range(5_000)), told.append)
    assert sum(told) == 5_000
    assert producer.flush(0) == 0


def test_a_message_that_kafka_never_takes_ends_bulk_with_its_reason() -> None:
    producer = Producer(MOCK, max_message_bytes=10_000)
    with pytest.raises(BrokerError, match="too large"):
        producer.send_all([Outgoing("t", b"x"), Outgoing("t", b"x" * 20_000)])


def test_bulk_that_nobody_confirms_says_how_many_and_why() -> None:
    producer = Producer({"bootstrap.servers": "127.0.0.1:1"}, max_message_bytes=10_000, timeout_ms=1_500)
    with pytest.raises(BrokerError, match=r"did not confirm 3 messages \(127\.0\.0\.1:1\): .*refused"):
        producer.send_all([Outgoing("t", b"x")] * 3)
