"""What was found of a person: kept on `erase.requests` until all is removed, so that a kill loses nothing."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from pipeline.config import Settings
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.topics import full_name

#: Bytes of one row: far below what Kafka takes.
ROW_BYTES = 400_000


@dataclass(slots=True)
class Found:
    """What is kept of a person.

    Attributes:
        messages: topic without prefix -> the messages to be removed, each by its partition and key.
        addresses: all their addresses, in lower case.
        customers: the shop's ids of their accounts.
        entities: `kind|id` of the store: their events' entities.
        contacts: `account|id` in Connectif.
        purchases: `account|id` in Connectif.
        ends: `topic|partition` -> where the topic ended when it was read.
        others: stores that feed the same account and name one of the addresses.
        mentions: others' events that name one of the addresses.
        without_key: dead letters that hold an address and have no key: they cannot be removed.
        everybody: all of the store's people are meant.
    """

    messages: dict[str, set[tuple[int, bytes]]] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    contacts: set[str] = field(default_factory=set)
    purchases: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    mentions: int = 0
    without_key: int = 0
    everybody: bool = False

    def add(self, topic: str, partition: int, key: bytes | None) -> None:
        """A message is the person's."""
        if key is None:
            self.without_key += 1
        else:
            self.messages.setdefault(topic, set()).add((partition, key))

    def counts(self) -> dict[str, int]:
        """How much there is, by topic, and of Connectif's contacts."""
        counted = {topic: len(keys) for topic, keys in sorted(self.messages.items())}
        return counted | {"entities": len(self.entities), "contacts in Connectif": len(self.contacts)}

    def keys(self, settings: Settings) -> dict[TopicPartition, set[bytes]]:
        """The messages, as a removal takes them."""
        found: dict[TopicPartition, set[bytes]] = {}
        for topic, keys in self.messages.items():
            name = full_name(settings, topic)
            for partition, key in keys:
                found.setdefault(TopicPartition(name, partition), set()).add(key)
        return found

    def rows(self) -> Iterator[bytes]:
        """All of it in rows of a bounded size."""
        size, lines = 0, list[bytes]()
        for line in map(orjson.dumps, self._lines()):
            if lines and size + len(line) > ROW_BYTES:
                yield b"\n".join(lines)
                size, lines = 0, []
            lines.append(line)
            size += len(line) + 1
        yield b"\n".join(lines)

    def _lines(self) -> Iterator[list[object]]:
        yield ["is", self.mentions, self.without_key, self.everybody]
        for name in _SETS:
            for value in sorted(getattr(self, name)):
                yield [name, value]
        for topic, keys in self.messages.items():
            for partition, key in sorted(keys):
                yield ["key", topic, partition, b64encode(key).decode()]
        # Last: where they are kept, so is all that was read before them.
        for place, end in self.ends.items():
            yield ["end", place, end]

    @classmethod
    def of_rows(cls, rows: Iterable[bytes]) -> Found:
        """What `rows` wrote, once or several times: all of it together.

        Raises:
            ValueError, TypeError, LookupError: another program wrote them.
        """
        found = cls()
        for row in rows:
            for line in row.split(b"\n"):
                what, *said = orjson.loads(line)
                if what == "is":
                    found.mentions, found.without_key, found.everybody = said
                elif what == "end":
                    found.ends[said[0]] = said[1]
                elif what == "key":
                    found.add(said[0], said[1], b64decode(said[2]))
                elif what in _SETS:
                    getattr(found, what).add(said[0])
        return found


_SETS = ("addresses", "customers", "entities", "contacts", "purchases", "others")
