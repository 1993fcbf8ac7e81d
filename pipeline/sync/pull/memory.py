"""What is kept of pulls in two tables of the worker: states and commands by store, and rows seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.engine.engine import Engine
from pipeline.engine.table import StateTable
from pipeline.events import Kind
from pipeline.sync.pull.rows import Missing, MissingSearch, RowKey, Seen, Told, prefix
from pipeline.sync.pull.state import Command, StoreState
from pipeline.sync.shop_events import ShopEvents

#: Rows read before others may run.
AT_ONCE = 2_000


def state_key(store: str) -> bytes:
    """Of a store's state in the table `pulls`."""
    return f"state|{store}".encode()


def command_key(command: Command) -> bytes:
    """Of a command that is not begun."""
    return f"command|{command.store}|{command.id}".encode()


@dataclass(frozen=True, slots=True)
class Memory:
    """See the module.

    Attributes:
        engine: of the worker.
        pulls: states and commands.
        pulled: rows.
        partition: of a store, in both.
        events: where the pages' events go.
    """

    engine: Engine
    pulls: StateTable
    pulled: StateTable
    partition: Callable[[str], int]
    events: ShopEvents

    def state(self, store: str) -> StoreState:
        """A store's, or a new one."""
        row = self.pulls.get(self.partition(store), state_key(store))
        return StoreState(store=store) if row is None else StoreState.decode(row)

    def commands(self, store: str) -> list[Command]:
        """Those that are not begun, the oldest first."""
        beginning = f"command|{store}|".encode()
        rows = self.pulls.items(self.partition(store))
        found = [Command.model_validate_json(row) for key, row in rows if key.startswith(beginning)]
        return sorted(found, key=lambda one: one.at_ms)

    def known(self, store: str, keys: Sequence[RowKey]) -> dict[RowKey, Seen]:
        """What is remembered of rows."""
        rows = self.pulled.multi_get(self.partition(store), [key.encode(store) for key in keys])
        return {key: Seen.decode(row) for key, row in zip(keys, rows, strict=True) if row is not None}

    async def missing(self, store: str, kind: Kind, number: int) -> Missing:
        """The entities of a kind that a run did not see."""
        search = MissingSearch(number)
        for look in (search.first, search.second):
            for count, (key, row) in enumerate(self._rows(store, kind)):
                look(key, row)
                if count % AT_ONCE == 0:
                    await asyncio.sleep(0)
        return search.found()

    def _rows(self, store: str, kind: Kind) -> Iterator[tuple[RowKey, Seen]]:
        beginning = prefix(store, kind).encode()
        for key, row in self.pulled.items(self.partition(store)):
            if key.startswith(beginning):
                yield RowKey.decode(key), Seen.decode(row)

    async def keep(
        self, state: StoreState, *, told: Told | None = None, begun: Sequence[Command] = ()
    ) -> None:
        """Send a page's events, then keep what is remembered of its rows, then the state.

        Each begins once Kafka has what is before it. The messages of one step reach their partitions one by
        one: of a process that is killed meanwhile, the state alone could be there, and the events be lost.

        Args:
            state: of the store.
            told: what becomes of the page.
            begun: commands that wait no more.
        """
        partition = self.partition(state.store)
        if told is not None and told.events:
            await self.events.store(told.events)
        if told is not None and told.writes:
            with self.engine.begin() as step:
                for key, seen in told.writes.items():
                    row = None if seen is None else seen.encode()
                    step.write(self.pulled, partition, key.encode(state.store), row)
                await self.engine.confirm(step)
        with self.engine.begin() as step:
            step.write(self.pulls, partition, state_key(state.store), state.encode())
            for command in begun:
                step.write(self.pulls, partition, command_key(command), None)
            await self.engine.confirm(step)
