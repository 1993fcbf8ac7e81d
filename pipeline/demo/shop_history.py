"""What happens at one shop: its catalogue, its customers and its orders, as webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from pipeline.demo import shopify
from pipeline.demo.expectations import (
    ArticleStatement,
    ConsentStatement,
    OrderStatement,
    PersonStatement,
    Statement,
)
from pipeline.demo.messages import MESSAGES, Headers
from pipeline.demo.shops import SOLD, Article, Order, OrderLine, Person, Shop, Status, article, chance


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook to post.

    Attributes:
        shop: the store it is addressed to.
        platform: its platform.
        headers: with the signature.
        body: the raw bytes.
        kind: what the gateway takes it in as (`order`, `customer`, `product`); None: not at all.
        answer: the status it should get; 200: any 2xx.
        statements: what it states.
        rejected: why it cannot be translated; empty for all others.
        spare: whether nothing else rests on it.
    """

    shop: str
    platform: str
    headers: Headers
    body: bytes
    kind: str | None
    answer: int = 200
    statements: tuple[Statement, ...] = ()
    rejected: str = ""
    spare: bool = False

    @property
    def path(self) -> str:
        """Where it is posted."""
        return f"/webhooks/{self.platform}/{self.shop}"


class ShopHistory:
    """Makes one shop's deliveries; `told` has (when it was sent, the delivery) of each so far.

    Args:
        shop: the shop.
        rng: of all that is left to chance.
        start: of the time that is covered.
        end: the same; an id alone, without a clock, counts as newer than all of it.
    """

    def __init__(self, shop: Shop, rng: Random, start: datetime, end: datetime) -> None:
        self.shop = shop
        self.told: list[tuple[datetime, Delivery]] = []
        self._rng = rng
        self._start = start
        self._end = end
        self._articles: list[Article] = []
        self._crowd: Sequence[Person] = ()
        self._orders = 0
        self._messages = MESSAGES[shop.platform](rng)

    def open(self, crowd: Sequence[Person], articles: int) -> None:
        """Announce products and customers, and have every special case once."""
        self._crowd = crowd
        self._articles = [article(self._rng, number, self.shop) for number in range(1, articles + 1)]
        for one in self._articles:
            if one.announced:
                self._announce(one)
        for person in crowd:
            if self.shop.name in person.accounts:
                self._register(person)
        self._specialities()

    def order(self) -> None:
        """One order, from the checkout to its end."""
        order = self._checkout(self._rng.choice(self._crowd))
        for status in self._fate():
            self._turn(order, status)
            if status in SOLD and chance(self._rng, 0.4):
                order.tags.append(f"tag-{self._rng.randrange(9)}")
                self._turn(order, status, again=True)

    def _fate(self) -> tuple[Status, ...]:
        fates: dict[tuple[Status, ...], float] = {
            ("pending", "paid"): 45,
            ("pending", "paid", "completed"): 22,
            ("pending", "paid", "partly_refunded"): 9,
            ("pending", "paid", "cancelled"): 8,
            ("pending", "cancelled"): 3,
            ("pending", "paid", "deleted"): 2,
            ("pending",): 6,
            ("paid",): 5,
        }
        return self._rng.choices(list(fates), list(fates.values()))[0]

    def _checkout(self, person: Person) -> Order:
        self._orders += 1
        rng, placed = self._rng, self._moment()
        chosen = rng.sample(self._articles, k=min(len(self._articles), rng.choice((1, 1, 1, 2, 2, 3, 4))))
        lines = []
        for one in chosen:
            units = rng.choice((1, 1, 1, 2, 3))
            discount = units * Decimal(rng.randrange(10, 200)) / 100 if chance(rng, 0.2) else Decimal(0)
            lines.append(OrderLine(one, units, units, one.price, discount))
        email = person.email.upper() if chance(rng, 0.1) else person.email
        return Order(
            id=self.shop.first_id + 10_000 + self._orders,
            buyer=person,
            placed=placed,
            updated=placed,
            lines=lines,
            shipping=rng.choice((Decimal(0), Decimal("4.95"), Decimal("9.90"))),
            ticked=chance(rng, 0.3),
            email=email,
            presentment=rng.choice((None, None, None, "USD", "GBP")),
            template=rng.randrange(12),
        )

    def _turn(self, order: Order, status: Status, *, again: bool = False) -> None:
        """The order gets into a state, and the shop sends a webhook."""
        order.updated += timedelta(seconds=self._rng.randrange(2, 5_000))
        order.status = status
        if status == "partly_refunded" and not again:
            self._messages.refund_part(order, self._rng)
        now = replace(order, buyer=order.buyer.as_of(order.updated))
        for index, (topic, body) in enumerate(self._messages.order(self.shop, now, again=again)):
            statements = () if topic == "refunds/create" else (self._state(now),)
            self._tell("order", topic, body, order.updated, statements, spare=again or index > 0)

    def _state(self, order: Order) -> OrderStatement:
        sold = order.status in SOLD and not order.is_test
        left = [line for line in order.lines if line.left]
        bare = order.status == "deleted" and not self._messages.deletions_have_time
        return OrderStatement(
            account=self.shop.account,
            order=str(order.id),
            at=self._end if bare else order.updated,
            sold=sold,
            placed=order.placed,
            total=order.total,
            units=sum(line.left for line in left),
            articles=frozenset(str(line.article.id) for line in left),
            buyer=order.buyer.email,
            name=order.buyer.name,
        )

    def _announce(self, one: Article) -> None:
        """Made; maybe its price changes, maybe only its stock."""
        at = self._start + timedelta(seconds=self._rng.randrange(3_600))
        self._tell_article(one, at, "create")
        if chance(self._rng, 0.5):
            at += timedelta(seconds=self._rng.randrange(60, 90_000))
            one.price += Decimal(self._rng.randrange(1, 300)) / 100
            one.was = None if one.was is None else max(one.was, one.price + 1)
            self._tell_article(one, at, "update")
        if chance(self._rng, 0.5):
            one.stock -= 1
            self._tell_article(one, at + timedelta(seconds=self._rng.randrange(60, 90_000)), "update")

    def _tell_article(self, one: Article, at: datetime, verb: str) -> None:
        gone = verb == "delete"
        body = {"id": one.id} if gone else self._messages.product(self.shop, one, at)
        price = None if gone else one.price
        statement = ArticleStatement(self.shop.account, str(one.id), at, one.title, price, one.stock > 0)
        self._tell("product", self._messages.topic("product", verb), body, at, (statement,))

    def _register(self, person: Person) -> None:
        """The shop's customer: made, maybe renamed, maybe asked about newsletters."""
        at = self._start + timedelta(seconds=self._rng.randrange(7_200))
        for verb, when in (("create", at), ("update", person.renamed)):
            if when is not None:
                them = person.as_of(when)
                statement = PersonStatement(self.shop.account, person.email, when, them.name)
                body = self._messages.customer(self.shop, them, when)
                self._tell("customer", self._messages.topic("customer", verb), body, when, (statement,))
        if self._messages.tells_consent and chance(self._rng, 0.35):
            self._consent(person)

    def _consent(self, person: Person) -> None:
        subscribed, at = chance(self._rng, 0.7), self._start
        for _ in range(self._rng.choice((1, 1, 2, 3))):
            at += timedelta(seconds=self._rng.randrange(60, 100_000))
            statement = ConsentStatement(self.shop.account, person.email, at, subscribed)
            body = shopify.consent_body(self.shop, person, at, subscribed=subscribed)
            self._tell("customer", "customers_email_marketing_consent/update", body, at, (statement,))
            subscribed = not subscribed

    def _specialities(self) -> None:
        """What comes to every shop sooner or later."""
        if self._messages.has_test_orders:
            test = self._checkout(self._crowd[0])
            test.is_test = True
            self._turn(test, "paid")
        else:  # the block checkout makes an order as soon as the shopper opens it
            draft = self._checkout(self._crowd[0])
            self._turn(draft, "draft")
            self._turn(draft, "paid")
        self._refuse("no_email", replace(self._crowd[1], accounts={}), email=None)
        self._refuse("invalid_email", self._crowd[1], email="x" * 280 + "@acme.example")
        self._refuse("currency_mismatch", self._crowd[1], currency="CHF")
        cut = self._messages.encode(self._messages.order(self.shop, self._checkout(self._crowd[0]))[0][1])
        topic = self._messages.topic("order", "update")
        self._tell("order", topic, cut[: len(cut) // 2], self._moment(), rejected="invalid_json")
        self._withdraw()
        at = self._moment()
        for odd in self._messages.oddities(self.shop, replace(self._checkout(self._crowd[0]), status="paid")):
            self.told.append((at, self._delivery(odd.kind, odd.headers, odd.body)))

    def _refuse(self, reason: str, buyer: Person, *, email: str | None = "", currency: str = "") -> None:
        """A sold order that cannot be translated."""
        order = replace(self._checkout(buyer), status="paid")
        if email != "":
            order.email = email
        shop = replace(self.shop, currency=currency or self.shop.currency)
        topic, body = self._messages.order(shop, order)[0]
        self._tell("order", topic, body, order.updated, rejected=reason)

    def _withdraw(self) -> None:
        """Products that no order has: one sold out, one deleted."""
        number = 5_000
        for verb in ("update", "delete"):
            number += 1
            one = article(self._rng, number, self.shop)
            at = self._moment()
            self._tell_article(one, at, "create")
            one.stock = 0
            later = at + timedelta(hours=1)
            bare = verb == "delete" and not self._messages.deletions_have_time
            self._tell_article(one, self._end if bare else later, verb)

    def _tell(
        self,
        kind: str,
        topic: str,
        body: Any,
        at: datetime,
        statements: tuple[Statement, ...] = (),
        *,
        rejected: str = "",
        spare: bool = False,
    ) -> None:
        raw = body if isinstance(body, bytes) else self._messages.encode(body)
        headers = self._messages.signed(self.shop, topic, raw, at)
        one = replace(
            self._delivery(kind, headers, raw), statements=statements, rejected=rejected, spare=spare
        )
        self.told.append((at, one))

    def _delivery(self, kind: str | None, headers: Headers, body: bytes) -> Delivery:
        return Delivery(self.shop.name, self.shop.platform, headers, body, kind)

    def _moment(self) -> datetime:
        """Some second, early enough for a story to end in time."""
        span = int((self._end - self._start).total_seconds()) - 90_000
        return self._start + timedelta(seconds=self._rng.randrange(10_000, span))
