"""Kafka as this stage sees it, in memory: topics, tables behind changelogs, commits, and crashes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from pipeline.notifier import Notifier

Headers = Sequence[tuple[str, bytes]]
#: A message of a topic, or a change of a table.
Message = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


@dataclass
class Cluster:
    """What survives a crash."""

    topics: dict[str, list[Message]] = field(default_factory=dict)
    tables: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    committed: dict[str, int] = field(default_factory=dict)
    arrived: Notifier = field(default_factory=Notifier)
    stepped: Notifier = field(default_factory=Notifier)
    #: Whether anything is confirmed; messages go on being read.
    confirms: bool = True
    _steps: int = 0

    def step(self) -> None:
        """Something happened after which a process may die: a message was taken in, a call went or came."""
        self._steps += 1
        self.stepped.notify()

    async def steps(self, count: int, *, within: float) -> None:
        """Return after so many more steps, at the latest after `within` seconds."""
        loop = asyncio.get_running_loop()
        last, end = self._steps + count, loop.time() + within
        while self._steps < last and loop.time() < end:
            await self.stepped.wait(end - loop.time())

    def topic(self, name: str) -> list[Message]:
        return self.topics.setdefault(name, [])

    def table(self, name: str) -> dict[bytes, bytes]:
        return self.tables.setdefault(name, {})

    def apply(self, destination: str, message: Message) -> None:
        """Take one message in; destinations that begin with `table:` are tables."""
        key, value, _ = message
        self.step()
        if not destination.startswith("table:"):
            self.topic(destination).append(message)
            self.arrived.notify()
        elif value is None:
            self.table(destination[6:]).pop(key or b"", None)
        else:
            self.table(destination[6:])[key or b""] = value


class MemoryTable:
    """A table as one worker sees it: what it wrote is there at once."""

    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name = name
        self._seen = dict(cluster.table(name))

    def get(self, _partition: int, key: bytes) -> bytes | None:
        return self._seen.get(key)

    def multi_get(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.get(partition, key) for key in keys]

    def items(self, _partition: int) -> Iterator[tuple[bytes, bytes]]:
        yield from self._seen.items()

    def put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._seen.pop(key, None)
        else:
            self._seen[key] = value


class MemoryStep:
    """One step: messages by destination, in their order."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.commits: dict[str, int] = {}
        self.finished = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: a process that fails here has crashed."""

    def write(self, table: MemoryTable, _partition: int, key: bytes, value: bytes | None) -> None:
        table.put(key, value)
        self.messages.append((f"table:{table.name}", (key, value, ())))

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,  # noqa: ARG002 - one partition is simulated
        headers: Headers | None = None,
    ) -> None:
        self.messages.append((topic, (key, value, tuple(headers or ()))))

    def done(self, topic: str, offset: int) -> None:
        self.commits[topic] = offset + 1


class CrashableCommitter:
    """Confirms steps one by one, each some milliseconds after it was handed over.

    A crash leaves, for each destination, any number of the messages on their way to it, in their order.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self._waiting: list[MemoryStep] = []
        self._handed = asyncio.Event()

    def begin(self) -> MemoryStep:
        return MemoryStep()

    async def submit(self, step: MemoryStep) -> None:
        self._waiting.append(step)
        self._handed.set()

    async def confirm(self, step: MemoryStep) -> None:
        await self.submit(step)
        await step.finished.wait()

    async def run(self) -> None:
        """Confirm until cancelled."""
        while True:
            await self._handed.wait()
            await asyncio.sleep(self._chance.uniform(0.002, 0.02))
            while not self._cluster.confirms:
                await asyncio.sleep(0.02)
            for step in list(self._waiting):
                for destination, message in step.messages:
                    self._cluster.apply(destination, message)
                self._cluster.committed |= step.commits
                self._waiting.remove(step)
                step.finished.set()
            if not self._waiting:
                self._handed.clear()

    def crash(self) -> None:
        """The process is gone; nothing more is committed."""
        on_the_way: dict[str, list[Message]] = {}
        for step in self._waiting:
            for destination, message in step.messages:
                on_the_way.setdefault(destination, []).append(message)
        for destination, messages in on_the_way.items():
            for message in messages[: self._chance.randint(0, len(messages))]:
                self._cluster.apply(destination, message)
