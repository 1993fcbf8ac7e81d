"""The limit, whatever the window and its headers, alone or shared, across restarts and moves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulation import virtual
from tests.simulation.scenario import Scenario, run_scenario

WINDOWS = [
    {"window": "fixed", "window_start": "first_call"},
    {"window": "fixed", "window_start": "aligned"},
    {"window": "sliding"},
]


@pytest.mark.parametrize(
    ("window", "headers"),
    [
        (WINDOWS[0], "x"),
        (WINDOWS[0], "none"),
        (WINDOWS[1], "plain"),
        (WINDOWS[2], "x"),
        (WINDOWS[2], "none"),
    ],
)
def test_a_backlog_uses_the_window_and_never_more(tmp_path: Path, window: Any, headers: str) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(220):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        await scenario.settle(within=300)
        # 222 calls and few besides: three windows of 100, the last one begun.
        assert virtual.wall() - virtual.EPOCH < 125

    run_scenario(tmp_path, steps, switches={**window, "rate_headers": headers, "rate_header_case": "lower"})


@pytest.mark.parametrize("window", WINDOWS)
def test_a_restart_does_not_spend_the_window_twice(tmp_path: Path, window: Any) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(250):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        for _ in range(4):
            await asyncio.sleep(7)
            await scenario.restart()
        await scenario.settle(within=400)

    run_scenario(tmp_path, steps, switches={**window, "rate_headers": "none"})


def test_a_worker_that_takes_an_account_over_waits_for_a_whole_window(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(250):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        for worker in ("w2", "w1", "w2"):
            await asyncio.sleep(70)
            await scenario.restart(worker)
            made, moved = len(scenario.calls()), virtual.wall()
            while len(scenario.calls()) == made:
                await asyncio.sleep(0.1)
            assert 59 < virtual.wall() - moved < 65
        await scenario.settle(within=600)

    run_scenario(tmp_path, steps, switches={"window": "sliding", "rate_headers": "none"})


@pytest.mark.parametrize("window", WINDOWS)
def test_a_worker_killed_soon_after_it_took_an_account_over_counts_what_was_before(
    tmp_path: Path, window: Any
) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(250):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        await asyncio.sleep(20)
        await scenario.restart("w2")
        for _ in range(3):
            await asyncio.sleep(5)
            await scenario.restart("w2")
        await scenario.settle(within=600)

    run_scenario(tmp_path, steps, switches={**window, "rate_headers": "none"})


@pytest.mark.parametrize("window", WINDOWS)
def test_an_account_handed_over_in_order_goes_on_as_if_it_had_not_moved(tmp_path: Path, window: Any) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(250):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        for worker in ("w2", "w1", "w3"):
            await asyncio.sleep(23)
            await scenario.hand_over(worker)
            await asyncio.sleep(1)
            await scenario.restart(worker)
        await scenario.settle(within=300)
        assert virtual.wall() - virtual.EPOCH < 135

    run_scenario(tmp_path, steps, switches={**window, "rate_headers": "none"})


def test_a_fresh_account_starts_at_once(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle(within=5)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("window", WINDOWS)
def test_others_who_share_the_limit_are_made_room_for(tmp_path: Path, window: Any) -> None:
    """Others' calls cannot be seen between two answers: a 429 now and then is not ours to avoid."""
    refused: list[int] = []

    async def script(scenario: Scenario) -> None:
        """Somebody's export script: forty calls a minute, evenly."""
        url, key = "http://localhost/imports/", {"Authorization": "apiKey acme:secret"}
        async with httpx.AsyncClient(transport=scenario.environment.transport, headers=key) as client:
            while True:
                answer = await client.get(url)
                refused.append(answer.status_code)
                await asyncio.sleep(1.5)

    async def steps(scenario: Scenario) -> None:
        other = asyncio.create_task(script(scenario))
        for number in range(300):
            scenario.shop.order(f"o{number}", "ann@example.com", "p1")
        await scenario.settle(within=1_200)
        other.cancel()
        ours = [status for method, route, status in scenario.calls() if route != "/imports/"]
        # In the first windows, before it is known that others call; none after that.
        assert ours.count(429) <= 5
        scenario.connectif.log.refused = 0  # counted above, each side by itself
        scenario.connectif.log.most_in_any_window = 0

    run_scenario(tmp_path, steps, switches={**window, "rate_headers": "x"})


@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize("headers", ["x", "plain", "none"])
def test_after_a_429_nothing_is_sent_until_the_reset(tmp_path: Path, headers: str, retry_after: bool) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        scenario.fault("too_many_requests", count=1)
        for number in range(20):
            scenario.shop.purchase(f"q{number}", "ann@example.com", "p1")
        await scenario.settle()
        statuses = [status for _, _, status in scenario.calls()]
        after = statuses[statuses.index(429) + 1 :]
        assert after.count(429) == 0
        assert virtual.wall() - virtual.EPOCH > 55

    run_scenario(tmp_path, steps, switches={"rate_headers": headers, "retry_after": retry_after})
