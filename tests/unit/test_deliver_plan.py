"""Forecasts against what can be worked out by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import AccountSettings, DeliverSettings, parse
from pipeline.deliver import plan_report
from pipeline.deliver.plan import Volume, forecast
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
    found = forecast(_account(), DeliverSettings(), Volume(5_000, products=200))
    assert found.calls["contact rows"] + found.calls["contact"] == pytest.approx(3_000, abs=5)
    assert found.calls["product rows"] + found.calls["product"] == 200
    assert found.calls["import"] <= 6
    assert found.seconds / found.bound < 1.02


def test_a_corrected_order_costs_two_calls_more() -> None:
    found = forecast(_account(), DeliverSettings(), Volume(400, new_customers=0, corrections=0.25))
    assert (found.calls["purchase"], found.calls["delete"]) == (500, 100)


def test_live_orders_beside_a_backfill_find_a_place_within_moments() -> None:
    volume = Volume(3_000, products=100, live_per_minute=15)
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
    products=st.integers(0, 40),
    corrections=st.floats(0, 1),
)


@settings(max_examples=30, deadline=None)
@given(_volumes, st.integers(1, 100))
def test_every_plan_ends_and_never_before_the_bound(volume: Volume, limit: int) -> None:
    found = forecast(_account(calls_per_minute=limit), DeliverSettings(), volume)
    assert found.calls["purchase"] == volume.orders + int(volume.orders * volume.corrections)
    assert found.seconds >= found.bound * (1 - 1 / limit) - 60


def test_it_is_shown_for_people_and_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    made = parse(dict(TREE), {})
    plan_report.run(made, [], Volume(50, live_per_minute=1), as_json=True)
    assert json.loads(capsys.readouterr().out)["acme"]["calls"]["purchase"] >= 50
    plan_report.run(made, ["acme"], Volume(50, live_per_minute=1), as_json=False)
    assert "live p50 / p95" in capsys.readouterr().out
    with pytest.raises(SettingsError, match="bolt"):
        plan_report.run(made, ["bolt"], Volume(50), as_json=False)


@pytest.mark.parametrize(
    ("seconds", "words"), [(45, "45 s"), (720, "12 min"), (12_060, "3 h 21 min"), (100_000, "1 d 3 h")]
)
def test_times_are_said_in_their_largest_units(seconds: float, words: str) -> None:
    assert plan_report.in_words(seconds) == words
