"""A proxy or a page for maintenance in Connectif's place: nothing is delivered, nothing dead-lettered."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.deliver.explain.explanation import explain_delivery
from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.scenario import Scenario, minutes, run_scenario
from tests.simulation.shop import Shop

PURCHASES = "/purchases/"


def _orders(scenario: Scenario, count: int = 20) -> None:
    for number in range(count):
        scenario.shop.order(f"o{number}", f"c{number}@example.com", "p1")


def _nothing_is_dead(scenario: Scenario) -> None:
    assert not [receipt for receipt in scenario.environment.receipts() if receipt.outcome is Outcome.DEAD]


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("effect", [{"effect": "page"}, {"effect": "reply"}])
@pytest.mark.parametrize("status", [200, 201, 400, 402, 403, 404, 409, 413, 414, 422, 431])
def test_a_proxy_that_answers_every_purchase_delivers_and_buries_none(
    tmp_path: Path, status: int, effect: dict[str, Any], *, carried_out: bool
) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault(**effect, status=status, method="POST", route=PURCHASES, carried_out=carried_out)
        _orders(scenario)
        await minutes(30)
        assert not scenario.environment.outcomes()["purchase", "delivered"]
        scenario.heal()
        await scenario.settle(within=3_600)
        assert len(scenario.environment.holds("purchases")) == 20
        assert set(scenario.environment.made("purchases").values()) == {1}
        _nothing_is_dead(scenario)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("status", [200, 206, 404, 409, 422])
@pytest.mark.parametrize("route", ["/contacts*", "/products*", "/imports*"])
def test_a_page_for_contacts_products_and_imports_delivers_and_buries_none(
    tmp_path: Path, route: str, status: int
) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("page", status=status, route=route)
        for number in range(60):
            scenario.shop.customer(f"c{number}@example.com", name="Ann")
            scenario.shop.product(f"p{number}")
        await minutes(30)
        scenario.heal()
        await scenario.settle(within=7_200)
        assert len(scenario.environment.holds("contacts")) == 60
        assert len(scenario.environment.holds("products")) == 60
        _nothing_is_dead(scenario)

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_in_the_place_of_a_deletion_takes_nothing_back(tmp_path: Path, status: int) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.order("o1", "ann@example.com", "p1")
        await scenario.settle()
        scenario.fault("page", status=status, method="DELETE")
        scenario.shop.cancel("o1")
        await minutes(30)
        assert len(scenario.ends("purchase", "o1")) == 1
        scenario.heal()
        await scenario.settle(within=1_800)
        assert not scenario.environment.holds("purchases")

    run_scenario(tmp_path, steps)


def test_every_purchase_refused_stops_the_account_though_contacts_are_taken(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("error", status=422, method="POST", route=PURCHASES)
        for number in range(260):
            scenario.shop.order(f"o{number}", f"c{number}@example.com", f"p{number}")
        await minutes(60)
        dead = scenario.environment.outcomes()["purchase", "dead"]
        settings = scenario.environment.settings.deliver
        assert settings.dead_in_a_row <= dead <= settings.dead_in_a_row + settings.concurrency
        assert (
            dict(scenario.life.account_manager.accounts())["acme"].admission.health.stopped == "dead_in_a_row"
        )
        scenario.heal()
        await scenario.restart()
        await scenario.settle(within=3_600)
        assert len(scenario.environment.holds("purchases")) == 260 - dead

    run_scenario(tmp_path, steps)


def test_an_outage_is_said_once_with_its_cause_and_once_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("bad_gateway")
        _orders(scenario)
        await minutes(120)
        admission = dict(scenario.life.account_manager.accounts())["acme"].admission
        assert admission.call_failures.failing is not None
        assert admission.call_failures.failing.cause == "server_error"
        explained = explain_delivery(dict(scenario.life.account_manager.accounts())["acme"])
        assert "502" in explained["state"]
        scenario.heal()
        await scenario.settle(within=1_800)
        assert admission.call_failures.failing is None

    caplog.set_level(logging.WARNING, "pipeline.deliver")
    run_scenario(tmp_path, steps)
    began, ended = [record.getMessage() for record in caplog.records]
    assert "acme" in began
    assert "502" in began
    assert "answers again, after" in ended


@pytest.mark.parametrize("after", ["60000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_retry_after_is_said_and_one_call_asks_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, after: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("too_many_requests", count=1, headers={"Retry-After": after})
        _orders(scenario)
        await minutes(12)
        assert len(scenario.environment.holds("purchases")) == 20

    caplog.set_level(logging.WARNING, "pipeline.deliver")
    run_scenario(tmp_path, steps)
    assert [record for record in caplog.records if "Retry-After" in record.getMessage()]


def test_a_proxy_that_takes_no_large_files_gets_small_ones(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("page", status=413, method="POST", route="/imports/", count=6)
        for number in range(2_000):
            scenario.shop.customer(f"c{number}@example.com", name=f"Ann {number}")
        await scenario.settle(within=7_200)
        assert len(scenario.environment.holds("contacts")) == 2_000
        admission = dict(scenario.life.account_manager.accounts())["acme"].admission
        assert admission.health.failure == ""

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("link", [".evil.example/", "//evil.example/", "https://evil.example/", ":99999/"])
def test_a_list_of_imports_that_goes_on_elsewhere_holds_up_no_contact(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, link: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        body = json.dumps({"results": [], "links": {"next": link}})
        scenario.fault("reply", status=200, body=body, method="GET", route="/imports/")
        scenario.shop.customer("ann@example.com", name="Ann")
        await scenario.settle()
        await scenario.restart()
        scenario.shop.customer("bea@example.com", name="Bea")
        await scenario.settle(within=120)
        assert len(scenario.environment.holds("contacts")) == 2

    caplog.set_level(logging.WARNING, "pipeline.deliver")
    run_scenario(tmp_path, steps)
    assert "is read no further" in caplog.text
    assert "evil" not in caplog.text


class _Uplink(httpx.AsyncBaseTransport):
    """Takes its time for what is sent, by its size."""

    def __init__(self, inner: httpx.AsyncBaseTransport, rate: float) -> None:
        self._inner = inner
        self._rate = rate
        self.sizes: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        size = len(await request.aread())
        if request.url.path == "/imports/" and request.method == "POST":
            self.sizes.append(size)
        seconds, most = size / self._rate, request.extensions["timeout"]["read"]
        await asyncio.sleep(min(seconds, most))
        if seconds > most:
            raise httpx.ReadTimeout("no response in time", request=request)
        return await self._inner.handle_async_request(request)


def test_a_slow_uplink_gets_there_and_is_no_outage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    uplink: list[_Uplink] = []

    async def run() -> None:
        environment = Environment(settings_for(tmp_path))
        uplink.append(_Uplink(environment.transport, rate=5_000))
        environment.transport = uplink[0]
        life = Life(environment, "w1")
        await life.start()
        shop = Shop(environment)
        for number in range(10_000):
            shop.customer(f"customer-{number}@example.com", name=f"Ann Marie {number}")
        await environment.settle(life, within=7_200)
        assert len(environment.holds("contacts")) == 10_000
        environment.accounted(life)
        await life.stop()

    caplog.set_level(logging.WARNING, "pipeline.deliver")
    virtual.run(run())
    assert not caplog.records
    sizes = uplink[0].sizes
    assert max(sizes) > 200_000
    # Each that took too long is followed by smaller ones, not by itself again.
    assert sum(sizes) < 4 * max(sizes)
