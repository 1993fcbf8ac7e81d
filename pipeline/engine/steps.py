"""Acknowledgement in order: first what a piece of work sends and writes is confirmed, piece after piece."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Self

from pipeline.engine.table import Changes, StateTable
from pipeline.kafka.confirmed import AsyncProducer
from pipeline.kafka.messages import SentHeaders, TopicPartition

_Message = tuple[str, bytes | None, bytes | None, int | None, SentHeaders | None]


class StepClosed(RuntimeError):  # noqa: N818 - a fact
    """A step that was submitted or taken back was used again."""


class Step:
    """One piece of work: messages, table writes, and the offsets that are done once all of it is confirmed.

    Made by `Steps.begin`, given back by `Steps.submit`; until then nothing leaves the process. As a context
    it rolls back its writes if it was not submitted, whether it was left, failed or was cancelled: nothing
    then sees what was never logged. Submitted or taken back, it takes nothing more.
    From its first write to its submission nothing else may run (no `await`), or two steps could reach a
    changelog in another order than they were seen by readers.
    """

    __slots__ = ("_before", "_done", "_messages", "_open", "_set", "_slots", "_writes")

    def __init__(self, producer: AsyncProducer) -> None:
        self._set = producer.begin()
        self._messages: list[_Message] = []
        self._writes: dict[tuple[StateTable, int], Changes] = {}
        self._before: dict[tuple[StateTable, int], dict[bytes, object]] = {}
        self._slots: dict[tuple[StateTable, int], list[int]] = {}
        self._done: dict[TopicPartition, int] = {}
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            self.roll_back()

    def roll_back(self) -> None:
        """Take every write back, and forget what was to be sent and acknowledged."""
        self._close()
        for place, changes in self._writes.items():
            table, partition = place
            table.take_back(partition, changes, self._before[place])
        self._writes.clear()
        self._before.clear()
        self._messages.clear()
        self._done.clear()

    def _close(self) -> None:
        if not self._open:
            raise StepClosed("the step was submitted or taken back before")
        self._open = False

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: SentHeaders | None = None,
    ) -> None:
        """Send a message with the step; see `kafka.confirmed.MessageSet.send`."""
        if not self._open:
            raise StepClosed(f"a message to {topic} comes after the step's end")
        self._messages.append((topic, value, key, partition, headers))

    def write(self, table: StateTable, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a key of a table, or delete it with None; the last write of a step wins.

        Raises:
            NotAssigned: the partition is not held.
        """
        if not self._open:
            raise StepClosed(f"a write to {table.name} comes after the step's end")
        was = table.put_unstored(partition, key, value)
        place = (table, partition)
        changes = self._writes.get(place)
        if changes is None:
            changes = self._writes[place] = {}
            self._before[place] = {}
        if key not in changes:
            self._before[place][key] = was
        changes[key] = value

    def done(self, tp: TopicPartition, offset: int) -> None:
        """Everything up to and including this offset is processed by this step and those before it."""
        self._done[tp] = offset + 1

    def seal(self) -> None:
        """Send everything, the changelog records last: from here on nothing is added."""
        self._close()
        send = self._set.send
        for message in self._messages:
            send(*message)
        self._messages.clear()
        for (table, partition), changes in self._writes.items():
            slot = self._slots[table, partition] = [-1]
            last = len(changes)
            for number, (key, value) in enumerate(changes.items(), 1):
                send(table.changelog, value, key, partition, None, slot if number == last else None)
        self._set.seal()

    async def finish(self) -> dict[TopicPartition, int]:
        """Wait for the confirmations, store the writes, and return the offsets to read next.

        Raises:
            Unconfirmed: the broker did not take a message.
        """
        await self._set.confirmed()
        for place, changes in self._writes.items():
            table, partition = place
            table.store_confirmed(partition, changes, self._slots[place][0])
        return self._done


class Steps:
    """The queue of submitted steps, finished one by one in the order of submission.

    So an offset is released only after every step submitted before it, whatever their partitions. Several
    steps are in flight at once: while the broker confirms one, the next is being made.
    """

    def __init__(
        self,
        producer: AsyncProducer,
        release: Callable[[dict[TopicPartition, int]], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._producer = producer
        self._release = release
        self._fatal = fatal
        self._waiting: deque[Step] = deque()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> Step:
        """A new, empty step."""
        return Step(self._producer)

    async def submit(self, step: Step, *, ahead: int = 3) -> None:
        """Give a step to be finished; returns once fewer than `ahead` are unfinished.

        A caller that is cancelled meanwhile leaves it submitted.

        Raises:
            Refused: Kafka never takes one of its messages. Some may be in flight: the process ends.
        """
        try:
            step.seal()
        except Exception as error:
            self._fatal(error)
            raise
        self._waiting.append(step)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._finish(), name="steps")
        while len(self._waiting) >= ahead:
            self._changed.clear()
            await self._changed.wait()

    async def confirm(self, step: Step) -> None:
        """Give a step to be finished; returns once it is, and so is every step before it."""
        await self.submit(step, ahead=sys.maxsize)
        while step in self._waiting:
            self._changed.clear()
            await self._changed.wait()

    async def drain(self) -> None:
        """Wait until every submitted step is finished."""
        while self._waiting:
            self._changed.clear()
            await self._changed.wait()

    async def _finish(self) -> None:
        try:
            while self._waiting:
                self._release(await self._waiting[0].finish())
                self._waiting.popleft()
                self._changed.set()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be acknowledged after it
            self._fatal(error)
