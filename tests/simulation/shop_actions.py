"""What a shop does in a fault scenario: a seeded order of statements of every kind."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipeline.events import Lane
from pipeline.records import Op, Origin, Subscription
from tests.simulation.shop import Shop

#: How old a statement is when the shop makes it, in seconds.
AGO = (0.0, 0.0, 8.0, 30.0, 3_600.0)
SAID: tuple[Subscription | None, ...] = ("subscribed", "unsubscribed", None)


@dataclass(frozen=True, slots=True)
class ShopAction:
    """One thing a shop says: a method of `Shop`, and what it is given."""

    what: str
    args: tuple[Any, ...]
    given: dict[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.LIVE

    def do(self, shop: Shop) -> None:
        """Say it."""
        getattr(shop.in_lane(self.lane), self.what)(*self.args, **self.given)


class ShopActions:
    """Orders, updates, cancellations, customers, consent and products, in a seeded order.

    Args:
        chance: decides.
        people: how many buy.
        products: how many are sold.
        backfill: share of the actions that come in the backfill's lane.
        withdrawals: whether people unsubscribe by Connectif's mails as well, and old consent is stated again.
    """

    def __init__(
        self,
        chance: random.Random,
        *,
        people: int = 20,
        products: int = 8,
        backfill: float = 0.0,
        withdrawals: bool = False,
    ) -> None:
        self._chance = chance
        self._people = [f"c{number}@example.com" for number in range(people)]
        self._products = [f"p{number}" for number in range(products)]
        self._backfill = backfill
        self._withdrawals = withdrawals
        self._orders: dict[str, str] = {}

    def next(self) -> ShopAction:
        """One more."""
        chance = self._chance
        kinds: list[Callable[[], ShopAction]] = [self._order] * 6
        kinds += [self._update, self._cancel, self._customer, self._product]
        if self._withdrawals:
            kinds += [self._customer, self._withdraw, self._withdraw]
        action = chance.choice(kinds)() if self._orders else self._order()
        late = self._backfill and chance.random() < self._backfill
        return ShopAction(action.what, action.args, action.given, Lane.BACKFILL) if late else action

    def _order(self) -> ShopAction:
        order = f"o{len(self._orders)}"
        self._orders[order] = self._chance.choice(self._people)
        return self._sold(order, self._chance.randint(1, 3))

    def _update(self) -> ShopAction:
        return self._sold(self._chance.choice(list(self._orders)), 1)

    def _sold(self, order: str, lines: int) -> ShopAction:
        bought = self._chance.sample(self._products, lines)
        what = self._chance.choice(("order", "order", "order", "order_backwards"))
        return ShopAction(what, (order, self._orders[order], *bought), {"total": self._price()})

    def _cancel(self) -> ShopAction:
        return ShopAction("cancel", (self._chance.choice(list(self._orders)),))

    def _customer(self) -> ShopAction:
        chance = self._chance
        given: dict[str, Any] = {
            "name": f"Ann {chance.randint(0, 5)}",
            "newsletter": chance.choice(SAID),
            "origin": chance.choice([Origin.CUSTOMER, Origin.CUSTOMER, Origin.ORDER]),
        }
        if self._withdrawals:
            given["ago"] = chance.choice(AGO)
        return ShopAction("customer", (chance.choice(self._people),), given)

    def _withdraw(self) -> ShopAction:
        return ShopAction("withdraw", (self._chance.choice(self._people),))

    def _product(self) -> ShopAction:
        product = self._chance.choice(self._products)
        if self._chance.random() < 0.3:
            hidden = {"availability": "outofstock", "is_blacklisted": True}
            return ShopAction("patch", (product, Op.HIDE), hidden)
        name = f"Product {product} {self._chance.randint(0, 3)}"
        return ShopAction("product", (product,), {"name": name, "unit_price": Decimal(self._price())})

    def _price(self) -> str:
        return f"{self._chance.randint(1, 99)}.{self._chance.randint(0, 99):02d}"


class ShopLoad:
    """A seeded load of one shop."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self._shop = shop
        self._actions = ShopActions(random.Random(seed))  # noqa: S311 - repeatable chance is the point

    def act(self, actions: int) -> None:
        """So many actions at once."""
        for _ in range(actions):
            self._actions.next().do(self._shop)
