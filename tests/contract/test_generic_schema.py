"""The published schema and the readers agree: what it allows is taken, and what it describes is read."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pipeline.schemas import files
from pipeline.shops import generic
from pipeline.shops.base import Rejected
from pipeline.shops.generic import schema
from tests.generic import translate
from tests.shop_bodies import Article, Person, Sale
from tests.shop_bodies.generic import BODIES, in_envelope

SCHEMA = jsonschema.Draft202012Validator(
    json.loads(files()["shop-event.json"]), format_checker=jsonschema.FormatChecker()
)
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(inspect.getfile(generic)).parent.glob("*.py")
    if path.name != "schema.py"
)
MODELS = [
    model
    for model in vars(schema).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == schema.__name__
]

ids = st.integers(0, 2**63) | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
texts = st.text(max_size=20)
moments = st.integers(1_600_000_000, 1_700_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat()
)
money = st.decimals(0, 10**9, places=2).map(str) | st.floats(0, 1e9)
addresses = st.just("https://shop.example/x")


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


consents = some(
    {"state": st.sampled_from(["subscribed", "unsubscribed", "not_subscribed", "pending", "unknown"])},
    {"updated_at": moments | st.none(), "source": texts},
)
people = {
    "first_name": texts,
    "last_name": texts,
    "phone": texts,
    "country": st.just("ES"),
    "locale": st.sampled_from(["es-ES", "ca"]),
    "marketing_consent": some({}, {"email": consents, "sms": consents}) | st.none(),
}
addressed = {"email": st.just("ana@mail.example")}
lines = some(
    {"product_id": ids, "name": texts, "quantity": st.integers(1, 99), "total": money},
    {
        "line_id": ids,
        "variant_id": ids,
        "sku": texts,
        "unit_price": money,
        "currency": st.just("EUR"),
        "product_url": addresses,
        "image_url": addresses,
        "brand": texts,
        "categories": st.lists(texts, max_size=2),
    },
)
refunds = some({"amount": money}, {"id": ids, "created_at": moments, "lines": st.just([])})
orders = some(
    {
        "id": ids,
        "currency": st.just("EUR"),
        "created_at": moments,
        "updated_at": moments,
        "payment_status": st.sampled_from(get_args(schema.PaymentStatus)).filter(
            lambda status: status != "partially_refunded"
        ),
        "total": money,
        "customer": some(addressed, {"id": ids | st.none(), **people}),
        "line_items": st.lists(lines, min_size=1, max_size=3),
    },
    {
        "number": ids,
        "status": texts,
        "payment_method": texts,
        "total_refunded": money,
        "prices_include_tax": st.booleans(),
        "coupons": st.lists(texts.filter(bool) | some({"code": texts}, {}), max_size=2),
        "test": st.booleans(),
        "refunds": st.lists(refunds, max_size=2),
    },
)
customers = some(
    {"id": ids, "updated_at": moments, **addressed},
    {"birthday": st.dates().map(str), "created_at": moments, **people},
)
variants = some({"id": ids}, {"sku": texts, "name": texts, "price": money, "stock": st.integers(0, 9)})
products = some(
    {"id": ids, "name": texts.filter(str.strip), "url": addresses, "price": money, "updated_at": moments},
    {
        "sku": texts,
        "compare_at_price": money,
        "stock": st.integers(0, 9) | st.none(),
        "available": st.booleans(),
        "published": st.booleans(),
        "categories": st.lists(texts, max_size=2),
        "brand": texts | st.none(),
        "tags": st.lists(texts, max_size=2),
        "description": texts,
        "created_at": moments,
        "variants": st.lists(variants, max_size=2),
    },
)


def errors(topic: str, document: Any) -> list[str]:
    body = json.loads(in_envelope(topic, json.dumps(document).encode()))
    return [error.message for error in SCHEMA.iter_errors(body)]


@settings(max_examples=50, deadline=None)
@given(st.data())
@pytest.mark.parametrize(
    ("topic", "documents"),
    [("order.updated", orders), ("customer.updated", customers), ("product.updated", products)],
    ids=["order", "customer", "product"],
)
def test_whatever_the_schema_allows_is_taken(
    topic: str, documents: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    document = data.draw(documents)
    assert errors(topic, document) == []
    try:
        translate(topic, document, placeholder_product="other")
    except Rejected as refused:
        # The amounts of a line may be too large for a purchase when they are added up.
        assert refused.reason == "invalid_money", refused  # noqa: PT017 - most draws raise nothing


@pytest.mark.parametrize("sale", [Sale(), Sale(state="cancelled"), Sale(customer=None, email=None)])
def test_what_the_contract_of_all_platforms_writes_is_of_the_schema(sale: Sale) -> None:
    for sent in (BODIES.order(sale), BODIES.customer(Person()), BODIES.product(Article())):
        assert errors(sent.topic, sent.document) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("currency", "€"),
        ("created_at", "2023-11-14 21:15:00"),
        ("payment_status", "laid_away"),
        ("total", "44,85"),
        ("total", -1),
        ("line_items", None),
        ("customer", None),
    ],
)
def test_the_schema_refuses_what_the_readers_refuse(field: str, value: Any) -> None:
    topic, document = BODIES.order(Sale())[:2]
    document[field] = value
    assert errors(topic, document)
    with pytest.raises(Rejected):
        translate(topic, document, currency="EUR")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_that_is_described_is_read(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        is_read = re.search(rf'"{name}"', SOURCE) is not None
        assert is_read or (field.description or "") == "not read" or name in {"source", "locale"}, name
