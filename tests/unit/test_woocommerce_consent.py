"""What a newsletter plugin's field of a customer says of consent, where WooCommerce itself has none."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records import Contact, RecordKind
from pipeline.shops.base import Draft, Look
from tests.woocommerce import ms, only, translate

MAILCHIMP = "mailchimp_woocommerce_is_subscribed"
CLOCK = "mailchimp_woocommerce_marketing_status_updated_at"
MADE, CHANGED = "2023-01-10T09:00:00", "2024-05-06T08:00:00"


def told(field: str | None, value: Any, *, key: str = MAILCHIMP, clock: Any = None, **settings: Any) -> Draft:
    """The contact of a customer whose field holds a value."""
    meta = [{"id": 1, "key": key, "value": value}, {"id": 2, "key": CLOCK, "value": clock}]
    body = {
        "id": 7,
        "email": "ana@mail.example",
        "role": "customer",
        "date_created_gmt": MADE,
        "date_modified_gmt": CHANGED,
        "billing": {},
        "meta_data": meta,
    }
    if field is not None:
        settings["consent_field"] = field
    return only(translate(body, "customer.updated", **settings), RecordKind.CONTACT)


def said(draft: Draft) -> tuple[str | None, int | None]:
    assert isinstance(draft.body, Contact)
    return draft.body.newsletter, draft.body.newsletter_ms


@pytest.mark.parametrize("value", ["1", "unsubscribed", True])
def test_without_the_setting_nothing_is_said_of_consent(value: Any) -> None:
    draft = told(None, value)
    assert draft.look is None
    assert said(draft) == (None, None)


@pytest.mark.parametrize(
    ("value", "state"), [("1", "subscribed"), (True, "subscribed"), ("unsubscribed",) * 2]
)
def test_the_plugins_own_time_dates_what_its_field_says(value: Any, state: str) -> None:
    draft = told(MAILCHIMP, value, clock="1700000000")
    assert draft.look is None
    assert said(draft) == (state, 1_700_000_000_000)


@pytest.mark.parametrize("value", ["0", "pending", "archived", "", None, [], {"a": 1}, "perhaps"])
def test_other_words_of_mailchimp_are_silence(value: Any) -> None:
    draft = told(MAILCHIMP, value, clock="1700000000")
    assert draft.look is None
    assert said(draft) == (None, None)


def test_without_a_time_a_subscription_counts_from_the_accounts_creation() -> None:
    draft = told("optin", "1", key="optin")
    assert draft.look == Look(subscribed=True, since_ms=ms(f"{MADE}Z"))
    assert "consent_time_missing" in draft.notes


def test_without_a_time_a_withdrawal_in_words_counts_from_the_last_change() -> None:
    assert told("optin", "unsubscribed", key="optin").look == Look(
        subscribed=False, since_ms=ms(f"{CHANGED}Z")
    )


def test_a_zero_may_stand_for_all_who_were_never_asked() -> None:
    draft = told("optin", "0", key="optin", consent_values=("1", "0"))
    assert draft.look == Look(subscribed=False, since_ms=0)
