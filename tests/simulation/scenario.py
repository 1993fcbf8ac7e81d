"""Scenarios: one account, one worker, a shop, and the usual checks at the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pipeline.records import Outcome, Receipt
from pipeline.sandbox.connectif.http.ledger import LedgerQuery, account_ledger
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.connectif.simulation.faults import FaultRule
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.shop import Shop

Steps = Callable[["Scenario"], Awaitable[None]]


class Scenario:
    """What the steps of a scenario act on."""

    def __init__(self, environment: Environment, life: Life) -> None:
        self.environment = environment
        self.life = life
        self.shop = Shop(environment)
        self.connectif = environment.sandbox.accounts["acme"]

    async def settle(self, within: float = 600.0) -> None:
        """Wait until every record has ended."""
        await self.environment.settle(self.life, within=within)

    async def restart(self, worker: str = "w1") -> None:
        """Kill -9, and start again."""
        await self.life.kill()
        self.life = Life(self.environment, worker)
        await self.life.start()

    async def hand_over(self, worker: str) -> None:
        """The partition goes to another worker, in order."""
        await self.life.stop(moved=True)
        self.life = Life(self.environment, worker)
        await self.life.start()

    def fault(self, effect: Any, **rule: Any) -> None:
        """From now on this goes wrong."""
        self.environment.sandbox.simulation.faults.add([FaultRule(effect=effect, **rule)])

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.environment.sandbox.simulation.faults.clear()

    def calls(self) -> list[tuple[str, str, int]]:
        """(method, route, status) of every call so far."""
        shown = account_ledger(self.connectif, LedgerQuery(kind="coupons", calls=True, limit=50_000))
        return [(call["method"], call["route"], call["status"] or 0) for call in shown["calls"]["items"]]

    def routes(self) -> Counter[str]:
        """Calls by method and route."""
        return Counter(f"{method} {route}" for method, route, _ in self.calls())

    def receipt(self, kind: str, record_id: str) -> Receipt:
        """The newest receipt of a record."""
        return next(r for r in reversed(self.environment.receipts()) if r.kind == kind and r.id == record_id)

    def ends(self, kind: str, record_id: str) -> list[tuple[Outcome, str]]:
        """Outcome and reason of each version, in the order they were said."""
        found = {
            r.record.offset: (r.outcome, r.reason)
            for r in self.environment.receipts()
            if r.kind == kind and r.id == record_id
        }
        return [found[offset] for offset in sorted(found)]


async def carry_out(environment: Environment, steps: Steps) -> Scenario:
    """Do the steps with a worker of its own; at their end nothing failed in it, and the limit was kept."""
    life = Life(environment, "w1")
    await life.start()
    scenario = Scenario(environment, life)
    await steps(scenario)
    if scenario.life.errors:
        raise scenario.life.errors[0]
    environment.limit_kept()
    return scenario


def run_scenario(
    tmp_path: Path, steps: Steps, *, seed: int = 0, switches: Any = None, **deliver: Any
) -> None:
    """Carry the steps out on virtual time; then every version is accounted for."""

    async def run() -> None:
        behaviour = ApiBehaviour().changed(switches or {})
        environment = Environment(settings_for(tmp_path, **deliver), seed, behaviour)
        scenario = await carry_out(environment, steps)
        environment.accounted(scenario.life)
        await scenario.life.stop()

    virtual.run(run())


async def minutes(count: float) -> None:
    """Let time pass."""
    await asyncio.sleep(60 * count)
