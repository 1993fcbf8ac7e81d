"""What a shop says of an order, from its own body to Connectif's ledger, with the calls it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import RawEvent
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.woocommerce import WOOCOMMERCE
from pipeline.translate.rules import Outcome
from tests import shopify, woocommerce
from tests.simulation.front import Front
from tests.simulation.scenario import Scenario, run_scenario

#: Two shirts of 19.95, 4.00 off, 4.95 shipping: 40.85.
SHOPIFY_ID = "5912345678901234567"
WOO_ID = "727"


def _shopify(minute: int, topic: str = "orders/updated", **changes: Any) -> RawEvent:
    return shopify.delivered(
        topic, shopify.paid_order(updated_at=f"2024-06-01T10:{minute:02}:00Z", **changes)
    )


def _total(amount: str) -> dict[str, Any]:
    money = {"amount": amount, "currency_code": "EUR"}
    return {"current_total_price_set": {"shop_money": money, "presentment_money": money}}


def _woo(minute: int, **changes: Any) -> RawEvent:
    order = {
        "id": 727,
        "number": "1727",
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": "2024-03-01T10:00:00",
        "date_modified_gmt": f"2024-03-01T10:{minute:02}:00",
        "date_paid_gmt": "2024-03-01T10:00:00",
        "total": "16.00",
        "prices_include_tax": False,
        "customer_id": 0,
        "billing": {"first_name": "Ana", "email": "ana@example.com", "country": "ES"},
        "line_items": [
            {
                "id": 315,
                "name": "Fun Pens",
                "product_id": 93,
                "quantity": 2,
                "subtotal": "12.00",
                "subtotal_tax": "0.00",
                "total": "12.00",
                "total_tax": "0.00",
            }
        ],
        "refunds": [],
    }
    return woocommerce.event(order | changes, "order.updated")


class OneOrder:
    """One store's events, and what they come to."""

    def __init__(self, scenario: Scenario, front: Front, order: str) -> None:
        self._scenario = scenario
        self._front = front
        self._order = order

    async def run(self, *events: RawEvent) -> tuple[float | None, int]:
        """The total Connectif holds after these, said at once, and the calls they cost."""
        before = len(self._scenario.calls())
        for event in events:
            self._front.says(event)
        await self._scenario.settle()
        held = self._scenario.environment.holds("purchases").get(self._order, {})
        return held.get("totalPrice"), len(self._scenario.calls()) - before

    def triggered(self) -> bool:
        """Whether the purchase that is held could start workflows."""
        return bool(self._scenario.environment.holds("purchases")[self._order]["triggerPurchaseEvent"])


def _shopify_order(scenario: Scenario, **settings: Any) -> OneOrder:
    store = shopify.store(domain="shop.example", **settings)
    return OneOrder(scenario, Front(scenario.environment, SHOPIFY, store), SHOPIFY_ID)


def _woo_order(scenario: Scenario, **settings: Any) -> OneOrder:
    return OneOrder(scenario, Front(scenario.environment, WOOCOMMERCE, woocommerce.store(**settings)), WOO_ID)


