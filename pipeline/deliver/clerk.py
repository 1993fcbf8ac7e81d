"""The two agents' rounds: records in, receipts back, each in two confirmed phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.deliver.bell import Bell
from pipeline.deliver.desk import Desk
from pipeline.deliver.steps import Post, Step
from pipeline.records import Receipt, Record, RecordKind

#: Seconds between looks at whether a receipt's record has been counted; the bell is mostly faster.
COUNT_LOOK = 0.1

S = TypeVar("S", bound=Step)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch(Generic[T, S]):
    """What one partition gave: values with their offsets.

    `done` puts into a step that they are dealt with.
    """

    desk: Desk
    values: Sequence[tuple[int, T]]
    done: Callable[[S], None]


class CalledOff(Exception):  # noqa: N818 - not an error: a rebalance or the end of the process
    """A round was not begun; it will be read again."""


class Clerk(Generic[S]):
    """Does the rounds of one worker.

    Args:
        post: makes and confirms steps.
        settled: told of each receipt that ended a record.
    """

    def __init__(self, post: Post[S], settled: Callable[[Receipt], None]) -> None:
        self._post = post
        self._settled = settled
        self._counted = Bell()
        self._called_off = False

    def call_off(self) -> None:
        """Rounds that wait for others to be counted are not begun: those others may never come."""
        self._called_off = True
        self._counted.ring()

    def go_on(self) -> None:
        """Rounds wait again."""
        self._called_off = False

    async def take(self, kind: RecordKind, batches: Sequence[Batch[Record, S]]) -> None:
        """Records of one kind came in."""
        step = self._post.begin()
        for batch in batches:
            batch.desk.accept(kind, batch.values, step)
        await self._post.confirm(step)
        step = self._post.begin()
        for batch in batches:
            batch.desk.count(kind, batch.values, step)
            batch.done(step)
        self._counted.ring()
        await self._post.submit(step)

    async def settle(self, batches: Sequence[Batch[Receipt, S]]) -> None:
        """Receipts were read back.

        Raises:
            CalledOff: see `call_off`.
        """
        for batch in batches:
            while not batch.desk.counted(batch.values):
                if self._called_off:
                    raise CalledOff
                await self._counted.wait(COUNT_LOOK)
        step = self._post.begin()
        for batch in batches:
            batch.desk.tell(batch.values, step)
        await self._post.confirm(step)
        step = self._post.begin()
        for batch in batches:
            for receipt in batch.desk.clear(batch.values, step):
                self._settled(receipt)
            batch.done(step)
        await self._post.submit(step)
