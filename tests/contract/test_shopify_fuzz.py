"""Broken bodies: whatever is dropped or retyped, the adapter answers or refuses, and money stays sound."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.events import RawEvent
from pipeline.records import Product, Purchase
from pipeline.shops.base import Draft, Rejected, Translation
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.shopify.settings import ShopifyStore
from tests.shopify import FOLDER, delivered, load, order_line, paid_order, purchase_of, store
from tests.shopify import translate as meaning_of

SNAKE_CASE = re.compile(r"[a-z][a-z_]*")
SOLD = {"test": False, "cancelled_at": None, "financial_status": "paid"}
TOPICS = (
    "orders/create",
    "orders/delete",
    "orders/edited",
    "refunds/create",
    "customers/create",
    "customers/delete",
    "customers/redact",
    "customers_email_marketing_consent/update",
    "products/create",
    "products/delete",
    "variants/out_of_stock",
    "carts/update",
    "",
)


def _topic_of(name: str) -> str:
    """The topic a file of the folder was sent under, near enough."""
    for word, topic in (
        ("consent", "customers_email_marketing_consent/update"),
        ("order", "orders/updated"),
        ("customer", "customers/update"),
        ("product", "products/update"),
    ):
        if word in name:
            return topic
    return "refunds/create"


def _seeds() -> list[tuple[str, Any]]:
    seeds: list[tuple[str, Any]] = []
    for path in sorted(FOLDER.glob("*.json")):
        body = load(path.stem)
        if path.stem.startswith("rest-") and isinstance(body, dict):
            [body] = body.values()
        if isinstance(body, list):
            body = body[0]
        topic = _topic_of(path.stem)
        seeds.append((topic, body | SOLD if topic == "orders/updated" else body))
    return seeds


SEEDS = _seeds()
NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 10**6, 2**53 + 1, 2**64 - 1, 2**70, -(2**63), 0.5, -0.01, 1e308, 1e-308,
    float("nan"), float("inf"), "", " ", "0", "-5.00", "12.345678", "1e5", "1E-400", "1e999999999999",
    "NaN", "sNaN", "Infinity", "-0", "9" * 5_000, "x" * 70_000, "\ud800", "\x00\x1b[31m", "\u202eabc",
    "😀" * 300, "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-12:00", "2024-02-30", "2024-05-06T10:15:00",
    "2024-W19-1", "a@b", "@", "a@@b.example", "x" * 300 + "@example.com", "ö@exämple.com", "subscribed",
    "gid://shopify/Order/12", "<![CDATA[", "<!--", "<script>", "&#99999999999;", "EUR", "USD", "refunded",
    [], {}, [None], [[]], [{}], [1, "a", None], {"": None}, {"shop_money": {}}, {"state": "subscribed"},
    {"shop_money": {"amount": {}, "currency_code": []}}, {"state": {}},
    {"shop_money": {"amount": "-1", "currency_code": "EUR"}},
]  # fmt: skip
junk = st.one_of(
    st.sampled_from(NASTY),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)


@st.composite
def mutants(draw: st.DrawFn) -> tuple[str, Any]:
    """A real body with one to four of its nodes, at any depth, dropped or replaced; or another topic."""
    topic, seed = draw(st.sampled_from(SEEDS))
    body = copy.deepcopy(seed)
    for _ in range(draw(st.integers(1, 4))):
        node, key = _pick(draw, body)
        if key is None:
            return topic, copy.deepcopy(draw(junk))
        if draw(st.booleans()):
            node[key] = copy.deepcopy(draw(junk))
        else:
            del node[key]
    return draw(st.sampled_from((topic, topic, topic, *TOPICS))), body


def _pick(draw: st.DrawFn, body: Any) -> tuple[Any, Any]:
    """A place in the tree, as container and key; no key where there is nothing left to change."""
    node, key = body, None
    inner = body
    while isinstance(inner, dict | list) and inner:
        node, key = (
            inner,
            draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner)))),
        )
        inner = node[key]
        if draw(st.integers(0, 2)) == 0:
            break
    return node, key


stores = st.builds(
    lambda currency, options: store(currency, **options),
    st.sampled_from((None, "EUR", "USD")),
    st.fixed_dictionaries(
        {
            "purchase_id": st.sampled_from(("id", "number", "name")),
            "product_id": st.sampled_from(("product", "variant", "sku")),
            "consent_from_orders": st.booleans(),
            "tax": st.sampled_from(("as_shown", "included", "excluded")),
            "on_partial_refund": st.sampled_from(("replace", "keep")),
            "guests_without_email": st.sampled_from(("park", "external_id")),
            "contacts_from_unsold_orders": st.booleans(),
            "accept_test_orders": st.booleans(),
            "placeholder_product": st.sampled_from((None, "other")),
        }
    ),
)


def understood(event: RawEvent, context: ShopifyStore) -> Translation | None:
    """The event's meaning; None where it was refused. Anything else raised fails the test."""
    refusal = None
    try:
        return SHOPIFY.translate(event, context)
    except Rejected as raised:
        refusal = raised
    assert SNAKE_CASE.fullmatch(refusal.reason)
    assert len(refusal.detail) < 200
    return None


