"""Shopify customers, and what they say of newsletters."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Contact, Op, Origin
from pipeline.shops.base import Rejected, Translation
from tests.shopify import RECEIVED, contact_of, load, ms, store, translate


def customer(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = load("webhook-customers_update-2026-04")
    return body | changes


def consent(state: object, at: object = "2024-06-01T12:00:00+02:00", **changes: Any) -> dict[str, Any]:
    return {
        "customer_id": 5,
        "email_address": "A@example.com",
        "email_marketing_consent": {"state": state, "opt_in_level": None, "consent_updated_at": at},
    } | changes


def said(body: dict[str, Any], context: Any = None, **headers: str) -> Translation:
    return translate("customers_email_marketing_consent/update", body, context, **headers)


def test_a_statement_has_its_own_clock_and_its_own_time() -> None:
    translation = said(consent("unsubscribed"))
    at = ms("2024-06-01T10:00:00Z")
    assert (translation.version, translation.clock) == (at, "consent")
    assert contact_of(translation) == Contact(
        email="a@example.com", newsletter="unsubscribed", newsletter_ms=at
    )
    assert translation.drafts[0].origin is Origin.CUSTOMER


@pytest.mark.parametrize("state", ["not_subscribed", "pending", "redacted", "invalid", None, "PENDING"])
def test_what_is_no_statement_changes_nothing_even_without_address(state: object) -> None:
    translation = said(consent(state, email_address=None))
    assert (translation.drafts, translation.ignored, translation.version) == ((), "no_statement", 0)


@pytest.mark.parametrize("state", ["perhaps", "", 1, ["subscribed"], True])
def test_a_state_nobody_documented_is_refused_not_guessed(state: object) -> None:
    with pytest.raises(Rejected, match="invalid_consent"):
        said(consent(state))


def test_a_statement_without_its_time_was_made_when_the_event_happened() -> None:
    translation = said(consent("subscribed", at=None))
    assert contact_of(translation).newsletter_ms == translation.version == RECEIVED
    assert translation.drafts[0].notes == ("consent_time_missing",)
    triggered = said(consent("subscribed", at=None), **{"x-shopify-triggered-at": "2026-05-06T08:15:01Z"})
    assert triggered.version == ms("2026-05-06T08:15:01Z")


def test_a_statement_of_nobody_is_parked_or_sent_by_id() -> None:
    with pytest.raises(Rejected, match="no_email"):
        said(consent("unsubscribed", email_address=None))
    by_id = said(consent("unsubscribed", email_address=None), store(guests_without_email="external_id"))
    assert by_id.drafts[0].id == "5"


def test_a_statement_at_no_moment_is_refused() -> None:
    with pytest.raises(Rejected, match="invalid_date"):
        said(consent("subscribed", at="soon"))


def test_a_customer_of_newer_bodies_says_nothing_of_newsletters() -> None:
    contact = contact_of(translate("customers/update", customer()))
    assert (contact.newsletter, contact.newsletter_ms) == (None, None)


@pytest.mark.parametrize(
    "topic", ["customers/create", "customers/update", "customers/enable", "customers/disable"]
)
def test_every_event_of_a_customer_tells_the_contact(topic: str) -> None:
    assert contact_of(translate(topic, customer())).name == "Bob"


@pytest.mark.parametrize("state", ["subscribed", "unsubscribed"])
def test_the_consent_in_older_bodies_counts_with_its_time(state: str) -> None:
    own = {"state": state, "consent_updated_at": "2024-06-01T12:00:00+02:00"}
    translation = translate("customers/update", customer(email_marketing_consent=own))
    contact = contact_of(translation)
    assert (contact.newsletter, contact.newsletter_ms) == (state, ms("2024-06-01T10:00:00Z"))
    assert (translation.version, translation.clock) == (ms("2022-01-01T00:00:00Z"), "entity")


def test_in_a_customer_body_a_subscription_without_time_is_no_news_but_an_unsubscription_is() -> None:
    yes = translate("customers/update", customer(email_marketing_consent={"state": "subscribed"}))
    assert contact_of(yes).newsletter is None
    no = translate("customers/update", customer(email_marketing_consent={"state": "unsubscribed"}))
    assert (contact_of(no).newsletter, contact_of(no).newsletter_ms) == ("unsubscribed", no.version)
    assert yes.drafts[0].notes == no.drafts[0].notes == ("consent_time_missing", "phone_invalid")


@pytest.mark.parametrize(
    ("flag", "at", "newsletter"),
    [
        (True, "2021-06-01T00:00:00Z", "subscribed"),
        (True, None, None),
        (False, None, None),
        (False, "2021-12-31T19:00:00-05:00", None),  # since the customer was created
        (False, "2020-01-01T00:00:00Z", None),
        (False, "2022-06-01T00:00:00Z", "unsubscribed"),
        ("yes", "2022-06-01T00:00:00Z", None),
        (None, "2022-06-01T00:00:00Z", None),
    ],
)
def test_the_flag_of_the_oldest_bodies_counts_only_where_it_was_said(
    flag: object, at: str | None, newsletter: str | None
) -> None:
    contact = contact_of(
        translate("customers/update", customer(accepts_marketing=flag, accepts_marketing_updated_at=at))
    )
    assert contact.newsletter == newsletter
    assert (contact.newsletter_ms is None) == (newsletter is None)


def test_a_deleted_customer_is_kept_unless_the_store_says_otherwise() -> None:
    kept = translate("customers/delete", {"id": 5})
    assert (kept.drafts, kept.ignored, kept.version) == ((), "customer_kept", RECEIVED)
    gone = translate("customers/delete", {"id": 5}, store(on_customer_deleted="delete"))
    [draft] = gone.drafts
    assert (draft.id, draft.op, draft.if_emitted, draft.body) == (None, Op.RETRACT, True, None)


def test_the_clock_of_a_customer_is_the_customers_own() -> None:
    translation = translate("customers/update", customer(updated_at=None))
    assert translation.version == RECEIVED
    assert translation.drafts[0].notes == ("updated_at_missing", "phone_invalid")


def test_a_customer_without_address_or_id_is_refused() -> None:
    cut = customer()
    del cut["email"]
    with pytest.raises(Rejected, match="missing_field"):
        translate("customers/update", cut)
    with pytest.raises(Rejected, match="missing_field"):
        translate("customers/update", customer(id=None, admin_graphql_api_id=None))


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("customers/redact", "erasure_request"),
        ("customers/data_request", "data_request"),
        ("shop/redact", "shop_erasure_request"),
        ("customers/merge", "customer_merge"),
        ("customer.joined_segment", "not_told"),
        ("customers_marketing_consent/update", "sms_consent"),
        ("carts/update", "unknown_topic"),
    ],
)
def test_what_connectif_is_not_sent_has_its_reason_and_leaves_the_clock_alone(
    topic: str, reason: str
) -> None:
    for body in ({"customer": {"id": 5}}, b"not even JSON"):
        translation = translate(topic, body)
        assert (translation.drafts, translation.ignored, translation.version) == ((), reason, 0)
