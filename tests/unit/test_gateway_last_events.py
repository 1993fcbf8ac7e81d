"""When each store last sent something, over restarts."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import orjson
import pytest

from pipeline.gateway.last_events import LastEvents
from pipeline.gateway.webhooks import Route
from pipeline.shops.registry import PLATFORMS


@pytest.fixture
def route() -> Route:
    return Route("acme", PLATFORMS["shopify"])


def test_what_was_written_comes_back(tmp_path: Path, route: Route) -> None:
    route.last_kept = time.time() - 1_000
    LastEvents(tmp_path / "last.json", {"acme": route}).write()
    after = Route("acme", PLATFORMS["shopify"])
    LastEvents(tmp_path / "last.json", {"acme": after}).restore()
    assert after.last_kept == route.last_kept


@pytest.mark.parametrize("ahead", [86_400, 1e300])
def test_a_clock_that_was_ahead_does_not_make_a_silent_store_look_alive(
    tmp_path: Path, route: Route, ahead: float
) -> None:
    (tmp_path / "last.json").write_bytes(orjson.dumps({"acme": time.time() + ahead}))
    LastEvents(tmp_path / "last.json", {"acme": route}).restore()
    assert 0 < route.last_kept <= time.time()


def test_what_else_lies_in_its_place_is_neither_followed_nor_waited_for(
    tmp_path: Path, route: Route, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "last.json")
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    (tmp_path / "last.new").symlink_to(theirs)
    events = LastEvents(tmp_path / "last.json", {"acme": route})
    signal.alarm(30)  # ends the test where it waits, as nothing in its process could
    events.restore()
    route.last_kept = 1.0
    events.write()
    signal.alarm(0)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert theirs.read_text() == "precious"
