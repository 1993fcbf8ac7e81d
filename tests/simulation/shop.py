"""Records as the translate stage makes them from one shop, and what Connectif must hold because of them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from pipeline.events import Lane
from pipeline.records import (
    Contact,
    ContactRecord,
    Line,
    Op,
    Origin,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    Record,
    Source,
    Subscription,
)
from tests.simulation import virtual


class RecordSink(Protocol):
    """What takes a shop's records."""

    def say(self, record: Record) -> None:
        """A record comes out of the translate stage."""


class _Clock:
    """A shop's: the time, and never the same twice."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._last = 0

    def next(self) -> int:
        """Epoch milliseconds."""
        self._last = max(self._last + 1, int(self._wall() * 1_000))
        return self._last


class Shop:
    """A shop of one account; every word of it is newer than the last."""

    def __init__(
        self,
        environment: RecordSink,
        account: str = "acme",
        lane: Lane = Lane.LIVE,
        wall: Callable[[], float] = virtual.wall,
        withdraw: Callable[[str, str], None] = lambda _account, _email: None,
    ) -> None:
        self._environment = environment
        self._account = account
        self._lane = lane
        self._offsets = itertools.count()
        self._clock = _Clock(wall)
        self._withdraw = withdraw

    def in_lane(self, lane: Lane) -> Shop:
        """The same shop, speaking in another lane."""
        other = copy.copy(self)
        other._lane = lane
        return other

    def customer(
        self,
        email: str,
        *,
        name: str | None = None,
        newsletter: Subscription | None = None,
        origin: Origin = Origin.CUSTOMER,
        ago: float = 0.0,
        **fields: Any,
    ) -> None:
        """A customer's own event, or the contact an order makes; consent was given `ago` seconds before."""
        common = self._common(email, origin)
        body = Contact(
            email=email,
            name=name,
            newsletter=newsletter,
            newsletter_ms=common["version"] - int(ago * 1_000) if newsletter else None,
            **fields,
        )
        self._environment.say(ContactRecord(**common, body=body))

    def customer_without_address(self, external_id: str, **fields: Any) -> None:
        """A customer known by the shop's id alone."""
        body = Contact(email="", external_id=external_id, **fields)
        self._environment.say(ContactRecord(**self._common(external_id, Origin.CUSTOMER), body=body))

    def withdraw(self, email: str) -> None:
        """The person unsubscribes by a mail of Connectif's: the shop hears nothing."""
        self._withdraw(self._account, email)

    def forget(self, email: str) -> None:
        """A customer's deletion."""
        record = ContactRecord(
            **self._common(email, Origin.CUSTOMER), op=Op.RETRACT, body=Contact(email=email)
        )
        self._environment.say(record)

    def erase(self, email: str, *purchases: str) -> None:
        """The person is erased: what waits of their purchases first, as an erasure does it."""
        for purchase in purchases:
            common = self._common(purchase, Origin.CUSTOMER)
            self._environment.say(PurchaseRecord(**common, op=Op.ERASE, body=None))
        common = self._common(email, Origin.CUSTOMER)
        self._environment.say(ContactRecord(**common, op=Op.ERASE, body=Contact(email=email)))

    def product(self, product_id: str, **fields: Any) -> None:
        """A product's own event."""
        body = Product(product_id=product_id, **(_product(product_id) | {"is_blacklisted": False} | fields))
        self._environment.say(ProductRecord(**self._common(product_id, Origin.CATALOGUE), body=body))

    def stub(self, product_id: str, **fields: Any) -> None:
        """A product as an order names it."""
        known = _product(product_id, name="from an order") | {"is_blacklisted": True} | fields
        body = Product(product_id=product_id, **known)
        self._environment.say(ProductRecord(**self._common(product_id, Origin.ORDER), body=body))

    def patch(self, product_id: str, op: Op = Op.PATCH, **fields: Any) -> None:
        """Some fields of a product."""
        body = Product(product_id=product_id, **fields)
        self._environment.say(ProductRecord(**self._common(product_id, Origin.CATALOGUE), op=op, body=body))

    def order(self, order_id: str, email: str, *products: str, total: str = "10.00") -> None:
        """A sold order: its contact, its products, its purchase."""
        self.customer(email, origin=Origin.ORDER, name="Ann")
        for product_id in products:
            self.stub(product_id)
        self.purchase(order_id, email, *products, total=total)

    def order_backwards(self, order_id: str, email: str, *products: str, total: str = "10.00") -> None:
        """A sold order whose purchase is read first: topics are read side by side."""
        self.purchase(order_id, email, *products, total=total)
        for product_id in products:
            self.stub(product_id)
        self.customer(email, origin=Origin.ORDER, name="Ann")

    def purchase(self, order_id: str, email: str, *products: str, total: str = "10.00") -> None:
        """A purchase alone."""
        price = Decimal(total)
        lines = tuple(
            Line(
                product_id=product_id,
                name=f"Product {product_id}",
                url=f"https://shop.example/p/{product_id}",
                unit_price=price,
                quantity=1,
                price=price,
            )
            for product_id in products
        )
        body = Purchase(
            purchase_id=order_id,
            contact_email=email,
            cart_id=order_id,
            purchase_date="2023-11-14T10:00:00Z",
            total_price=price,
            total_quantity=len(lines),
            lines=lines,
        )
        self._environment.say(PurchaseRecord(**self._common(order_id, Origin.ORDER), body=body))

    def cancel(self, order_id: str) -> None:
        """A cancelled order."""
        record = PurchaseRecord(**self._common(order_id, Origin.ORDER), op=Op.RETRACT, body=None)
        self._environment.say(record)

    def _common(self, record_id: str, origin: Origin) -> dict[str, Any]:
        version = self._clock.next()
        return {
            "account": self._account,
            "store": f"{self._account}-shop",
            "id": record_id,
            "version": version,
            "source": Source(topic="shop.orders", partition=0, offset=next(self._offsets)),
            "origin": origin,
            "lane": self._lane,
            "received_ms": version,
        }


def _product(product_id: str, name: str | None = None) -> dict[str, Any]:
    return {
        "name": name or f"Product {product_id}",
        "url": f"https://shop.example/p/{product_id}",
        "unit_price": Decimal("10.00"),
    }
