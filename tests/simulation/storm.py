"""A shop that says everything at once, for a while, while things go wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal

from pipeline.records import Op, Origin, Subscription
from tests.simulation.shop import Shop

Deed = Callable[[], None]
SAID: tuple[Subscription | None, ...] = ("subscribed", "unsubscribed", None)


class Storm:
    """Orders, updates, cancellations, customers, consent and products, in a seeded order."""

    def __init__(self, shop: Shop, seed: int, *, people: int = 20, products: int = 8) -> None:
        self._shop = shop
        self._chance = random.Random(seed)  # noqa: S311 - repeatable chance is the point
        self._people = [f"c{number}@example.com" for number in range(people)]
        self._products = [f"p{number}" for number in range(products)]
        self._orders: dict[str, str] = {}

    async def rage(self, deeds: int, *, every: float) -> None:
        """So many deeds, one every so many seconds on average."""
        for _ in range(deeds):
            self._deed()
            await asyncio.sleep(self._chance.expovariate(1 / every))

    def rage_at_once(self, deeds: int) -> None:
        """So many deeds at once."""
        for _ in range(deeds):
            self._deed()

    def _deed(self) -> None:
        chance = self._chance
        deeds: list[Deed] = [self._order] * 6 + [self._update, self._cancel, self._customer, self._product]
        if self._orders:
            chance.choice(deeds)()
        else:
            self._order()

    def _order(self) -> None:
        order = f"o{len(self._orders)}"
        self._orders[order] = self._chance.choice(self._people)
        bought = self._chance.sample(self._products, self._chance.randint(1, 3))
        self._shop.order(order, self._orders[order], *bought, total=self._price())

    def _update(self) -> None:
        order = self._chance.choice(list(self._orders))
        bought = self._chance.sample(self._products, 1)
        self._shop.order(order, self._orders[order], *bought, total=self._price())

    def _cancel(self) -> None:
        self._shop.cancel(self._chance.choice(list(self._orders)))

    def _customer(self) -> None:
        email = self._chance.choice(self._people)
        said = self._chance.choice(SAID)
        origin = self._chance.choice([Origin.CUSTOMER, Origin.CUSTOMER, Origin.ORDER])
        name = f"Ann {self._chance.randint(0, 5)}"
        self._shop.customer(email, name=name, newsletter=said, origin=origin)

    def _product(self) -> None:
        product = self._chance.choice(self._products)
        if self._chance.random() < 0.3:
            self._shop.patch(product, Op.HIDE, availability="outofstock", is_blacklisted=True)
        else:
            name = f"Product {product} {self._chance.randint(0, 3)}"
            self._shop.product(product, name=name, unit_price=Decimal(self._price()))

    def _price(self) -> str:
        return f"{self._chance.randint(1, 99)}.{self._chance.randint(0, 99):02d}"
