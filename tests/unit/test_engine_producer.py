"""The producer never holds the event loop up, and chooses partitions as every other client of the topics."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pipeline.kafka.confirmed import AsyncProducer, Unconfirmed

pytestmark = pytest.mark.real_time

#: A cluster inside librdkafka.
MOCK: dict[str, Any] = {"test.mock.num.brokers": 1, "linger.ms": 0, "allow.auto.create.topics": True}
#: Java's murmur2 of these keys, without its sign: what its clients choose partitions by.
JAVA = {b"21": -973932308 & 0x7FFFFFFF, b"foobar": -790332482 & 0x7FFFFFFF, b"abc": 479470107}


async def test_a_full_queue_does_not_hold_the_loop_up() -> None:
    absent = {"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": 10}
    sender = AsyncProducer(absent, max_message_bytes=1_000_000)
    sending, began = sender.begin(), time.monotonic()
    for number in range(5_000):
        sending.send("t", b"%d" % number)
    sending.seal()
    await asyncio.sleep(0)
    assert time.monotonic() - began < 2
    assert sender.silence() > 0
    sender._waiting.clear()


async def test_what_had_no_room_goes_out_in_its_order_once_there_is_some() -> None:
    sender = AsyncProducer({**MOCK, "queue.buffering.max.messages": 10}, max_message_bytes=1_000_000)
    sending, slots = sender.begin(), [[-1] for _ in range(500)]
    for number, slot in enumerate(slots):
        sending.send("t", b"%d" % number, None, 0, None, slot)
    async with asyncio.timeout(30):
        await sending.confirmed()
    assert [slot[0] for slot in slots] == list(range(500))


async def test_the_key_decides_the_partition_as_in_the_java_clients() -> None:
    sender = AsyncProducer(MOCK, max_message_bytes=1_000_000)
    chosen: dict[bytes, int] = {}

    def heard(_error: object, message: Any) -> None:
        chosen[message.key()] = message.partition()

    for key in JAVA:
        sender.send("t", b"x", key, None, None, heard)
    async with asyncio.timeout(30):
        while len(chosen) < len(JAVA):
            sender._producer.poll()
            await asyncio.sleep(0.01)
    partitions = sender.partitions()["t"]
    assert partitions > 1
    assert chosen == {key: number % partitions for key, number in JAVA.items()}


async def test_a_message_that_kafka_never_takes_is_told_of_though_it_had_to_wait_for_room() -> None:
    sender = AsyncProducer({**MOCK, "queue.buffering.max.messages": 1}, max_message_bytes=10_000)
    sending = sender.begin()
    sending.send("t", b"small", None, 0)
    sending.send("t", b"small", None, 0)
    sending.send("t", b"x" * 20_000, None, 0)
    async with asyncio.timeout(30):
        with pytest.raises(Unconfirmed, match="too large"):
            await sending.confirmed()
