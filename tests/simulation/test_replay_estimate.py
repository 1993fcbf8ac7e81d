"""The time a replay says it takes yet, against the time it takes, beside a shop that sells."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.events import Lane
from pipeline.kafka.replays import ReplayMode
from pipeline.records import RecordKind
from pipeline.replay.run import Control, Part, Plan, Run, State
from pipeline.replay.selection import Choice
from pipeline.replay.window import Window
from tests.simulation.scenario import Scenario, run_scenario

PRODUCTS = 40
PER_MINUTE, LOOK = 100, 2.0


class SimulatedReplay:
    """A run whose events are orders: it lets out as many as its window has room for, as the runner does."""

    def __init__(self, scenario: Scenario, orders: int) -> None:
        self._orders = orders
        part = Part(topic="shop.orders", partition=0, start=0, end=orders)
        plan = Plan(run="r", made_ms=0, choice=Choice(), mode=ReplayMode.FORCE, parts=(part,))
        self.run = Run(plan=plan, state=State(run="r", next=[0]), control=Control(run="r"))
        self._window = Window.of(PER_MINUTE)
        self._environment = scenario.environment
        self._backfill = scenario.shop.in_lane(Lane.BACKFILL)
        self._receipts = self._said = 0

    def look(self, seconds: float) -> None:
        """What the runner does in a round: look, measure, let out."""
        state = self.run.state
        for record in self._environment.said[self._said :]:
            if record.lane is Lane.BACKFILL:
                state.records += 1
                state.kinds[record.kind] = state.kinds.get(record.kind, 0) + 1
        self._said = len(self._environment.said)
        receipts = self._environment.receipts()
        for receipt in receipts[self._receipts :]:
            if receipt.lane is Lane.BACKFILL:
                state.ended[receipt.outcome] = state.ended.get(receipt.outcome, 0) + 1
                state.ended_kinds[receipt.kind] = state.ended_kinds.get(receipt.kind, 0) + 1
        self._receipts = len(receipts)
        state.working += seconds
        state.looked(0)
        self.run.measure()
        for number in range(
            state.next[0], min(self._orders, state.next[0] + self._window.room(state.pending))
        ):
            self._backfill.order(f"o{number}", f"c{number}@example.com", f"p{number % PRODUCTS}")
            state.next, state.sent, state.read = [number + 1], state.sent + 1, state.read + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("orders", "live_per_minute", "share"),
    [
        # Delivery needs three minutes to find its pace: of half an hour that is a tenth.
        pytest.param(2_500, 0, 0.25, id="half an hour"),
        pytest.param(6_000, 0, 0.1, id="an hour"),
        pytest.param(6_000, 30, 0.1, id="an hour and a half beside live orders"),
    ],
)
def test_after_a_tenth_the_time_left_is_known_to_five_in_a_hundred(
    tmp_path: Path, orders: int, live_per_minute: int, share: float
) -> None:
    estimates: list[tuple[float, float, float]] = []
    ended: list[float] = []

    async def steps(scenario: Scenario) -> None:
        clock, chance = asyncio.get_running_loop().time, random.Random(7)  # noqa: S311 - repeatable
        replay, sold = SimulatedReplay(scenario, orders), Counter[str]()
        while True:
            replay.look(LOOK)
            state = replay.run.state
            left = replay.run.seconds_left()
            if left is not None:
                estimates.append((state.delivered / orders, clock(), left))
            if state.next == [orders] and not state.pending:
                break
            if chance.random() < live_per_minute / 60 * LOOK:
                sold["live"] += 1
                scenario.shop.order(f"live{sold['live']}", f"live{sold['live']}@example.com", "p0")
            await asyncio.sleep(LOOK)
        ended.append(clock())
        await scenario.settle()

    run_scenario(tmp_path, steps, switches={})
    wrong = {
        done: (at + left - ended[0]) / (ended[0] - at) for done, at, left in estimates if share <= done <= 0.9
    }
    assert len(wrong) > 50
    assert max(map(abs, wrong.values())) < 0.05, max(wrong.items(), key=lambda item: abs(item[1]))


#: Minutes of selling.
MINUTES = 12
#: By so much at most may a replay delay 95 of a hundred live orders.
DELAY = 2.0


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(20, id="40 % of the limit", marks=pytest.mark.slow),
        pytest.param(30, id="60 % of the limit"),
    ],
)
def test_a_replay_delays_live_orders_by_two_seconds_at_most(tmp_path: Path, live: int) -> None:
    """With its contact, each live order takes two of the account's 100 calls a minute."""
    alone = _live_seconds(tmp_path / "alone", live, replayed=0)
    beside = _live_seconds(tmp_path / "beside", live, replayed=100_000)
    assert len(alone) == len(beside) > MINUTES * live * 0.8
    assert _p95(beside) - _p95(alone) < DELAY


def _live_seconds(directory: Path, live: int, *, replayed: int) -> list[float]:
    """From the arrival of each live order to its purchase, while a replay has more than enough to do."""
    found: list[float] = []
    directory.mkdir()

    async def steps(scenario: Scenario) -> None:
        chance = random.Random(3)  # noqa: S311 - repeatable
        replay = SimulatedReplay(scenario, replayed) if replayed else None
        # Delivery is to be at its pace before anybody looks.
        for second in range(60 * (MINUTES + 3)):
            if replay is not None and second % LOOK == 0:
                replay.look(LOOK)
            if second >= 3 * 60 and chance.random() < live / 60:
                scenario.shop.order(f"live{second}", f"live{second}@example.com", "p0")
            await asyncio.sleep(1)
        await scenario.settle(within=3_600)
        found.extend(
            (receipt.at_ms - receipt.received_ms) / 1_000
            for receipt in scenario.environment.receipts()
            if receipt.kind is RecordKind.PURCHASE and receipt.lane is Lane.LIVE
        )

    run_scenario(directory, steps)
    return found


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]
