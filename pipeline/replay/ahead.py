"""How much of what a run repeated is not dealt with: by translate's group, and by records and receipts."""

from __future__ import annotations

import orjson

from pipeline.config import Settings
from pipeline.events import Lane
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.reader import MessageBatch, RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import RECEIPTS, REPLAY, TRANSLATE_APP, full_name
from pipeline.records import Outcome, RecordKind
from pipeline.replay.run import State

_KINDS = (RecordKind.CONTACT, RecordKind.PRODUCT, RecordKind.PURCHASE)
_BACKFILL = f'"{Lane.BACKFILL}"'.encode()


class Ahead:
    """Looks at what is under way. Blocks.

    Args:
        settings: the program's.
        state: of the run; its counts go on where they were.
    """

    def __init__(self, settings: Settings, state: State) -> None:
        config = client_config(settings)
        self._reader = RangeReader(config)
        self._group = RangeReader(config, group=full_name(settings, TRANSLATE_APP))
        self._replay = full_name(settings, REPLAY)
        self._receipts = full_name(settings, RECEIPTS)
        self._topics = [self._receipts, *(full_name(settings, kind.topic) for kind in _KINDS)]
        self._state = state
        #: Events that translate has not dealt with, as of the last look.
        self.waiting = 0
        self._free = (0, 0, 0)
        self._places = self._group.offsets.partitions(self._replay)
        if not state.tails:
            ends = self._reader.offsets.ends(self._reader.offsets.partitions(*self._topics))
            state.tails = {f"{place.topic}|{place.partition}": end for place, end in ends.items()}
        self.ended_free()  # what ended before this process says nothing of now

    def close(self) -> None:
        """Let go of the connections."""
        self._reader.__exit__(None, None, None)
        self._group.__exit__(None, None, None)

    def look(self) -> int:
        """Events that translate has not dealt with, and records of the backfill that have not ended."""
        # Translate first: what it has dealt with by now has its records in their topics.
        self.waiting = self._not_translated()
        starts: dict[TopicPartition, int | None] = {}
        for name, at in self._state.tails.items():
            topic, _, partition = name.rpartition("|")
            starts[TopicPartition(topic, int(partition))] = at
        ranges = self._reader.ranges(*self._topics, start=starts)
        for batch in self._reader.read(ranges, on_lost=lambda _: None):
            self._count(batch)
            self._state.tails[f"{batch.place.topic}|{batch.place.partition}"] = batch.next
        return self.waiting + self._state.pending

    def ended_free(self) -> int:
        """What ended without a call since this was last asked: records, and events that make none."""
        state = self._state
        records = state.ended.get(Outcome.UNCHANGED, 0) + state.ended.get(Outcome.SUPERSEDED, 0)
        events, made = state.sent - self.waiting, state.records
        before, self._free = self._free, (records, events, made)
        nothing_made = made == before[2]
        return max(0, records - before[0]) + (max(0, events - before[1]) if nothing_made else 0)

    def _not_translated(self) -> int:
        committed = self._group.committed(self._places)
        extents = self._group.offsets.extents(self._places)
        return sum(
            max(0, extent.high - max(extent.low, committed[place] or 0)) for place, extent in extents.items()
        )

    def _count(self, batch: MessageBatch) -> None:
        state = self._state
        receipts = batch.place.topic == self._receipts
        for raw in batch.raw:
            value = raw.value()
            if value is None or _BACKFILL not in value:
                continue
            try:
                said = orjson.loads(value)
            except orjson.JSONDecodeError:
                continue
            if not isinstance(said, dict) or said.get("lane") != Lane.BACKFILL:
                continue
            kind, outcome = str(said.get("kind")), str(said.get("outcome"))
            if kind not in _KINDS:
                continue
            if receipts:
                state.ended[outcome] = state.ended.get(outcome, 0) + 1
                state.ended_kinds[kind] = state.ended_kinds.get(kind, 0) + 1
            else:
                state.records += 1
                state.kinds[kind] = state.kinds.get(kind, 0) + 1


__all__ = ["Ahead"]
