"""How each platform reports what happens: topics, bodies, signatures, and oddities of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, ClassVar, Protocol

from pipeline.demo import shopify, woocommerce
from pipeline.demo.shops import Article, Order, Person, Shop, chance
from pipeline.demo.templates import Body

Headers = tuple[tuple[str, str], ...]
Said = tuple[str, Body]


@dataclass(frozen=True, slots=True)
class Odd:
    """A delivery that makes no record; `kind` as the gateway takes it in, None where it does not."""

    kind: str | None
    headers: Headers
    body: bytes


class Messages(Protocol):
    """One platform's messages.

    Attributes:
        tells_consent: whether newsletters have events of their own.
        has_test_orders: whether an order can say that it is a test.
        deletions_have_time: whether a deletion says when it happened.
    """

    tells_consent: ClassVar[bool]
    has_test_orders: ClassVar[bool]
    deletions_have_time: ClassVar[bool]

    def topic(self, kind: str, verb: str) -> str:
        """The name of an event; verbs are create, update and delete."""

    def order(self, shop: Shop, order: Order, *, again: bool = False) -> list[Said]:
        """What is sent when an order got into its state; `again`: something small changed in it."""

    def customer(self, shop: Shop, person: Person, at: datetime) -> Body:
        """A customer's body."""

    def product(self, shop: Shop, article: Article, at: datetime) -> Body:
        """A product's body."""

    def refund_part(self, order: Order, rng: Random) -> None:
        """Pay back some of an order, but never all."""

    def encode(self, body: Any) -> bytes:
        """The bytes of a body."""

    def signed(self, shop: Shop, topic: str, body: bytes, at: datetime) -> Headers:
        """The headers of a delivery."""

    def oddities(self, shop: Shop, order: Order) -> Iterator[Odd]:
        """Deliveries that only this platform has; `order` is one that no other delivery has."""


class ShopifyMessages:
    """`Messages` of Shopify."""

    tells_consent: ClassVar[bool] = True
    has_test_orders: ClassVar[bool] = True
    deletions_have_time: ClassVar[bool] = True
    _TOPICS: ClassVar = {
        "pending": "orders/create",
        "paid": "orders/paid",
        "completed": "orders/fulfilled",
        "partly_refunded": "orders/updated",
        "cancelled": "orders/cancelled",
    }

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def topic(self, kind: str, verb: str) -> str:
        return f"{kind}s/{'updated' if (kind, verb) == ('order', 'update') else verb}"

    def order(self, shop: Shop, order: Order, *, again: bool = False) -> list[Said]:
        """Most changes are sent twice: under their own topic, and as `orders/updated`."""
        if order.status == "deleted":
            return [("orders/delete", {"id": order.id})]
        body = shopify.order_body(shop, order)
        topic = "orders/updated" if again else self._TOPICS[order.status]
        said: list[Said] = [(topic, body)]
        if topic != "orders/updated" and chance(self._rng, 0.5):
            said.append(("orders/updated", body))
        if order.status == "partly_refunded" and not again:
            said.append(("refunds/create", shopify.refund_body(shop, order)))
        return said

    def customer(self, shop: Shop, person: Person, at: datetime) -> Body:
        return shopify.customer_body(shop, person, at, old=chance(self._rng, 0.3))

    def product(self, shop: Shop, article: Article, at: datetime) -> Body:
        return shopify.product_body(shop, article, at, old=chance(self._rng, 0.3))

    def refund_part(self, order: Order, rng: Random) -> None:
        """Shopify says for which lines, where goods come back."""
        several = len(order.lines) > 1
        if several or order.lines[0].units > 1:
            line = rng.choice(order.lines)
            line.left -= line.left if several else 1
        else:
            _refund_amount(order, rng)

    def encode(self, body: Any) -> bytes:
        return shopify.encode(body)

    def signed(self, shop: Shop, topic: str, body: bytes, at: datetime) -> Headers:
        return shopify.signed(shop, topic, body, self._rng, at)

    def oddities(self, shop: Shop, order: Order) -> Iterator[Odd]:
        """The admin's test notification, a deleted customer, and a topic that was not subscribed to."""
        raw = self.encode(shopify.order_body(shop, order))
        headers = self.signed(shop, "orders/paid", raw, order.updated)
        yield Odd("order", (*headers, ("X-Shopify-Test", "true")), raw)
        for kind, topic in (("customer", "customers/delete"), ("order", "fulfillments/create")):
            raw = self.encode({"id": order.id + 1})
            yield Odd(kind, self.signed(shop, topic, raw, order.updated), raw)


class WooCommerceMessages:
    """`Messages` of WooCommerce."""

    tells_consent: ClassVar[bool] = False
    has_test_orders: ClassVar[bool] = False
    deletions_have_time: ClassVar[bool] = False

    def __init__(self, rng: Random) -> None:
        """Nothing of it is left to chance."""

    def topic(self, kind: str, verb: str) -> str:
        return f"{kind}.{verb}d"

    def order(self, shop: Shop, order: Order, *, again: bool = False) -> list[Said]:
        """There is one topic for all that happens to an order; a draft has no address yet."""
        if order.status == "deleted":
            return [("order.deleted", {"id": order.id})]
        if order.status == "draft":
            order = replace(order, email=None)
        first = order.status == "pending" and not again
        return [("order.created" if first else "order.updated", woocommerce.order_body(shop, order))]

    def customer(self, shop: Shop, person: Person, at: datetime) -> Body:
        return woocommerce.customer_body(shop, person, at)

    def product(self, shop: Shop, article: Article, at: datetime) -> Body:
        return woocommerce.product_body(shop, article, at)

    def refund_part(self, order: Order, rng: Random) -> None:
        """The body has only the amount."""
        _refund_amount(order, rng)

    def encode(self, body: Any) -> bytes:
        return woocommerce.encode(body)

    def signed(self, shop: Shop, topic: str, body: bytes, at: datetime) -> Headers:
        return woocommerce.signed(shop, topic, body, at)

    def oddities(self, shop: Shop, order: Order) -> Iterator[Odd]:
        """The hello of a new webhook, an action without an entity, and a deleted customer."""
        yield Odd(None, *woocommerce.ping(142))
        action = {"action": "woocommerce_order_status_completed", "arg": order.id}
        for kind, topic, body in (
            ("order", "action.woocommerce_order_status_completed", action),
            ("customer", "customer.deleted", {"id": order.id + 1}),
        ):
            raw = self.encode(body)
            yield Odd(kind, self.signed(shop, topic, raw, order.updated), raw)


def _refund_amount(order: Order, rng: Random) -> None:
    order.refunded = (order.total / rng.randrange(2, 6)).quantize(Decimal("0.01"))


MESSAGES: Mapping[str, Callable[[Random], Messages]] = {
    "shopify": ShopifyMessages,
    "woocommerce": WooCommerceMessages,
}
