"""What the custom shop alone has: customers that no order names, and a newsletter that goes both ways.

Pure and seeded, as the rest of the traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from pipeline.demo import documents
from pipeline.demo.expectations import ConsentStatement, PersonStatement, Statement
from pipeline.demo.shop_history import Delivery
from pipeline.demo.shops import Person, Shop

#: Customers that no order names.
READERS = 24
#: Who signs up in the shop, and who leaves by a link of Connectif's, while the demo runs.
ARRIVES, LEAVES = "arrives", "leaves"


class Newsletter(NamedTuple):
    """A subscription each way.

    Attributes:
        shop: whose.
        arrives: the webhook of somebody who signs up in the shop.
        arrives_email: their address.
        leaves: address of somebody who unsubscribes in Connectif.
        people: of the shop that it keeps newsletters of, as the sandbox has them.
        left: what that comes to.
    """

    shop: str
    arrives: Delivery
    arrives_email: str
    leaves: str
    people: tuple[Mapping[str, Any], ...]
    left: ConsentStatement


def customers(
    rng: Random, shop: Shop, buyers: list[Person], now: datetime
) -> tuple[list[dict[str, Any]], list[Statement]]:
    """Rows of the list of customers, and what they state: the buyers, and people who bought nothing.

    Args:
        rng: chooses who said what of newsletters.
        shop: the shop.
        buyers: of its orders.
        now: a UTC moment after everything.
    """
    rows: list[dict[str, Any]] = []
    said: list[Statement] = []
    people = [(one.accounts[shop.name], one.email, one.name) for one in buyers]
    for number in range(READERS):
        name = ("Lea", f"Reader {number}")
        people.append((shop.first_id + 900 + number, f"reader{number}@{shop.domain}", name))
    people.append((shop.first_id + 999, _address(LEAVES, shop), ("Lou", "Leaves")))
    for own, email, (first, last) in people:
        changed = now - timedelta(days=10, seconds=rng.randrange(80_000))
        leaves = email == _address(LEAVES, shop)
        state = "subscribed" if leaves else rng.choice(("subscribed", "unsubscribed", "unknown"))
        row = {
            "id": str(own),
            "email": email,
            "first_name": first,
            "last_name": last,
            "created_at": (changed - timedelta(days=5)).isoformat(),
            "updated_at": changed.isoformat(),
            "marketing_consent": {"email": {"state": state, "updated_at": changed.isoformat()}},
        }
        rows.append(row)
        said.append(PersonStatement(shop.account, email, changed, (first, last)))
        if state != "unknown":
            said.append(ConsentStatement(shop.account, email, changed, state == "subscribed"))
    return rows, said


def newsletter(shop: Shop, now: datetime) -> Newsletter:
    """Who signs up and who leaves while the demo runs; whoever leaves is a customer of the list."""
    arrives, leaves = _address(ARRIVES, shop), _address(LEAVES, shop)
    at = now - timedelta(minutes=5)
    said = ConsentStatement(shop.account, arrives, at, subscribed=True)
    headers, body = documents.consent(shop, arrives, at, now)
    delivery = Delivery(shop.name, shop.platform, headers, body, "customer", statements=(said,))
    subscribed = {"state": "subscribed", "at": (now - timedelta(days=10)).timestamp()}
    people = (
        {"id": str(shop.first_id + 999), "email": leaves, **subscribed},
        {"id": str(shop.first_id + 998), "email": arrives, "state": "subscribed", "at": at.timestamp()},
    )
    left = ConsentStatement(shop.account, leaves, now + timedelta(hours=1), subscribed=False)
    return Newsletter(shop.name, delivery, arrives, leaves, people, left)


def _address(who: str, shop: Shop) -> str:
    return f"{who}@{shop.domain}"
