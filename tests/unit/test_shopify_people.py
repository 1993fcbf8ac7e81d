"""Who a Shopify body speaks of: names, owners, and people of whom nothing is left."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.shops.base import Rejected, Translation
from tests.shopify import contact_of, load, ms, paid_order, retract, store, translate

NOBODY = {"email": None, "first_name": None, "last_name": None, "phone": None}
ORDER = "5912345678901234567"
LATER = "2024-06-01T10:00:00Z"


def customer(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = load("webhook-customers_update-2026-04")
    return body | changes


def updated(context: Any = None, **changes: Any) -> Translation:
    return translate("customers/update", customer(**changes), context)


def names_of(translation: Translation) -> tuple[str | None, str | None]:
    contact = contact_of(translation)
    return contact.name, contact.surname


HOME = {"first_name": "Ana", "last_name": "Mora", "country_code": "ES", "phone": "612345678"}


def test_names_that_stand_only_in_the_default_address_are_used() -> None:
    nameless = {"first_name": None, "last_name": ""}
    assert names_of(updated(**nameless, default_address=HOME)) == ("Ana", "Mora")
    bought = paid_order(customer={"id": 7, **nameless, "default_address": HOME})
    assert names_of(translate("orders/paid", bought)) == ("Ana", "Mora")
    assert names_of(updated(first_name="Bea", last_name=None, default_address=HOME)) == ("Bea", None)


@pytest.mark.parametrize("guest", ["Guest", "guest", " GUEST "])
def test_guest_is_no_first_name(guest: str) -> None:
    translation = updated(first_name=guest, last_name="Mora", default_address=None)
    assert names_of(translation) == (None, "Mora")
    assert translation.drafts[0].notes == ("guest_name",)
    elsewhere = updated(first_name=guest, last_name=None, default_address=HOME)
    assert names_of(elsewhere) == ("Ana", "Mora")


def test_a_contact_is_its_customers_and_an_orders_as_of_its_placement() -> None:
    [contact, *_] = translate("orders/paid", paid_order()).drafts
    assert (contact.owner, contact.said_ms) == (
        "customer|7012345678901234564",
        ms("2024-05-06T08:14:58Z"),
    )
    guest = translate("orders/paid", paid_order(customer=None)).drafts[0]
    assert (guest.owner, guest.said_ms) == ("", contact.said_ms)
    wanted = store(contacts_from_unsold_orders=True)
    unsold = translate("orders/create", paid_order(financial_status="pending"), wanted).drafts[0]
    assert (unsold.owner, unsold.said_ms) == (contact.owner, contact.said_ms)
    own = updated().drafts[0]
    assert (own.owner, own.said_ms) == ("customer|706405506930370084", 0)


def test_a_customer_without_an_address_is_no_fault() -> None:
    by_phone = {"email": None, "phone": "+34612345678"}
    assert (updated(**by_phone).drafts, updated(**by_phone).ignored) == ((), "no_email")
    by_id = updated(store(guests_without_email="external_id"), **by_phone)
    assert by_id.drafts[0].id == "706405506930370084"


@pytest.mark.parametrize("mode", ["park", "external_id"])
def test_an_erased_customer_is_ignored(mode: str) -> None:
    erased = updated(store(guests_without_email=mode), **NOBODY, updated_at=LATER, default_address=None)
    assert (erased.drafts, erased.ignored, erased.version) == ((), "anonymised", ms(LATER))
    redacted = updated(email="a@example.com", email_marketing_consent={"state": "REDACTED"})
    assert redacted.ignored == "anonymised"


def test_a_new_customer_without_anything_is_a_fault_of_the_apps_access() -> None:
    with pytest.raises(Rejected, match="no_email"):
        updated(**NOBODY, default_address=None)


@pytest.mark.parametrize("email", ["deleted@site.invalid", "Nobody@Shop.INVALID"])
def test_an_address_that_is_reserved_for_nobody_is_ignored(email: str) -> None:
    assert updated(email=email).ignored == "anonymised"
    assert translate("orders/paid", paid_order(email=email)).ignored == "anonymised"


@pytest.mark.parametrize("email", [["a@example.com"], {"is": "a@example.com"}, 5, True])
def test_an_address_of_a_customer_that_is_no_text_is_refused(email: object) -> None:
    with pytest.raises(Rejected, match="invalid_email"):
        updated(email=email)


def anonymous_order(**changes: Any) -> dict[str, Any]:
    gone = {"email": "", "contact_email": None, "customer": {"id": 7, **NOBODY}}
    return paid_order(**gone, billing_address=None, shipping_address=None, **changes)


@pytest.mark.parametrize("mode", ["park", "external_id"])
def test_the_order_of_an_erased_person_is_ignored_and_what_was_sent_stays(mode: str) -> None:
    translation = translate(
        "orders/updated", anonymous_order(updated_at=LATER), store(guests_without_email=mode)
    )
    assert (translation.drafts, translation.ignored) == ((), "anonymised")


def test_the_order_of_an_erased_person_is_taken_back_all_the_same() -> None:
    body = anonymous_order(updated_at=LATER, financial_status="refunded")
    assert translate("orders/updated", body, store(contacts_from_unsold_orders=True)).drafts == (
        retract(ORDER),
    )


def test_a_new_order_of_nobody_waits_for_its_address() -> None:
    with pytest.raises(Rejected, match="no_email"):
        translate("orders/updated", anonymous_order())
    walked_in = anonymous_order(updated_at=LATER) | {"customer": None}
    with pytest.raises(Rejected, match="no_email"):
        translate("orders/updated", walked_in)


def test_what_cannot_be_read_of_a_customers_consent_costs_no_customer() -> None:
    for own in ({"state": "perhaps"}, {"state": ["subscribed"]}, "subscribed", 5):
        translation = updated(email_marketing_consent=own)
        assert contact_of(translation).newsletter is None
        assert translation.drafts[0].notes == ("consent_unknown", "phone_invalid")
    undated = updated(email_marketing_consent={"state": "subscribed", "consent_updated_at": "soon"})
    assert undated.drafts[0].notes == ("consent_time_unreadable", "phone_invalid")
    assert contact_of(undated).newsletter is None


def test_a_subscription_of_nobody_is_ignored_and_a_withdrawal_is_not_lost() -> None:
    body = {
        "customer_id": 5,
        "email_address": None,
        "email_marketing_consent": {"state": "subscribed", "consent_updated_at": LATER},
    }
    topic = "customers_email_marketing_consent/update"
    assert translate(topic, body).ignored == "no_email"
    body["email_marketing_consent"] = {"state": "unsubscribed", "consent_updated_at": LATER}
    with pytest.raises(Rejected, match="no_email"):
        translate(topic, body)
