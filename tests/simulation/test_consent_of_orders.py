"""A box ticked at checkout after leaving, and the customer's own older words that arrive after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.events import Lane
from pipeline.records import ContactRecord, Origin, Outcome, Subscription
from tests.simulation import virtual
from tests.simulation.consents import check_consent
from tests.simulation.scenario import Scenario, minutes, run_scenario

ANN = "ann@example.com"
STATUS = "_newsletterSubscriptionStatus"
WITHDRAWN = "consent_withdrawn_in_connectif"
DAY = 86_400.0
#: Rows enough for an import, and for an export before it.
PEOPLE = [f"c{number}@example.com" for number in range(60)]


def _status(scenario: Scenario, email: str = ANN) -> object:
    return scenario.environment.holds("contacts")[email].get(STATUS, "none")


async def _leave_and_tick(scenario: Scenario, pace: float, people: list[str]) -> None:
    """They left two `pace` ago, and ticked the box of an order one `pace` ago, which subscribed them."""
    for email in people:
        scenario.shop.customer(email, name="Ann")
    await scenario.settle()
    await minutes(2 * pace)
    for email in people:
        scenario.environment.withdraw("acme", email)
    await minutes(pace)
    for email in people:
        scenario.shop.customer(email, newsletter="subscribed", origin=Origin.ORDER)
    await scenario.settle()
    assert {_status(scenario, email) for email in people} == {"subscribed"}
    await minutes(pace)


@pytest.mark.parametrize("lane", [Lane.LIVE, Lane.BACKFILL])
@pytest.mark.parametrize("pace", [1.0, 30.0], ids=["fresh", "old"])
def test_a_customers_late_word_does_not_keep_what_an_order_said_after_leaving(
    tmp_path: Path, pace: float, lane: Lane
) -> None:
    async def steps(scenario: Scenario) -> None:
        await _leave_and_tick(scenario, pace, [ANN])
        shop, minute = scenario.shop.in_lane(lane), 60 * pace
        shop.customer(ANN, newsletter="subscribed", ago=3 * minute)
        await scenario.settle()
        assert (_status(scenario), scenario.receipt("contact", ANN).notes) == ("unsubscribed", (WITHDRAWN,))
        shop.customer(ANN, newsletter="subscribed", ago=2.5 * minute)
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"
        shop.customer(ANN, newsletter="subscribed", ago=1.5 * minute)  # since she left
        await scenario.settle()
        assert _status(scenario) == "subscribed"

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("pace", [1.0, 30.0], ids=["fresh", "old"])
def test_a_withdrawal_is_remembered_though_connectif_has_the_date_of_another_since(
    tmp_path: Path, pace: float
) -> None:
    async def steps(scenario: Scenario) -> None:
        await _leave_and_tick(scenario, pace, [ANN])
        minute = 60 * pace
        scenario.shop.customer(ANN, newsletter="unsubscribed", ago=4 * minute)
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"
        await scenario.restart()
        scenario.shop.customer(ANN, newsletter="subscribed", ago=3 * minute)
        await scenario.settle()
        assert (_status(scenario), scenario.receipt("contact", ANN).notes) == ("unsubscribed", (WITHDRAWN,))
        scenario.shop.customer(ANN, newsletter="subscribed", ago=1.5 * minute)
        await scenario.settle()
        assert _status(scenario) == "subscribed"

    run_scenario(tmp_path, steps)


def test_a_backfill_of_customers_takes_back_what_orders_said_after_leaving(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        await _leave_and_tick(scenario, 30.0, PEOPLE)
        shop = scenario.shop.in_lane(Lane.BACKFILL)
        for ago, status in ((90, "unsubscribed"), (45, "subscribed")):
            await minutes(11)  # the export before counts no more
            for email in PEOPLE:
                shop.customer(email, newsletter="subscribed", ago=60.0 * (ago + 11))
            await scenario.settle(3_000)
            assert {_status(scenario, email) for email in PEOPLE} == {status}
        assert scenario.routes()["POST /exports/"] >= 2
        assert scenario.routes()["POST /imports/"] >= 2

    run_scenario(tmp_path, steps)


def test_the_shops_own_withdrawal_is_known_as_that_after_a_subscription_was_sent(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        words: tuple[Subscription, ...] = ("unsubscribed", "subscribed", "subscribed", "subscribed")
        for number, word in enumerate(words):
            scenario.shop.customer(ANN, newsletter=word, ago=(40 - number) * DAY)
            await scenario.settle()
            await minutes(5)
            assert (_status(scenario), scenario.receipt("contact", ANN).notes) == (word, ())
        assert {outcome for outcome, _ in scenario.ends("contact", ANN)} == {Outcome.DELIVERED}

    run_scenario(tmp_path, steps)


def test_who_leaves_seconds_after_a_withdrawal_of_the_shops_is_told_apart(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer(ANN, name="Ann", newsletter="unsubscribed")
        await scenario.settle()
        scenario.shop.customer(ANN, newsletter="subscribed")
        await scenario.settle()
        scenario.environment.withdraw("acme", ANN)
        said = [record for record in scenario.environment.said if isinstance(record, ContactRecord)]
        check_consent(scenario.environment, "acme", said)
        contacts = scenario.connectif.data.contacts
        contacts.storage.put(ANN, {"_email": ANN, STATUS: "subscribed"}, virtual.wall())
        with pytest.raises(AssertionError, match="is subscribed, not unsubscribed"):
            check_consent(scenario.environment, "acme", said)

    run_scenario(tmp_path, steps)
