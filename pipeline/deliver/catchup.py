"""How far receipts must be read back before an account may be delivered to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition

#: Seconds one question to a broker may take.
ASK = 30.0


@dataclass(frozen=True, slots=True)
class Receipts:
    """A partition of the receipts topic: its first message, the one after its last, and what is committed."""

    low: int
    high: int
    committed: int

    def caught_up(self, read: int) -> bool:
        """Whether everything up to `high` is dealt with, `read` being the next to read by this process."""
        return max(self.low, self.committed, read) >= self.high


def look(config: Mapping[str, Any], group: str, topic: str, partitions: Sequence[int]) -> dict[int, Receipts]:
    """Ask the brokers; blocks, so run it in a thread. Nothing is joined and nothing read.

    Args:
        config: librdkafka settings: where Kafka is and how to reach it.
        group: the stage's consumer group.
        topic: the receipts topic's full name.
        partitions: which ones.

    Raises:
        KafkaException: a broker refused, or did not answer.
    """
    consumer = Consumer({**config, "group.id": group, "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic, partition) for partition in partitions]
        committed = {place.partition: place.offset for place in consumer.committed(places, timeout=ASK)}
        found: dict[int, Receipts] = {}
        for place in places:
            low, high = consumer.get_watermark_offsets(place, timeout=ASK)
            # A group that never committed says a negative number.
            found[place.partition] = Receipts(low, high, max(0, committed[place.partition]))
        return found
    finally:
        consumer.close()
