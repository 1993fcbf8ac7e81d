"""Where partitions begin, end, and a group has read them up to: asked before partitions are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.offsets import ASK
from pipeline.kafka.reader import RangeReader


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
    with RangeReader(config, group=group, uncommitted=True, patience=ASK) as reader:
        committed, extents = reader.committed(wanted), reader.offsets.extents(wanted)
    return {
        place: GroupExtent(extent.low, extent.high, committed[place] or 0)
        for place, extent in extents.items()
    }
