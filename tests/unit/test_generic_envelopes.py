"""Envelopes, ids and dates of custom shops in forms that the contract does not have."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import RecordKind
from tests.generic import (
    RECEIVED_MS,
    kept,
    order,
    refused,
    sold,
    translate,
)

# Identity


@pytest.mark.parametrize("written", [1001, "1001", 1001.0, " 1001 "])
def test_an_id_is_one_whether_it_is_a_number_or_a_text(written: Any) -> None:
    assert kept("order.updated", order(id=written)).key == b"acme|order|1001"


@pytest.mark.parametrize("written", ["01001", "1001.0", "1001a", "O/1", "ñ|x", 2**63])
def test_every_other_id_is_another(written: Any) -> None:
    assert kept("order.updated", order(id=written)).entity == str(written)


@pytest.mark.parametrize("written", [1.5, 1e22, True, [], {"id": 1}, "", " ", None, "x" * 201, "a\nb"])
def test_what_is_no_id_is_refused_and_kept_apart(written: Any) -> None:
    assert kept("order.updated", order(id=written)).entity.startswith("unread-")
    assert refused("order.updated", order(id=written)).reason in {"invalid_id", "missing_field"}


@pytest.mark.parametrize("nobody", [None, "", 0, "0"])
def test_a_customer_id_of_nobody_is_a_guests(nobody: Any) -> None:
    data = order()
    data["customer"]["id"] = nobody
    [draft] = [one for one in translate("order.updated", data).drafts if one.kind is RecordKind.CONTACT]
    assert draft.owner == ""


def test_a_number_is_the_purchase_id_where_the_store_says_so() -> None:
    assert sold(order(number=55), purchase_id="number")[1].purchase_id == "55"
    assert refused("order.updated", order(number=None), purchase_id="number").field == "data.number"


# Envelopes


@pytest.mark.parametrize("kind", ["cart.updated", "order.note_added", "", "x"])
def test_a_type_of_tomorrow_is_ignored(kind: str) -> None:
    if kind:
        assert translate(kind, {"id": "1"}).ignored == "unknown_topic"
    else:
        assert refused(kind, {"id": "1"}).field == "type"


@pytest.mark.parametrize("data", [None, [], "text", 7, [{"id": 1}]])
def test_an_envelope_without_a_document_is_refused(data: Any) -> None:
    assert refused("order.updated", data).field == "data"


def test_an_event_happened_when_its_envelope_says_but_not_after_it_came() -> None:
    assert kept("order.updated", order()).triggered_ms == 1_699_992_990_000
    assert kept("order.updated", order(), timestamp="2030-01-01T00:00:00Z").triggered_ms == RECEIVED_MS
    for odd in (None, 7, "yesterday", "2023-11-14 20:16:30"):
        assert kept("order.updated", order(), timestamp=odd).triggered_ms == 0


# Dates


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2023-11-14T21:15:00+01:00", "2023-11-14T20:15:00Z"),
        ("2023-11-14T21:15:00+0100", "2023-11-14T20:15:00Z"),
        ("2023-11-14 20:15:00Z", "2023-11-14T20:15:00Z"),
        ("2023-11-14t20:15:00z".upper(), "2023-11-14T20:15:00Z"),
        ("2023-11-14T20:15:00z", "2023-11-14T20:15:00Z"),
        ("2023-11-14T20:15:00.5+00:00", "2023-11-14T20:15:00.500Z"),
        ("2023-11-14T20:15:00.123456789Z", "2023-11-14T20:15:00.123Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2017-01-01T00:59:60.5+01:00", "2017-01-01T00:00:00.500Z"),
    ],
)
def test_a_moment_is_read_in_every_spelling_with_an_offset(written: str, utc: str) -> None:
    assert sold(order(created_at=written))[1].purchase_date == utc


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
@pytest.mark.parametrize(
    "written",
    [
        "2023-11-14 21:15:00",
        "2023-11-14T21:15:00",
        "2023-11-14",
        1700000000,
        "1700000000",
        "soon",
        "",
        [],
        True,
        "2023-11-14T21:61:00Z",
        "0001-01-01T00:00:00Z",
        "2023-11-14T21:15:00Z" + "0" * 5000,
    ],
)
def test_a_date_that_says_no_moment_is_refused_by_its_name(field: str, written: Any) -> None:
    refusal = refused("order.updated", order(**{field: written}))
    assert (refusal.reason, refusal.field) == ("invalid_date", f"data.{field}")


def test_a_local_time_is_told_what_to_send() -> None:
    assert "without an offset" in refused("order.updated", order(created_at="2023-11-14 21:15:00")).detail


def test_what_does_not_say_when_it_changed_has_the_time_of_its_envelope() -> None:
    found = translate("order.updated", order(updated_at=None))
    assert found.version == 1_699_992_990_000
    assert all("updated_at_missing" in one.notes for one in found.drafts if one.kind is RecordKind.PURCHASE)
