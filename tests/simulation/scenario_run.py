"""A plan carried out on virtual time, and judged by the sandbox's ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from tests.simulation import oracle, virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.fault_scenario import Fault, Plan
from tests.simulation.shop import Shop

#: What somebody else calls, and nobody else does.
OTHERS = "/coupon-sets/"


def run_faults(plan: Plan, directory: Path) -> None:
    """Carry a plan out.

    Raises:
        AssertionError: something is missing, twice, old, not accounted for, or over the limit.
    """
    virtual.run(_run_faults(plan, directory))


async def _run_faults(plan: Plan, directory: Path) -> None:
    settings = settings_for(directory, **plan.settings)
    world = Environment(settings, plan.seed, ApiBehaviour().changed(plan.switches))
    async with _trouble(world, plan):
        raging = asyncio.create_task(_actions(world, plan))
        life = await _lives(world, plan)
        await raging
    await world.settle(life, within=7_200)
    oracle.judge(world)
    world.accounted(life)
    _limit_kept(world, alone=not plan.others)
    await life.stop()


async def _actions(world: Environment, plan: Plan) -> None:
    shop = Shop(world, withdraw=world.withdraw)
    for pause, action in plan.actions:
        await asyncio.sleep(pause)
        action.do(shop)


async def _lives(world: Environment, plan: Plan) -> Life:
    life = Life(world, "w1")
    starting = asyncio.create_task(life.start())
    for turn in plan.turns:
        await world.cluster.steps(turn.steps, within=60.0)
        if life.errors:
            raise life.errors[0]
        if turn.how != "kill":
            await starting
            await life.stop(moved=turn.how == "move")
        else:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            await life.kill()
        life = Life(world, turn.worker)
        starting = asyncio.create_task(life.start())
    await starting
    return life


@contextlib.asynccontextmanager
async def _trouble(world: Environment, plan: Plan) -> AsyncIterator[None]:
    """Faults and others, for as long as the shop speaks."""
    tasks = [asyncio.create_task(_fault(world, fault)) for fault in plan.faults]
    if plan.others:
        tasks.append(asyncio.create_task(_others(world, plan.others)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        world.sandbox.simulation.faults.clear()


async def _fault(world: Environment, fault: Fault) -> None:
    faults = world.sandbox.simulation.faults
    await asyncio.sleep(fault.at)
    faults.add([fault.rule])
    number = max(int(str(rule["id"])) for rule in faults.report())
    if fault.ends is not None:
        await asyncio.sleep(fault.ends - fault.at)
        faults.clear(number)


async def _others(world: Environment, every: float) -> None:
    key = world.settings.accounts["acme"].api_key.get_secret_value()
    headers = {"Authorization": f"apiKey {key}"}
    async with httpx.AsyncClient(transport=world.transport, headers=headers) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await client.get(f"http://localhost{OTHERS}")
            await asyncio.sleep(every)


def _limit_kept(world: Environment, *, alone: bool) -> None:
    """No call was refused for our own calls: alone none at all, and never more in a window than the limit."""
    if alone:
        world.limit_kept()
        return
    account = world.sandbox.accounts["acme"]
    recent: deque[float] = deque()
    times = sorted(
        call.time
        for call in account.log.page(0, account.log.total)
        if table.ALL_ROUTES[call.route].template != OTHERS
    )
    for time in times:
        recent.append(time)
        while recent[0] <= time - world.settings.accounts["acme"].window_seconds:
            recent.popleft()
        assert len(recent) <= account.limit, f"{len(recent)} calls of ours in one window"
