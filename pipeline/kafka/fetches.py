"""What a message of `sync.requests` says: an event that names documents of a shop's API, and where it lies.

Key: the event's entity key, `|` and its place, so that each notification has a row of its own and none is
lost when the topic's table is compacted; and a part of its own. Value: its body. Headers: its own, and
`notified-by` with its place. The partition is the store's: one worker owns a shop's API.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline.events import RawEvent
from pipeline.kafka.keys import is_key_of
from pipeline.kafka.messages import Headers, SentHeaders
from pipeline.shops.api import NOTIFIED_BY


class FetchRequest(NamedTuple):
    """A notification whose documents are to be fetched.

    Attributes:
        place: of the notification: `topic/partition/offset`, without the prefix.
        event: the notification.
    """

    place: str
    event: RawEvent

    @property
    def key(self) -> bytes:
        """What the message key begins with, and the key of the row."""
        return b"%s|%s" % (self.event.key, self.place.encode())

    def headers(self) -> SentHeaders:
        """The message's headers."""
        return [*self.event.to_kafka_headers(), (NOTIFIED_BY, self.place.encode())]

    @classmethod
    def of(cls, key: bytes | None, value: bytes | None, headers: Headers) -> FetchRequest:
        """Read a message.

        Raises:
            ValueError: it is none of translate's.
        """
        own = [(name, text) for name, text in headers if name != NOTIFIED_BY and text is not None]
        place = next((text for name, text in headers if name == NOTIFIED_BY), None)
        if place is None or value is None:
            raise ValueError("it names no place of a notification")
        request = cls(place.decode(errors="replace"), RawEvent.from_kafka(value, own))
        if not is_key_of(key, request.key):
            raise ValueError("its key is not that of its event and place")
        return request


def place_of(topic: str, partition: int, offset: int) -> str:
    """The place of a notification; `topic` without the prefix."""
    return f"{topic}/{partition}/{offset}"
