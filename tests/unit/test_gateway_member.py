"""Several gateway processes on one port: what each has of its own, and who drains what one left behind."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from pipeline import config
from pipeline.errors import PipelineError
from pipeline.gateway.directory import locked
from pipeline.gateway.intakes import Intakes
from pipeline.gateway.last_events import LastEvents
from pipeline.gateway.member import ALONE, Member
from pipeline.gateway.spool import Spool
from pipeline.gateway.webhooks import Route
from pipeline.local import gateways
from pipeline.local.wiring import Wiring
from pipeline.shops.registry import PLATFORMS
from tests.processes import until
from tests.unit.intake_bench import TOPIC, FakeKafka
from tests.unit.spooling import append, everything, message
from tests.webhooks import STORES

pytestmark = pytest.mark.real_time


def test_each_has_a_spool_and_a_memory_and_the_first_those_of_a_gateway_of_one() -> None:
    first, second = Member.read("1/2"), Member.read("2/2")
    assert (first.spool, first.last_events) == (ALONE.spool, ALONE.last_events)
    assert second.spool == Path("gateway/spool-2")
    assert second.last_events == Path("gateway/last-events-2.json")


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "2", "2/", "2/2/2", "-1/2", "1000/1000"])
def test_what_is_none_of_them_is_refused(text: str) -> None:
    with pytest.raises(PipelineError, match="--processes"):
        Member.read(text)


def test_together_they_hold_what_one_may_hold() -> None:
    limits = {"spool_max_bytes": 1_000_000, "max_held_bytes": 64_000_000, "max_body_bytes": 5_000_000}
    settings = config.parse({**STORES, "gateway": limits}, {})
    assert ALONE.settings(settings) is settings
    part = Member(2, 4).settings(settings)
    assert (part.gateway.spool_max_bytes, part.gateway.max_held_bytes) == (250_000, 16_000_000)
    assert part.stores == settings.stores
    assert Member(2, 32).settings(settings).gateway.max_held_bytes == 10_000_000


def test_the_first_takes_over_the_spools_of_those_that_are_no_more(tmp_path: Path) -> None:
    assert Member(1, 2).left_behind(tmp_path) == []
    for name in ("spool", "spool-2", "spool-3", "spool-12", "spool-x", "spool-03", "spool.sqlite"):
        (tmp_path / "gateway" / name).mkdir(parents=True)
    left = [path.name for path in Member(1, 2).left_behind(tmp_path)]
    assert left == ["spool-12", "spool-3"]
    assert [path.name for path in ALONE.left_behind(tmp_path)] == ["spool-12", "spool-2", "spool-3"]
    assert Member(2, 2).left_behind(tmp_path) == []


async def left_in(directory: Path, count: int) -> None:
    """So many events, as a process that was killed left them."""
    spool = Spool(directory, 1_000_000, [TOPIC])
    await asyncio.gather(*(append(spool.lanes[TOPIC], message(number)) for number in range(1, count + 1)))
    await spool.close()


def of_topic(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"topic": TOPIC})


async def test_what_was_left_behind_is_drained_beside_the_own_and_counted_with_it(tmp_path: Path) -> None:
    other, kafka = tmp_path / "spool-2", FakeKafka(up=False)
    await left_in(other, 5)
    spool = Spool(tmp_path / "spool", 1_000_000, [TOPIC], left_behind=[other, tmp_path])
    intakes = Intakes(spool, kafka.connect, (TOPIC,), confirm_timeout=0.2, clock=time.monotonic)
    assert sorted(spool.lanes) == [TOPIC, f"spool-2/{TOPIC}"]
    kept = intakes.submit(message(6))
    await asyncio.wait_for(kept, 5)
    assert spool.events == of_topic("pipeline_gateway_spool_events") == 6
    kafka.up = True
    await until(lambda: spool.events == 0)
    assert sorted(int(body.split()[0]) for body in kafka.log) == [1, 2, 3, 4, 5, 6]
    await until(lambda: of_topic("pipeline_gateway_topic_up") == 1)
    await intakes.close()
    assert everything(spool.lanes[f"spool-2/{TOPIC}"]._log) == []
    await left_in(other, 1)  # its lock was let go


async def test_one_that_still_runs_keeps_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = tmp_path / "spool-2"
    await left_in(other, 3)
    held = locked(other)
    spool = Spool(tmp_path / "spool", 1_000_000, [TOPIC], left_behind=[other])
    assert (list(spool.lanes), spool.events) == ([TOPIC], 0)
    assert "spool-2 is not drained now" in caplog.text
    await spool.close()
    os.close(held)


def test_a_store_that_another_process_heard_of_last_does_not_look_silent_after_a_start(
    tmp_path: Path,
) -> None:
    now = time.time()
    routes = [Route("acme", PLATFORMS["shopify"]) for _ in range(3)]
    for name, route, ago in (("last-events.json", routes[0], 500), ("last-events-2.json", routes[1], 50)):
        route.last_kept = now - ago
        LastEvents(tmp_path / name, {"acme": route}).write()
    LastEvents(tmp_path / "last-events.json", {"acme": routes[2]}).restore()
    assert routes[2].last_kept == now - 50


def test_up_asks_each_at_a_port_that_shops_do_not_reach_and_gives_all_the_one_socket(tmp_path: Path) -> None:
    tree = {**STORES, "data_dir": str(tmp_path), "kafka": {"bootstrap": "127.0.0.1:1"}}
    settings = config.parse(tree, {})
    alone = Wiring(settings, port=8_080)
    assert (alone.urls["gateway"], alone.address) == ("http://127.0.0.1:8090", "http://127.0.0.1:8080")
    words = next(command for command in alone._commands({}) if command.name == "gateway").argv[-8:]
    assert words == (
        *("--host", "127.0.0.1", "--port", "8080"),
        *("--admin-host", "127.0.0.1", "--admin-port", "8090"),
    )
    wiring = Wiring(settings, host="0.0.0.0", port=8_080, processes=2)
    assert wiring.address == "http://0.0.0.0:8080"
    others = {name: url for name, url in alone.urls.items() if name != "gateway"}
    own = {"gateway": "http://127.0.0.1:8090", "gateway-2": "http://127.0.0.1:8091"}
    assert wiring.urls == {**others, **own}
    commands = {command.name: command for command in wiring._commands({})}
    words = commands["gateway-2"].argv[3:]
    assert words[0] == "gateway"
    assert words[-10:] == (
        *("--host", "0.0.0.0", "--port", "8080", "--member", "2/2"),
        *("--admin-host", "127.0.0.1", "--admin-port", "8091"),
    )
    assert commands["gateway-2"].url == "http://127.0.0.1:8091"
    assert sorted(wiring.urls, key=wiring._order)[-2:] == ["gateway", "gateway-2"]
    free = Wiring(settings, processes=3).urls.values()
    assert len(set(free)) == len(free)


def test_a_host_of_all_interfaces_is_asked_on_this_machine() -> None:
    assert gateways.asked_at("0.0.0.0", 1) == "http://127.0.0.1:1"
    assert gateways.asked_at("::", 1) == "http://[::1]:1"
    assert gateways.asked_at("10.0.0.7", 1) == "http://10.0.0.7:1"
