"""Who bought a Shopify order: address, name, phone, and the tick at checkout."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Origin
from pipeline.shops.base import Rejected
from tests.shopify import contact_of, ms, paid_order, person, purchase_of, retract, store, translate

ORDER = "5912345678901234567"


def refusal_of(context: Any = None, **changes: Any) -> tuple[str, str]:
    with pytest.raises(Rejected) as refusal:
        translate("orders/updated", paid_order(**changes), context)
    return refusal.value.reason, refusal.value.field


@pytest.mark.parametrize(
    ("changes", "email"),
    [
        ({"email": "A@Example.com"}, "a@example.com"),
        ({"email": None, "contact_email": "b@example.com"}, "b@example.com"),
        ({"email": "", "contact_email": None}, "customer1@example.com"),
    ],
)
def test_the_first_address_of_order_contact_and_customer_counts(changes: dict[str, Any], email: str) -> None:
    translation = translate("orders/paid", paid_order(**changes))
    assert contact_of(translation).email == purchase_of(translation).contact_email == email


def test_without_any_address_the_order_is_parked_or_bought_by_id() -> None:
    nobody = {"email": None, "contact_email": None}
    customer = {"id": 7, "email": None}
    assert refusal_of(**nobody, customer=customer) == ("no_email", "email")
    by_id = store(guests_without_email="external_id")
    assert (
        purchase_of(
            translate("orders/paid", paid_order(**nobody, customer=customer), by_id)
        ).contact_external_id
        == "7"
    )
    assert refusal_of(by_id, **nobody, customer=None) == ("no_email", "email")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ("Ada", "Example")),
        ({"customer": None}, ("Bea", "Bill")),
        ({"customer": {"first_name": " ", "last_name": None}}, ("Bea", "Bill")),
        ({"customer": None, "billing_address": None}, ("Cho", None)),
    ],
)
def test_the_name_is_the_customers_else_billings_else_shippings(
    changes: dict[str, Any], names: tuple[str, str | None]
) -> None:
    body = paid_order(
        billing_address={"first_name": "Bea", "last_name": "Bill"}, shipping_address={"first_name": "Cho"}
    )
    contact = contact_of(translate("orders/paid", body | changes))
    assert (contact.name, contact.surname) == names


def test_the_phone_is_read_with_the_country_of_its_address() -> None:
    customer = {"phone": None, "default_address": {"phone": "612345678", "country_code": "es"}}
    assert contact_of(translate("orders/paid", paid_order(customer=customer))).mobile_phone == "+34612345678"
    own = {"phone": "0612345678", "default_address": {"phone": "1", "country_code": "FR"}}
    assert contact_of(translate("orders/paid", paid_order(customer=own))).mobile_phone == "+33612345678"


def test_an_invalid_phone_is_dropped_and_noted_and_the_order_goes_on() -> None:
    billing = {"phone": "call the porter", "country_code": "ES"}
    translation = translate("orders/paid", paid_order(billing_address=billing))
    assert contact_of(translation).mobile_phone is None
    assert translation.drafts[0].notes == ("phone_invalid",)


ASKED = store(consent_from_orders=True)


def said_in(context: Any = None, **changes: Any) -> tuple[str | None, int | None, tuple[str, ...]]:
    """What an order says of newsletters, when that was said, and the notes."""
    translation = translate("orders/paid", paid_order(**changes), context)
    contact = contact_of(translation)
    return contact.newsletter, contact.newsletter_ms, translation.drafts[0].notes


def owner_of_consent(state: object, at: object = "2024-01-01T00:00:00Z") -> dict[str, Any]:
    """A customer as bodies up to 2024-10 have it, with the address of the order."""
    own = {"state": state, "opt_in_level": "confirmed_opt_in", "consent_updated_at": at}
    return {"id": 7, "email": "Customer1@example.com", "email_marketing_consent": own}


def test_the_box_ticked_at_checkout_is_no_consent() -> None:
    assert said_in(buyer_accepts_marketing=True) == (None, None, ())
    assert said_in(buyer_accepts_marketing=True, customer=None) == (None, None, ())


def test_where_the_store_says_so_the_box_counts_as_of_the_placement() -> None:
    assert said_in(ASKED, buyer_accepts_marketing=True) == ("subscribed", ms("2024-05-06T08:14:58Z"), ())
    for silent in (False, None, "true", 1):
        assert said_in(ASKED, buyer_accepts_marketing=silent) == (None, None, ())


@pytest.mark.parametrize("state", ["pending", "unsubscribed", "not_subscribed", "perhaps", [], {}])
def test_the_box_never_counts_against_the_customers_own_state_in_the_body(state: object) -> None:
    newsletter, _, notes = said_in(ASKED, customer=owner_of_consent(state))
    assert newsletter != "subscribed"
    assert "checkout_consent_unconfirmed" in notes


@pytest.mark.parametrize("state", ["subscribed", "unsubscribed"])
def test_an_older_bodys_customer_speaks_for_itself_with_its_own_moment(state: str) -> None:
    told = said_in(customer=owner_of_consent(state), buyer_accepts_marketing=True)
    assert told == (state, ms("2024-01-01T00:00:00Z"), ())


@pytest.mark.parametrize("state", ["pending", "not_subscribed", "redacted", "invalid", None])
def test_an_older_bodys_customer_without_a_verdict_says_nothing(state: object) -> None:
    assert said_in(customer=owner_of_consent(state)) == (None, None, ())


def test_a_customers_word_is_not_told_of_another_address() -> None:
    other = owner_of_consent("subscribed") | {"email": "someone.else@example.com"}
    assert said_in(customer=other) == (None, None, ("consent_of_another_address",))


@pytest.mark.parametrize(
    ("state", "at", "told"),
    [
        ("subscribed", None, (None, None, ("consent_time_missing",))),
        ("subscribed", "soon", (None, None, ("consent_time_unreadable",))),
        ("unsubscribed", None, ("unsubscribed", ms("2024-05-06T08:20:30Z"), ("consent_time_missing",))),
        ("perhaps", None, (None, None, ("consent_unknown",))),
    ],
)
def test_consent_that_cannot_be_read_never_costs_the_order(state: str, at: Any, told: Any) -> None:
    assert said_in(customer=owner_of_consent(state, at)) == told


def test_an_unsold_order_makes_a_contact_only_where_the_store_wants_it() -> None:
    body = paid_order(financial_status="pending", buyer_accepts_marketing=False)
    wanted = translate("orders/create", body, store(contacts_from_unsold_orders=True))
    fields = {"email": "customer1@example.com", "name": "Ada", "surname": "Example"}
    owned = {"customer": "7012345678901234564", "placed": "2024-05-06T08:14:58Z"}
    assert wanted.drafts[0] == person(Origin.ORDER, **owned, **fields, mobile_phone="+34612345678")
    assert wanted.drafts[1:] == (retract(ORDER),)
    nobody = body | {"email": None, "contact_email": None, "customer": None}
    assert translate("orders/create", nobody, store(contacts_from_unsold_orders=True)).drafts == (
        retract(ORDER),
    )


@pytest.mark.parametrize("email", ["a\x00b@example.com", "a\x07@example.com", "a@example.com\nb@example.com"])
def test_an_address_with_control_characters_is_not_made_another_persons(email: str) -> None:
    assert refusal_of(email=email) == ("invalid_email", "email")
