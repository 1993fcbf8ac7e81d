"""People of custom shops in forms that the contract does not have, and what they say of newsletters."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Contact
from pipeline.shops.base import CONSENT_CLOCK
from tests.generic import (
    contact,
    customer,
    kept,
    order,
    refused,
    translate,
)


def test_a_contact_has_all_that_the_customer_says() -> None:
    draft, told = contact(customer(phone="612 345 678", country="es", middle_name="María"))
    assert (told.name, told.mobile_phone, told.birthdate) == ("Ana María", "+34612345678", "1990-02-28")
    assert draft.notes == ()


@pytest.mark.parametrize("day", ["28/02/1990", "1990-02-30", 7.5, ["x"], {"d": 1}])
def test_a_birthday_that_is_no_day_is_left_out_and_noted(day: Any) -> None:
    draft, told = contact(customer(birthday=day))
    assert told.birthdate is None
    assert "birthdate_unreadable" in draft.notes


@pytest.mark.parametrize("address", ["deleted@site.invalid", "x@invalid"])
def test_an_erased_person_makes_nothing(address: str) -> None:
    assert translate("customer.updated", customer(email=address)).ignored == "anonymised"
    data = order()
    data["customer"]["email"] = address
    assert translate("order.updated", data).ignored == "anonymised"


@pytest.mark.parametrize(
    "said",
    [
        {"state": "unsubscribed", "updated_at": "2023-11-14T21:00:00Z"},
        {"marketing_consent": {"email": {"state": "unsubscribed", "updated_at": "2023-11-14T21:00:00Z"}}},
        {"marketing_consent": {"state": "Unsubscribed", "updated_at": "2023-11-14T22:00:00+01:00"}},
    ],
)
def test_a_statement_of_consent_is_read_flat_and_as_a_customer_holds_it(said: dict[str, Any]) -> None:
    found = translate("customer.consent_updated", {"id": "12", "email": "ana@mail.example", **said})
    [draft] = found.drafts
    assert isinstance(draft.body, Contact)
    assert (draft.body.newsletter, draft.body.newsletter_ms) == ("unsubscribed", 1_699_995_600_000)
    assert (found.clock, found.version) == (CONSENT_CLOCK, 1_699_995_600_000)


def test_somebody_who_is_no_customer_decides_under_the_address() -> None:
    said = {"email": "Eva@mail.example", "state": "subscribed", "updated_at": "2023-11-14T21:00:00Z"}
    assert kept("customer.consent_updated", said).key == b"acme|customer|eva@mail.example"
    assert kept("customer.updated", said).entity.startswith("unread-")


@pytest.mark.parametrize("state", ["pending", "not_subscribed", "unknown"])
def test_a_silent_word_is_no_statement(state: str) -> None:
    data = {"id": "12", "email": "a@b.example", "state": state, "updated_at": "2023-11-14T21:00:00Z"}
    assert translate("customer.consent_updated", data).ignored == "no_statement"


@pytest.mark.parametrize("state", ["opted_out", None, 7, ["subscribed"], True])
def test_a_word_that_may_be_a_withdrawal_is_neither_guessed_nor_passed_over(state: Any) -> None:
    data = {"id": "12", "email": "a@b.example", "state": state, "updated_at": "2023-11-14T21:00:00Z"}
    assert refused("customer.consent_updated", data).reason == "invalid_consent"
    assert refused("customer.consent_updated", {"id": "12", "email": "a@b.example"}).reason == "missing_field"


@pytest.mark.parametrize("when", [None, "2023-11-14 21:00:00", 7])
def test_a_subscription_without_its_moment_counts_for_nothing_and_a_withdrawal_does(when: Any) -> None:
    said = {"email": {"state": "subscribed", "updated_at": when}}
    draft, told = contact(customer(marketing_consent=said))
    assert told.newsletter is None
    assert {"consent_time_missing", "consent_time_unreadable"} & set(draft.notes)
    _, told = contact(customer(marketing_consent={"email": {"state": "unsubscribed", "updated_at": when}}))
    assert (told.newsletter, told.newsletter_ms) == ("unsubscribed", 1_699_992_960_000)


@pytest.mark.parametrize(
    ("said", "is_noted"),
    [
        ({"sms": {"state": "subscribed"}}, False),
        ({"email": None}, False),
        ({}, False),
        (None, False),
        ("subscribed", True),
        ({"email": "yes"}, True),
        ([1], True),
        ({"email": {"state": "in"}}, True),
    ],
)
def test_what_says_nothing_of_mail_subscribes_nobody(said: Any, is_noted: bool) -> None:
    draft, told = contact(customer(marketing_consent=said))
    assert told.newsletter is None
    assert ("consent_unknown" in draft.notes) is is_noted
