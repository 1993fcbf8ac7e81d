"""A box ticked at checkout after leaving, and the customer's own older words that arrive after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.events import Lane
from pipeline.records import ContactRecord, Origin, Outcome, Subscription
from tests.simulation import virtual
from tests.simulation.consents import judge_consent
from tests.simulation.scenario import Stage, minutes, play

ANN = "ann@example.com"
STATUS = "_newsletterSubscriptionStatus"
WITHDRAWN = "consent_withdrawn_in_connectif"
DAY = 86_400.0
#: Rows enough for an import, and for an export before it.
PEOPLE = [f"c{number}@example.com" for number in range(60)]


def _status(stage: Stage, email: str = ANN) -> object:
    return stage.world.holds("contacts")[email].get(STATUS, "none")


async def _leave_and_tick(stage: Stage, pace: float, people: list[str]) -> None:
    """They left two `pace` ago, and ticked the box of an order one `pace` ago, which subscribed them."""
    for email in people:
        stage.shop.customer(email, name="Ann")
    await stage.settle()
    await minutes(2 * pace)
    for email in people:
        stage.world.withdraw("acme", email)
    await minutes(pace)
    for email in people:
        stage.shop.customer(email, newsletter="subscribed", origin=Origin.ORDER)
    await stage.settle()
    assert {_status(stage, email) for email in people} == {"subscribed"}
    await minutes(pace)


@pytest.mark.parametrize("lane", [Lane.LIVE, Lane.BACKFILL])
@pytest.mark.parametrize("pace", [1.0, 30.0], ids=["fresh", "old"])
def test_a_customers_late_word_does_not_keep_what_an_order_said_after_leaving(
    tmp_path: Path, pace: float, lane: Lane
) -> None:
    async def story(stage: Stage) -> None:
        await _leave_and_tick(stage, pace, [ANN])
        shop, minute = stage.shop.in_lane(lane), 60 * pace
        shop.customer(ANN, newsletter="subscribed", ago=3 * minute)
        await stage.settle()
        assert (_status(stage), stage.receipt("contact", ANN).notes) == ("unsubscribed", (WITHDRAWN,))
        shop.customer(ANN, newsletter="subscribed", ago=2.5 * minute)
        await stage.settle()
        assert _status(stage) == "unsubscribed"
        shop.customer(ANN, newsletter="subscribed", ago=1.5 * minute)  # since she left
        await stage.settle()
        assert _status(stage) == "subscribed"

    play(tmp_path, story)


@pytest.mark.parametrize("pace", [1.0, 30.0], ids=["fresh", "old"])
def test_a_withdrawal_is_remembered_though_connectif_has_the_date_of_another_since(
    tmp_path: Path, pace: float
) -> None:
    async def story(stage: Stage) -> None:
        await _leave_and_tick(stage, pace, [ANN])
        minute = 60 * pace
        stage.shop.customer(ANN, newsletter="unsubscribed", ago=4 * minute)
        await stage.settle()
        assert _status(stage) == "unsubscribed"
        await stage.restart()
        stage.shop.customer(ANN, newsletter="subscribed", ago=3 * minute)
        await stage.settle()
        assert (_status(stage), stage.receipt("contact", ANN).notes) == ("unsubscribed", (WITHDRAWN,))
        stage.shop.customer(ANN, newsletter="subscribed", ago=1.5 * minute)
        await stage.settle()
        assert _status(stage) == "subscribed"

    play(tmp_path, story)


def test_a_backfill_of_customers_takes_back_what_orders_said_after_leaving(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await _leave_and_tick(stage, 30.0, PEOPLE)
        shop = stage.shop.in_lane(Lane.BACKFILL)
        for ago, status in ((90, "unsubscribed"), (45, "subscribed")):
            await minutes(11)  # the export before counts no more
            for email in PEOPLE:
                shop.customer(email, newsletter="subscribed", ago=60.0 * (ago + 11))
            await stage.settle(3_000)
            assert {_status(stage, email) for email in PEOPLE} == {status}
        assert stage.routes()["POST /exports/"] >= 2
        assert stage.routes()["POST /imports/"] >= 2

    play(tmp_path, story)


def test_the_shops_own_withdrawal_is_known_as_that_after_a_subscription_was_sent(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        words: tuple[Subscription, ...] = ("unsubscribed", "subscribed", "subscribed", "subscribed")
        for number, word in enumerate(words):
            stage.shop.customer(ANN, newsletter=word, ago=(40 - number) * DAY)
            await stage.settle()
            await minutes(5)
            assert (_status(stage), stage.receipt("contact", ANN).notes) == (word, ())
        assert {outcome for outcome, _ in stage.ends("contact", ANN)} == {Outcome.DELIVERED}

    play(tmp_path, story)


def test_who_leaves_seconds_after_a_withdrawal_of_the_shops_is_judged(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.customer(ANN, name="Ann", newsletter="unsubscribed")
        await stage.settle()
        stage.shop.customer(ANN, newsletter="subscribed")
        await stage.settle()
        stage.world.withdraw("acme", ANN)
        said = [record for record in stage.world.said if isinstance(record, ContactRecord)]
        judge_consent(stage.world, "acme", said)
        contacts = stage.connectif.data.contacts
        contacts.storage.put(ANN, {"_email": ANN, STATUS: "subscribed"}, virtual.wall())
        with pytest.raises(AssertionError, match="is subscribed, not unsubscribed"):
            judge_consent(stage.world, "acme", said)

    play(tmp_path, story)
