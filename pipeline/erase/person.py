"""Whose event it is: what a body says of the person it is about, and who is meant by an address. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import orjson

from pipeline.events import Kind
from pipeline.shops.api import bodies_in
from pipeline.shops.platform import Path, PersonFields

#: Ids of orders read of one request.
MOST_ORDERS = 100_000


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a body names.

    Attributes:
        addresses: e-mail addresses of the person it is about, in lower case.
        customer: of an order, the shop's id of who made it; empty for guests.
        account_address: the address of that customer's own account, where the body has it.
        orders: of a request to erase or show somebody, the ids of their orders.
    """

    addresses: frozenset[str] = frozenset()
    customer: str = ""
    account_address: str = ""
    orders: frozenset[str] = frozenset()


def named_in(body: bytes, fields: PersonFields) -> Named | None:
    """Whom a body names; None where it cannot be read."""
    try:
        tree = orjson.loads(body)
    except ValueError:
        return None
    roots = [
        node
        for document in bodies_in(tree)
        for root in fields.roots
        if isinstance(node := _at(document, root), dict)
    ]
    said = {address_of(_at(root, path)) for root in roots for path in fields.addresses}
    customers = (_id(_at(root, path)) for root in roots for path in fields.customer)
    own = (address_of(_at(root, ("customer", "email"))) for root in roots)
    listed = (_at(root, path) for root in roots for path in fields.orders)
    orders = {_id(order) for ids in listed if isinstance(ids, list) for order in ids[:MOST_ORDERS]}
    return Named(
        frozenset(said - {""}),
        next(filter(None, customers), ""),
        next(filter(None, own), ""),
        frozenset(orders - {""}),
    )


def address_of(value: object) -> str:
    """An address as it is compared; empty where it is none."""
    return value.strip().lower() if isinstance(value, str) and "@" in value else ""


def _at(tree: object, path: Path) -> object:
    node = tree
    for step in path:
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node


def _id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value).rpartition("/")[2].strip()
    return "" if text == "0" else text


@dataclass(slots=True)
class Person:
    """Who is meant, as far as it is known; `Search` learns the rest.

    Attributes:
        store: the store of the request.
        asked: the addresses that were named.
        customers: the shop's ids of their accounts.
        orders: ids of their orders.
        learned: further addresses of these accounts.
        everybody: all people of the store are meant.
    """

    store: str
    asked: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    learned: set[str] = field(default_factory=set)
    everybody: bool = False

    @property
    def addresses(self) -> set[str]:
        """All their addresses."""
        return self.asked | self.learned

    def address_needles(self) -> tuple[bytes, ...]:
        """Their addresses as they may stand in a body in lower case: plain, and with JSON's escapes."""
        plain = {address.encode() for address in self.addresses}
        escaped = {json.dumps(address)[1:-1].lower().encode() for address in self.addresses}
        return tuple(plain | escaped)


@dataclass(slots=True)
class _Account:
    """A customer whose events name one of the addresses."""

    addresses: set[str] = field(default_factory=set)
    newest: str = ""


class Search:
    """Learns from the events of a store who is meant; read them until `learn` says that nothing was new.

    An address may be another customer's by now. One that was named means whoever has it today, and where
    nobody has, whoever had it; a further one that another customer has named is left out.

    Args:
        person: who was named; it is filled.
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        #: Events that name an address of theirs and are another's.
        self.mentions = 0
        self._named_orders = frozenset(person.orders)
        #: A shop that names the account means that one, whoever has the address.
        self._account_is_named = bool(person.customers)
        self._others: set[str] = set()
        self._left_out: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        self._addresses = self.person.address_needles()
        self._needles = (*self._addresses, *(customer.encode() for customer in self.person.customers))
        self._accounts: dict[str, _Account] = {}
        self._orders = len(self.person.orders)
        self.mentions = 0

    def is_theirs(self, kind: Kind, entity: str, body: bytes, fields: PersonFields) -> bool:
        """Whether an event of the store is the person's."""
        person = self.person
        if person.everybody:
            return True
        known = entity in (person.customers if kind is Kind.CUSTOMER else person.orders)
        followed = known or (kind is Kind.CUSTOMER and entity in self._accounts)
        lower = body.lower()
        if not followed and not any(needle in lower for needle in self._needles):
            return False
        names_them = any(needle in lower for needle in self._addresses)
        named = named_in(body, fields)
        if named is None or (fields.anywhere and kind is Kind.ORDER and names_them):
            if kind is Kind.ORDER:
                self.person.orders.add(entity)
            return known or names_them  # it cannot be read, or may name them anywhere
        theirs = (self._of_customer if kind is Kind.CUSTOMER else self._of_order)(entity, named, known=known)
        self.mentions += names_them and not theirs
        return theirs

    def _of_customer(self, entity: str, named: Named, *, known: bool) -> bool:
        addresses = self.person.addresses
        if named.addresses & addresses or known:
            account = self._accounts.setdefault(entity, _Account())
            account.addresses |= named.addresses
        if entity in self._accounts and named.addresses:
            self._accounts[entity].newest = next(iter(named.addresses))
        if known:
            self.person.orders |= named.orders
        return known

    def _of_order(self, entity: str, named: Named, *, known: bool) -> bool:
        person = self.person
        own = named.customer in person.customers if named.customer else False
        by_address = bool(named.addresses & person.addresses) and named.customer not in self._others
        theirs = known or own or by_address
        if theirs:
            person.orders.add(entity)
            if not known and named.customer and named.account_address in person.asked:
                account = self._accounts.setdefault(named.customer, _Account())
                account.addresses.add(named.account_address)
                account.newest = account.newest or named.account_address
        return theirs

    def learn(self) -> bool:
        """Once all events were read: whether more is known, so that they are to be read again."""
        person = self.person
        if person.everybody:
            return False
        before = (set(person.customers), set(person.learned), set(self._others))
        if not self._account_is_named:
            for address in person.asked:
                had = {name for name, account in self._accounts.items() if address in account.addresses}
                have = {name for name in had if self._accounts[name].newest == address}
                person.customers |= have or had
        mine, theirs = set[str](), set[str]()
        for name, account in self._accounts.items():
            (mine if name in person.customers else theirs).update(account.addresses)
        # Both only grow: what is known of others is found by addresses that are then no longer looked for.
        self._others = (self._others | self._accounts.keys()) - person.customers
        self._left_out |= mine & theirs
        person.learned = mine - person.asked - self._left_out
        found = (person.customers, person.learned, self._others)
        if found != before:
            person.orders = set(self._named_orders)
        again = found != before or len(person.orders) != self._orders
        if again:
            self._begin()
        return again
