"""A flag of consent without a time: what a first look says, and what a change between two says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Contact, Origin, RecordKind
from pipeline.shops.base import Draft, Look
from pipeline.translate.looks import MAX_FLAGS, compared
from pipeline.translate.state import Address, EntityState, NewerFormatError, SeenFlag

MADE = 1_000


def look(state: EntityState, subscribed: bool, offset: int, at_ms: int) -> tuple[str | None, int | None]:
    """What a look at an offset says; the state lies in a table between two looks."""
    body = Contact(email="ana@mail.example")
    draft = Draft(
        RecordKind.CONTACT,
        body.email,
        Origin.CUSTOMER,
        body,
        look=Look(subscribed, MADE if subscribed else 0),
    )
    [said] = compared([draft], state, offset, at_ms)
    again = EntityState.decode(state.encode())
    state.flags = again.flags
    assert isinstance(said.body, Contact)
    return said.body.newsletter, said.body.newsletter_ms


def test_a_subscription_at_first_sight_counts_from_the_customers_creation() -> None:
    state = EntityState()
    assert look(state, True, 1, 5_000) == ("subscribed", MADE)
    assert look(state, True, 2, 6_000) == ("subscribed", MADE)


def test_a_refusal_at_first_sight_is_silence() -> None:
    state = EntityState()
    assert look(state, False, 1, 5_000) == (None, None)
    assert look(state, False, 2, 6_000) == (None, None)


def test_silence_may_become_a_refusal_that_the_shop_dates() -> None:
    def refused(since_ms: int, offset: int) -> tuple[str | None, int | None]:
        body = Contact(email="ana@mail.example")
        flag = Look(subscribed=False, since_ms=since_ms)
        draft = Draft(RecordKind.CONTACT, body.email, Origin.CUSTOMER, body, look=flag)
        [said] = compared([draft], state, offset, 9_000)
        assert isinstance(said.body, Contact)
        return said.body.newsletter, said.body.newsletter_ms

    state = EntityState()
    assert refused(0, 1) == (None, None)
    assert refused(6_000, 2) == ("unsubscribed", 6_000)
    assert refused(7_000, 3) == ("unsubscribed", 6_000)
    assert refused(0, 1) == (None, None)


def test_a_change_counts_from_the_later_look_and_stays_so() -> None:
    state = EntityState()
    look(state, False, 1, 5_000)
    assert look(state, True, 2, 6_000) == ("subscribed", 6_000)
    assert look(state, True, 3, 7_000) == ("subscribed", 6_000)
    assert look(state, False, 4, 8_000) == ("unsubscribed", 8_000)
    assert look(state, False, 5, 9_000) == ("unsubscribed", 8_000)
    assert look(state, True, 6, 10_000) == ("subscribed", 10_000)


@given(st.lists(st.booleans(), min_size=1, max_size=2 * MAX_FLAGS))
def test_an_event_that_is_read_again_says_what_it_said_the_first_time(flags: list[bool]) -> None:
    state = EntityState()
    first = [look(state, flag, number, 5_000 + number) for number, flag in enumerate(flags)]
    changes = [0] + [number for number, (one, two) in enumerate(pairwise(flags), 1) if one is not two]
    known_from = changes[-MAX_FLAGS:][0]
    for number, flag in enumerate(flags):
        if number >= known_from:
            assert look(state, flag, number, 99_000) == first[number]


def test_a_draft_without_a_look_stays_as_it_is() -> None:
    body = Contact(email="ana@mail.example", newsletter="subscribed", newsletter_ms=7)
    draft = Draft(RecordKind.CONTACT, body.email, Origin.CUSTOMER, body)
    state = EntityState()
    assert compared([draft], state, 1, 5_000) == (draft,)
    assert state.flags == []


@pytest.mark.parametrize("address", [None, Address("ana@mail.example", 3, 1)])
def test_flags_are_kept_with_and_without_an_address(address: Address | None) -> None:
    state = EntityState(address=address, flags=[SeenFlag(True, 5, 1), SeenFlag(False, 6, 2)])
    assert EntityState.decode(state.encode()) == state
    assert state.copy() == state
    assert state.encode().startswith(b"[4,")


def test_a_row_without_flags_is_written_as_before() -> None:
    assert EntityState(address=Address("a", 3, 1)).encode().startswith(b"[3,")
    with pytest.raises(NewerFormatError):
        EntityState.decode(b"[5,[],[],[],null,[]]")


def dated(state: EntityState, look_: Look, offset: int, at_ms: int) -> tuple[str | None, int | None]:
    """As `look`, of a shop that sometimes has dates."""
    body = Contact(email="ana@mail.example")
    draft = Draft(RecordKind.CONTACT, body.email, Origin.CUSTOMER, body, look=look_)
    [said] = compared([draft], state, offset, at_ms)
    assert isinstance(said.body, Contact)
    return said.body.newsletter, said.body.newsletter_ms


def test_a_date_of_the_shops_own_counts_at_every_look_and_a_withdrawal_from_when_it_was_seen() -> None:
    state = EntityState()
    assert dated(state, Look(True, 2_000, is_dated=True), 1, 9_000) == ("subscribed", 2_000)
    assert dated(state, Look(False, 5_000), 2, 9_100) == ("unsubscribed", 9_100)
    assert dated(state, Look(False, 6_000), 3, 9_200) == ("unsubscribed", 9_100)
    assert dated(state, Look(True, 9_150, is_dated=True), 4, 9_300) == ("subscribed", 9_150)
    assert dated(state, Look(True, 9_250, is_dated=True), 5, 9_400) == ("subscribed", 9_250)
    assert dated(state, Look(False, 9_420), 6, 9_500) == ("unsubscribed", 9_500)


def test_a_withdrawal_at_first_sight_counts_from_the_change() -> None:
    state = EntityState()
    assert dated(state, Look(False, 5_000), 1, 9_000) == ("unsubscribed", 5_000)
    assert dated(state, Look(False, 6_000), 2, 9_100) == ("unsubscribed", 5_000)
