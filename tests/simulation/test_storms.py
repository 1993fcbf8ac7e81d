"""Everything at once, with crashes and faults, judged by the sandbox's ledger; the seed is in the name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.sandbox.faults import FaultRule
from pipeline.sandbox.switches import Switches
from tests.simulation import oracle, virtual
from tests.simulation.shop import Shop
from tests.simulation.storm import Storm
from tests.simulation.world import Life, World, settings_for

FAULTS = (
    FaultRule(effect="timeout_after_store", probability=0.03, seconds=60.0),
    FaultRule(effect="timeout", probability=0.02, seconds=60.0),
    FaultRule(effect="close_after_store", probability=0.03),
    FaultRule(effect="reset", probability=0.02),
    FaultRule(effect="error", probability=0.03),
    FaultRule(effect="bad_gateway", probability=0.02),
    FaultRule(effect="too_many_requests", probability=0.01),
    FaultRule(effect="slow", probability=0.05, seconds=3.0),
    FaultRule(effect="import_error", method="POST", route="/imports*", probability=0.2, rows=5),
    FaultRule(effect="import_cancelled", method="POST", route="/imports*", probability=0.1),
)


async def _storm(
    tmp_path: Path, seed: int, *, window: str, faults: bool, crashes: int, moves: bool = False
) -> None:
    switches = Switches().changed({"window": window, "error_report": "full"})
    world = World(settings_for(tmp_path, retry_max=20.0), seed, switches)
    if faults:
        world.sandbox.world.faults.add(FAULTS)
    life = Life(world, "w1")
    await life.start()
    raging = asyncio.create_task(Storm(Shop(world), seed).rage(120, every=1.0))
    for crash in range(crashes):
        await asyncio.sleep(world.chance.uniform(1, 40))
        if life.errors:
            raise life.errors[0]
        await life.kill()
        life = Life(world, f"w{crash % 2}" if moves else "w1")
        await life.start()
    await raging
    world.sandbox.world.faults.clear()
    await world.settle(life, within=3_600)
    oracle.judge(world)
    world.limit_kept()
    world.accounted(life)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_a_calm_day_ends_exactly(tmp_path: Path, seed: int, window: str) -> None:
    virtual.run(_storm(tmp_path, seed, window=window, faults=False, crashes=0))


@pytest.mark.parametrize("seed", range(5))
def test_faults_leave_nothing_missing_twice_or_old(tmp_path: Path, seed: int) -> None:
    window = "fixed" if seed % 2 else "sliding"
    virtual.run(_storm(tmp_path, seed, window=window, faults=True, crashes=0))


@pytest.mark.parametrize("seed", range(5))
def test_crashes_leave_nothing_missing_twice_or_old(tmp_path: Path, seed: int) -> None:
    window = "fixed" if seed % 2 else "sliding"
    virtual.run(_storm(tmp_path, seed, window=window, faults=False, crashes=4))


@pytest.mark.parametrize("seed", range(8))
def test_crashes_amid_faults_leave_nothing_missing_twice_or_old(tmp_path: Path, seed: int) -> None:
    window = "fixed" if seed % 2 else "sliding"
    virtual.run(_storm(tmp_path, seed, window=window, faults=True, crashes=4, moves=seed % 4 == 3))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 700))
def test_hundreds_of_storms(tmp_path: Path, seed: int) -> None:
    window = "fixed" if seed % 2 else "sliding"
    storm = _storm(tmp_path, seed, window=window, faults=seed % 3 != 0, crashes=seed % 5, moves=seed % 7 == 3)
    virtual.run(storm)
