"""What shops say: a backlog, live orders beside a backfill, and a sale day; the same for a seed.

Customers and products differ in what is known of them, so their imports need files of different columns.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipeline.events import Lane
from pipeline.records import Origin, Subscription
from tests.simulation.shop import Shop

#: Something a shop says, and when: seconds from the beginning.
Action = tuple[float, Callable[[Shop], None]]
MINUTE, HOUR = 60.0, 3_600.0
#: Orders of a sale day by the hour they are placed in; the twentieth hour is beyond any limit.
CURVE = (6, 4, 2, 2, 2, 3, 6, 12, 20, 26, 30, 30, 29, 27, 25, 26, 28, 32, 40, 52, 180, 64, 34, 16)
NAMES = ("Ana", "Ben", "Chloé", "David", "Eva", "Farid", "Gema", "Hugo", "Inés", "Jon")


@dataclass(frozen=True, slots=True)
class Order:
    """An order, said as the translate stage makes it: contact, products, purchase."""

    id: str
    email: str
    person: Mapping[str, Any]
    products: Mapping[str, Mapping[str, Any]]
    total: str
    lane: Lane = Lane.LIVE

    def tell(self, shop: Shop) -> None:
        """Say it."""
        shop = shop.in_lane(self.lane)
        shop.customer(self.email, origin=Origin.ORDER, **self.person)
        for product_id, fields in self.products.items():
            shop.stub(product_id, **fields)
        shop.purchase(self.id, self.email, *self.products, total=self.total)


@dataclass(slots=True)
class Market:
    """Customers, products and orders of one shop.

    Args:
        seed: of all chance in it.
        products: how many it sells; few of them often.
        new: share of the orders of new customers.
        name: begins the ids of orders and customers.
    """

    seed: int
    products: int
    new: float
    name: str = "o"
    lane: Lane = Lane.LIVE
    chance: random.Random = field(init=False)
    _people: list[tuple[str, dict[str, Any]]] = field(init=False, default_factory=list)
    _weights: list[float] = field(init=False)
    _orders: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.name}{self.seed}")  # noqa: S311 - repeatable chance is the point
        self._weights = list(itertools.accumulate(1 / (rank + 5) for rank in range(self.products)))

    def order(self) -> Order:
        """The next order."""
        self._orders += 1
        email, person = self._buyer()
        bought = self.chance.choices(range(self.products), cum_weights=self._weights, k=self._lines())
        products = {f"p{number}": stub(number) for number in dict.fromkeys(bought)}
        return Order(f"{self.name}{self._orders}", email, person, products, self.price(), self.lane)

    def price(self) -> str:
        """Some amount of money."""
        return f"{self.chance.randint(5, 300)}.{self.chance.randint(0, 99):02d}"

    def _lines(self) -> int:
        return self.chance.choices((1, 2, 3, 4), (55, 25, 12, 8))[0]

    def _buyer(self) -> tuple[str, dict[str, Any]]:
        chance, number = self.chance, len(self._people)
        if self._people and chance.random() >= self.new:
            return chance.choice(self._people)
        person: dict[str, Any] = {"name": chance.choice(NAMES)}
        if chance.random() < 0.95:
            person["surname"] = f"Surname{chance.randint(0, 999)}"
        if chance.random() < 0.6:
            person["mobile_phone"] = f"+346{number:08d}"
        if chance.random() < 0.3:
            person["newsletter"] = "subscribed"
        self._people.append((f"{self.name}-customer{number}@example.com", person))
        return self._people[-1]


def stub(number: int) -> dict[str, Any]:
    """What an order knows of a product."""
    fields: dict[str, Any] = {"name": f"Product {number}", "unit_price": Decimal(5 + number % 90)}
    if number % 20:
        fields["image_url"] = f"https://shop.example/i/p{number}.jpg"
    if number % 10 < 7:
        fields["brand"] = f"Brand {number % 40}"
    if number % 5:
        fields["categories"] = (f"Category {number % 12}", f"Category {number % 30}")
    return fields


def announce(number: int, price: Decimal | None = None) -> Callable[[Shop], None]:
    """A product's own event."""
    fields = stub(number) | {"availability": "instock"} | ({} if price is None else {"unit_price": price})
    return lambda shop: shop.product(f"p{number}", **fields)


