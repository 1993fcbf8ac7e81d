"""How fast a replay reads and chooses, beside a bare consumer: `python -m benchmarks.replay_reader`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from pipeline import config
from pipeline.kafka import topic_check
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.replays import ReplayMode
from pipeline.kafka.settings import client_config
from pipeline.local.broker import EmbeddedKafka
from pipeline.replay.run import Part, Plan
from pipeline.replay.selection import Choice, Chooser
from pipeline.replay.source import EventSource

#: By topic; a replay reads them side by side.
EVENTS_BY_TOPIC = {"shop.orders": 70_000, "shop.products": 20_000, "shop.customers": 10_000}
EVENTS = sum(EVENTS_BY_TOPIC.values())
BODY = b"x" * 3_000


def main() -> None:
    """Print events a second of processor time, of one core."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedKafka(Path(directory)) as broker:
        own = {"bootstrap": broker.bootstrap, "replication": 1, "min_insync": 1, "shop_partitions": 1}
        settings = config.parse({"kafka": own}, {})
        topic_check.ensure(settings)
        kafka = client_config(settings)
        producer = Producer(kafka, max_message_bytes=settings.kafka.max_message_bytes)
        headers = [(f"pipeline-{name}", b"something") for name in "abcdefghi"]
        producer.send_all(
            Outgoing(topic, BODY, b"%s|order|%d" % (b"ab"[number % 2 :][:1], number), 0, headers)
            for topic, count in EVENTS_BY_TOPIC.items()
            for number in range(count)
        )
        for _ in range(2):
            _bare(kafka)
            for store in ("a", "b", "neither"):
                _chosen(settings, store)
            _chosen(settings, "")


def _bare(kafka: Mapping[str, Any]) -> None:
    consumer = Consumer({**kafka, "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0) for topic in EVENTS_BY_TOPIC])
    began, wall, count = time.process_time(), time.perf_counter(), 0
    while count < EVENTS:
        for message in consumer.consume(10_000, 1.0):
            message.value()
            count += 1
    _say("a bare consumer", began, wall)
    consumer.close()


def _chosen(settings: config.Settings, store: str) -> None:
    parts = tuple(Part(topic=topic, partition=0, start=0, end=end) for topic, end in EVENTS_BY_TOPIC.items())
    choice = Choice(stores=frozenset({store} if store else ()))
    plan = Plan(run="r", made_ms=0, choice=choice, mode=ReplayMode.MISSING, parts=parts)
    source = EventSource(settings, plan, [0, 0, 0], Chooser(choice))
    began, wall, read, chosen = time.process_time(), time.perf_counter(), 0, 0
    while read < EVENTS:
        found, more, _ = source.take(1_000, until=time.monotonic() + 2)
        read, chosen = read + more, chosen + len(found)
    source.close()
    _say(f"replay, {chosen:,} chosen", began, wall)


def _say(what: str, began: float, wall: float) -> None:
    cpu, seconds = time.process_time() - began, time.perf_counter() - wall
    print(f"{what:28} {EVENTS / cpu:10,.0f} events/s of CPU time {EVENTS / seconds:10,.0f} of wall time")


if __name__ == "__main__":
    main()
