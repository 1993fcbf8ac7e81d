"""What a message is, whichever client read it, and where it lies."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

#: As they are read: Kafka allows a header without a value.
Headers = Sequence[tuple[str, bytes | None]]
#: As they are sent.
SentHeaders = Sequence[tuple[str, bytes]]


#: Instead of headers that the client cannot read: one of their names is no UTF-8.
UNREADABLE: Headers = (("headers-unreadable", None),)


#: Where a name is no UTF-8, the binding returns a broken list *and* sets an exception. Called in the ordinary
#: way, Python 3.11 does not look for one in code that runs often, and the list ends the process; called this
#: way, it always raises SystemError. Asked a second time, the binding returns the broken list alone.
_headers = operator.methodcaller("headers")


class TopicPartition(NamedTuple):
    """A partition; `topic` is its full name, with the prefix."""

    topic: str
    partition: int


class ReceivedMessage(Protocol):
    """A message that was read; those of aiokafka are some."""

    @property
    def topic(self) -> str:
        """Its full name, with the prefix."""

    @property
    def partition(self) -> int:
        """As in Kafka."""

    @property
    def offset(self) -> int:
        """As in Kafka."""

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds: of its arrival, on the pipeline's topics."""

    @property
    def key(self) -> bytes | None:
        """As in Kafka."""

    @property
    def value(self) -> bytes | None:
        """None deletes the key of a compacted topic."""

    @property
    def headers(self) -> Headers:
        """As in Kafka."""


class LibrdkafkaMessage(NamedTuple):
    """A `ReceivedMessage` that librdkafka read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @classmethod
    def of(cls, raw: Any) -> LibrdkafkaMessage:
        """From the client's own message, whose `error()` is None; once for each, see `_headers`."""
        try:
            headers = _headers(raw) or ()
        except SystemError:
            headers = UNREADABLE
        return cls(
            raw.topic(),
            raw.partition(),
            raw.offset(),
            raw.timestamp()[1],
            raw.key(),
            raw.value(),
            headers,
        )
