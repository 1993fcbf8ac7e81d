"""Coupon sets kept filled, against the sandbox: low sets, lagging counters, crashes, imports that fail."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.records import Coupon, CouponRecord, Origin, Outcome, Source
from pipeline.sandbox.connectif.model.coupons import CouponSet
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from tests.simulation import virtual
from tests.simulation.environment import Environment, settings_for
from tests.simulation.scenario import Scenario, Steps, carry_out, minutes

LOOK = "GET /coupon-sets/{id}"


class CouponSetOwner:
    """The set `spring` of account acme, and who brings codes to it and assigns them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.said = 0

    @property
    def spring(self) -> CouponSet:
        """As Connectif has it."""
        return self.scenario.connectif.data.coupon_sets.all()[0]

    def bring(self, codes: Iterable[str], set_id: str = "") -> None:
        """As `pipeline coupons add` does."""
        for code in codes:
            self.said += 1
            of = set_id or self.spring.id
            self.scenario.environment.say(
                CouponRecord(
                    account="acme",
                    store="coupons",
                    id=f"{of}/{code}",
                    version=self.said,
                    source=Source(topic="coupons", partition=0, offset=self.said),
                    origin=Origin.CATALOGUE,
                    received_ms=self.said,
                    body=Coupon(coupon_set_id=of, code=code),
                )
            )

    def assign(self, count: int) -> None:
        """Connectif gives codes to customers."""
        self.spring.definition = self.spring.definition.model_copy(
            update={"assigned": self.spring.definition.assigned + count}
        )

    @property
    def available(self) -> int:
        """Codes left in the set, without the lag of its counters."""
        return self.spring.held - self.spring.definition.assigned

    def codes(self) -> set[str]:
        """What the set holds; each was made once."""
        made = self.scenario.environment.made("coupons")
        assert set(made.values()) <= {1}
        return {key.partition("|")[2] for key in made}

    @property
    def inventory(self) -> Any:
        """As the worker sees it."""
        ((_, delivery),) = self.scenario.life.account_manager.accounts()
        return delivery.scheduler.coupons.sets["spring"]


def run_with_coupon_set(
    tmp_path: Path, steps: Steps, *, switches: Any = None, wrong_id: str = "", low: int = 20, batch: int = 50
) -> None:
    """As `scenario.run_scenario`, with a coupon set; codes of its inventory may wait at the end."""

    async def run() -> None:
        base = settings_for(tmp_path)
        environment = Environment(base, 0, ApiBehaviour().changed(switches or {}))
        set_id = wrong_id or environment.sandbox.accounts["acme"].data.coupon_sets.all()[0].id
        environment.settings = _with_coupon_set(
            base, {"set_id": set_id, "low": low, "batch": batch, "every": 60}
        )
        scenario = await carry_out(environment, steps)
        environment.balanced(scenario.life)
        await scenario.life.stop()

    virtual.run(run())


def _with_coupon_set(settings: Settings, coupon_set: dict[str, Any]) -> Settings:
    account = settings.accounts["acme"]
    tree = account.model_dump() | {"coupons": {"spring": coupon_set}}
    tree["api_key"] = account.api_key
    return settings.model_copy(update={"accounts": {"acme": type(account).model_validate(tree)}})


def numbered(count: int, start: int = 0) -> list[str]:
    return [f"SPRING{number}" for number in range(start, start + count)]


def test_a_set_is_topped_up_a_batch_at_a_time_as_it_runs_low(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(120))
        await minutes(3)
        assert owner.codes() == set(numbered(50)), "a batch, the oldest first, and the rest waits"
        assert owner.inventory.waiting == 70
        owner.assign(30)
        await minutes(5)
        assert owner.available == 20, "not low"
        owner.assign(1)
        await minutes(3)
        assert owner.codes() == set(numbered(100))
        owner.assign(60)
        await minutes(3)
        assert owner.codes() == set(numbered(120))
        assert (owner.inventory.waiting, owner.inventory.trouble) == (0, "")
        assert scenario.environment.outcomes() == {("coupon", "delivered"): 120}

    run_with_coupon_set(tmp_path, steps)


def test_counters_that_lag_and_imports_that_last_cause_no_second_top_up(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(1_000))
        await minutes(15)
        assert owner.codes() == set(numbered(50))

    slow = {"coupon_lag_seconds": 10.0, "import_queue_seconds": 150.0}
    run_with_coupon_set(tmp_path, steps, switches=slow)


def test_a_batch_smaller_than_what_is_missing_is_followed_by_another(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(100))
        await minutes(10)
        assert owner.codes() == set(numbered(25))

    run_with_coupon_set(tmp_path, steps, low=25, batch=5)


def test_looking_costs_a_call_a_look_and_nothing_else_waits_for_it(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(50))
        await minutes(5)
        before = scenario.routes()
        await minutes(60)
        assert scenario.routes() - before == {LOOK: 60}

    run_with_coupon_set(tmp_path, steps)


