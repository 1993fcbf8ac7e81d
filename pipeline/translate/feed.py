"""A store as the rules see it, and where its events lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.shops.base import StoreContext
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.settings import RouteSettings


class EventPosition(NamedTuple):
    """Where an event lies: `topic` without the prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class FeedRoute:
    """One of the several accounts of a store.

    Attributes:
        account: its name.
        conditions: what goes there; one of them must be met.
        context: the store, for its platform, with the account's own settings.
    """

    account: str
    conditions: tuple[RouteSettings, ...]
    context: StoreContext


@dataclass(frozen=True, slots=True)
class Feed:
    """A store as the rules see it.

    Attributes:
        context: for its platform; of a store with routes, without any account's settings.
        platform: that it runs on.
        account: where its records go; of a store with routes, the first one.
        recent_deliveries: how many deliveries are remembered of each entity.
        accounts: all accounts; one that the store fed before still gets deletions.
        routes: where the store feeds several accounts.
        languages: that its routes name.
    """

    context: StoreContext
    platform: AnyPlatform
    account: str
    recent_deliveries: int = 8
    accounts: frozenset[str] = frozenset()
    routes: tuple[FeedRoute, ...] = ()
    languages: frozenset[str] = frozenset()

    @property
    def own_accounts(self) -> tuple[str, ...]:
        """The accounts that its records go to."""
        return tuple(route.account for route in self.routes) if self.routes else (self.account,)

    def context_of(self, account: str) -> StoreContext:
        """The store as one of its accounts has it."""
        if not self.routes:
            return self.context
        return next(route.context for route in self.routes if route.account == account)
