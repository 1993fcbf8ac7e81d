"""The shops of VTEX, Magento, PrestaShop and a custom one: what they send, and what their APIs then answer.

Three of them only name an order, so the order as it stands in the end is all that is ever read of it. The
custom shop sends each version whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from pipeline.demo import custom_shop, documents
from pipeline.demo.custom_shop import Newsletter
from pipeline.demo.expectations import OrderStatement, Statement
from pipeline.demo.shop_history import Delivery
from pipeline.demo.shops import (
    FURTHER,
    SOLD,
    SYNCED,
    Article,
    Order,
    OrderLine,
    Person,
    Shop,
    Status,
    chance,
    crowd,
)

#: How the shops' APIs let requests in, as the sandbox is told.
ACCESS: Mapping[str, Mapping[str, Any]] = {
    "vtex": {
        "scheme": "headers",
        "headers": {"X-VTEX-API-AppKey": "demo-key", "X-VTEX-API-AppToken": "demo-token"},
    },
    "magento": {"scheme": "bearer", "token": "demo-token"},
    "prestashop": {"scheme": "basic", "user": "demo-key"},
    "generic": {"scheme": "bearer", "token": "demo-token"},
}
#: What stands in the addresses of Connectif's callbacks to the custom shop.
CALLBACK_TOKEN = "callback-token-of-the-demo"  # noqa: S105 - of a simulated shop
#: What the stores' settings have for it, and a limit that a sandbox stands.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "vtex": {
        "vtex_account": "loja",
        "app_key": "demo-key",
        "app_token": "demo-token",
        "requests_per_minute": 6_000,
    },
    "magento": {"access_token": "demo-token", "purchase_id": "id"},
    "prestashop": {"webservice_key": "demo-key", "webservice_requests_per_minute": 6_000},
    # Signed when the demo starts, which may have to download a broker first.
    "generic": {
        "signature_tolerance": 3_600,
        "api_token": "demo-token",
        "callback_tokens": [CALLBACK_TOKEN],
    },
}
#: Orders of each shop: one for so many of the other shops' webhooks, within bounds.
_EACH, _LEAST, _MOST = 150, 5, 40
_BUYERS = 8
#: Orders that the custom shop sold before its webhooks were set up, for each that a webhook tells; and the
#: number of the first.
_EARLIER, _FIRST_EARLIER = 2, 2_000

Documents = dict[str, dict[str, Any]]


class FurtherTraffic(NamedTuple):
    """What the shops say.

    Attributes:
        told: their webhooks, interleaved.
        documents: shop -> what its API answers of what webhooks only name, by path.
        lists: shop -> list -> rows that its API lists.
        listed: what lists alone state.
        newsletter: of the custom shop.
    """

    told: tuple[Delivery, ...]
    documents: Documents
    lists: dict[str, dict[str, list[dict[str, Any]]]]
    listed: tuple[Statement, ...]
    newsletter: Newsletter


def make(events: int, seed: int, now: datetime) -> FurtherTraffic:
    """What they say by webhooks and by their APIs, which hold the same.

    Args:
        events: the webhooks of the other shops.
        seed: of all that is left to chance.
        now: a UTC moment after everything in the webhooks.
    """
    rng = Random(seed)  # noqa: S311 - a demo, not a key
    answers: Documents = {shop.name: {} for shop in FURTHER if shop.platform in documents.API}
    lists: dict[str, dict[str, list[dict[str, Any]]]] = {}
    said: list[Delivery] = []
    listed: list[Statement] = []
    count = min(_MOST, max(_LEAST, events // _EACH))
    for shop in FURTHER:
        people = _people(rng, shop, now)
        rows: list[dict[str, Any]] = []
        lists[shop.name] = {"orders": rows}
        for number in range(1, count + 1):
            order = _order(rng, shop, number, rng.choice(people), now)
            rows.append(documents.row(shop, order))
            if shop.name in answers:
                answers[shop.name] |= documents.API[shop.platform](shop, order)
            said += _told(rng, shop, order, now)
        if shop.name == SYNCED.name:
            for number in range(_FIRST_EARLIER, _FIRST_EARLIER + _EARLIER * count):
                order = _order(rng, shop, number, rng.choice(people), now)
                rows.append(documents.row(shop, order))
                listed.append(_state(shop, order))
            lists[shop.name]["customers"], stated = custom_shop.customers(rng, shop, people, now)
            listed += stated
    rng.shuffle(said)
    newsletter = custom_shop.newsletter(SYNCED, now)
    return FurtherTraffic(tuple(said), answers, lists, (*listed, newsletter.left), newsletter)


def _people(rng: Random, shop: Shop, now: datetime) -> list[Person]:
    """Its customers, who keep their names."""
    people = crowd(rng, shop.account, _BUYERS, now - timedelta(days=6), now)
    return [
        replace(one, accounts={shop.name: shop.first_id + number}, renamed=None)
        for number, one in enumerate(people, 1)
    ]


def _order(rng: Random, shop: Shop, number: int, buyer: Person, now: datetime) -> Order:
    """Placed around noon, when no clock is set to another time."""
    placed = now.replace(hour=12, minute=0, second=0) - timedelta(days=rng.randrange(2, 5))
    placed += timedelta(seconds=rng.randrange(18_000))
    lines = []
    for place in range(rng.choice((1, 1, 2, 3))):
        price = Decimal(rng.randrange(300, 19_900)) / 100
        one = Article(shop.first_id + 1_000 + number * 10 + place, f"Thing No. {number}.{place}", price, None)
        units = rng.choice((1, 1, 2))
        lines.append(OrderLine(one, units, units, price))
    status: Status = rng.choice(("paid", "paid", "paid", "paid", "pending", "cancelled"))
    return Order(
        id=shop.first_id + number,
        buyer=buyer,
        placed=placed,
        updated=placed + timedelta(seconds=rng.randrange(60, 7_200)),
        lines=lines,
        shipping=Decimal(0),
        status=status,
        email=buyer.email,
    )


def _told(rng: Random, shop: Shop, order: Order, now: datetime) -> list[Delivery]:
    """The order's webhooks: a name once or several times, or each version."""
    if shop.platform in documents.API:
        one = _delivery(shop, order, f"{order.id}", now)
        return [one] * rng.choice((1, 1, 2, 3))
    first = replace(order, status="pending", updated=order.placed)
    versions = [_delivery(shop, one, f"{order.id}-{place}", now) for place, one in enumerate((first, order))]
    return versions + ([versions[1]] if chance(rng, 0.3) else [])


def _delivery(shop: Shop, order: Order, ident: str, now: datetime) -> Delivery:
    headers, body = documents.webhook(shop, order, ident, now)
    return Delivery(shop.name, shop.platform, headers, body, "order", statements=(_state(shop, order),))


def _state(shop: Shop, order: Order) -> OrderStatement:
    return OrderStatement(
        account=shop.account,
        order=str(order.id),
        at=order.updated,
        sold=order.status in SOLD,
        placed=order.placed,
        total=order.total,
        units=sum(line.units for line in order.lines),
        articles=frozenset(str(line.article.id) for line in order.lines),
        buyer=order.buyer.email,
        name=order.buyer.name,
    )
