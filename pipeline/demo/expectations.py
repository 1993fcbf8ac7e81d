"""What a webhook of the demo states, and what Connectif must hold once all of them have arrived.

Webhooks arrive late, twice and out of order, so of two statements about one thing the newest counts. A
statement that was overtaken may or may not have been sent in between: what it alone would create is allowed,
but not required.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

NameOfPerson = tuple[str, str]


@dataclass(frozen=True, slots=True)
class OrderStatement:
    """An order as it stood at `at`: sold, or not (pending, cancelled, refunded, deleted, a test).

    `articles` are the ids of what is left of it, `units` how many in all. `buyer` is an e-mail address, lower
    case; `name` the buyer's at that moment. What was ticked at the checkout is no consent.
    """

    account: str
    order: str
    at: datetime
    sold: bool
    placed: datetime
    total: Decimal = Decimal(0)
    units: int = 0
    articles: frozenset[str] = frozenset()
    buyer: str = ""
    name: NameOfPerson = ("", "")


@dataclass(frozen=True, slots=True)
class PersonStatement:
    """A customer as the shop had them at `at`."""

    account: str
    email: str
    at: datetime
    name: NameOfPerson


@dataclass(frozen=True, slots=True)
class ConsentStatement:
    """What a customer said of newsletters at `at`."""

    account: str
    email: str
    at: datetime
    subscribed: bool


@dataclass(frozen=True, slots=True)
class ArticleStatement:
    """A product as the shop's catalogue had it at `at`; `price` is None where it is no longer on sale."""

    account: str
    article: str
    at: datetime
    title: str
    price: Decimal | None
    in_stock: bool = True


Statement = OrderStatement | PersonStatement | ConsentStatement | ArticleStatement
F = TypeVar("F", OrderStatement, PersonStatement, ConsentStatement, ArticleStatement)


@dataclass(frozen=True, slots=True)
class ExpectedContact:
    """`names` and `newsletter` are what it may have; "none": no statement."""

    names: frozenset[NameOfPerson]
    newsletter: frozenset[str]


@dataclass(frozen=True, slots=True)
class ExpectedProduct:
    """A product of the catalogue, a stub known from orders (`listed` is False), or one that is hidden.

    `title` and `price` are None where it is hidden: what it kept depends on what was sent before.
    """

    title: str | None
    price: Decimal | None
    in_stock: bool | None
    listed: bool


@dataclass(slots=True)
class Expected:
    """What one account must hold. What is in `allowed_*` and not required may be there or not."""

    purchases: dict[str, OrderStatement] = field(default_factory=dict)
    contacts: dict[str, ExpectedContact] = field(default_factory=dict)
    products: dict[str, ExpectedProduct] = field(default_factory=dict)
    allowed_contacts: set[str] = field(default_factory=set)
    allowed_products: set[str] = field(default_factory=set)


def expected(statements: Iterable[Statement]) -> dict[str, Expected]:
    """The final state of every account that the statements name."""
    by_account: dict[str, list[Statement]] = {}
    for statement in statements:
        by_account.setdefault(statement.account, []).append(statement)
    return {account: _of_account(said) for account, said in by_account.items()}


def _of_account(statements: list[Statement]) -> Expected:
    orders = [statement for statement in statements if isinstance(statement, OrderStatement)]
    people = [statement for statement in statements if isinstance(statement, PersonStatement)]
    consents = [statement for statement in statements if isinstance(statement, ConsentStatement)]
    catalogue = [statement for statement in statements if isinstance(statement, ArticleStatement)]
    final = {order: statement for order, statement in _newest(orders, "order").items() if statement.sold}
    sold = [statement for statement in orders if statement.sold]
    made = Expected(purchases=final)
    made.allowed_contacts = {statement.buyer for statement in sold} | {
        statement.email for statement in people
    }
    made.allowed_contacts |= {statement.email for statement in consents}
    made.allowed_products = {one for statement in sold for one in statement.articles} | {
        statement.article for statement in catalogue
    }
    made.contacts = _contacts(list(final.values()), sold, people, consents)
    made.products = _products(list(final.values()), catalogue)
    return made


def _newest(statements: Iterable[F], key: str) -> dict[str, F]:
    return {
        getattr(statement, key): statement
        for statement in sorted(statements, key=lambda statement: statement.at)
    }


def _contacts(
    final: list[OrderStatement],
    sold: list[OrderStatement],
    people: list[PersonStatement],
    consents: list[ConsentStatement],
) -> dict[str, ExpectedContact]:
    """Everybody of a standing order or with an event of their own; the newest statement names them."""
    own = _newest(people, "email")
    said = _newest(consents, "email")
    made = {}
    for email in {statement.buyer for statement in final} | own.keys() | said.keys():
        told = [(statement.at, statement.name) for statement in final if statement.buyer == email]
        told += [(own[email].at, own[email].name)] if email in own else []
        newest = max(told, default=None)
        # A sold order that was cancelled later may have sent a name in between.
        perhaps = {
            statement.name
            for statement in sold
            if statement.buyer == email and (newest is None or statement.at >= newest[0])
        }
        names = frozenset(perhaps | ({newest[1]} if newest else {("", "")}))
        made[email] = ExpectedContact(names, _newsletter(email, said))
    return made


def _newsletter(email: str, said: Mapping[str, ConsentStatement]) -> frozenset[str]:
    """The customer's own newest statement, however old."""
    if email not in said:
        return frozenset({"none"})
    return frozenset({"subscribed" if said[email].subscribed else "unsubscribed"})


def _products(final: list[OrderStatement], catalogue: list[ArticleStatement]) -> dict[str, ExpectedProduct]:
    """All that the catalogue shows or a standing order names; hidden ones only where an order names them."""
    newest = _newest(catalogue, "article")
    ordered = {one for statement in final for one in statement.articles}
    made = {}
    for article in ordered | {one for one, statement in newest.items() if statement.price is not None}:
        if article not in newest:
            made[article] = ExpectedProduct(None, None, None, listed=False)
        elif newest[article].price is None:
            made[article] = ExpectedProduct(None, None, in_stock=False, listed=False)
        else:
            statement = newest[article]
            made[article] = ExpectedProduct(statement.title, statement.price, statement.in_stock, listed=True)
    return made
