"""What another process wrote into the changelogs of partitions this worker holds, and how it is made good.

A worker that stood still for longer than its session may still send what it had in hand, after the new owner
of its partitions has begun to write. Its values are older, and a restore, and compaction, would take them for
the newest. The owner knows by count what offset its own writes must have: a gap, or an end of the changelog
beyond its last write, is somebody else's. It then writes the keys found there once more, as it holds them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.engine.steps import Step
from pipeline.engine.table import NotAssigned, StateTable
from pipeline.kafka import client_log
from pipeline.metrics import STATE_LATE_WRITES

log = logging.getLogger(__name__)

#: Seconds between two looks at the changelogs' ends, and one question to a broker.
LOOK_EVERY, ASK = 10.0, 10.0
#: Records looked at in one go.
BATCH = 10_000

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
        self._admin: AdminClient | None = None

    async def watch(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Find what others wrote since the last look, and write our own values after it."""
        try:
            await self._look_at_ends()
            for table in self._tables:
                for partition, start, end in table.take_strange():
                    rows = await asyncio.to_thread(self._read, table.changelog, partition, start, end)
                    await self._make_good(table, partition, rows)
        except (KafkaException, FutureTimeoutError) as error:
            log.warning("cannot look at the changelogs' ends: %s", error)

    async def _look_at_ends(self) -> None:
        resting = {
            (table.changelog, partition): (table, end)
            for table in self._tables
            for partition, end in table.ends_at_rest()
        }
        if not resting:
            return
        found = await asyncio.to_thread(self._ends, resting)
        for place, (table, before) in resting.items():
            table.see_end(place[1], before, found[place])

    def _ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        if self._admin is None:
            self._admin = AdminClient(self._config, logger=client_log)
        wanted = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        asked = self._admin.list_offsets(wanted, request_timeout=ASK)
        return {
            (place.topic, place.partition): answer.result(timeout=ASK).offset
            for place, answer in asked.items()
        }

    def _read(self, topic: str, partition: int, start: int, end: int) -> list[Row]:
        """The records of a range of offsets."""
        consumer = Consumer(
            {
                "group.id": "pipeline-restore",  # required by the client, never joined or committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_uncommitted",
                **self._config,
            },
            logger=client_log,
        )
        rows: list[Row] = []
        try:
            consumer.assign([TopicPartition(topic, partition, start)])
            while True:
                messages = consumer.consume(BATCH, ASK)
                for message in messages:
                    error = message.error()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - public
                        raise KafkaException(error)
                    if error is not None or message.offset() >= end:
                        return rows
                    rows.append((message.key() or b"", message.value()))
                if not messages:
                    return rows
        finally:
            consumer.close()

    async def _make_good(self, table: StateTable, partition: int, rows: Sequence[Row]) -> None:
        with self._begin() as step:
            try:
                wrong = {
                    key: table.get(partition, key)
                    for key, value in rows
                    if key and key[0] and table.get(partition, key) != value
                }
            except NotAssigned:
                return  # whoever holds it now looks for itself
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
