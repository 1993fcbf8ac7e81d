"""What the engine needs of a client of its consumer group, and which events it gets from it.

`engine.faust` implements it with Faust; docs/adr/0002 says what another one would have to do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.engine.rounds import Round
from pipeline.engine.table import StateTable
from pipeline.kafka.messages import TopicPartition


@dataclass(frozen=True, slots=True)
class RuntimeEvents:
    """The callbacks of a runtime to the engine.

    Attributes:
        pause: finish the rounds in progress: awaited before partitions are revoked, while the group waits.
        restore: awaited after an assignment, before the first message of it; cancelled by the next one.
        fatal: end the process: nothing may be committed any more.
        joined: the member id in the group.
        lost: the group has dropped this member id; called in any thread.
    """

    pause: Callable[[], Awaitable[None]]
    restore: Callable[[], Awaitable[None]]
    fatal: Callable[[BaseException], None]
    joined: Callable[[str], None]
    lost: Callable[[str], None]


class GroupConsumer(Protocol):
    """What is read of the partitions that the group assigned."""

    def release(self, done: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets is processed: commit them with the next commit."""

    def dealt_with(self, place: TopicPartition) -> int:
        """The offset before which no message of a partition waits; 0 where that is not known yet."""

    def withhold(self, place: TopicPartition) -> None:
        """Read no more of a partition until it is assigned again: then from what is committed."""

    def read_when(self, usable: Callable[[int], bool]) -> None:
        """Read only what is in partitions, by their numbers, that are usable; asked before each reading."""

    def behind(self) -> dict[TopicPartition, range]:
        """The offsets not dealt with yet, by partition; without the tables' changelogs."""

    def silence(self) -> float:
        """Seconds since the group last acknowledged this worker."""


class Runtime(Protocol):
    """A worker's membership in its group: assignment, reading in rounds, committing."""

    @property
    def consumer(self) -> GroupConsumer:
        """What is read now."""

    def add_table(self, table: StateTable) -> None:
        """Assign its changelog's partitions with those of the topics, and call `StateTable.hold`."""

    def add_agent(self, name: str, topics: Sequence[str], handle: Callable[[Round], Awaitable[None]]) -> None:
        """Give the topics' messages to `handle`, round by round; `topics` are full names.

        A round must not be given to it that is not of the present assignment.
        """

    async def start(self) -> None:
        """Join the group; returns once partitions are assigned and restored."""

    def stop_reading(self) -> None:
        """Give out no more rounds."""

    async def commit(self) -> None:
        """Commit what was released, now."""

    async def stop(self) -> None:
        """Leave the group at once, so that others take over, without waiting for rounds in progress."""
