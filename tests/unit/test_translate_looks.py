"""What a look at a shop's flag of consent means beside the one before."""

from __future__ import annotations

import pytest

from pipeline.records import Contact, Origin, RecordKind
from pipeline.shops.base import Draft, Look
from pipeline.translate.looks import compared
from pipeline.translate.state import EntityState


def heard(*looks: Look) -> list[tuple[str | None, int | None]]:
    """What each look means, a thousand ms after the other."""
    state = EntityState()
    found: list[tuple[str | None, int | None]] = []
    for number, look in enumerate(looks):
        body = Contact(email="a@mail.example")
        draft = Draft(RecordKind.CONTACT, "a@mail.example", Origin.CUSTOMER, body, look=look)
        [meant] = compared([draft], state, number, 10_000 + 1_000 * number)
        assert isinstance(meant.body, Contact)
        found.append((meant.body.newsletter, meant.body.newsletter_ms))
    return found


def given(subscribed: bool, since_ms: int) -> Look:
    return Look(subscribed, since_ms, given=True)


@pytest.mark.parametrize(
    ("looks", "last"),
    [
        ([Look(subscribed=True, since_ms=5)], ("subscribed", 5)),
        ([Look(subscribed=False, since_ms=5)], (None, None)),
        ([Look(subscribed=False, since_ms=5), Look(subscribed=True, since_ms=5)], ("subscribed", 11_000)),
        ([given(False, 7)], ("unsubscribed", 7)),
        ([given(False, 7), given(False, 9)], ("unsubscribed", 7)),
        ([given(True, 7), given(True, 9)], ("subscribed", 9)),
        ([given(True, 9), given(True, 7)], ("subscribed", 9)),
        ([given(True, 7), given(False, 8)], ("unsubscribed", 11_000)),
        ([given(False, 7), given(True, 9)], ("subscribed", 9)),
        ([given(False, 7), given(True, 5)], ("subscribed", 11_000)),
        ([Look(subscribed=False, since_ms=0), given(False, 7)], ("unsubscribed", 7)),
    ],
)
def test_a_look_means_what_it_adds_to_the_one_before(
    looks: list[Look], last: tuple[str | None, int | None]
) -> None:
    assert heard(*looks)[-1] == last
