"""Where topics begin, end, and are read up to: asked of the brokers before a partition is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from pipeline.kafka import client_log

#: Seconds one question to a broker may take.
ASK = 30.0


@dataclass(frozen=True, slots=True)
class Extent:
    """A partition of a topic: its first message, the one after its last, and the next to be read."""

    low: int
    high: int
    committed: int

    def caught_up(self, read: int) -> bool:
        """Whether everything up to `high` is dealt with, `read` being the next to read by this process."""
        return max(self.low, self.committed, read) >= self.high


def look(config: Mapping[str, Any], group: str, topics: Sequence[str], partition: int) -> dict[str, Extent]:
    """Ask the brokers; blocks, so run it in a thread. Nothing is joined and nothing read.

    Args:
        config: librdkafka settings: where Kafka is and how to reach it.
        group: the stage's consumer group.
        topics: full names.
        partition: of each of them.

    Raises:
        KafkaException: a broker refused, or did not answer.
    """
    consumer = Consumer({**config, "group.id": group, "enable.auto.commit": False}, logger=client_log)
    try:
        places = [TopicPartition(topic, partition) for topic in topics]
        committed = {place.topic: place.offset for place in consumer.committed(places, timeout=ASK)}
        found: dict[str, Extent] = {}
        for place in places:
            low, high = consumer.get_watermark_offsets(place, timeout=ASK)
            # A group that never committed says a negative number.
            found[place.topic] = Extent(low, high, max(0, committed[place.topic]))
        return found
    finally:
        consumer.close()
