"""Connectif is away for a day while the shops of three accounts sell, and the worker is killed meanwhile."""

from __future__ import annotations

import gc
import statistics
from pathlib import Path

import pytest

from pipeline.records import Outcome
from pipeline.sandbox.connectif.simulation.faults import FaultRule
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.scenario import minutes
from tests.simulation.shop import Shop

ACCOUNTS = ("acme", "bolt", "cora")
#: What stands in Connectif's place, by turns of an hour, and what the worker says is wrong then.
AWAY = (
    (FaultRule(effect="reset"), "broken"),
    (FaultRule(effect="error", status=503), "server_error"),
    (FaultRule(effect="bad_gateway"), "server_error"),
    (FaultRule(effect="no_server"), "foreign"),
    (FaultRule(effect="page", status=200), "foreign"),
    (FaultRule(effect="timeout", seconds=60.0), "timeout"),
)
#: Hours after which the worker is killed and started again.
KILLED = (2, 5, 11, 17, 23)
#: Calls of an account in an hour while nothing answers: a try every two and a half minutes on average, as the
#: back-off is full jitter up to five minutes, and some more after each start.
PROBES = 45


@pytest.mark.parametrize(
    ("hourly", "hours"), [(8, 6), pytest.param(21, 24, marks=pytest.mark.slow)], ids=["quarter", "day"]
)
def test_a_day_without_connectif_is_caught_up_within_the_limit(
    tmp_path: Path, hourly: int, hours: int
) -> None:
    async def day() -> None:
        await _Day(Environment(settings_for(tmp_path, ACCOUNTS)), hourly, hours).passes()

    virtual.run(day())


class _Day:
    """Orders come every hour; of six one is changed an hour later, and one is cancelled then."""

    def __init__(self, environment: Environment, hourly: int, hours: int) -> None:
        self.environment = environment
        self.shops = {name: Shop(environment, name) for name in ACCOUNTS}
        self.hourly, self.hours = hourly, hours
        self.life = Life(environment, "w1")

    async def passes(self) -> None:
        await self.life.start()
        for hour in range(self.hours):
            before = self._calls()
            self._put_in_place(AWAY[hour % len(AWAY)][0])
            self._trade(hour)
            await minutes(55)
            self._is_said(AWAY[hour % len(AWAY)][1])
            if hour in KILLED:
                await self.life.kill()
                self.life = Life(self.environment, "w1")
                await self.life.start()
            await minutes(5)
            for name, calls in self._calls().items():
                assert 5 < calls - before[name] < PROBES, (hour, name)
        self._nothing_went()
        await self._does_not_grow()
        await self._caught_up()

    def _trade(self, hour: int) -> None:
        for name, shop in self.shops.items():
            for number in range(self.hourly):
                shop.order(f"{hour}-{number}", f"c{hour}-{number}@{name}.example", f"p{number}")
            for number in range(self.hourly if hour else 0):
                if number % 6 == 1:
                    shop.purchase(
                        f"{hour - 1}-{number}", f"c{hour - 1}-{number}@{name}.example", "p1", total="20.00"
                    )
                if number % 6 == 2:
                    shop.cancel(f"{hour - 1}-{number}")

    def _wanted(self) -> dict[str, float]:
        """Order -> its newest total."""
        last = self.hours - 1
        return {
            f"{hour}-{number}": 20.0 if number % 6 == 1 and hour != last else 10.0
            for hour in range(self.hours)
            for number in range(self.hourly)
            if number % 6 != 2 or hour == last
        }

    def _put_in_place(self, rule: FaultRule) -> None:
        faults = self.environment.sandbox.simulation.faults
        faults.clear()
        faults.add([rule])

    def _calls(self) -> dict[str, int]:
        return {name: self.environment.sandbox.accounts[name].log.total for name in ACCOUNTS}

    def _is_said(self, cause: str) -> None:
        """The gauge behind the alert ConnectifFails: it fires after two minutes."""
        for name, account in self.life.account_manager.accounts():
            failing = account.admission.call_failures.failing
            assert failing is not None, name
            assert failing.cause == cause, name
            assert virtual.wall() - failing.since > 120, name
            assert account.admission.health.stopped == "", name

    def _nothing_went(self) -> None:
        outcomes = self.environment.outcomes()
        assert {outcome for (_, outcome), count in outcomes.items() if count} <= {"superseded", "unchanged"}
        assert not any(self.environment.holds("purchases", name) for name in ACCOUNTS)
        # A row of the table for each thing, however often it was said and tried.
        things = self.hours * self.hourly * 2 + self.hourly
        assert len(self.environment.cluster.table("pending")) <= things * len(ACCOUNTS)

    async def _does_not_grow(self) -> None:
        """Memory goes by what waits, not by how often it is tried; the sandbox keeps a list of calls."""
        gc.collect()
        objects, calls = len(gc.get_objects()), sum(self._calls().values())
        await minutes(120)
        gc.collect()
        tried = sum(self._calls().values()) - calls
        assert tried > 50
        # After a start, what is tried is looked at for the first time.
        rows = len(self.environment.cluster.table("pending"))
        assert len(gc.get_objects()) - objects < 10 * tried + 2 * rows

    async def _caught_up(self) -> None:
        before, wanted = self._calls(), self._wanted()
        self.environment.sandbox.simulation.faults.clear()
        # The back-off may have five minutes to go; then a call for each order, a few for the rest.
        await self.environment.settle(self.life, within=60 * (5 + 1.1 * len(wanted) / 100) + 60)
        for name in ACCOUNTS:
            held = self.environment.holds("purchases", name)
            assert {order: body["totalPrice"] for order, body in held.items()} == wanted
            assert set(self.environment.made("purchases", name).values()) == {1}
            assert self._calls()[name] - before[name] < len(wanted) + 60
            self.environment.limit_kept(name)
        receipts = self.environment.receipts()
        assert not [one for one in receipts if one.outcome is Outcome.DEAD]
        self._oldest_first()
        self.environment.accounted(self.life)
        await self.life.stop()

    def _oldest_first(self) -> None:
        """Within the lane: half of an hour's orders are told before half of the next hour's."""
        for name in ACCOUNTS:
            told = [
                int(one.id.partition("-")[0])
                for one in self.environment.receipts()
                if one.account == name and one.kind == "purchase" and one.outcome is Outcome.DELIVERED
            ]
            places = [
                statistics.median(place for place, its in enumerate(told) if its == hour)
                for hour in range(self.hours)
            ]
            assert places == sorted(places)
