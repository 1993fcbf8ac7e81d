"""A row of the table `feeds`: how far the feed of a store was read."""

from __future__ import annotations

from typing import NamedTuple

import orjson


class FeedPlace(NamedTuple):
    """How far a feed was read.

    Attributes:
        source: what the position belongs to (`ShopFeed.source`).
        position: behind what Kafka has; "" for the oldest that the platform keeps.
        expired_ms: when a position was last found to have expired so that events may be missing, epoch
            milliseconds; 0: never.
        read_ms: a moment at which all that there was had been read, epoch milliseconds, to the hour.
    """

    source: str
    position: str = ""
    expired_ms: int = 0
    read_ms: int = 0


def encode(place: FeedPlace) -> bytes:
    """The row."""
    return orjson.dumps(place._asdict())


def decode(row: bytes | None, source: str) -> FeedPlace:
    """Read a row that `encode` wrote; of another source, or without a row, the place is the beginning."""
    if row is None:
        return FeedPlace(source)
    place = FeedPlace(**orjson.loads(row))
    return place if place.source == source else FeedPlace(source, "", place.expired_ms)
