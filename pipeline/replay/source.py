"""The chosen events of a run: read as they are needed, and counted beforehand."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator

from pipeline.archive.access import event_reader
from pipeline.config import Settings
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.ranges import MessageBatch, OffsetRange
from pipeline.replay.order import steps
from pipeline.replay.run import Plan
from pipeline.replay.selection import Chooser, entity_of

#: Events counted between two looks at the clock.
COUNTED_AT_ONCE = 1_000


class EventSource:
    """The chosen events of what is left of a plan, in the order of each partition.

    Args:
        settings: the program's.
        plan: of the run.
        nexts: for each part of the plan, the next offset to read.
        chooser: chooses.
    """

    def __init__(self, settings: Settings, plan: Plan, nexts: list[int], chooser: Chooser) -> None:
        self._prefix = settings.kafka.topic_prefix
        self._chooser = chooser
        self._reader = event_reader(settings)
        parts = plan.parts
        self._numbers = {
            TopicPartition(self._prefix + part.topic, part.partition): number
            for number, part in enumerate(parts)
        }
        self._ends = [part.end for part in parts]
        self._nexts = list(nexts)
        ranges = [
            OffsetRange(place, self._nexts[number], self._ends[number])
            for place, number in self._numbers.items()
        ]
        # What was deleted meanwhile is gone for good: the rest is repeated.
        self._batches: Iterator[MessageBatch] = itertools.chain.from_iterable(
            self._reader.read(step, on_lost=lambda _: None) for step in steps(ranges)
        )
        #: Number of the part, offset, and the message where it is chosen.
        self._rest: deque[tuple[int, int, LibrdkafkaMessage | None]] = deque()
        self._over = False

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self._over and not self._rest

    def take(self, most: int, *, until: float) -> tuple[list[LibrdkafkaMessage], int, list[int]]:
        """Up to `most` chosen events, how many were read for that, and each part's next offset."""
        chosen: list[LibrdkafkaMessage] = []
        read = 0
        while len(chosen) < most and time.monotonic() < until and self._more():
            number, offset, message = self._rest.popleft()
            self._nexts[number] = offset + 1
            read += 1
            if message is not None:
                chosen.append(message)
        if self.over:
            self._nexts = list(self._ends)
        return chosen, read, list(self._nexts)

    def _more(self) -> bool:
        while not self._rest and not self._over:
            batch = next(self._batches, None)
            if batch is None:
                self._over = True
                break
            number = self._numbers[batch.place]
            topic, partition = batch.place.topic.removeprefix(self._prefix), batch.place.partition
            takes = self._chooser.takes
            for raw in batch.raw:
                offset = raw.offset()
                taken = takes(topic, partition, offset, raw.key())
                self._rest.append((number, offset, LibrdkafkaMessage.of(raw) if taken else None))
        return bool(self._rest)

    def close(self) -> None:
        """Let go of the connection; what was read and not taken is read again."""
        self._reader.__exit__(None, None, None)


class ChosenCount:
    """How many events a plan chooses, counted while there is nothing else to do.

    Args:
        settings: the program's.
        plan: of the run.
        chooser: chooses.
    """

    def __init__(self, settings: Settings, plan: Plan, chooser: Chooser) -> None:
        self._source = EventSource(settings, plan, [part.start for part in plan.parts], chooser)
        self._named = bool(plan.choice.ids)
        self._found: set[str] = set()
        self.events = 0

    @property
    def ids(self) -> int:
        """Of the plan's ids, those that an event was found of."""
        return len(self._found)

    def go_on(self, until: float) -> bool:
        """Count until then, by the monotonic clock; returns whether all is counted."""
        while time.monotonic() < until and not self._source.over:
            chosen, _, _ = self._source.take(COUNTED_AT_ONCE, until=until)
            self.events += len(chosen)
            if self._named:
                entities = (entity_of(message.key) for message in chosen)
                self._found.update(entity for _, entity in filter(None, entities))
        return self._source.over

    def close(self) -> None:
        """Let go of the connection."""
        self._source.close()


__all__ = ["ChosenCount", "EventSource"]
