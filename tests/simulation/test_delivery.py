"""The stage against the sandbox on virtual time, checked against the sandbox's ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline.records import Origin, Outcome
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.scenario import Scenario, run_scenario
from tests.simulation.shop import Shop


def test_an_order_reaches_connectif_after_its_contact_and_products(tmp_path: Path) -> None:
    async def steps() -> None:
        environment = Environment(settings_for(tmp_path))
        shop, life = Shop(environment), Life(environment, "w1")
        await life.start()
        shop.order("o1", "ann@example.com", "p1", "p2", total="12.30")
        await environment.settle(life, within=60)
        assert environment.holds("purchases")["o1"]["totalPrice"] == 12.3
        assert environment.holds("contacts").keys() == {"ann@example.com"}
        assert environment.holds("products").keys() == {"p1", "p2"}
        assert environment.sandbox.accounts["acme"].log.total == 4
        environment.limit_kept()
        environment.accounted(life)

    virtual.run(steps())


def test_a_thousand_orders_arrive_once_each_within_the_limit(tmp_path: Path) -> None:
    async def steps() -> None:
        environment = Environment(settings_for(tmp_path))
        shop, life = Shop(environment), Life(environment, "w1")
        await life.start()
        for number in range(1000):
            shop.order(f"o{number}", f"c{number % 300}@example.com", f"p{number % 50}")
        await environment.settle(life, within=3600)
        assert len(environment.holds("purchases")) == 1000
        assert set(environment.made("purchases").values()) == {1}
        # 1,000 purchases, and all contacts and products in a few files.
        assert environment.sandbox.accounts["acme"].log.total < 1_150
        environment.limit_kept()
        environment.accounted(life)

    virtual.run(steps())


def test_an_order_whose_contact_is_read_after_it_goes_as_soon_as_that_is_sent(tmp_path: Path) -> None:
    """Topics are read side by side: it does not wait for as long as for a contact that never comes."""

    async def steps(scenario: Scenario) -> None:
        scenario.shop.purchase("o1", "ann@example.com", "p1")
        await asyncio.sleep(0.1)
        scenario.shop.stub("p1")
        await asyncio.sleep(0.1)
        scenario.shop.customer("ann@example.com", origin=Origin.ORDER, name="Ann")
        await scenario.settle()
        receipt = scenario.receipt("purchase", "o1")
        assert receipt.at_ms - receipt.received_ms < 1_000
        assert (receipt.calls, receipt.repaired) == (1, ())

    run_scenario(tmp_path, steps)


def test_an_order_does_not_wait_for_subscriptions_that_are_said_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        people = [f"c{number}@example.com" for number in range(95)]
        for email in people:
            scenario.shop.customer(email, name="Ann", newsletter="subscribed")
        await scenario.settle()
        await asyncio.sleep(60)
        for email in people:
            scenario.shop.customer(email, origin=Origin.CUSTOMER, newsletter="subscribed")
            await asyncio.sleep(0.05)
        for number in range(10):
            scenario.shop.order(f"o{number}", f"new{number}@example.com", "p1")
        await scenario.settle()
        ages = [r.at_ms - r.received_ms for r in scenario.environment.receipts() if r.kind == "purchase"]
        assert max(ages) < 5_000
        assert [scenario.ends("contact", email)[-1][0] for email in people] == [Outcome.DELIVERED] * 95

    run_scenario(tmp_path, steps)


def test_a_pause_that_comes_before_an_accounts_first_step_ends_it(tmp_path: Path) -> None:
    """Partitions may be taken away as soon as they were given."""

    async def steps(scenario: Scenario) -> None:
        await scenario.life.account_manager.pause()
        await scenario.life.account_manager.run()
        await scenario.life.account_manager.pause()
        await scenario.life.account_manager.run()
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()

    run_scenario(tmp_path, steps)
