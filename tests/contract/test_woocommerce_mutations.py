"""Whatever happens to a WooCommerce body, the adapter answers or refuses, and money stays money."""

from __future__ import annotations

import copy
import json
import re
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.events import Kind
from pipeline.records import Contact, Product, Purchase
from pipeline.shops.base import Rejected, Translation
from pipeline.shops.woocommerce import WOOCOMMERCE
from pipeline.shops.woocommerce.settings import WoocommerceStore
from tests.woocommerce import arrive, event, read, store

BODIES = [
    ("order-processing-paid-docs.json", Kind.ORDER),
    ("order-list-item1-docs.json", Kind.ORDER),
    ("customer-docs.json", Kind.CUSTOMER),
    ("product-simple-docs.json", Kind.PRODUCT),
    ("product-variable-docs.json", Kind.PRODUCT),
    ("product-variation-docs.json", Kind.PRODUCT),
    ("webhook-deleted-body.json", Kind.PRODUCT),
    ("refund-docs.json", Kind.ORDER),
]
LOADED = {name: read(name) for name, _ in BODIES}
STORES = [
    store(),
    store(currency="USD", tax="included", product_id="variant", placeholder_product="other"),
    store(guests_without_email="external_id", purchase_id="number", contacts_from_unsold_orders=True),
    store(on_partial_refund="keep", on_product_deleted="delete", timezone="America/New_York", tax="excluded"),
]
HOSTILE: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    2**64,
    -(2**63),
    "",
    " ",
    "-0.00",
    "-19.99",
    "NaN",
    "sNaN",
    "Infinity",
    "1e999",
    "1e-999",
    "9" * 400,
    "0000-00-00T00:00:00",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
    "2024-03-31T02:30:00",
    "publish",
    "variation",
    "variable",
    "cancelled",
    "instock",
    "=1+1",
    'a,"b\n',
    "\x00\x1f\u202e\u0627\U0001f600",
    "&#" + "9" * 5_000 + ";",
    "<a " * 3_000,
    "x" * 300 + "@example.com",
    "https://" + "x" * 3_000,
    [],
    {},
    [None],
    [[]],
    {"0": {}, "2": {"total": "-1"}},
    [{"key": ["x"], "value": {}}],
]
REASON = re.compile(r"[a-z][a-z_]{2,40}")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [found for key, one in inside for found in [(*path, key), *places(one, (*path, key))]]


PLACES = {name: places(body) for name, body in LOADED.items()}


@st.composite
def mutated(draw: st.DrawFn) -> tuple[bytes, Kind]:
    """A real body with some of its values replaced, removed or moved."""
    name, kind = draw(st.sampled_from(BODIES))
    body = copy.deepcopy(LOADED[name])
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PLACES[name]))
        value = draw(
            st.sampled_from(HOSTILE) | st.sampled_from(list(LOADED[name].values())) | st.text(max_size=9)
        )
        # A copy: a value drawn twice and mutated inside would else contain itself.
        _put(body, path, copy.deepcopy(value), remove=draw(st.integers(0, 4)) == 0)
    return json.dumps(body).encode(), kind


def _put(body: Any, path: tuple[Any, ...], value: Any, *, remove: bool) -> None:
    """Set or remove what is at the path, if earlier mutations left it there."""
    for key in path[:-1]:
        try:
            body = body[key]
        except (KeyError, IndexError, TypeError):
            return
    key = path[-1]
    if isinstance(body, dict) and isinstance(key, str):
        body.pop(key, None)
        if not remove:
            body[key] = value
    elif isinstance(body, list) and isinstance(key, int) and key < len(body):
        body[key] = value


@settings(max_examples=200, deadline=None)
@given(mutated(), st.sampled_from(STORES), st.sampled_from(["created", "updated", "restored", "deleted"]))
def test_a_mutated_body_is_translated_or_refused(
    mutation: tuple[bytes, Kind], context: WoocommerceStore, action: str
) -> None:
    raw, kind = mutation
    assert_sound(raw, kind, context, f"{kind}.{action}")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(BODIES), st.data())
def test_a_damaged_body_is_translated_or_refused(chosen: tuple[str, Kind], data: st.DataObject) -> None:
    name, kind = chosen
    raw = bytearray(json.dumps(LOADED[name]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
        raw = raw or bytearray(b"{")
    assert_sound(bytes(raw), kind, STORES[0], f"{kind}.updated")


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    st.sampled_from(["", "order.updated", "x.y"]),
)
def test_any_bytes_arrive_somewhere(raw: bytes, topic: str) -> None:
    arrival = arrive({"x-wc-webhook-topic": topic}, raw)
    assert re.fullmatch(r"[1-9][0-9]*|unread-[0-9a-f]{32}", arrival.entity)
    assert_sound(raw, arrival.kind, STORES[0], arrival.topic)


def assert_sound(raw: bytes, kind: Kind, context: WoocommerceStore, topic: str) -> None:
    """Translated into sound records, or refused with a bounded reason; nothing else."""
    outcome: Translation | Rejected
    try:
        outcome = WOOCOMMERCE.translate(event(raw, topic, kind), context)
    except Rejected as refused:
        outcome = refused
    if isinstance(outcome, Rejected):
        assert REASON.fullmatch(outcome.reason)
        assert len(outcome.detail) < 200
        return
    assert REASON.fullmatch(outcome.ignored)
    assert outcome.version >= 0
    assert_records(outcome)


def assert_records(translation: Translation) -> None:
    for draft in translation.drafts:
        assert all(REASON.fullmatch(note) for note in draft.notes)
        assert len(draft.notes) == len(set(draft.notes))
        if draft.body is not None:
            assert draft.body.model_dump_json()
            for amount in amounts(draft.body):
                assert amount.is_finite()
                assert not amount.is_signed()


def amounts(body: Contact | Product | Purchase) -> list[Decimal]:
    found: list[Decimal] = []
    if isinstance(body, Purchase):
        assert body.total_quantity >= 1
        found.append(body.total_price)
        for line in body.lines:
            found += [line.unit_price, line.price, line.unit_price_original or Decimal(0)]
    if isinstance(body, Product):
        priced = (body.unit_price, body.unit_price_original, body.discounted_amount, body.rating)
        found += [amount for amount in priced if amount is not None]
    return found
