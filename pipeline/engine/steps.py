"""Acknowledgement in order: first what a piece of work sends and writes is confirmed, piece after piece."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Self

from faust.types import TP

from pipeline.engine.producer import Headers, Sender
from pipeline.engine.table import Changes, StateTable

_Message = tuple[str, bytes | None, bytes | None, int | None, Headers | None]


class Step:
    """One piece of work: messages, table writes, and the offsets that are done once all of it is confirmed.

    Made by `Steps.begin`, given back by `Steps.submit`; until then nothing leaves the process. As a context
    it takes its writes back where it was not submitted: nobody then sees what was never logged.
    From its first write to its submission nothing else may run (no `await`), or two steps could reach a
    changelog in another order than they were seen by readers.
    """

    __slots__ = ("_before", "_done", "_messages", "_sealed", "_sending", "_slots", "_writes")

    def __init__(self, sender: Sender) -> None:
        self._sending = sender.begin()
        self._messages: list[_Message] = []
        self._writes: dict[tuple[StateTable, int], Changes] = {}
        self._before: dict[tuple[StateTable, int], dict[bytes, object]] = {}
        self._slots: dict[tuple[StateTable, int], list[int]] = {}
        self._done: dict[TP, int] = {}
        self._sealed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._sealed:
            self.roll_back()

    def roll_back(self) -> None:
        """Take every write back; the step is of no use afterwards."""
        for place, changes in self._writes.items():
            table, partition = place
            table.take_back(partition, changes, self._before[place])
        self._writes.clear()
        self._before.clear()
        self._messages.clear()

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Send a message with the step; see `producer.Sending.send`."""
        self._messages.append((topic, value, key, partition, headers))

    def write(self, table: StateTable, partition: int, key: bytes, value: bytes | None) -> None:
        """Set a key of a table, or delete it with None; the last write of a step wins.

        Raises:
            NotAssigned: the partition is not held.
        """
        was = table.put_unstored(partition, key, value)
        place = (table, partition)
        changes = self._writes.get(place)
        if changes is None:
            changes = self._writes[place] = {}
            self._before[place] = {}
        if key not in changes:
            self._before[place][key] = was
        changes[key] = value

    def done(self, tp: TP, offset: int) -> None:
        """Everything up to and including this offset is dealt with by this step and those before it."""
        self._done[tp] = offset + 1

    def seal(self) -> None:
        """Send everything, the changelog records last: from here on nothing is added."""
        self._sealed = True
        send = self._sending.send
        for message in self._messages:
            send(*message)
        self._messages.clear()
        for (table, partition), changes in self._writes.items():
            slot = self._slots[table, partition] = [-1]
            last = len(changes)
            for number, (key, value) in enumerate(changes.items(), 1):
                send(table.changelog, value, key, partition, None, slot if number == last else None)
        self._sending.seal()

    async def finish(self) -> dict[TP, int]:
        """Wait for the confirmations, store the writes, and return the offsets to read next.

        Raises:
            Unconfirmed: the broker did not take a message.
        """
        await self._sending.confirmed()
        for place, changes in self._writes.items():
            table, partition = place
            table.store_confirmed(partition, changes, self._slots[place][0])
        return self._done


class Steps:
    """The queue of submitted steps, finished one by one in the order of submission.

    So an offset is released only after every step submitted before it, whatever their partitions. Several
    steps are on their way at once: while the broker confirms one, the next is being made.
    """

    def __init__(
        self, sender: Sender, release: Callable[[dict[TP, int]], None], fatal: Callable[[BaseException], None]
    ) -> None:
        self._sender = sender
        self._release = release
        self._fatal = fatal
        self._waiting: deque[Step] = deque()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> Step:
        """A new, empty step."""
        return Step(self._sender)

    async def submit(self, step: Step, *, ahead: int = 3) -> None:
        """Give a step to be finished; returns once fewer than `ahead` are unfinished."""
        step.seal()
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
