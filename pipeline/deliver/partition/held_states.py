"""The states of the partitions that a worker holds: built from the tables, and used once Kafka was asked.

After an assignment the states are built one after the other, the smallest first: accounts do not wait for
another account's million records. What is written in a partition is read only once its state can be used
(`is_usable`), so that no round of messages waits for one that is being built.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.engine.table import NotAssigned
from pipeline.errors import BrokerError
from pipeline.kafka.catchup import GroupExtent
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.topics import RECEIPTS
from pipeline.records import RecordKind

#: Seconds after which Kafka is asked about those that were built meanwhile.
TOGETHER_SECONDS = 0.5
#: One with so many rows is built alone: the others can be used before.
LARGE_ROWS = 50_000
_TOPICS = (*(kind.topic for kind in RecordKind), RECEIPTS)

#: Asks Kafka about partitions, by their topics' names without the prefix.
Look = Callable[[Collection[TopicPartition]], Awaitable[dict[TopicPartition, GroupExtent]]]


class HeldStates:
    """The states of a worker's partitions.

    Args:
        make: a partition's state, not built.
        held: the partitions whose tables are there.
        rows: about how many rows a partition's state is built of.
        look: asks Kafka.
        named: what Kafka calls a topic; for messages.
    """

    def __init__(
        self,
        make: Callable[[int], PartitionState],
        *,
        held: Callable[[], frozenset[int]],
        rows: Callable[[int], int],
        look: Look,
        named: Callable[[str], str],
    ) -> None:
        self._make = make
        self._held = held
        self._rows = rows
        self._look = look
        self._named = named
        self._states: dict[int, PartitionState] = {}
        self._stale: set[int] = set()
        self._receipts: dict[int, GroupExtent] = {}
        self._building = asyncio.Lock()

    def all(self) -> Sequence[PartitionState]:
        """The states there are, delivered to or not yet."""
        return list(self._states.values())

    def is_usable(self, partition: int) -> bool:
        """Whether its state is there, and up to date."""
        return partition in self._states and partition not in self._stale

    def has_receipts_read(self, state: PartitionState, read: int) -> bool:
        """Whether all receipts that were there when the state was built are dealt with.

        Args:
            state: False, too, where it is not usable.
            read: the next receipt of its partition that this worker is to deal with.
        """
        return self.is_usable(state.partition) and self._receipts[state.partition].caught_up(read)

    def reload(self, partitions: Iterable[int]) -> None:
        """Tables were read anew: what is known of these partitions is not to be used any more."""
        self._stale.update(partitions)

    def forget(self, partitions: Iterable[int]) -> None:
        """Other workers hold these."""
        for partition in partitions:
            self._states.pop(partition, None)
            self._receipts.pop(partition, None)

    async def get(self, partition: int) -> PartitionState:
        """The state, built first where it is not usable.

        Raises:
            NotAssigned: the partition is not held.
            BrokerError: a topic is shorter than what was counted of it.
        """
        while not self.is_usable(partition):
            await self.build([partition])
        return self._states[partition]

    async def build(self, partitions: Iterable[int]) -> None:
        """Build the states that are not usable, the smallest first. Raises as `get`."""
        async with self._building:
            wanted = [partition for partition in partitions if not self.is_usable(partition)]
            waiting = deque(sorted((self._rows(partition), partition) for partition in wanted))
            now = asyncio.get_running_loop().time
            while waiting:
                built, until = [await self._built(waiting.popleft()[1])], now() + TOGETHER_SECONDS
                while waiting and waiting[0][0] < LARGE_ROWS and now() < until:
                    built.append(await self._built(waiting.popleft()[1]))
                await self._use(built)

    async def _built(self, partition: int) -> PartitionState:
        self._receipts.pop(partition, None)
        self._stale.discard(partition)  # before reading: the tables may be read anew meanwhile
        state = self._make(partition)
        await state.load()
        return state

    async def _use(self, built: Sequence[PartitionState]) -> None:
        """Ask Kafka how far receipts must be read back; the states can be used then."""
        places = [TopicPartition(topic, state.partition) for state in built for topic in _TOPICS]
        found = await self._look(places)
        for state in built:
            refuse_shorter_topics(state, found, self._named)
        held = self._held()
        for state in built:
            if state.partition in held:
                self._states[state.partition] = state
                self._receipts[state.partition] = found[TopicPartition(RECEIPTS, state.partition)]
        gone = [state.partition for state in built if state.partition not in held]
        if gone:
            raise NotAssigned(f"partitions {gone} went away while their states were built")


def refuse_shorter_topics(
    state: PartitionState, found: dict[TopicPartition, GroupExtent], named: Callable[[str], str]
) -> None:
    """See that the topics are those that were counted; `named` says what Kafka calls them.

    Raises:
        BrokerError: one is shorter than what was counted of it.
    """
    for _, _, tally in state.tallies():
        for name, offset in tally.counted_up_to():
            end = found[TopicPartition(name, state.partition)].high
            if offset >= end:
                raise BrokerError(
                    f"{named(name)} partition {state.partition} ends at {end}, but offset {offset} was "
                    "counted: the topic was made anew, and what is in it now would be taken for what was "
                    "dealt with",
                    hint="start with a new kafka.topic_prefix, or delete the stage's changelogs too",
                )
