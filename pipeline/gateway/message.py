"""A message to be sent to Kafka: what the gateway acknowledges."""

from __future__ import annotations

import enum
from typing import NamedTuple

#: Of what stores share, in memory and on disk, none holds more than so many times what it leaves free: 2/3 of
#: it where one alone sends too much, 2/5 each where two do.
TIMES_WHAT_IS_FREE = 2


class Message(NamedTuple):
    """One message as Kafka takes it; `topic` with its prefix, `body` byte for byte the shop's."""

    topic: str
    key: bytes
    body: bytes
    headers: list[tuple[str, bytes]]

    @property
    def size(self) -> int:
        """About the bytes it takes in memory or on disk."""
        names_and_values = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key) + len(self.body) + names_and_values + len(self.topic) + 64


class Stored(enum.StrEnum):
    """Where a message is stored durably: the shop may get 2xx."""

    KAFKA = "confirmed"
    SPOOL = "spooled"


class Overloaded(Exception):  # noqa: N818 - a state that the shop is answered with, not a defect
    """The message can be kept nowhere at the moment; the shop must send it again."""