def test_other_sets_are_filled_at_once_beside_it(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        await minutes(2)
        other = scenario.connectif.data.coupon_sets.make(owner.spring.definition, 0.0)
        owner.bring(numbered(500))
        owner.bring(["A", "B"], other.id)
        await minutes(1)
        assert other.held == 2

    run_with_coupon_set(tmp_path, steps)


def test_brought_again_codes_go_once(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(60))
        owner.bring(numbered(60))
        await minutes(3)
        owner.bring(numbered(60))
        owner.assign(50)
        await minutes(5)
        owner.bring(numbered(60))
        await minutes(2)
        assert owner.codes() == set(numbered(60))
        ends = scenario.environment.outcomes()
        assert ends["coupon", "delivered"] == 60
        assert sum(ends.values()) == 240
        assert set(ends) == {("coupon", end) for end in ("delivered", "superseded", "unchanged")}

    run_with_coupon_set(tmp_path, steps)


@pytest.mark.parametrize("after", [0.5, 5.0, 15.2, 16.0, 17.5, 19.0, 22.0, 31.0, 45.0])
@pytest.mark.parametrize("duplicate", ["error", "success"])
def test_a_crash_at_any_moment_neither_loses_a_code_nor_tops_up_twice(
    tmp_path: Path, after: float, duplicate: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(120))
        await minutes(after / 60)
        await scenario.restart()
        await minutes(5)
        assert 20 <= owner.available <= 50
        for _ in range(4):
            owner.assign(owner.available)
            await minutes(5)
        assert owner.codes() == set(numbered(120))
        assert owner.inventory.trouble == ""
        assert scenario.environment.outcomes() == {("coupon", "delivered"): 120}

    run_with_coupon_set(tmp_path, steps, switches={"duplicate_coupon": duplicate})


def test_after_a_crash_an_import_under_way_is_waited_for(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(120))
        await minutes(0.5)
        assert scenario.routes()["POST /imports/"] == 1
        await scenario.restart()
        await minutes(10)
        assert owner.codes() == set(numbered(50))

    run_with_coupon_set(tmp_path, steps, switches={"import_queue_seconds": 90.0})


@pytest.mark.parametrize("effect", ["import_error", "import_cancelled"])
def test_a_top_up_whose_import_fails_is_sent_again(tmp_path: Path, effect: str) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault(effect, method="POST", route="/imports*", count=2, rows=7)
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(120))
        await minutes(10)
        assert owner.codes() == set(numbered(50))
        assert scenario.environment.outcomes() == {("coupon", "delivered"): 50}

    run_with_coupon_set(tmp_path, steps)


def test_a_full_queue_of_imports_is_waited_for(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("import_stuck", method="POST", route="/imports*", count=1)
        owner = CouponSetOwner(scenario)
        other = scenario.connectif.data.coupon_sets.make(owner.spring.definition, 0.0)
        owner.bring(["A", "B"], other.id)
        owner.bring(numbered(120))
        await minutes(10)
        assert ("POST", "/imports/", 400) in scenario.calls()
        assert owner.spring.held == 0
        scenario.heal()
        await minutes(10)
        assert (owner.spring.held, other.held) == (50, 2)

    run_with_coupon_set(tmp_path, steps, switches={"max_imports": 1})


def test_a_set_that_does_not_exist_gets_nothing_and_loses_nothing(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(60), "0" * 24)
        await minutes(10)
        assert owner.inventory.trouble == "absent"
        assert owner.inventory.waiting == 60
        assert not scenario.environment.outcomes()
        scenario.shop.order("o1", "ann@example.com", "p1")
        await minutes(2)
        assert scenario.environment.holds("purchases").keys() == {"o1"}

    run_with_coupon_set(tmp_path, steps, wrong_id="0" * 24)


def test_a_key_that_may_not_read_sets_stops_the_set_and_not_the_account(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("forbidden", method="GET", route="/coupon-sets*")
        owner = CouponSetOwner(scenario)
        owner.bring(numbered(60))
        await minutes(3)
        assert owner.inventory.trouble == "forbidden"
        scenario.shop.order("o1", "ann@example.com", "p1")
        await minutes(2)
        assert scenario.environment.holds("purchases").keys() == {"o1"}
        scenario.heal()
        await minutes(3)
        assert owner.codes() == set(numbered(50))

    run_with_coupon_set(tmp_path, steps)


def test_codes_that_somebody_else_put_there_end_dead_and_stop_no_account(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        for code in numbered(200):
            scenario.connectif.data.coupon_sets.add(owner.spring, code, 0.0)
        owner.assign(200)
        owner.bring(numbered(260))
        await minutes(20)
        assert scenario.environment.outcomes() == {("coupon", "dead"): 150}
        assert owner.inventory.trouble == "refused"
        scenario.shop.order("o1", "ann@example.com", "p1")
        await minutes(2)
        assert scenario.environment.holds("purchases").keys() == {"o1"}
        imports = scenario.routes()["POST /imports/"]
        assert imports == 3, "a file that is refused whole says all there is to know"

    run_with_coupon_set(tmp_path, steps)


def test_of_a_file_refused_in_part_the_rest_is_delivered(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        owner = CouponSetOwner(scenario)
        for code in numbered(3):
            scenario.connectif.data.coupon_sets.add(owner.spring, code, 0.0)
        owner.bring(numbered(50))
        await minutes(5)
        assert scenario.environment.outcomes() == {("coupon", "delivered"): 47, ("coupon", "dead"): 3}
        assert scenario.ends("coupon", f"{owner.spring.id}/SPRING0") == [(Outcome.DEAD, "refused_row")]
        assert scenario.routes()["POST /imports/"] <= 2

    run_with_coupon_set(tmp_path, steps)