def check(draft: Draft) -> None:
    """What holds for every draft: bounded notes, sound money, and a body that survives its journey."""
    assert all(SNAKE_CASE.fullmatch(note) for note in draft.notes)
    assert draft.id != ""
    if draft.body is None:
        assert draft.if_emitted
        return
    assert type(draft.body).model_validate_json(draft.body.model_dump_json()) == draft.body
    for amount in amounts(draft.body):
        assert amount.is_finite()
        assert amount >= 0
        assert -4 <= int(amount.as_tuple().exponent) <= 0
    if isinstance(draft.body, Purchase):
        assert draft.body.total_quantity >= 1
        assert draft.body.lines
        assert (draft.body.contact_email is None) != (draft.body.contact_external_id is None)
        assert len({line.product_id for line in draft.body.lines}) == len(draft.body.lines)


def amounts(body: object) -> list[Decimal]:
    if isinstance(body, Product):
        found = [body.unit_price, body.unit_price_original, body.discounted_amount]
    elif isinstance(body, Purchase):
        found = [body.total_price]
        for line in body.lines:
            found += [line.unit_price, line.unit_price_original, line.price]
    else:
        found = []
    return [amount for amount in found if amount is not None]


@settings(max_examples=200, deadline=None)
@given(mutants(), stores)
def test_no_mutation_of_a_real_body_does_more_than_be_refused(
    mutant: tuple[str, Any], context: ShopifyStore
) -> None:
    topic, body = mutant
    event = delivered(topic, json.dumps(body).encode())
    assert RawEvent.from_kafka(event.body, event.to_kafka_headers()) == event
    translation = understood(event, context)
    if translation is None:
        return
    assert 0 <= translation.version <= 4_102_444_800_000
    assert SNAKE_CASE.fullmatch(translation.ignored)
    for draft in translation.drafts:
        check(draft)
    kinds = [draft.kind for draft in translation.drafts]
    assert kinds == sorted(kinds, key=("contact", "product", "purchase").index)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


@pytest.mark.parametrize(
    ("topic", "seed"),
    [
        ("orders/paid", paid_order(financial_status="partially_refunded", taxes_included=False)),
        ("customers/update", load("webhook-customers_update-2024-04")),
        ("products/update", load("webhook-products_update-2024-04")),
        ("customers_email_marketing_consent/update", load("constructed-webhook-consent-subscribed")),
    ],
)
def test_no_single_broken_node_does_more_than_be_refused(topic: str, seed: dict[str, Any]) -> None:
    """Every nasty value in every place: what random mutations may take long to find."""
    whole = json.dumps(seed)
    context = store(tax="included", contacts_from_unsold_orders=True)
    for *parents, last in _places(seed):
        body = json.loads(whole)
        node = body
        for key in parents:
            node = node[key]
        for nasty in NASTY:
            node[last] = nasty
            translation = understood(delivered(topic, json.dumps(body).encode()), context)
            for draft in translation.drafts if translation else ():
                check(draft)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(TOPICS), stores)
def test_no_bytes_do_more_than_be_refused(body: bytes, topic: str, context: ShopifyStore) -> None:
    event = delivered(topic, body)
    assert event.entity
    understood(event, context)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"id":1', b"[" * 100_000, b'{"a":' * 100_000, b"{}" * 2],
    ids=["empty", "cut", "list", "null", "utf16", "half", "deep list", "deep object", "two"],
)
def test_a_body_that_is_no_object_is_stored_under_its_hash_and_sent_to_nobody(
    topic: str, body: bytes
) -> None:
    event = delivered(topic, body)
    assert event.entity.endswith(event.delivery.rpartition(":")[2])
    translation = understood(event, store())
    assert translation is None or translation.drafts == ()


prices = st.decimals(0, 10**9, places=2, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(prices, st.integers(1, 500), prices)
def test_money_arrives_exactly_as_it_left(price: Decimal, quantity: int, total: Decimal) -> None:
    body = paid_order(
        current_total_price_set=None,
        current_total_price=str(total),
        line_items=[order_line(price=str(price), quantity=quantity, current_quantity=quantity)],
    )
    purchase = purchase_of(meaning_of("orders/paid", body))
    sent = json.loads(purchase.model_dump_json())
    assert Decimal(sent["total_price"]) == total
    [line] = sent["lines"]
    assert Decimal(line["price"]) == price * quantity
    assert Decimal(line["unit_price"]) == price


@settings(max_examples=200, deadline=None)
@given(prices, prices, st.integers(1, 50), st.integers(1, 50))
def test_a_discounted_line_is_off_by_less_than_a_cent(
    price: Decimal, discount: Decimal, quantity: int, left: int
) -> None:
    left = min(left, quantity)
    line = order_line(
        price=str(price),
        quantity=quantity,
        current_quantity=left,
        discount_allocations=[{"amount": str(discount)}],
    )
    [told] = purchase_of(meaning_of("orders/paid", paid_order(line_items=[line]))).lines
    exact = max(Decimal(0), price * left - discount * left / quantity)
    assert abs(told.price - exact) <= Decimal("0.005")
    assert abs(told.unit_price - told.price / left) <= Decimal("0.005")


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2**63 - 1), st.booleans())
@example(2**53 + 1, True)
def test_the_entity_is_the_true_id_wherever_it_stands_in_the_body(number: int, rounded: bool) -> None:
    """Also where JavaScript rounded the id and only `admin_graphql_api_id` keeps the truth."""
    printed = int(Decimal(repr(float(number)))) if rounded else number
    for names in (("id", "admin_graphql_api_id"), ("admin_graphql_api_id", "id")):
        whole = {"id": printed, "admin_graphql_api_id": f"gid://shopify/Order/{number}"}
        body = json.dumps({name: whole[name] for name in names}).encode()
        assert delivered("orders/updated", body).entity == str(number)
