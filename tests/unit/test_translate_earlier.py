"""What was told under another id, of another address or to another account."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson

from pipeline.events import Kind
from pipeline.shops.shopify import SHOPIFY
from pipeline.translate.rules import EventPosition, Outcome, Result, apply
from pipeline.translate.state import EntityState
from tests import plainshop, shopify

SALE, GONE = ["purchase", "7001", "c1"], ["purchase", "2023-15", None, "retract", True]
RENUMBERED = ["purchase", "2023-15", "c1"]


class Order:
    """One order's events, for a store that may move."""

    def __init__(self) -> None:
        self.state, self.offset, self.account = EntityState(), 0, "acme"

    def says(self, *drafts: Any, version: int | None = None) -> Result:
        self.offset += 1
        said = {"version": version or self.offset, "drafts": drafts}
        feed = replace(plainshop.feed(), account=self.account, accounts=frozenset({"acme", "acme-new"}))
        event = plainshop.event(said, delivery=f"d{self.offset}")
        return apply(event, EventPosition("shop.orders", 0, self.offset), self.state, feed)


def told(result: Result) -> list[tuple[str, ...]]:
    """Account, id and op of what was emitted, and whether it starts no workflow."""
    values = [orjson.loads(emission.value) for emission in result.emissions]
    quiet = {True: (), False: ("quiet",)}
    return [(v["account"], v["id"], v["op"], *quiet[v.get("trigger", True)]) for v in values]


def test_a_renumbered_order_takes_its_old_number_back_and_starts_no_workflow() -> None:
    order = Order()
    order.says(SALE)
    assert told(order.says(RENUMBERED)) == [
        ("acme", "7001", "retract"),
        ("acme", "2023-15", "upsert", "quiet"),
    ]
    assert told(order.says(["purchase", "2023-15", "c2"])) == [("acme", "2023-15", "upsert", "quiet")]


def test_an_order_renumbered_and_cancelled_at_once_takes_its_old_number_back() -> None:
    order = Order()
    order.says(SALE)
    assert told(order.says(GONE)) == [("acme", "7001", "retract")]
    assert order.says(GONE).outcome is Outcome.IGNORED


def test_an_order_numbered_back_has_its_first_number_again() -> None:
    order = Order()
    order.says(SALE)
    order.says(RENUMBERED)
    assert told(order.says(SALE)) == [("acme", "2023-15", "retract"), ("acme", "7001", "upsert", "quiet")]


def test_a_renumbered_order_uses_its_code_under_the_new_number_alone() -> None:
    order = Order()
    order.says(["purchase", "7001", "c1", "upsert", False, ["TEN"]])
    uses = order.says(["purchase", "2023-15", "c1", "upsert", False, ["TEN"]]).uses
    assert [(use.purchase_id, use.code, use.used) for use in uses] == [
        ("7001", "TEN", False),
        ("2023-15", "TEN", True),
    ]


def test_a_store_that_moves_tells_the_new_account_and_takes_back_in_both() -> None:
    order = Order()
    order.says(SALE)
    order.account = "acme-new"
    moved = order.says(SALE)
    assert moved.moved_from == "acme"
    assert told(moved) == [("acme-new", "7001", "upsert")]
    assert order.says(["purchase", "7001", "c2"]).moved_from == ""
    assert told(order.says(["purchase", "7001", None, "retract", True])) == [
        ("acme-new", "7001", "retract"),
        ("acme", "7001", "retract"),
    ]


def test_an_order_cancelled_after_its_store_moved_is_taken_back_where_it_was_sent() -> None:
    order = Order()
    order.says(SALE)
    order.account = "acme-new"
    assert told(order.says(["purchase", "7001", None, "retract", True])) == [("acme", "7001", "retract")]


class Customer:
    """One customer's events at Shopify."""

    def __init__(self) -> None:
        self.state, self.offset = EntityState(), 0

    def says(self, topic: str, body: dict[str, Any], *, at: int) -> list[tuple[str, str, str | None]]:
        """Id, op and newsletter of what follows from an event that the shop sent `at` seconds."""
        self.offset += 1
        event = replace(
            shopify.delivered(topic, body),
            kind=Kind.CUSTOMER,
            entity="3001",
            delivery=f"d{self.offset}",
            triggered_ms=at * 1_000,
        )
        result = apply(event, EventPosition("shop.customers", 0, self.offset), self.state, shopify_feed())
        values = [orjson.loads(emission.value) for emission in result.emissions]
        return [(v["id"], v["op"], v["body"].get("newsletter")) for v in values]


def shopify_feed() -> Any:
    return replace(plainshop.feed(), platform=SHOPIFY, context=shopify.store(), accounts=frozenset({"acme"}))


def at_address(email: str, at: int) -> tuple[str, dict[str, Any], int]:
    return "customers/update", {"id": 3001, "email": email, "updated_at": _iso(at)}, at


def consent(email: str, state: str, at: int) -> tuple[str, dict[str, Any], int]:
    said = {"state": state, "consent_updated_at": _iso(at)}
    body = {"customer_id": 3001, "email_address": email, "email_marketing_consent": said}
    return "customers_email_marketing_consent/update", body, at


