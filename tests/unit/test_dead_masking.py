"""A dead letter's body without what it says of persons."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead import masking
from pipeline.records import ContactRecord, RecordKind
from tests.unit.test_dead_letters import record_of


def test_a_body_keeps_its_structure_and_loses_its_people() -> None:
    body = {
        "id": 1,
        "name": "#1001",
        "email": "ann@example.com",
        "total_price": "7.00",
        "billing_address": {"first_name": "Ann", "phone": 34600000000, "zip": "08001", "id": 5},
        "line_items": [{"title": "Mug", "sku": "m1", "quantity": 2, "properties": [{"for": "Ann"}]}],
        "note": "for Ann",
        "tags": ["Ann"],
        "test": False,
        "status": "ask ann@example.com",
    }
    assert masking.masked_body(orjson.dumps(body)) == {
        "id": 1,
        "name": "***",
        "email": "***",
        "total_price": "7.00",
        "billing_address": {"first_name": "***", "phone": "***", "zip": "***", "id": 5},
        "line_items": [{"title": "Mug", "sku": "m1", "quantity": 2, "properties": [{"for": "***"}]}],
        "note": "***",
        "tags": ["***"],
        "test": False,
        "status": "ask a…@e…",
    }


def test_our_own_contact_is_masked_with_its_id_and_key() -> None:
    record: ContactRecord = record_of(RecordKind.CONTACT)
    shown = masking.masked_body(record.model_dump_json().encode())
    assert shown["id"] == shown["body"]["email"] == "***"
    assert (shown["account"], shown["version"]) == ("acme", record.version)
    assert masking.masked_key("acme|contact|ann@example.com") == "acme|contact|***"


_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.sampled_from(["Ann", "a@b.example"])


@given(
    st.recursive(
        _SCALARS,
        lambda below: st.lists(below) | st.dictionaries(st.sampled_from(["note", "first_name"]), below),
        max_leaves=20,
    )
)
def test_nothing_of_an_unknown_field_is_shown(tree: Any) -> None:
    shown = orjson.dumps(masking.masked_body(orjson.dumps({"meta_data": tree})))
    assert b"Ann" not in shown
    assert b"@" not in shown


def test_bodies_that_are_no_json_or_too_deep_are_said_to_be() -> None:
    assert "no JSON" in masking.masked_body(b"\xff\x00")
    assert "too large" in masking.masked_body(None)
    assert "***" in str(masking.masked_body(b'{"a":' * 200 + b"1" + b"}" * 200))