def catalogue(products: int) -> list[Action]:
    """Every product's own event, at the beginning."""
    return [(0.0, announce(number)) for number in range(products)]


def backlog(seed: int, orders: int, lane: Lane) -> list[Action]:
    """Orders that all wait at once: half of new customers, some changed or cancelled meanwhile."""
    market = Market(seed, products=1_500, new=0.5, lane=lane)
    return [(0.0, action) for _ in range(orders) for _, action in _story(market, changes=0.03, cancels=0.02)]


def live(seed: int, per_minute: float, hours: float, backfill: int) -> list[Action]:
    """Live orders as they come, half of new customers; beside them a backfill that comes all at once."""
    market = Market(seed, products=500, new=0.5)
    old = Market(seed, products=500, new=0.5, name="b", lane=Lane.BACKFILL)
    actions = catalogue(500)
    actions += [(10 * MINUTE, old.order().tell) for _ in range(backfill)]
    actions += [(at, market.order().tell) for at in _poisson(market.chance, per_minute, hours * HOUR)]
    return sorted(actions, key=_moment)


def customers(seed: int, count: int) -> list[Action]:
    """Customers' own records, brought in by a backfill at once: half of them subscribed, a year ago."""
    chance = random.Random(f"customers{seed}")  # noqa: S311 - repeatable chance is the point
    return [(0.0, _customer(number, chance.random() < 0.5)) for number in range(count)]


def _customer(number: int, subscribed: bool) -> Callable[[Shop], None]:
    def action(shop: Shop) -> None:
        newsletter: Subscription | None = "subscribed" if subscribed else None
        shop.in_lane(Lane.BACKFILL).customer(
            f"old{number}@example.com", name="Ana", newsletter=newsletter, ago=365 * 24 * HOUR
        )

    return action


def day(seed: int, orders: int) -> list[Action]:
    """A sale day: orders by the curve, updates of products, cancellations, changed totals."""
    market, products = Market(seed, products=2_000, new=0.5), 2_000
    chance = market.chance
    hours = chance.choices(range(len(CURVE)), CURVE, k=orders)
    sales = [
        (at + later, action)
        for at in sorted((hour + chance.random()) * HOUR for hour in hours)
        for later, action in _story(market, changes=0.03, cancels=0.03)
    ]
    updates = [
        (at, announce(chance.randrange(products), Decimal(chance.randint(5, 95))))
        for at in _poisson(chance, 2.0, 24 * HOUR)
    ]
    # One product sells out and is stocked again all through the peak.
    hot = [
        (20 * HOUR + at, announce(0, Decimal(chance.randint(5, 95)))) for at in _poisson(chance, 300.0, HOUR)
    ]
    return list(heapq.merge(catalogue(products), sorted(sales, key=_moment), updates, hot, key=_moment))


def _story(market: Market, *, changes: float, cancels: float) -> Iterable[Action]:
    """An order and what becomes of it, in seconds after it."""
    order, chance = market.order(), market.chance
    yield 0.0, order.tell
    if chance.random() < changes:
        changed = Order(order.id, order.email, order.person, order.products, market.price(), order.lane)
        yield chance.expovariate(1 / HOUR), changed.tell
    if chance.random() < cancels:
        yield chance.expovariate(1 / (2 * HOUR)), lambda shop: shop.in_lane(order.lane).cancel(order.id)


def _poisson(chance: random.Random, per_minute: float, seconds: float) -> Iterator[float]:
    at = chance.expovariate(per_minute / MINUTE)
    while at < seconds:
        yield at
        at += chance.expovariate(per_minute / MINUTE)


def _moment(action: Action) -> float:
    return action[0]
