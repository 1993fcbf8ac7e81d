"""A worker is killed while it sends the shop's own `unsubscribed`: it is not taken for Connectif's later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.simulation.consents import STATUS
from tests.simulation.scenario import Scenario, run_scenario
from tests.simulation.test_consent import HOUR, _ago, _holds, _says

ONE, MANY = ["ann@example.com"], [f"p{number}@example.com" for number in range(12)]


def _statuses(scenario: Scenario, people: list[str]) -> set[str]:
    held = scenario.environment.holds("contacts")
    return {held.get(email, {}).get(STATUS, "none") for email in people}


async def _until_taken(scenario: Scenario, people: list[str]) -> None:
    """Connectif has them all, and the worker does not know it yet."""
    while _statuses(scenario, people) != {"unsubscribed"}:
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("people", [ONE, MANY], ids=["a call", "an import"])
@pytest.mark.parametrize("kills", [1, 3])
def test_who_subscribed_again_in_the_shop_is_subscribed(
    tmp_path: Path, people: list[str], kills: int
) -> None:
    async def steps(scenario: Scenario) -> None:
        for email in people:
            _says(scenario, "unsubscribed", _ago(3 * HOUR), email=email)
        await _until_taken(scenario, people)
        for _ in range(kills):
            await scenario.restart()
        for email in people:
            _says(scenario, "subscribed", _ago(2 * HOUR), email=email)
        await scenario.settle()
        assert _statuses(scenario, people) == {"subscribed"}

    run_scenario(tmp_path, steps, freshness=2.0)


@pytest.mark.parametrize("people", [ONE, MANY], ids=["a call", "an import"])
def test_who_withdrew_by_a_mail_stays_unsubscribed(tmp_path: Path, people: list[str]) -> None:
    """Before the call that was cut off, and after the outcome was known."""

    async def steps(scenario: Scenario) -> None:
        for email in people:
            _holds(scenario, email, **{STATUS: "unsubscribed"})
        await asyncio.sleep(60)
        for email in people:
            _says(scenario, "unsubscribed", _ago(3 * HOUR), email=email)
        await asyncio.sleep(3)
        await scenario.restart()
        for email in people:
            _says(scenario, "subscribed", _ago(2 * HOUR), email=email)
        await scenario.settle()
        assert _statuses(scenario, people) == {"unsubscribed"}
        for email in people:
            _says(scenario, "subscribed", _ago(0), email=email)
        await scenario.settle()
        assert _statuses(scenario, people) == {"subscribed"}
        await asyncio.sleep(60)
        for email in people:
            _holds(scenario, email, **{STATUS: "unsubscribed"})
        await scenario.restart()
        for email in people:
            _says(scenario, "subscribed", _ago(30), email=email)
        await scenario.settle()
        assert _statuses(scenario, people) == {"unsubscribed"}

    run_scenario(tmp_path, steps, freshness=2.0, consent_fresh=0.0)


def test_nothing_of_a_call_that_ended_is_left(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        for email in MANY:
            _says(scenario, "unsubscribed", _ago(HOUR), email=email)
        await scenario.settle()
        await asyncio.sleep(5)
        [account] = [account for _, account in scenario.life.account_manager.accounts()]
        calls = account._contacts.unsubscribing
        assert [calls.began(email) for email in MANY] == [None] * len(MANY)
        [path] = tmp_path.rglob("acme.unsubscribing")
        assert not any(email.encode() in path.read_bytes() for email in MANY)
        assert path.stat().st_mode & 0o077 == 0

    run_scenario(tmp_path, steps, freshness=2.0)
