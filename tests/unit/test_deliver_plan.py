"""Forecasts against what can be worked out by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.config import parse
from pipeline.config_accounts import AccountSettings
from pipeline.config_stages import DeliverSettings
from pipeline.deliver.explain import plan_report
from pipeline.deliver.explain.plan import Volume, _Run, forecast, least_seconds
from pipeline.errors import SettingsError
from pipeline.events import Lane

TREE = {"accounts": {"acme": {"api_key": "a:b", "base_url": "http://localhost"}}}


def _account(**more: int) -> AccountSettings:
    return AccountSettings.model_validate({"api_key": "a:b", "base_url": "http://localhost", **more})


def test_purchases_alone_take_a_call_each_and_as_many_windows() -> None:
    found = forecast(_account(), DeliverSettings(), Volume(1_000, Lane.LIVE, new_customers=0))
    assert found.calls == {"purchase": 1_000}
    assert found.bound == 540
    assert 540 <= found.seconds < 550


def test_a_reserve_makes_it_take_longer() -> None:
    volume = Volume(1_000, Lane.LIVE, new_customers=0)
    found = forecast(_account(reserve_calls=50), DeliverSettings(), volume)
    assert 19 * 60 <= found.seconds < 19 * 60 + 15


def test_contacts_and_products_cost_a_handful_of_imports() -> None:
    found = forecast(_account(), DeliverSettings(), Volume(5_000, new_products=200))
    assert 4 + 1 <= found.calls["import"] <= 8  # contacts fill four sets of columns, products one
    assert found.calls["contact"] + found.calls["product"] <= 20
    assert found.ratio is not None
    assert 1 <= found.ratio < 1.02


def test_customers_and_products_that_no_order_needs_are_sent_as_well() -> None:
    found = forecast(_account(), DeliverSettings(), Volume(0, customers=2_000, products=300))
    assert found.orders == 0
    assert found.calls_per_order is None
    assert found.calls["import"] >= 2
    assert found.calls.total() < 30
    alone = forecast(_account(), DeliverSettings(), Volume(0, customers=1))
    assert alone.calls == {"contact": 1}


def test_times_are_those_of_the_account_and_of_calls() -> None:
    slow = Volume(8, Lane.LIVE, new_customers=0, latency=5)
    assert forecast(_account(), DeliverSettings(concurrency=1), slow).seconds == 40
    assert forecast(_account(), DeliverSettings(concurrency=8), slow).seconds == 5


@pytest.mark.parametrize(("calls", "seconds"), [(0, 0), (1, 0), (100, 0), (101, 60), (1_000, 540)])
def test_the_bound_is_the_windows_before_the_last(calls: int, seconds: float) -> None:
    assert least_seconds(calls, 100, 60) == seconds


def test_the_bound_counts_the_live_orders_that_were_sent_and_no_others() -> None:
    # The volume is older than the live orders of its lane, so it may end before they are told.
    volume = Volume(3, Lane.LIVE, new_customers=0, customers=1, products=2, corrections=1, live_per_minute=1)
    found = forecast(_account(calls_per_minute=4), DeliverSettings(), volume)
    assert found.calls.total() == 12
    assert found.live_seconds == []
    assert found.bound == 120 <= found.seconds


def test_a_corrected_order_costs_two_calls_more() -> None:
    found = forecast(_account(), DeliverSettings(), Volume(400, new_customers=0, corrections=0.25))
    assert (found.calls["purchase"], found.calls["delete"]) == (500, 100)
    assert found.orders == 400
    assert found.calls_per_order == 1.5


def test_live_orders_beside_a_backfill_find_a_place_within_moments() -> None:
    volume = Volume(3_000, new_products=100, live_per_minute=15)
    found = forecast(_account(), DeliverSettings(), volume)
    waits = found.live(0.5), found.live(0.95)
    assert waits[0] is not None
    assert waits[1] is not None
    assert waits[0] < 1
    assert waits[1] < 3


_volumes = st.builds(
    Volume,
    st.integers(1, 300),
    st.sampled_from(Lane),
    new_customers=st.floats(0, 1),
    new_products=st.integers(0, 40),
    customers=st.integers(0, 40),
    products=st.integers(0, 40),
    corrections=st.floats(0, 1),
    live_per_minute=st.just(0.0) | st.floats(0.1, 3),
)


@settings(max_examples=30, deadline=None)
@given(_volumes, st.integers(1, 100))
def test_every_plan_ends_within_the_limit_and_never_before_the_bound(volume: Volume, limit: int) -> None:
    assume(limit > 3 * volume.live_per_minute)  # a live order costs up to three calls; else it never ends
    run = _Run(_account(calls_per_minute=limit), DeliverSettings(), volume)
    began: list[float] = []
    while run.left:
        if run.step():
            began.append(run._simulation.now)
            assert len(began) <= limit or began[-1] - began[-1 - limit] >= 60, (
                "more than the limit in a window"
            )
    found = run.forecast()
    assert found.calls.total() == len(began)
    assert found.calls["delete"] == int(volume.orders * volume.corrections)
    assert found.calls["purchase"] >= volume.orders + found.calls["delete"]
    assert found.seconds >= found.bound
    assert 0 < found.used <= 1


def test_it_is_shown_for_people_and_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    made = parse(dict(TREE), {})
    plan_report.run(made, ["50"], [], Volume(0, live_per_minute=1), as_json=True)
    assert json.loads(capsys.readouterr().out)["acme"]["calls"]["purchase"] >= 50
    plan_report.run(made, ["50"], ["acme"], Volume(0, live_per_minute=1), as_json=False)
    assert "live p50 / p95" in capsys.readouterr().out


def test_each_account_may_have_its_own_number(capsys: pytest.CaptureFixture[str]) -> None:
    account = TREE["accounts"]["acme"]
    made = parse({"accounts": {"acme": account, "bolt": account, "coil": account}}, {})

    def told(orders: list[str], names: list[str]) -> dict[str, int]:
        plan_report.run(made, orders, names, Volume(0), as_json=True)
        return {name: one["orders_told"] for name, one in json.loads(capsys.readouterr().out).items()}

    assert told(["5"], []) == {"acme": 5, "bolt": 5, "coil": 5}
    assert told(["bolt=7"], []) == {"bolt": 7}
    assert told(["5", "bolt=7"], []) == {"acme": 5, "bolt": 7, "coil": 5}
    assert told(["5", "bolt=7"], ["bolt", "coil"]) == {"bolt": 7, "coil": 5}


@pytest.mark.parametrize(
    ("orders", "names", "said"),
    [(["50"], ["bolt"], "bolt"), (["bolt=5"], [], "bolt"), (["many"], [], "many"), (["-1"], [], "-1")],
)
def test_what_cannot_be_planned_is_refused(orders: list[str], names: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        plan_report.run(parse(dict(TREE), {}), orders, names, Volume(0), as_json=False)
    assert refused.value.exit_code == 2
