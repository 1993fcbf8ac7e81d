"""No field that only decorates a record costs it, whatever a plugin puts there."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.events import Kind
from pipeline.records import Op, RecordKind
from pipeline.shops.base import Translation
from pipeline.shops.woocommerce import WOOCOMMERCE
from tests.woocommerce import BODIES, event, order, read, store

#: What a record rests on: who it is, when, what it cost, and what state it is in. For a product, also what
#: Connectif cannot do without. All else decorates.
RESTS_ON = {
    Kind.ORDER: {
        "id",
        "parent_id",
        "status",
        "total",
        "refunds",
        "line_items",
        "billing",
        "prices_include_tax",
        "date_created_gmt",
        "date_created",
        "date_modified_gmt",
        "date_modified",
    },
    Kind.CUSTOMER: {"id", "email", "role", "date_modified_gmt", "date_modified", "date_created_gmt"},
    Kind.PRODUCT: {
        "id",
        "parent_id",
        "type",
        "status",
        "name",
        "permalink",
        "price",
        "regular_price",
        "date_modified_gmt",
        "date_modified",
    },
}
LINE_RESTS_ON = {"product_id", "quantity", "total", "subtotal", "total_tax", "subtotal_tax"}
ODD: list[Any] = [
    None,
    "",
    "a text",
    "<b>",
    0,
    7,
    -1,
    1.5,
    True,
    False,
    [],
    {},
    ["a text"],
    [7],
    [None],
    [[]],
    [{"id": 1}],
    {"id": 1},
    {"1": {"id": 1}},
    {"1": "a text", "3": None},
]
NAMES = [
    path.name
    for path in BODIES.glob("*.json")
    if re.match(r"(order|customer|product)-(?!list-docs)", path.name)
]
BODY = {name: read(name) for name in NAMES} | {"order-own.json": order()}


def kind_of(name: str) -> Kind:
    return Kind(name.partition("-")[0])


def meaning(name: str, body: dict[str, Any], identity: str = "product") -> Translation:
    """Never a refusal: the record survives."""
    kind = kind_of(name)
    event_ = event(json.dumps(body).encode(), f"{kind}.updated", kind)
    translation = WOOCOMMERCE.translate(event_, store(currency=None, product_id=identity))
    for draft in translation.drafts:
        assert all(re.fullmatch(r"[a-z][a-z_]+", note) for note in draft.notes)
        assert len(draft.notes) == len(set(draft.notes))
    return translation


def records(translation: Translation) -> list[tuple[RecordKind, Op]]:
    return [(draft.kind, draft.op) for draft in translation.drafts]


@pytest.mark.parametrize("name", sorted(BODY))
def test_a_decorating_field_in_any_form_leaves_the_records_as_many(name: str) -> None:
    body = BODY[name]
    known = records(meaning(name, body))
    for field in {*body, "image", "brands", "gift_cards", "_links", "middle_name"} - RESTS_ON[kind_of(name)]:
        for odd in ODD:
            found = records(meaning(name, body | {field: odd}))
            if field not in {"stock_status", "in_stock", "purchasable"}:  # these say whether it can be bought
                assert found == known, (field, odd)


@pytest.mark.parametrize("name", sorted(name for name in BODY if name.startswith("order")))
def test_a_decorating_field_of_a_line_in_any_form_leaves_the_purchase(name: str) -> None:
    body = BODY[name]
    known = records(meaning(name, body))
    for field in {*body["line_items"][0], "image", "bundled_by", "composite_parent"} - LINE_RESTS_ON:
        for odd in ODD:
            cut = copy.deepcopy(body)
            cut["line_items"][0][field] = odd
            assert records(meaning(name, cut)) == known, (field, odd)
    for field in set(body["billing"]) - {"email"}:
        for odd in ODD:
            assert records(meaning(name, body | {"billing": body["billing"] | {field: odd}})) == known


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(BODY)), st.sampled_from(["product", "variant", "sku"]), st.data())
def test_several_odd_fields_at_once_cost_no_record(name: str, identity: str, data: st.DataObject) -> None:
    body = copy.deepcopy(BODY[name])
    spared = RESTS_ON[kind_of(name)]
    fields = sorted({*body, "image", "brands", "gift_cards", "_links"} - spared)
    for field in data.draw(st.lists(st.sampled_from(fields), max_size=6)):
        body[field] = data.draw(st.sampled_from(ODD) | st.text(max_size=5))
    meaning(name, body, identity)
