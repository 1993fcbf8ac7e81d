"""What a shop has, what happens in it within a day, and what Connectif must hold of it. Pure.

Nothing here knows how a platform writes it or how a program reads it: the expectation is worked out from
people, articles and sales alone, by the decisions that hold on all platforms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from tests.shop_bodies import Article, Person, Sale, SoldLine

Word = Literal["subscribed", "unsubscribed"]
State = Literal["sold", "unsold", "cancelled", "refunded"]
Told = Sale | Person | Article
#: What happens to something within the day; a shop that cannot say one of them has none of it.
Deed = Literal["made", "changed", "left_silently", "stock", "gone"]
PHONE = "+34612345678"
#: Of the orders: those of guests, and of the day's those that are not paid at once.
GUESTS, UNSOLD = 0.15, 0.25


class Size(NamedTuple):
    """How large a shop is."""

    contacts: int
    products: int
    orders: int


#: Where the shops are.
ZONE = "Europe/Madrid"


class Traits(NamedTuple):
    """What the shops of a platform can do and say, as the dossier of their APIs has it.

    Attributes:
        consent: whether they keep consent.
        silent_withdrawal: whether somebody can withdraw without moving the customer's date of change, and
            without a webhook.
        silent_stock: the same of a product's stock.
        orders_go: whether an order can be deleted so that the API says it.
        person_phone: whether the customer's own document has the phone.
        guest_phone: whether a guest's order has it.
        births: whether customers have a date of birth.
        guests_listed: whether a guest is listed among the customers, and so told without a sale.
        local_times: whether an order's moment is what the shop's clock showed, without its offset.
    """

    consent: bool = True
    silent_withdrawal: bool = True
    silent_stock: bool = True
    orders_go: bool = False
    person_phone: bool = True
    guest_phone: bool = True
    births: bool = False
    guests_listed: bool = False
    local_times: bool = False


class Event(NamedTuple):
    """Something that happened within the day; `sent` says whether a webhook told it."""

    told: Told
    deed: Deed
    sent: bool


@dataclass
class Shop:
    """All that a shop has.

    Attributes:
        people: accounts by id, with `consent` a `Word` or None.
        articles: by id.
        sales: by id.
        hidden: articles that were deleted.
        lost: sales that were deleted.
        never_shown: articles that buyers never saw.
        ever_sold: the address of each sale that was sold once.
        changes: how often a sale changed since it was placed.
    """

    traits: Traits
    people: dict[str, Person] = field(default_factory=dict)
    articles: dict[str, Article] = field(default_factory=dict)
    sales: dict[str, Sale] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    never_shown: set[str] = field(default_factory=set)
    ever_sold: dict[str, str] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)

    @property
    def everything(self) -> Iterator[Told]:
        """What it has, people first."""
        yield from self.people.values()
        yield from self.articles.values()
        yield from self.sales.values()


def began(size: Size, traits: Traits, rng: Random, now: datetime) -> Shop:
    """A shop with a history of some months that ended two hours ago; many moments are shared by several."""
    shop = Shop(traits)

    def then(days: float) -> datetime:
        """A moment of these last days, to the minute: several things share one."""
        seconds = rng.randrange(7_200, int(days * 86_400)) // 60 * 60
        return now - timedelta(seconds=seconds)

    for number in range(1, size.contacts + 1):
        created, changed = sorted((then(200), then(200)))
        consent = rng.choices((None, "subscribed", "unsubscribed"), (5, 4, 1))[0] if traits.consent else None
        if consent == "unsubscribed" and traits.silent_withdrawal:
            consent = None  # these shops cannot say it at first sight
        shop.people[str(number)] = Person(
            str(number),
            email=f"c{number}@mail.example",
            name=f"Ana{number}",
            surname=f"Mora{number % 7}",
            created=created,
            changed=changed,
            consent=consent,
            consented=changed,
            birthday=f"19{60 + number % 40}-0{1 + number % 9}-1{number % 10}",
        )
    for number in range(1, size.products + 1):
        shop.articles[str(number)] = Article(
            str(number),
            variant=f"{number}0",
            sku=f"S{number}",
            name=f"Mug {number}",
            price=f"{5 + number % 90}.50",
            changed=then(200),
            published=number % 17 != 0,
            available=number % 11 != 0,
        )
    shop.never_shown = {own for own, one in shop.articles.items() if not one.published}
    articles = list(shop.articles)
    for number in range(1, size.orders + 1):
        placed = then(150)
        sale = _sale(shop, rng, articles, str(number), placed)
        _hold_sale(shop, replace(sale, state=rng.choices(get_args(State), (85, 5, 6, 4))[0]))
    return shop


def _sale(shop: Shop, rng: Random, articles: Sequence[str], own: str, placed: datetime) -> Sale:
    lines = tuple(
        SoldLine(
            product=article,
            variant=f"{article}0",
            sku=f"S{article}",
            name=shop.articles[article].name,
            quantity=quantity,
            unit=f"{5 + int(article) % 90}.50",
        )
        for article, quantity in zip(
            rng.sample(articles, k=min(len(articles), rng.choice((1, 1, 2)))),
            rng.choices((1, 2, 3), k=2),
            strict=False,
        )
    )
    total = sum(line.quantity * float(line.unit) for line in lines)
    guest = rng.random() < 0.15
    buyer = None if guest else shop.people[str(rng.randint(1, len(shop.people)))]
    return Sale(
        own,
        placed=placed,
        changed=placed,
        total=f"{total:.2f}",
        lines=lines,
        customer=None if buyer is None else buyer.id,
        email=f"g{own}@mail.example" if buyer is None else buyer.email,
        name=f"Guest{own}" if buyer is None else buyer.name,
        surname="Sol" if buyer is None else buyer.surname,
    )


def sells(shop: Shop, rng: Random, placed: datetime) -> Sale:
    """Somebody buys something, and pays at once; the shop has it afterwards."""
    sale = _sale(shop, rng, list(shop.articles), str(len(shop.sales) + len(shop.lost) + 1), placed)
    _hold_sale(shop, sale)
    return sale


def _hold_sale(shop: Shop, sale: Sale) -> None:
    before = shop.sales.get(sale.id)
    if before is not None:
        shop.changes[sale.id] = shop.changes.get(sale.id, 0) + 1
    shop.sales[sale.id] = sale
    if sale.state == "sold":
        shop.ever_sold[sale.id] = sale.email or ""


class _Day:
    """A day in a shop, as its parts draw it.

    Args:
        shop: whose.
        rng: decides.
        now: what happens is dated from 50 to 10 minutes before.
        share: of what the shop has, how much changes.
        lost: of what happens, how much no webhook tells.

    Attributes:
        events: what happened, in order.
    """

    def __init__(self, shop: Shop, rng: Random, now: datetime, share: float, lost: float) -> None:
        self.shop, self.rng, self.now, self.share, self.lost = shop, rng, now, share, lost
        self.events: list[Event] = []

    def at(self, after: datetime | None = None) -> datetime:
        """A moment of the day; behind another one."""
        moment = self.now - timedelta(seconds=self.rng.randrange(1_200, 3_000))
        return moment if after is None or moment > after else after + timedelta(seconds=7)

    def tell(self, told: Told, deed: Deed, *, silent: bool = False) -> None:
        """Something happened; whether a webhook tells it is drawn, where it is not silent."""
        self.events.append(Event(told, deed, sent=not silent and self.rng.random() >= self.lost))

    def some(self, of: Iterable[str], part: float = 1.0) -> list[str]:
        """As many of these as change in a day, two at least."""
        listed = list(of)
        return self.rng.sample(listed, min(len(listed), max(2, int(len(listed) * self.share * part))))


def a_day(shop: Shop, rng: Random, now: datetime, share: float, lost: float) -> list[Event]:
    """What happens within a day, in order; the shop has it afterwards. See `_Day`."""
    day = _Day(shop, rng, now, share, lost)
    for own in day.some(shop.people):
        shop.people[own] = replace(shop.people[own], name=f"Bea{own}", changed=day.at())
        day.tell(shop.people[own], "changed")
    for _ in range(max(3, int(len(shop.people) * share / 2))):
        made, own = day.at(), str(len(shop.people) + 1)
        shop.people[own] = Person(
            own,
            email=f"c{own}@mail.example",
            name=f"Eva{own}",
            surname="Ruiz",
            created=made,
            changed=made,
            consent="subscribed" if shop.traits.consent else None,
            consented=made,
            birthday="2001-02-03",
        )
        day.tell(shop.people[own], "made")
    if shop.traits.consent:
        _consents(day)
    _articles(day)
    _sales(day)
    return day.events


def _consents(day: _Day) -> None:
    """People subscribe, and withdraw; where the platform lets them, without moving a date."""
    people, silent = day.shop.people, day.shop.traits.silent_withdrawal
    for own in day.some(own for own, one in people.items() if one.consent is None):
        moment = day.at(people[own].changed)
        people[own] = replace(people[own], consent="subscribed", consented=moment, changed=moment)
        day.tell(people[own], "changed")
    # Who comes and leaves silently within a day was never seen to come where a webhook only names a customer.
    today = day.now - timedelta(hours=1)
    there = (own for own, one in people.items() if one.consent == "subscribed")
    for own in day.some(own for own in there if not silent or people[own].consented < today):
        moment = day.at(people[own].changed)
        changed = people[own].changed if silent else moment
        people[own] = replace(people[own], consent="unsubscribed", consented=moment, changed=changed)
        day.tell(people[own], "left_silently" if silent else "changed", silent=silent)


def _articles(day: _Day) -> None:
    """Prices change, stock runs out, products are taken off and deleted."""
    articles, silent = day.shop.articles, day.shop.traits.silent_stock
    there = [own for own, one in articles.items() if one.published]
    for own in day.some(there):
        changed = day.at(articles[own].changed)
        articles[own] = replace(articles[own], price=f"{int(own) % 50}.25", changed=changed)
        day.tell(articles[own], "changed")
    for own in day.some(there):
        changed = articles[own].changed if silent else day.at(articles[own].changed)
        articles[own] = replace(articles[own], available=not articles[own].available, changed=changed)
        day.tell(articles[own], "stock", silent=silent)
    for own in day.some(there, 0.5):
        changed = day.at(articles[own].changed)
        articles[own] = replace(articles[own], published=False, changed=changed)
        day.tell(articles[own], "changed")
    for own in day.some(articles, 0.5):
        day.tell(articles.pop(own), "gone")
        day.shop.hidden.add(own)


def _sales(day: _Day) -> None:
    """Orders are placed, paid, cancelled, refunded, and where the platform says it deleted."""
    shop, rng, articles = day.shop, day.rng, list(day.shop.articles)
    for _ in range(max(6, int(len(shop.sales) * day.share))):
        own = str(len(shop.sales) + len(shop.lost) + 1)
        sale = _sale(shop, rng, articles, own, day.at())
        _hold_sale(shop, replace(sale, state="unsold" if rng.random() < UNSOLD else "sold"))
        day.tell(shop.sales[own], "made")
    # Not those of the day: who hears of them only once they were taken back never hears of a sale.
    weeks, today = day.now - timedelta(days=25), day.now - timedelta(hours=1)
    recent = [one.id for one in shop.sales.values() if weeks < one.placed < today and one.state == "sold"]
    turned = day.some(recent)
    for number, own in enumerate(turned):
        state: State = "cancelled" if number % 2 else "refunded"
        _hold_sale(shop, replace(shop.sales[own], state=state, changed=day.at(shop.sales[own].changed)))
        day.tell(shop.sales[own], "changed")
    for own in day.some(own for own, one in shop.sales.items() if one.state == "unsold"):
        _hold_sale(shop, replace(shop.sales[own], state="sold", changed=day.at(shop.sales[own].changed)))
        day.tell(shop.sales[own], "changed")
    if shop.traits.orders_go:
        # Nor those that were sold today: who hears of them once they are gone never hears of their buyers.
        before = [one.id for one in shop.sales.values() if one.changed < today and one.id not in turned]
        for own in day.some(before, 0.5):
            gone = shop.sales.pop(own)
            shop.lost.add(own)
            day.tell(replace(gone, changed=day.at(gone.changed)), "gone")


# What Connectif must hold.


class Purchase(NamedTuple):
    """What is compared of a purchase."""

    email: str
    total: float
    placed: str
    lines: tuple[tuple[str, int], ...]


class Contact(NamedTuple):
    """What is compared of a contact."""

    name: str
    surname: str
    newsletter: str
    phone: str
    born: str


class Product(NamedTuple):
    """What is compared of a product; of one that is hidden only that it is."""

    name: str
    price: float
    available: bool
    hidden: bool


def purchases(shop: Shop) -> dict[str, Purchase]:
    """By id: what is sold and there."""
    return {
        sale.id: Purchase(
            sale.email or "",
            float(sale.total),
            moment_told(sale.placed, shop.traits).strftime("%Y-%m-%dT%H:%M:%S"),
            tuple(sorted((line.product, line.quantity) for line in sale.lines)),
        )
        for sale in shop.sales.values()
        if sale.state == "sold"
    }


def moment_told(moment: datetime, traits: Traits) -> datetime:
    """What can be known of a moment: of an hour that the clocks show twice, the earlier (docs/decisions)."""
    told_twice = traits.local_times and moment.astimezone(ZoneInfo(ZONE)).fold
    return moment - timedelta(hours=1) if told_twice else moment


def contacts(shop: Shop) -> dict[str, Contact]:
    """By address: who has an account, and who ever bought something without one."""
    traits = shop.traits
    bought = set(shop.ever_sold.values())
    found = {
        person.email or "": Contact(
            person.name,
            person.surname,
            person.consent or "none",
            PHONE if traits.person_phone or person.email in bought else "",
            (person.birthday or "") if traits.births else "",
        )
        for person in shop.people.values()
    }
    for own, email in shop.ever_sold.items():
        if email.startswith("g"):
            phone = PHONE if traits.guest_phone else ""
            found[email] = Contact(f"Guest{own}", "Sol", "none", phone, "")
    if traits.guests_listed:
        for sale in shop.sales.values():
            if sale.customer is None:
                found.setdefault(sale.email or "", Contact(sale.name, sale.surname, "none", "", ""))
    return found


def products(shop: Shop, known: Mapping[str, Product]) -> dict[str, Product]:
    """By id: what is in the catalogue, and that which Connectif knows and buyers do not see any more.

    A product that buyers never saw is told by orders alone: as one that is not recommended, in stock or not.

    Args:
        shop: whose.
        known: what Connectif holds.
    """
    found = {
        one.id: Product(one.name, float(one.price), one.available, hidden=False)
        for one in shop.articles.values()
        if one.published
    }
    unpublished = {one.id for one in shop.articles.values() if not one.published}
    for own in (shop.hidden | unpublished) & known.keys():
        found[own] = Product("", 0.0, known[own].available and own in shop.never_shown, hidden=True)
    return found
