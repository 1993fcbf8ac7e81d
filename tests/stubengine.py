"""The engine without Kafka: tables are dictionaries, and what is sent is kept in lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from pipeline.config import Settings
from pipeline.engine.engine import Engine
from pipeline.engine.rounds import Round
from pipeline.kafka.messages import TopicPartition
from pipeline.observe import Page


@dataclass
class Message:
    """A Kafka message as the engine gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any
    timestamp: int = 0


@dataclass
class Sent:
    """A message that was sent."""

    topic: str
    value: bytes | None
    key: bytes | None
    partition: int | None
    headers: list[tuple[str, bytes]]


class StubTable:
    """One table."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: dict[int, dict[bytes, bytes]] = {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        """As in `StateTable`."""
        return self.rows.get(partition, {}).get(key)

    def multi_get(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """As in `StateTable`."""
        rows = self.rows.get(partition, {})
        return [rows.get(key) for key in keys]

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """As in `StateTable`."""
        return iter(self.rows.get(partition, {}).items())


@dataclass
class StubStep:
    """One step."""

    engine: StubEngine
    offsets: dict[TopicPartition, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is taken back."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> None:
        """Keep it."""
        self.engine.sent.append(Sent(topic, value, key, partition, list(headers or ())))

    def write(self, table: StubTable, partition: int, key: bytes, value: bytes | None) -> None:
        """Write it at once."""
        rows = table.rows.setdefault(partition, {})
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value

    def done(self, tp: TopicPartition, offset: int) -> None:
        """Keep it."""
        self.offsets[tp] = offset


class StubEngine:
    """Enough of `Engine` for a stage; `cast` gives it that type."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tables: dict[str, StubTable] = {}
        self.sent: list[Sent] = []
        self.done: dict[TopicPartition, int] = {}
        self.handle: Callable[[Round], Awaitable[None]]
        self.worker = "w1"
        self.pages: dict[str, Page] = {}
        self.actions: dict[str, Page] = {}
        self.concerns: list[Callable[[], str | None]] = []
        self.withheld: list[TopicPartition] = []
        self.pause_hooks: list[Callable[[], Awaitable[None]]] = []

    def table(self, name: str, **_: Any) -> StubTable:
        """A table."""
        return self.tables.setdefault(name, StubTable(name))

    def agent(self, _name: str, _topics: Sequence[str], handle: Callable[[Round], Awaitable[None]]) -> None:
        """The only agent."""
        self.handle = handle

    def background(self, work: Callable[[], Awaitable[None]]) -> None:
        """Never run."""

    def on_pause(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Keep it."""
        self.pause_hooks.append(hook)

    def read_when(self, _usable: Callable[[int], bool]) -> None:
        """All is read."""

    def withhold(self, tp: TopicPartition) -> None:
        """Keep it."""
        self.withheld.append(tp)

    def dealt_with(self, topic: str, partition: int) -> int:
        """What is done of it."""
        name = self.settings.kafka.topic_prefix + topic
        return self.done.get(TopicPartition(name, partition), -1) + 1

    def begin(self) -> StubStep:
        """A step."""
        return StubStep(self)

    async def submit(self, step: StubStep) -> None:
        """At once."""
        self.done |= step.offsets

    async def read(self, *messages: Message) -> None:
        """Give messages of one partition to the agent."""
        tp = TopicPartition(messages[0].topic, messages[0].partition)
        await self.handle(Round(((tp, list(messages)),)))

    def as_engine(self) -> Engine:
        """For the type checker."""
        return cast("Engine", self)

    def to(self, topic: str) -> list[Sent]:
        """What was sent to a topic."""
        return [sent for sent in self.sent if sent.topic == topic]
