"""When each store last sent something, over restarts."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from pipeline.gateway.last_events import LastEvents
from pipeline.gateway.webhooks import Route
from pipeline.shops.registry import ADAPTERS


@pytest.fixture
def route() -> Route:
    return Route("acme", ADAPTERS["shopify"], ())


def test_what_was_written_comes_back(tmp_path: Path, route: Route) -> None:
    route.last_kept = time.time() - 1_000
    LastEvents(tmp_path / "last.json", {"acme": route}).write()
    after = Route("acme", ADAPTERS["shopify"], ())
    LastEvents(tmp_path / "last.json", {"acme": after}).restore()
    assert after.last_kept == route.last_kept


@pytest.mark.parametrize("ahead", [86_400, 1e300])
def test_a_clock_that_was_ahead_does_not_make_a_silent_store_look_alive(
    tmp_path: Path, route: Route, ahead: float
) -> None:
    (tmp_path / "last.json").write_bytes(orjson.dumps({"acme": time.time() + ahead}))
    LastEvents(tmp_path / "last.json", {"acme": route}).restore()
    assert 0 < route.last_kept <= time.time()
