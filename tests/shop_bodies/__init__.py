"""What a shop may say, without any platform, and the bodies in which each platform says it.

`tests/contract/test_platform_meanings.py` puts every adapter to the same sales, people and articles. A
platform's own module here writes them as its shops do; its `ShopBodies` stands in its row of
`tests/platforms.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from pipeline.events import Kind

#: When what is sold, changed and said in these tests happened.
PLACED = datetime(2023, 11, 14, 20, 15, tzinfo=UTC)
CHANGED = datetime(2023, 11, 14, 20, 16, tzinfo=UTC)
#: When requests come and are signed, unless a test says otherwise; in epoch milliseconds.
NOW_MS = 1_800_000_000_000
#: The time zone of all these shops: twice a year its clocks change.
ZONE = "Europe/Madrid"


class Announced(NamedTuple):
    """What a shop sends of a document that it only names.

    Attributes:
        notification: the webhook's body.
        answers: what its API answers, by path; 404 to all else.
    """

    notification: dict[str, Any]
    answers: dict[str, Any]


class Sent(NamedTuple):
    """What a shop says.

    Attributes:
        topic: of the webhook.
        document: without the envelope it may come in.
        announced: how the document comes, where the webhook only names it.
    """

    topic: str
    document: dict[str, Any]
    announced: Callable[[dict[str, Any]], Announced] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """What is in the webhook."""
        return self.document if self.announced is None else self.announced(self.document).notification

    def saying(self, document: dict[str, Any]) -> Sent:
        """The same with another document."""
        return self._replace(document=document)


@dataclass(frozen=True)
class SoldLine:
    """One line of a sale; without a SKU where that is None. `unit` is what one cost, tax included."""

    product: str = "77"
    variant: str = "770"
    sku: str | None = "MUG"
    name: str = "Mug"
    quantity: int = 2
    unit: str = "10.00"


@dataclass(frozen=True)
class Sale:
    """An order. Without a currency, an address or a customer's id where these are None."""

    id: str = "1001"
    placed: datetime = PLACED
    changed: datetime = CHANGED
    state: Literal["sold", "unsold", "cancelled", "refunded"] = "sold"
    total: str = "20.00"
    currency: str | None = "EUR"
    lines: tuple[SoldLine, ...] = (SoldLine(),)
    customer: str | None = "12"
    email: str | None = "ana@mail.example"
    name: str = "Ana"
    surname: str = "Mora"


def paid_back(sale: Sale, units: int) -> Decimal:
    """What so many units of its first line cost."""
    return units * Decimal(sale.lines[0].unit)


@dataclass(frozen=True)
class Person:
    """A customer; `consent` is a word of the platform's own for what was said of newsletters.

    Without a `birthday` (a date of the calendar) where that is None, but for custom shops, which have one.
    """

    id: str = "12"
    email: str | None = "ana@mail.example"
    name: str = "Ana"
    surname: str = "Mora"
    created: datetime = PLACED
    changed: datetime = CHANGED
    consent: Any = None
    consented: datetime = PLACED
    birthday: str | None = None


@dataclass(frozen=True)
class Article:
    """A product of one variant."""

    id: str = "77"
    variant: str = "770"
    sku: str | None = "MUG"
    name: str = "Mug"
    price: str = "10.00"
    currency: str = "EUR"
    changed: datetime = CHANGED
    published: bool = True
    available: bool = True


@dataclass(frozen=True)
class ShopBodies:
    """How the shops of one platform say it.

    Attributes:
        order: a sale, as the body that says most of it.
        customer: a person's own event.
        product: an article's own event.
        deleted: that an entity of a kind and an id is gone; None where the platform never says so.
        total_at: where the total stands in an order's document.
        rests_on: of each kind, the paths that money, identity, consent, status or dates rest on, written
            `a.b` and `lines[].price`, and those whose absence makes another record. All else decorates.
        subscribed: the platform's word for it in a customer's own event; None where it has none.
        unsubscribed: the same; None also where one event alone cannot say it.
        silent: its words that say neither, an unknown one among them.
        consent_has_time: whether it says when; else a subscription counts from the customer's creation.
        local: an order that was placed at this local time, in a body that says no offset; None where the
            platform always says one, or where what says none is refused.
        only_local: whether its orders never say an offset, so that an hour that exists twice is one.
        without_clock: the kinds whose bodies do not say when they changed: the arrival counts.
        without_currency: whether an order can lack its currency.
        given_back: a sale of one line of which so many units were given back, and their price paid back.
        names_units: whether a refund says which units came back.
    """

    order: Callable[[Sale], Sent]
    customer: Callable[[Person], Sent]
    product: Callable[[Article], Sent]
    deleted: Callable[[Kind, str], Sent | None]
    given_back: Callable[[Sale, int], Sent]
    total_at: tuple[str, ...]
    rests_on: Mapping[Kind, frozenset[str]]
    subscribed: Any = None
    unsubscribed: Any = None
    silent: tuple[Any, ...] = ()
    consent_has_time: bool = True
    local: Callable[[Sale, str], Sent] | None = None
    only_local: bool = False
    without_clock: frozenset[Kind] = field(default_factory=frozenset)
    without_currency: bool = True
    names_units: bool = True
