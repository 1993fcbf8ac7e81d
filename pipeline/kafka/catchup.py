"""Where topics begin, end, and a group has read them up to: asked before a partition is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from pipeline.kafka.errors import client_log, in_words

#: Seconds one question to a broker may take.
ASK = 30.0


@dataclass(frozen=True, slots=True)
class GroupExtent:
    """A partition of a topic: its first message, the one after its last, and the next a group is to read."""

    low: int
    high: int
    committed: int

    def caught_up(self, read: int) -> bool:
        """Whether everything up to `high` is processed, `read` being the next to read by this process."""
        return max(self.low, self.committed, read) >= self.high


def look(
    config: Mapping[str, Any], group: str, topics: Sequence[str], partition: int
) -> dict[str, GroupExtent]:
    """Ask the brokers; blocks, so run it in a thread. Nothing is joined and nothing read.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        group: the stage's consumer group.
        topics: full names.
        partition: of each of them.

    Raises:
        BrokerError: a broker refused, or did not answer.
    """
    consumer = Consumer({**config, "group.id": group, "enable.auto.commit": False}, logger=client_log)
    try:
        return _look(consumer, topics, partition)
    except KafkaException as error:
        what = f"the ends of {', '.join(topics)} cannot be looked up"
        raise in_words(what, error.args[0], str(config.get("bootstrap.servers", ""))) from error
    finally:
        consumer.close()


def _look(consumer: Consumer, topics: Sequence[str], partition: int) -> dict[str, GroupExtent]:
    places = [ClientPartition(topic, partition) for topic in topics]
    committed = {place.topic: place.offset for place in consumer.committed(places, timeout=ASK)}
    found: dict[str, GroupExtent] = {}
    for place in places:
        low, high = consumer.get_watermark_offsets(place, timeout=ASK)
        # A group that never committed says a negative number.
        found[place.topic] = GroupExtent(low, high, max(0, committed[place.topic]))
    return found
