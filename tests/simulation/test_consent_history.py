"""Whatever shop, orders and Connectif say of newsletters, in whatever order: the newest word counts."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.simulation import virtual
from tests.simulation.case_shop import ACCOUNT, CaseShop, settings_of
from tests.simulation.cases import Case, Event, Expected, Given
from tests.simulation.environment import Environment, Life
from tests.simulation.on_lists import BEGIN, moment

ANA = "ana@mail.example"
STATUS = "_newsletterSubscriptionStatus"
#: Minutes between two statements as they arrive.
APART = 20
#: How much later than it was made a statement may arrive, in minutes; the last one is years.
DELAYS = (0, 5, APART + 5, 3 * APART + 5, 1_400_000)


class Said(NamedTuple):
    """A statement: a state of the customer's consent, `tick` of an order, or `left` by a mail of Connectif's.

    Attributes:
        what: see above.
        delay: minutes until it arrives; what is said in Connectif is there at once.
        delivered: whether all that waits is delivered before the next one.
    """

    what: str
    delay: int
    delivered: bool


class Word(NamedTuple):
    """What counts of it."""

    minute: float
    subscribed: bool
    of: str


def consent(minute: float, state: str) -> dict[str, Any]:
    """A customer's statement."""
    statement = {"state": state, "consent_updated_at": moment(minute).isoformat()}
    return {"customer_id": 3001, "email_address": ANA, "email_marketing_consent": statement}


def order(number: int, minute: float) -> dict[str, Any]:
    """A paid order of that minute, with the box ticked."""
    placed = moment(minute).isoformat()
    return {
        "id": 7001 + number,
        "currency": "EUR",
        "created_at": placed,
        "processed_at": placed,
        "updated_at": placed,
        "cancelled_at": None,
        "financial_status": "paid",
        "test": False,
        "email": ANA,
        "current_total_price": "10.00",
        "total_price": "10.00",
        "taxes_included": True,
        "buyer_accepts_marketing": True,
        "customer": {"id": 3001, "email": ANA, "first_name": "Ana"},
        "refunds": [],
        "line_items": [{"id": 1, "product_id": 501, "title": "Mug", "quantity": 1, "price": "10.00"}],
    }


def event(topic: str, body: dict[str, Any], minute: float, number: int) -> Event:
    return Event(
        topic=topic, received=moment(minute), body=body, headers={"X-Shopify-Webhook-Id": f"{number}"}
    )


async def heard(history: list[Said], directory: Path, *, ticks: bool) -> tuple[str | None, list[Word]]:
    """What Connectif holds in the end of Ana, and all that was said."""
    hello = {"id": 3001, "email": ANA, "first_name": "Ana", "updated_at": moment(0).isoformat()}
    first = event("customers/update", hello, 0.5, 0)
    given = Given(store={"consent_from_orders": ticks})
    case = Case(platform="shopify", name="", events=[first], given=given, expected=Expected())
    environment = Environment(settings_of(case, directory))
    life, shop = Life(environment, "w1"), CaseShop(case, environment.settings)
    await life.start()
    words: list[Word] = []

    def send(sent: Event) -> None:
        for record in shop.sends(sent):
            environment.say(record)

    send(first)
    await environment.settle(life, within=600)
    for number, said in enumerate(history, 1):
        arrival = number * APART
        at = arrival - said.delay + number / 60  # no two at one second
        await asyncio.sleep(max(0.0, BEGIN + 60 * arrival + 60 - virtual.wall()))
        if said.what == "left":
            words += _leave(environment, (virtual.wall() - BEGIN) / 60)
        elif said.what == "tick":
            send(event("orders/paid", order(number, at), arrival + 1, number))
            words += [Word(at, subscribed=True, of="order")] if ticks else []
        else:
            topic = "customers_email_marketing_consent/update"
            send(event(topic, consent(at, said.what), arrival + 1, number))
            if said.what != "pending":
                words.append(Word(at, said.what == "subscribed", "shop"))
        if said.delivered:
            await environment.settle(life, within=600)
    await environment.settle(life, within=600)
    await life.stop()
    return environment.holds("contacts")[ANA].get(STATUS), words


def _leave(environment: Environment, minute: float) -> list[Word]:
    """The link in a mail of Connectif's, where Ana gets any."""
    contacts = environment.sandbox.accounts[ACCOUNT].data.contacts
    entry = contacts.find("email", ANA)
    if entry is None or entry.body.get(STATUS) == "unsubscribed":
        return []
    contacts.patch(
        "email", ANA, {STATUS: "unsubscribed"}, virtual.wall(), environment.sandbox.simulation.behaviour
    )
    return [Word(minute, subscribed=False, of="connectif")]


histories = st.lists(
    st.builds(
        Said,
        st.sampled_from(("subscribed", "subscribed", "unsubscribed", "pending", "tick", "left")),
        st.sampled_from(DELAYS),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def end_of(history: list[Said], *, ticks: bool) -> tuple[bool, list[Word], list[Word]]:
    """Whether Ana is subscribed in the end, what she said herself, and what her orders did."""
    with tempfile.TemporaryDirectory() as directory:
        told = heard(history, Path(directory), ticks=ticks)
        status, words = virtual.run(told, epoch=BEGIN)
    own = [word for word in words if word.of != "order"]
    return status == "subscribed", own, [word for word in words if word.of == "order"]


@pytest.mark.parametrize("ticks", [False, True], ids=["verdicts-only", "ticks-count"])
@settings(max_examples=60, deadline=None)
@example(history=[Said("tick", 0, True), Said("left", 0, True), Said("subscribed", 45, True)])
@example(history=[Said("left", 0, True), Said("tick", 1_400_000, True)])
@example(history=[Said("left", 0, True), Said("tick", 0, True), Said("subscribed", 65, True)])
@example(history=[Said("left", 0, True), Said("tick", 0, False), Said("subscribed", 65, False)])
@example(
    history=[
        Said("left", 0, True),
        Said("tick", 0, True),
        Said("unsubscribed", 65, True),
        Said("subscribed", 65, True),
    ]
)
@given(history=histories)
def test_nobody_is_subscribed_whose_newest_word_is_a_withdrawal(history: list[Said], *, ticks: bool) -> None:
    subscribed, own, ticked = end_of(history, ticks=ticks)
    newest = max(own, default=None)
    if newest is None:
        assert not subscribed or ticked
    elif not newest.subscribed and (any(word.of == "shop" for word in own) or max([newest, *ticked]) in own):
        assert not subscribed


@settings(max_examples=60, deadline=None)
@example(history=[Said("subscribed", 0, True), Said("left", 0, True), Said("subscribed", 0, True)])
@example(
    history=[
        Said("unsubscribed", 25, True),
        Said("subscribed", 25, True),
        Said("pending", 0, True),
        Said("subscribed", 65, True),
    ]
)
@given(history=histories)
def test_who_subscribed_last_is_subscribed(history: list[Said]) -> None:
    subscribed, own, _ = end_of(history, ticks=False)
    assert subscribed or not own or not max(own).subscribed
