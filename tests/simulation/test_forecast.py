"""A plan, against the stage itself delivering the same volume to the sandbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.config_accounts import AccountSettings
from pipeline.config_stages import DeliverSettings
from pipeline.deliver.explain.plan import Volume, forecast
from pipeline.events import Lane
from tests.simulation.scenario import Scenario, run_scenario

ORDERS, PRODUCTS = 600, 20


@pytest.mark.parametrize("lane", [Lane.LIVE, Lane.BACKFILL])
def test_a_backlog_takes_as_long_as_was_planned(tmp_path: Path, lane: Lane) -> None:
    took: list[float] = []

    async def steps(scenario: Scenario) -> None:
        clock = asyncio.get_running_loop().time
        began, shop = clock(), scenario.shop.in_lane(lane)
        for number in range(ORDERS):
            shop.order(f"o{number}", f"c{number}@example.com", f"p{number % PRODUCTS}")
        await scenario.settle(within=1_200)
        took.append(clock() - began)

    run_scenario(tmp_path, steps)
    account = AccountSettings.model_validate({"api_key": "a:b", "base_url": "http://localhost"})
    volume = Volume(ORDERS, lane, new_customers=1, new_products=PRODUCTS)
    assert forecast(account, DeliverSettings(), volume).seconds == pytest.approx(took[0], rel=0.03)
