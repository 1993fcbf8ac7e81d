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
from tests.simulation.plan import Fault, Plan
from tests.simulation.shop import Shop
from tests.simulation.world import Life, World, settings_for

#: What somebody else calls, and nobody else does.
OTHERS = "/coupon-sets/"


def rage(plan: Plan, directory: Path) -> None:
    """Carry a plan out.

    Raises:
        AssertionError: something is missing, twice, old, not accounted for, or over the limit.
    """
    virtual.run(_rage(plan, directory))


async def _rage(plan: Plan, directory: Path) -> None:
    settings = settings_for(directory, **plan.settings)
    world = World(settings, plan.seed, ApiBehaviour().changed(plan.switches))
    async with _trouble(world, plan):
        raging = asyncio.create_task(_deeds(world, plan))
        life = await _lives(world, plan)
        await raging
    await world.settle(life, within=7_200)
    oracle.judge(world)
    world.accounted(life)
    _limit_kept(world, alone=not plan.others)
    await life.stop()


async def _deeds(world: World, plan: Plan) -> None:
    shop = Shop(world, withdraw=world.withdraw)
    for pause, deed in plan.deeds:
        await asyncio.sleep(pause)
        deed.do(shop)


async def _lives(world: World, plan: Plan) -> Life:
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
async def _trouble(world: World, plan: Plan) -> AsyncIterator[None]:
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


async def _fault(world: World, fault: Fault) -> None:
    faults = world.sandbox.simulation.faults
    await asyncio.sleep(fault.at)
    faults.add([fault.rule])
    number = max(int(str(rule["id"])) for rule in faults.report())
    if fault.ends is not None:
        await asyncio.sleep(fault.ends - fault.at)
        faults.clear(number)


async def _others(world: World, every: float) -> None:
    key = world.settings.accounts["acme"].api_key.get_secret_value()
    headers = {"Authorization": f"apiKey {key}"}
    async with httpx.AsyncClient(transport=world.transport, headers=headers) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await client.get(f"http://localhost{OTHERS}")
            await asyncio.sleep(every)


def _limit_kept(world: World, *, alone: bool) -> None:
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
