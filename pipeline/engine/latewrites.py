"""Repairs what another process wrote into the changelogs of partitions that this worker holds.

A worker that stood still for longer than its session may still send what it had queued, after the new owner
of its partitions has begun to write. Its values are older, and a restore, and compaction, would take them for
the newest. The owner knows by count what offset its own writes must have: a gap, or an end of the changelog
beyond its last write, is another process's. It then writes the keys found there once more, as it holds them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned, StateTable
from pipeline.errors import BrokerError
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.offsets import Offsets
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.metrics import STATE_LATE_WRITES

log = logging.getLogger(__name__)

#: Seconds between two checks of the changelogs' ends, and the time-out of a request.
LOOK_EVERY, ASK = 10.0, 10.0

Row = tuple[bytes, bytes | None]


class LateWrites:
    """See the module.

    Args:
        config: librdkafka settings.
        tables: the worker's.
        begin: makes a step.
        submit: has it confirmed.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        tables: Sequence[StateTable],
        begin: Callable[[], Step],
        submit: Callable[[Step], Awaitable[None]],
    ) -> None:
        self._config = dict(config)
        self._tables = tables
        self._begin = begin
        self._submit = submit
        self._offsets: Offsets | None = None

    async def watch(self) -> None:
        """Check every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Find what others wrote since the last check, and write our own values after it."""
        try:
            await self._look_at_ends()
            for table in self._tables:
                for partition, start, end in table.take_foreign():
                    place = TopicPartition(table.changelog, partition)
                    rows = await asyncio.to_thread(self._read, place, start, end)
                    await self._make_good(table, partition, rows)
        except BrokerError as error:
            log.warning("cannot look at the changelogs' ends: %s", error)

    async def _look_at_ends(self) -> None:
        resting = {
            TopicPartition(table.changelog, partition): (table, end)
            for table in self._tables
            for partition, end in table.ends_at_rest()
        }
        if not resting:
            return
        found = await asyncio.to_thread(self._ends, resting)
        for place, (table, before) in resting.items():
            table.see_end(place.partition, before, found[place])

    def _ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        if self._offsets is None:
            self._offsets = Offsets(self._config, timeout=ASK)
        return self._offsets.ends(places)

    def _read(self, place: TopicPartition, start: int, end: int) -> list[Row]:
        """The records of a range of offsets, as far as they are not deleted."""
        with RangeReader(self._config, uncommitted=True, patience=ASK) as reader:
            batches = reader.read([OffsetRange(place, start, end)], on_lost=lambda _: None)
            return [(message.key() or b"", message.value()) for batch in batches for message in batch.raw]

    async def _make_good(self, table: StateTable, partition: int, rows: Sequence[Row]) -> None:
        with self._begin() as step:
            try:
                wrong = {
                    key: table.get(partition, key)
                    for key, value in rows
                    if key and key[0] and table.get(partition, key) != value
                }
            except NotAssigned:
                return  # its new owner checks for itself
            if not wrong:
                return
            for key, value in wrong.items():
                step.write(table, partition, key, value)
            STATE_LATE_WRITES.labels(table.name).inc(len(wrong))
            log.warning(
                "table %s partition %d: another process wrote %d keys into its changelog; ours are put after",
                table.name,
                partition,
                len(wrong),
            )
            await self._submit(step)
