"""A shop's `subscribed` against what Connectif knows, by their moments alone; and what a refusal names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.deliver.send.refused_fields import notes_of, refused_fields
from pipeline.deliver.state.commands import PutContact, Unchanged
from pipeline.deliver.state.consent import (
    CLOCKS_MS,
    DATE,
    NOBODY,
    STATUS,
    Said,
    is_fresh,
    is_of_an_order,
    known_withdrawal,
    left_before,
    moment_of,
    read_said,
    remembered,
    withdrawal,
    without_consent,
)
from pipeline.deliver.state.contact import Consent
from pipeline.deliver.state.diff import apply, diff
from pipeline.deliver.state.entry import Stamp, Waiting
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.deliver.state.states import OWN, SEEN, ContactState
from pipeline.events import Lane
from pipeline.records import Origin

NOON = 1_700_000_000_000
moments = st.integers(NOON - 10**9, NOON + 10**9)


def _waiting(moment: int, *, lane: Lane = Lane.LIVE, received: int = NOON + 10**10) -> Waiting:
    stamp = Stamp("s", NOON, ("t", 0, 0), 0, Origin.CUSTOMER, lane, received)
    state = ContactState(by_email=True, consent={OWN: (moment, False)})
    return Waiting(stamp, state, lane, NOON, quiet=lane is Lane.BACKFILL)


@given(moments, moments)
def test_whoever_left_last_has_left_and_a_tie_of_seconds_or_clocks_counts_as_left(
    left: int, word: int
) -> None:
    found = withdrawal(Said("unsubscribed", left), word, None)
    if left >= word:
        assert found == left
    elif left < word - CLOCKS_MS - 1_000:
        assert found is None
    elif word - left <= CLOCKS_MS:
        assert found == left


@given(moments, moments, moments)
def test_an_unsubscription_of_our_own_telling_is_nobody_elses(word: int, one: int, two: int) -> None:
    ours = min(one, two), max(one, two)
    assert withdrawal(Said("unsubscribed", ours[0]), word, ours) is None
    assert withdrawal(Said("unsubscribed", ours[1]), word, ours) is None
    assert withdrawal(Said("unsubscribed", None), word, ours) is None


def test_who_left_just_before_we_told_of_a_withdrawal_has_left() -> None:
    ours = NOON + 1_500, NOON + 1_700
    assert withdrawal(Said("unsubscribed", NOON + 1_400), NOON - 9_000, ours) == NOON + 1_400
    assert withdrawal(Said("unsubscribed", NOON + 1_701), NOON - 9_000, ours) == NOON + 1_701
    assert (
        withdrawal(Said("unsubscribed", NOON + 1_000), NOON - 9_000, ours) is None
    )  # dated in whole seconds


def test_unsubscribed_without_a_date_counts_more_than_any_word() -> None:
    assert withdrawal(Said("unsubscribed"), NOON, None) == NOON
    assert withdrawal(Said("subscribed"), NOON, None) is None
    assert withdrawal(NOBODY, NOON, None) is None


@given(moments, moments)
def test_a_withdrawal_that_was_found_makes_every_word_that_is_not_newer_no_news(left: int, word: int) -> None:
    found = withdrawal(Said("unsubscribed", left), word, None)
    waiting = _waiting(word)
    assert isinstance(waiting.state, ContactState)
    told = apply(None, waiting.state)
    assert isinstance(told, LastSentContact)
    told = remembered(told, withdrawn_ms=found, unsubscribing_ms=None, at_ms=NOON)
    again = diff(LastSentContact.from_json(told.to_json()), waiting.state)
    assert again == Unchanged("same")
    if found is not None:
        assert told.newsletter == "unsubscribed"
        newer = ContactState(by_email=True, consent={OWN: (max(found, word) + 1, False)})
        assert diff(told, newer) == PutContact({"newsletter": "subscribed"})


def test_who_subscribes_again_soon_after_a_word_that_did_not_count_is_judged_by_the_withdrawal_alone() -> (
    None
):
    left, refused, again = NOON, NOON + CLOCKS_MS - 400, NOON + 2 * CLOCKS_MS - 2_000
    found = withdrawal(Said("unsubscribed", left), refused, None)
    told = remembered(
        LastSentContact(consent={OWN: (refused, False)}),
        withdrawn_ms=found,
        unsubscribing_ms=None,
        at_ms=NOON,
    )
    assert told.newsletter == "unsubscribed"
    assert known_withdrawal(told, refused) == left
    assert known_withdrawal(told, again) is None


def test_when_an_unsubscription_was_sent_stays_known_as_connectif_keeps_its_date() -> None:
    left = LastSentContact(consent={SEEN: (NOON, True)})
    told = remembered(left, withdrawn_ms=None, unsubscribing_ms=NOON, at_ms=NOON + 5)
    assert LastSentContact.from_json(told.to_json()).withdrew == (NOON, NOON + 5)
    later = LastSentContact(consent={SEEN: (NOON + 9, False)}, withdrew=told.withdrew)
    assert remembered(later, withdrawn_ms=None, unsubscribing_ms=None, at_ms=NOON).withdrew == told.withdrew


def test_a_withdrawal_in_connectif_stays_known_whatever_it_dates_later() -> None:
    ticked = LastSentContact(consent={SEEN: (NOON, False)})
    told = remembered(ticked, withdrawn_ms=NOON - 60_000, unsubscribing_ms=None, at_ms=NOON)
    assert told.newsletter == "subscribed"
    assert LastSentContact.from_json(told.to_json()) == told
    assert LastSentContact.from_json(told.to_json()[:-1]).left_ms == 0  # as releases before wrote it
    assert known_withdrawal(told, NOON - 70_000) == NOON - 60_000
    assert known_withdrawal(told, NOON) is None
    assert known_withdrawal(ticked, NOON - 70_000) is None
    assert known_withdrawal(None, NOON) is None
    assert told.lost().left_ms == told.left_ms


def test_an_unsubscription_that_we_sent_is_nobodys_withdrawal_in_connectif() -> None:
    assert left_before(Said("subscribed", NOON), None) == NOON
    assert left_before(Said("subscribed", NOON), (NOON - 5, NOON + 5)) is None
    assert left_before(Said("subscribed", NOON), (NOON + 1_001, NOON + 2_000)) == NOON
    assert left_before(Said("unsubscribed"), None) is None


def test_a_customers_word_that_takes_the_place_of_an_orders_is_compared_with_connectif_again() -> None:
    ticked = LastSentContact(consent={SEEN: (NOON, False)})
    own = ContactState(by_email=True, consent={OWN: (NOON - 60_000, False)})
    assert diff(ticked, own) == PutContact({"newsletter": "subscribed"})
    same = ContactState(by_email=True, consent={OWN: (NOON, False)})
    assert diff(ticked, same) == Unchanged("same")  # of one moment: no withdrawal lies in between
    assert diff(apply(ticked, own), own) == Unchanged("same")


@pytest.mark.parametrize(
    ("sent", "left", "ours", "of_an_order"),
    [
        ({SEEN: (NOON, False)}, NOON - 30_000, None, True),
        (
            {SEEN: (NOON, False)},
            NOON + 30_000,
            None,
            False,
        ),  # left after that, too
        ({SEEN: (NOON, False)}, NOON + 30_000, (NOON + 29_000, NOON + 31_000), True),
        ({SEEN: (NOON, True)}, NOON - 30_000, None, False),
        ({OWN: (NOON - 60_000, False)}, NOON - 30_000, None, False),
        ({}, NOON - 30_000, None, False),
    ],
)
def test_a_subscription_sent_for_an_order_is_known_by_its_newer_moment(
    sent: Consent, left: int, ours: tuple[int, int] | None, of_an_order: bool
) -> None:
    last_sent, said = LastSentContact(consent=sent), Said("subscribed", left)
    assert is_of_an_order(last_sent, NOON - 60_000, said, ours) is of_an_order


@pytest.mark.parametrize(
    ("contact", "said"),
    [
        ({STATUS: "unsubscribed", DATE: "2023-11-14T22:13:20.000Z"}, Said("unsubscribed", NOON)),
        ({STATUS: "subscribed", DATE: "2023-11-14T22:13:20"}, Said("subscribed", NOON)),
        ({STATUS: "none", DATE: None}, Said("none")),
        ({STATUS: "none", DATE: "yesterday"}, Said("unsubscribed")),
        ({STATUS: "none", DATE: 5}, Said("unsubscribed")),
        ({}, NOBODY),
    ],
)
def test_what_a_contact_says_is_read_and_a_date_nobody_can_read_counts(
    contact: dict[str, Any], said: Said
) -> None:
    assert read_said(contact) == said


def test_nothing_is_given_after_it_was_received() -> None:
    command = PutContact({"newsletter": "subscribed"})
    assert moment_of(None, _waiting(NOON + 10, received=NOON), command) == NOON
    assert moment_of(None, _waiting(NOON, received=NOON + 10), command) == NOON
    assert moment_of(None, _waiting(NOON), PutContact({"name": "Ann"})) is None


@pytest.mark.parametrize(
    ("age", "lane", "doubtful", "fresh"),
    [
        (600, Lane.LIVE, False, True),
        (601, Lane.LIVE, False, False),
        (-600, Lane.LIVE, False, True),
        (-601, Lane.LIVE, False, False),  # our clock was set back
        (0, Lane.LIVE, True, False),
        (0, Lane.BACKFILL, False, False),
        (0, Lane.RETRY, False, True),
    ],
)
def test_only_a_live_word_of_late_is_sent_unasked(age: int, lane: Lane, doubtful: bool, fresh: bool) -> None:
    waiting = _waiting(NOON, lane=lane)
    assert is_fresh(NOON, waiting, NOON + age * 1_000, 600.0, doubtful=doubtful) is fresh


def test_a_word_that_may_have_been_sent_against_a_withdrawal_is_taken_back() -> None:
    command = PutContact({"name": "Ann", "newsletter": "subscribed"})
    there = Said("subscribed", NOON)
    assert without_consent(command, there, may_be_sent=False) == PutContact({"name": "Ann"})
    undone = {"name": "Ann", "newsletter": "unsubscribed"}
    assert without_consent(command, there, may_be_sent=True) == PutContact(undone)


FIELDS = {
    "name": "Ann",
    "mobile_phone": "+34600",
    "newsletter": "subscribed",
    "external_id": "7",
    "custom.size": "XL",
}


@pytest.mark.parametrize(
    ("fields", "detail", "refused"),
    [
        (("_mobilePhone",), "", {"mobile_phone"}),
        (("_mobilePhone", "size"), "", {"mobile_phone", "custom.size"}),
        (("_name", "_newsletterSubscriptionStatus", "_externalId"), "", {"name"}),
        ((), "422; _mobilePhone is not valid", {"mobile_phone"}),
        ((), "422; The phone number is not valid", {"mobile_phone"}),
        ((), "422; no", set()),
    ],
)
def test_a_refusal_names_what_can_be_left_out_and_never_who_it_is_or_consent(
    fields: tuple[str, ...], detail: str, refused: set[str]
) -> None:
    answer = Answer(AnswerKind.INVALID, 422, detail, fields=fields)
    assert refused_fields(answer, FIELDS) == refused
    assert refused_fields(Answer(AnswerKind.UNAVAILABLE, 500, detail, fields=fields), FIELDS) == set()


def test_the_notes_of_refused_fields_are_few() -> None:
    assert notes_of(["mobile_phone", "custom.a", "custom.b"]) == ("custom_field_refused", "phone_refused")