def test_a_shopify_order_that_is_paid_changed_and_cancelled(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _shopify_order(scenario)
        assert await order.run(_shopify(1, financial_status="pending")) == (None, 0)
        assert await order.run(_shopify(2)) == (40.85, 3)
        assert order.triggered()
        assert await order.run(_shopify(3)) == (40.85, 0)
        assert await order.run(_shopify(4, **_total("30.85"))) == (30.85, 2)
        assert not order.triggered()
        assert await order.run(_shopify(3, **_total("99.00"))) == (30.85, 0)
        assert await order.run(_shopify(5, cancelled_at="2024-06-01T10:05:00Z")) == (None, 1)
        assert await order.run(_shopify(6, financial_status="refunded")) == (None, 0)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize(("policy", "total", "calls"), [("replace", 25.0, 2), ("keep", 40.85, 0)])
def test_a_partial_refund_at_shopify_follows_the_policy_and_a_full_one_takes_back(
    tmp_path: Path, policy: str, total: float, calls: int
) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _shopify_order(scenario, on_partial_refund=policy)
        await order.run(_shopify(1))
        part = _shopify(2, financial_status="partially_refunded", **_total("25.00"))
        assert await order.run(part) == (total, calls)
        assert await order.run(_shopify(3, financial_status="refunded")) == (None, 1)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize(("policy", "total", "calls"), [("replace", 11.5, 2), ("keep", 16.0, 0)])
def test_a_partial_refund_at_woocommerce_follows_the_policy_and_a_full_one_takes_back(
    tmp_path: Path, policy: str, total: float, calls: int
) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _woo_order(scenario, on_partial_refund=policy)
        assert await order.run(_woo(1)) == (16.0, 3)
        assert await order.run(_woo(2, refunds=[{"id": 1, "total": "-4.50"}])) == (total, calls)
        full = _woo(3, refunds=[{"id": 1, "total": "-4.50"}, {"id": 2, "total": "-11.50"}])
        assert await order.run(full) == (None, 1)

    run_scenario(tmp_path, steps)


def test_statuses_that_go_back_and_forth_cost_a_call_a_turn_and_trigger_once(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _woo_order(scenario)
        assert await order.run(_woo(1)) == (16.0, 3)
        assert order.triggered()
        assert await order.run(_woo(2, status="cancelled")) == (None, 1)
        assert await order.run(_woo(3, status="processing")) == (16.0, 1)
        assert not order.triggered()
        assert await order.run(_woo(4, status="refunded")) == (None, 1)
        assert await order.run(_woo(5, status="completed")) == (16.0, 1)
        assert not order.triggered()

    run_scenario(tmp_path, steps)


def test_back_and_forth_within_the_wait_costs_nothing(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _woo_order(scenario)
        await order.run(_woo(1))
        # Three versions at once: what counts is the newest, and Connectif has it.
        there_and_back = (_woo(2, status="cancelled"), _woo(3, total="20.00"), _woo(4))
        assert await order.run(*there_and_back) == (16.0, 0)

    run_scenario(tmp_path, steps)


def test_an_order_that_goes_back_to_waiting_for_its_payment_stays_sent_at_woocommerce(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _woo_order(scenario)
        await order.run(_woo(1))
        assert await order.run(_woo(2, status="on-hold")) == (16.0, 0)
        assert await order.run(_woo(3, status="failed")) == (None, 1)

    run_scenario(tmp_path, steps)


def test_an_order_that_goes_back_to_waiting_for_its_payment_is_taken_back_at_shopify(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _shopify_order(scenario)
        await order.run(_shopify(1))
        assert await order.run(_shopify(2, financial_status="pending")) == (None, 1)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize(("policy", "left", "calls"), [("retract", None, 1), ("keep", 16.0, 0)])
def test_a_deleted_order_follows_the_policy(
    tmp_path: Path, policy: str, left: float | None, calls: int
) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _woo_order(scenario, on_order_deleted=policy)
        await order.run(_woo(1))
        assert await order.run(_woo(2, status="trash")) == (left, calls)
        # The topic of its own comes besides.
        assert await order.run(woocommerce.event({"id": 727}, "order.deleted")) == (left, 0)

    run_scenario(tmp_path, steps)


def test_another_buyer_or_other_lines_replace_the_purchase(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        order = _woo_order(scenario)
        await order.run(_woo(1))
        # The new contact, then the purchase.
        buyer = {"first_name": "Bea", "email": "bea@example.com", "country": "ES"}
        assert await order.run(_woo(2, billing=buyer)) == (16.0, 3)
        assert scenario.environment.holds("purchases")[WOO_ID]["contactEmail"] == "bea@example.com"

    run_scenario(tmp_path, steps)


def test_an_order_from_before_the_accounts_purchases_is_sent_only_if_it_was_before(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        store = shopify.store(domain="shop.example")
        front = Front(scenario.environment, SHOPIFY, store)
        order = OneOrder(scenario, front, SHOPIFY_ID)
        await order.run(_shopify(1))
        front.store = replace(store, purchases_since=date(2026, 1, 1))
        assert await order.run(_shopify(2, **_total("30.85"))) == (30.85, 2)
        assert await order.run(_shopify(3, cancelled_at="2024-06-01T10:03:00Z")) == (None, 1)
        other = _shopify(4, id=77, admin_graphql_api_id="gid://shopify/Order/77")
        assert front.says(other) is Outcome.IGNORED
        assert await order.run() == (None, 0)

    run_scenario(tmp_path, steps)
