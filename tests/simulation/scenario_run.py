"""A plan carried out on virtual time, and checked against the sandbox's ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from pipeline.records import Outcome
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from tests.simulation import expected_state, virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.fault_scenario import Fault, Outage, Plan
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
    environment = Environment(settings, plan.seed, ApiBehaviour().changed(plan.switches))
    async with _faults_and_others(environment, plan):
        acting = asyncio.create_task(_actions(environment, plan))
        life = await _lives(environment, plan)
        await acting
    await environment.settle(life, within=7_200)
    expected_state.check_state(environment)
    environment.accounted(life)
    _letters_kept(environment)
    _limit_kept(environment, alone=not plan.others)
    await life.stop()


def _letters_kept(environment: Environment) -> None:
    """What is over as dead has its dead letter."""
    letters = {
        (said["dead-topic"], int(said["dead-offset"]))
        for _, _, headers in environment.cluster.topic("deadletters")
        for said in [dict(headers)]
    }
    receipts = environment.receipts()
    dead = {(one.kind.topic.encode(), one.record.offset) for one in receipts if one.outcome is Outcome.DEAD}
    assert dead <= letters, "a receipt says dead, and there is no letter"


async def _actions(environment: Environment, plan: Plan) -> None:
    shop = Shop(environment, withdraw=environment.withdraw)
    for pause, action in plan.actions:
        await asyncio.sleep(pause)
        action.do(shop)


async def _lives(environment: Environment, plan: Plan) -> Life:
    life = Life(environment, "w1")
    starting = asyncio.create_task(life.start())
    for turn in plan.turns:
        await environment.cluster.steps(turn.steps, within=60.0)
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
        life = Life(environment, turn.worker)
        starting = asyncio.create_task(life.start())
    await starting
    return life


@contextlib.asynccontextmanager
async def _faults_and_others(environment: Environment, plan: Plan) -> AsyncIterator[None]:
    """Faults and others, for as long as the shop speaks."""
    tasks = [asyncio.create_task(_fault(environment, fault)) for fault in plan.faults]
    tasks += [asyncio.create_task(_outage(environment, outage)) for outage in plan.outages]
    if plan.others:
        tasks.append(asyncio.create_task(_others(environment, plan.others)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        environment.sandbox.simulation.faults.clear()
        environment.cluster.confirms = True


async def _outage(environment: Environment, outage: Outage) -> None:
    await asyncio.sleep(outage.at)
    environment.cluster.confirms = False
    await asyncio.sleep(outage.seconds)
    environment.cluster.confirms = True


async def _fault(environment: Environment, fault: Fault) -> None:
    faults = environment.sandbox.simulation.faults
    await asyncio.sleep(fault.at)
    faults.add([fault.rule])
    number = max(int(str(rule["id"])) for rule in faults.report())
    if fault.ends is not None:
        await asyncio.sleep(fault.ends - fault.at)
        faults.clear(number)


async def _others(environment: Environment, every: float) -> None:
    key = environment.settings.accounts["acme"].api_key.get_secret_value()
    headers = {"Authorization": f"apiKey {key}"}
    async with httpx.AsyncClient(transport=environment.transport, headers=headers) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await client.get(f"http://localhost{OTHERS}")
            await asyncio.sleep(every)


def _limit_kept(environment: Environment, *, alone: bool) -> None:
    """No call was refused for our own calls: alone none at all, and never more in a window than the limit."""
    if alone:
        environment.limit_kept()
        return
    account = environment.sandbox.accounts["acme"]
    recent: deque[float] = deque()
    times = sorted(
        call.time
        for call in account.log.page(0, account.log.total)
        if table.ALL_ROUTES[call.route].template != OTHERS
    )
    for time in times:
        recent.append(time)
        while recent[0] <= time - environment.settings.accounts["acme"].window_seconds:
            recent.popleft()
        assert len(recent) <= account.limit, f"{len(recent)} calls of ours in one window"