def _iso(at: int) -> str:
    return f"2026-01-01T00:{at // 60:02d}:{at % 60:02d}Z"


OLD, NEW = "ana@mail.example", "ana.new@mail.example"


def test_an_address_that_was_left_is_unsubscribed_once() -> None:
    customer = Customer()
    for topic, body, at in (at_address(OLD, 10), consent(OLD, "subscribed", 11)):
        customer.says(topic, body, at=at)
    topic, body, at = at_address(NEW, 20)
    assert customer.says(topic, body, at=at) == [(NEW, "upsert", None), (OLD, "patch", "unsubscribed")]
    topic, body, at = consent(NEW, "unsubscribed", 30)
    assert customer.says(topic, body, at=at) == [(NEW, "upsert", "unsubscribed")]


def test_no_order_of_arrival_leaves_anybody_subscribed_who_withdrew() -> None:
    events = (
        at_address(OLD, 10),
        consent(OLD, "subscribed", 11),
        at_address(NEW, 20),
        consent(NEW, "unsubscribed", 30),
    )
    for order in permutations(events):
        customer, said = Customer(), dict[str, str]()
        for topic, body, at in order:
            for address, _, newsletter in customer.says(topic, body, at=at):
                said[address] = newsletter or said.get(address, "")
        assert "subscribed" not in said.values(), order


def test_a_customer_who_returns_to_an_address_is_told_of_there_again() -> None:
    customer = Customer()
    for topic, body, at in (at_address(OLD, 10), at_address(NEW, 20)):
        customer.says(topic, body, at=at)
    topic, body, at = at_address(OLD, 30)
    assert customer.says(topic, body, at=at) == [(OLD, "upsert", None), (NEW, "patch", "unsubscribed")]


class Product:
    """One product's events, as the body alone says them."""

    def __init__(self) -> None:
        self.state, self.offset = EntityState(), 0

    def says(self, *drafts: Any, topic: str = "products/update") -> list[tuple[str, str]]:
        """Id and op of what follows from an event."""
        self.offset += 1
        event = plainshop.event(
            {"version": self.offset, "drafts": drafts},
            kind=Kind.PRODUCT,
            topic=topic,
            delivery=f"d{self.offset}",
        )
        result = apply(event, EventPosition("shop.products", 0, self.offset), self.state, plainshop.feed())
        return [(emission.id, orjson.loads(emission.value)["op"]) for emission in result.emissions]


def test_a_product_under_another_sku_hides_the_one_before_once_and_may_come_back() -> None:
    product = Product()
    product.says(["product", "MUG-1", "mug"])
    assert product.says(["product", "MUG-2", "mug"]) == [("MUG-1", "hide"), ("MUG-2", "upsert")]
    assert product.says(["product", "MUG-2", "cup"]) == [("MUG-2", "upsert")]
    assert product.says(["product", "MUG-1", "mug"]) == [("MUG-2", "hide"), ("MUG-1", "upsert")]


def test_a_variant_taken_out_is_hidden_and_the_others_are_not() -> None:
    product = Product()
    product.says(["product", "5011", "blue"], ["product", "5012", "red"])
    assert product.says(["product", "5012", "red"]) == [("5011", "hide")]
    assert product.says(["product", "5012", "red"]) == []


def test_a_product_withdrawn_under_another_sku_hides_both() -> None:
    product = Product()
    product.says(["product", "MUG-1", "mug"])
    assert product.says(["product", "MUG-2", "mug", "hide"]) == [("MUG-1", "hide"), ("MUG-2", "hide")]


def test_a_deletion_gives_nothing_up_but_what_it_names() -> None:
    product = Product()
    product.says(["product", "501", "in stock", "patch"])
    assert product.says(["product", "5011", "gone", "hide"], topic="product.deleted") == [("5011", "hide")]


def test_a_product_whose_variants_are_cut_off_its_body_gives_none_up() -> None:
    store = replace(
        plainshop.feed(),
        platform=SHOPIFY,
        context=shopify.store(product_id="variant"),
    )
    state = EntityState()

    def ids(offset: int, body: dict[str, Any]) -> list[tuple[str, str]]:
        event = replace(
            shopify.delivered("products/update", body),
            kind=Kind.PRODUCT,
            entity="501",
            delivery=f"d{offset}",
        )
        result = apply(event, EventPosition("shop.products", 0, offset), state, store)
        return [(emission.id, orjson.loads(emission.value)["op"]) for emission in result.emissions]

    def body(minute: int, *variants: int, gids: int = 0) -> dict[str, Any]:
        return {
            "id": 501,
            "title": "Mug",
            "handle": "mug",
            "status": "active",
            "published_at": "2026-01-01T00:00:00Z",
            "updated_at": f"2026-01-01T00:{minute:02d}:00Z",
            "variants": [{"id": one, "price": "10.00", "inventory_quantity": 3} for one in variants],
            "variant_gids": [{"admin_graphql_api_id": "g"}] * gids,
        }

    assert [one for one, _ in ids(1, body(1, 5011, 5012))] == ["5011", "5012"]
    assert ("5012", "hide") not in ids(2, body(2, 5011, gids=2))
    assert ("5012", "hide") in ids(3, body(3, 5011, gids=1))
