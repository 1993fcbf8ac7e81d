"""Messages that arrived together, as an agent gets them."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.kafka.messages import ReceivedMessage, TopicPartition


@dataclass(frozen=True, slots=True)
class Round:
    """Messages that arrived together: per partition, in the order of their offsets.

    `count` and `size` (of the values, in bytes) are for the buffer's limits.
    """

    batches: tuple[tuple[TopicPartition, list[ReceivedMessage]], ...]
    count: int = 0
    size: int = 0

    def joined(self, later: Round) -> Round:
        """Both as one."""
        batches = dict(self.batches)
        for tp, records in later.batches:
            batches[tp] = [*batches.get(tp, ()), *records]
        return Round(tuple(batches.items()), self.count + later.count, self.size + later.size)
