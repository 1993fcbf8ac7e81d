"""A store as the rules see it, and where its events lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.shops.base import StoreContext
from pipeline.shops.platform import AnyPlatform


class EventPosition(NamedTuple):
    """Where an event lies: `topic` without the prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A store as the rules see it.

    Attributes:
        context: for its platform.
        platform: that it runs on.
        account: where its records go.
        recent_deliveries: how many deliveries are remembered of each entity.
        accounts: all accounts; one that the store fed before still gets deletions.
    """

    context: StoreContext
    platform: AnyPlatform
    account: str
    recent_deliveries: int = 8
    accounts: frozenset[str] = frozenset()
