"""Where partitions begin, end, and a group has read them up to: asked before partitions are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from pipeline.kafka.errors import client_log, in_words
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.offsets import ASK, Offsets


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
    config: Mapping[str, Any], group: str, places: Iterable[TopicPartition]
) -> dict[TopicPartition, GroupExtent]:
    """Ask the brokers, for all at once; blocks, so run it in a thread. Nothing is joined and nothing read.

    Args:
        config: librdkafka settings, from `kafka.settings.client_config`.
        group: the stage's consumer group.
        places: partitions of topics by their full names.

    Raises:
        BrokerError: a broker refused, or did not answer.
    """
    wanted = list(places)
    with closing(
        Consumer({**config, "group.id": group, "enable.auto.commit": False}, logger=client_log)
    ) as by:
        try:
            found = by.committed([ClientPartition(*place) for place in wanted], timeout=ASK)
        except KafkaException as error:
            servers = str(config.get("bootstrap.servers", ""))
            raise in_words("the group's offsets cannot be looked up", error.args[0], servers) from error
    # A group that never committed says a negative number.
    committed = {TopicPartition(place.topic, place.partition): max(0, place.offset) for place in found}
    extents = Offsets(config).extents(wanted)
    return {
        place: GroupExtent(extent.low, extent.high, committed[place]) for place, extent in extents.items()
    }
