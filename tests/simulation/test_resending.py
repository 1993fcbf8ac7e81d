"""What Connectif may have lost is sent again: at one call a purchase, whether it is there or not."""

from __future__ import annotations

from pathlib import Path

from pipeline.events import Lane
from pipeline.records import Record
from tests.simulation.scenario import Scenario, run_scenario
from tests.simulation.shop import Shop

ORDERS, PRODUCTS = 40, 5


class Recorder:
    """Hears the shop, and says all of it again as a replay does."""

    def __init__(self, scenario: Scenario) -> None:
        self._stage = scenario
        self.said: list[Record] = []

    def say(self, record: Record) -> None:
        """For the first time."""
        self.said.append(record)
        self._stage.environment.say(record)

    def again(self, *, resend: bool) -> None:
        """Once more, in the backfill's lane."""
        for record in self.said:
            self._stage.environment.say(record.model_copy(update={"lane": Lane.BACKFILL, "resend": resend}))


async def _sold(scenario: Scenario, *, announced: bool = True) -> tuple[Recorder, Shop]:
    recorder = Recorder(scenario)
    shop = Shop(recorder)
    for number in range(PRODUCTS if announced else 0):
        shop.product(f"p{number}")
    for number in range(ORDERS):
        shop.order(f"o{number}", f"buyer{number}@example.com", f"p{number % PRODUCTS}")
    await scenario.settle()
    assert len(scenario.environment.holds("purchases")) == ORDERS
    return recorder, shop


def _calls(scenario: Scenario) -> int:
    return sum(scenario.receipt("purchase", f"o{number}").calls for number in range(ORDERS))


def test_an_emptied_account_is_filled_again_and_no_call_is_refused(tmp_path: Path) -> None:
    async def story(scenario: Scenario) -> None:
        recorder, _ = await _sold(scenario)
        held = {
            kind: scenario.environment.holds(kind).keys() for kind in ("purchases", "contacts", "products")
        }
        scenario.connectif.reset()
        recorder.again(resend=True)
        await scenario.settle()
        assert {kind: scenario.environment.holds(kind).keys() for kind in held} == held
        assert [call for call in scenario.calls() if call[2] >= 400] == []
        assert not any(
            body["triggerPurchaseEvent"] for body in scenario.environment.holds("purchases").values()
        )
        assert set(scenario.environment.made("purchases").values()) == {1}
        assert _calls(scenario) == ORDERS

    run_scenario(tmp_path, story)


def test_products_that_only_orders_named_are_made_again_at_a_call_or_two_each(tmp_path: Path) -> None:
    async def story(scenario: Scenario) -> None:
        recorder, _ = await _sold(scenario, announced=False)
        scenario.connectif.reset()
        recorder.again(resend=True)
        await scenario.settle()
        assert len(scenario.environment.holds("purchases")) == ORDERS
        assert len(scenario.environment.holds("products")) == PRODUCTS
        assert sum(status >= 400 for _, _, status in scenario.calls()) <= 2 * PRODUCTS

    run_scenario(tmp_path, story)


def test_what_is_there_all_the_same_costs_one_call_a_purchase_and_stays(tmp_path: Path) -> None:
    async def story(scenario: Scenario) -> None:
        recorder, _ = await _sold(scenario)
        recorder.again(resend=True)
        await scenario.settle()
        assert set(scenario.environment.made("purchases").values()) == {1}
        assert scenario.receipt("purchase", "o1").reason == "already"
        assert _calls(scenario) == ORDERS

    run_scenario(tmp_path, story)


def test_what_is_only_said_again_costs_no_call(tmp_path: Path) -> None:
    async def story(scenario: Scenario) -> None:
        recorder, _ = await _sold(scenario)
        recorder.again(resend=False)
        await scenario.settle()
        assert {scenario.receipt("purchase", f"o{number}").outcome for number in range(ORDERS)} == {
            "unchanged"
        }

    run_scenario(tmp_path, story)


def test_an_order_cancelled_while_it_waits_to_be_sent_again_is_not_there(tmp_path: Path) -> None:
    async def story(scenario: Scenario) -> None:
        recorder, shop = await _sold(scenario)
        scenario.connectif.reset()
        recorder.again(resend=True)
        shop.cancel("o7")
        await scenario.settle()
        assert scenario.environment.holds("purchases").keys() == {
            f"o{number}" for number in range(ORDERS)
        } - {"o7"}

    run_scenario(tmp_path, story)
