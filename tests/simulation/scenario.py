"""A stage for stories: one account, one worker, a shop, and the judge's usual questions at the end."""

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

Story = Callable[["Stage"], Awaitable[None]]


class Stage:
    """What a story is told with."""

    def __init__(self, world: Environment, life: Life) -> None:
        self.world = world
        self.life = life
        self.shop = Shop(world)
        self.connectif = world.sandbox.accounts["acme"]

    async def settle(self, within: float = 600.0) -> None:
        """Wait until every record has ended."""
        await self.world.settle(self.life, within=within)

    async def restart(self, worker: str = "w1") -> None:
        """Kill -9, and start again."""
        await self.life.kill()
        self.life = Life(self.world, worker)
        await self.life.start()

    async def hand_over(self, worker: str) -> None:
        """The partition goes to another worker, in order."""
        await self.life.stop(moved=True)
        self.life = Life(self.world, worker)
        await self.life.start()

    def fault(self, effect: Any, **rule: Any) -> None:
        """From now on this goes wrong."""
        self.world.sandbox.simulation.faults.add([FaultRule(effect=effect, **rule)])

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.world.sandbox.simulation.faults.clear()

    def calls(self) -> list[tuple[str, str, int]]:
        """(method, route, status) of every call so far."""
        shown = account_ledger(self.connectif, LedgerQuery(kind="coupons", calls=True, limit=50_000))
        return [(call["method"], call["route"], call["status"] or 0) for call in shown["calls"]["items"]]

    def routes(self) -> Counter[str]:
        """Calls by method and route."""
        return Counter(f"{method} {route}" for method, route, _ in self.calls())

    def receipt(self, kind: str, record_id: str) -> Receipt:
        """The newest receipt of a record."""
        return next(r for r in reversed(self.world.receipts()) if r.kind == kind and r.id == record_id)

    def ends(self, kind: str, record_id: str) -> list[tuple[Outcome, str]]:
        """Outcome and reason of each version, in the order they were said."""
        found = {
            r.record.offset: (r.outcome, r.reason)
            for r in self.world.receipts()
            if r.kind == kind and r.id == record_id
        }
        return [found[offset] for offset in sorted(found)]


def play(tmp_path: Path, story: Story, *, seed: int = 0, switches: Any = None, **deliver: Any) -> None:
    """Tell a story on virtual time; at its end the limit was kept and every version is accounted for."""

    async def told() -> None:
        world = Environment(settings_for(tmp_path, **deliver), seed, ApiBehaviour().changed(switches or {}))
        life = Life(world, "w1")
        await life.start()
        stage = Stage(world, life)
        await story(stage)
        if stage.life.errors:
            raise stage.life.errors[0]
        world.limit_kept()
        world.accounted(stage.life)
        await stage.life.stop()

    virtual.run(told())


async def minutes(count: float) -> None:
    """Let time pass."""
    await asyncio.sleep(60 * count)
