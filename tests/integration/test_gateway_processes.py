"""`pipeline gateway --processes 2`: kill -9 of one, a reload and an end under load; fewer the next time."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson
import pytest
from tomli_w import dumps

from pipeline import config
from pipeline.config import Settings
from pipeline.events import RawEvent
from pipeline.local import addresses
from pipeline.local.gateways import admin_port, is_gateway
from tests.broker import KafkaSettings
from tests.integration.operating import Site
from tests.integration.receiving import PATIENT, GatewayProcess, OnPort, Shops, events
from tests.local_http import http
from tests.processes import until
from tests.settings_trees import store_tree
from tests.webhooks import SECRET, STORES, order, shopify

pytestmark = pytest.mark.kafka

#: Connections of the shops: so many answers at most are lost where a process is killed.
SHOPS = 24
_TAKEN = re.compile(r"^pipeline_gateway_requests_total{.*} (.*)$", re.MULTILINE)
_SPOOLED = re.compile(r"^pipeline_gateway_spool_events{.*} (.*)$", re.MULTILINE)


@pytest.fixture
def gateway(patient_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(patient_path, "--processes", "2") as process:
        yield process


def members(gateway: OnPort) -> dict[str, int]:
    """The processes that take webhooks, by their number."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "--member" in words and str(gateway.port) in words:
            found[words[words.index("--member") + 1]] = int(place.parent.name)
    return found


def at(port: int, path: str) -> tuple[int, str]:
    """Status and text of an answer; 0: there is none."""
    try:
        answer = http.get(f"http://127.0.0.1:{port}{path}")
    except httpx.TransportError:
        return 0, ""
    return answer.status_code, answer.text


def own(gateway: OnPort, number: int, path: str) -> tuple[int, str]:
    """What a process answers operators."""
    return at(admin_port(gateway.port) + number - 1, path)


def are_ready(gateway: OnPort) -> bool:
    return all(own(gateway, number, "/readyz")[0] == 200 for number in (1, 2))


def taken_by(gateway: OnPort, number: int) -> float:
    """Webhooks that a process took."""
    return sum(map(float, _TAKEN.findall(own(gateway, number, "/metrics")[1])))


def both_take(gateway: OnPort, address: str) -> bool:
    """Whether each has taken some; asks on a new connection, which the one with fewer takes sooner."""
    http.post(address, content=b"{}")
    return all(taken_by(gateway, number) for number in (1, 2))


def are_drained(gateway: OnPort) -> bool:
    """Whether nothing waits on the disk of either."""
    waiting = [_SPOOLED.findall(own(gateway, number, "/metrics")[1]) for number in (1, 2)]
    return all(found and not any(map(float, found)) for found in waiting)


def check_once(shops: Shops, arrived: list[RawEvent]) -> None:
    """Nothing that was promised is missing, and nothing is there twice."""
    came = check_all(shops, arrived)
    assert len(came) == len(set(came))


def check_all(shops: Shops, arrived: list[RawEvent]) -> list[tuple[int, int]]:
    """Nothing that was promised is missing; all that came."""
    came = [(int(event.entity), orjson.loads(event.body)["number"]) for event in arrived]
    promised = {(ident, number) for ident, numbers in shops.promised.items() for number in numbers}
    assert promised - set(came) == set()
    return came


def check_figures(gateway: GatewayProcess) -> None:
    """Of each where it answers operators, alone."""
    assert at(gateway.port, "/healthz") == (200, "ok\n")
    assert at(gateway.port, "/metrics") == (404, "not found\n")
    for number in (1, 2):
        assert 'pipeline_ready{process="gateway"} 1.0' in own(gateway, number, "/metrics")[1]


async def check_a_bad_file_is_refused(gateway: GatewayProcess, path: Path) -> None:
    """By all of them, which go on."""
    before, refused = members(gateway), "pipeline_settings_reload_refused 1.0"
    path.write_text("[accounts.es\n")
    gateway.send(signal.SIGHUP)
    await until(lambda: all(refused in own(gateway, number, "/metrics")[1] for number in (1, 2)))
    assert members(gateway) == before


@pytest.mark.slow
async def test_one_killed_a_reload_and_an_end_under_load(
    gateway: GatewayProcess, kafka_settings: KafkaSettings, patient_settings: Settings, patient_path: Path
) -> None:
    await gateway.start()
    await until(lambda: are_ready(gateway))
    check_figures(gateway)
    shops, body = Shops(gateway, count=SHOPS), order(900)
    address = f"{gateway.url}/webhooks/shopify/new-one"
    async with shops.sending(), httpx.AsyncClient() as client:
        await shops.until_kept(200)
        await until(lambda: both_take(gateway, address))
        for number in ("2/2", "1/2"):
            before = members(gateway)
            os.kill(before[number], signal.SIGKILL)
            await shops.until_kept(200)
            await until(lambda before=before: before != members(gateway) and are_ready(gateway))  # type: ignore[misc]
        assert shops.answers.pop(0, 0) <= 2 * SHOPS  # those that the killed processes were answering
        assert (await client.post(address, content=body, headers=shopify(body))).status_code == 401
        await check_a_bad_file_is_refused(gateway, patient_path)
        stores = {**STORES["stores"], "new-one": store_tree(secrets=[SECRET], domain="new.example")}
        assert kafka_settings.write({**PATIENT, "stores": stores}) == patient_path
        before = members(gateway)
        gateway.send(signal.SIGHUP)
        await until(
            lambda: not set(before.values()) & set(members(gateway).values()) and are_ready(gateway), 60
        )
        await shops.until_kept(300)
        answers = [await client.post(address, content=body, headers=shopify(body)) for _ in range(8)]
        assert {answer.status_code for answer in answers} == {200}
    await until(lambda: are_drained(gateway))
    assert shops.refused == 0
    assert set(shops.answers) <= {0, 200}
    assert gateway.end(signal.SIGTERM) == 0
    assert members(gateway) == {}
    arrived = events(patient_settings)
    check_once(shops, [event for event in arrived if event.store == "acme-es"])
    assert gateway.log.count("gateway-2 ended (signal 9") == 1
    assert "1 settings are others now: stores.new-one" in gateway.log


@pytest.mark.slow
async def test_what_both_kept_on_disk_comes_to_kafka_by_one_process_the_next_time(
    kafka_settings: KafkaSettings, patient_settings: Settings
) -> None:
    away = {"kafka": {"bootstrap": "127.0.0.1:1"}, "gateway": {"confirm_timeout": 0.5}}
    spools = [patient_settings.data_dir / "gateway" / name for name in ("spool", "spool-2")]
    with GatewayProcess(kafka_settings.write({**PATIENT, **away}), "--processes", "2") as two:
        await two.start()
        await until(lambda: are_ready(two))
        shops = Shops(two, count=SHOPS)
        async with shops.sending():
            await until(
                lambda: shops.kept >= 200 and all(any(spool.rglob("*.spool")) for spool in spools), 60
            )
        os.kill(members(two)["2/2"], signal.SIGKILL)
        two.end(signal.SIGKILL)
        await until(lambda: members(two) == {})  # they do not outlive it
    with GatewayProcess(kafka_settings.write(PATIENT)) as one:
        await one.start()
        await one.until_drained()
        assert "spool-2 is sent to Kafka from here" in one.log
        assert one.end(signal.SIGTERM) == 0
    check_once(shops, events(patient_settings))
    assert [list(spool.rglob("*.spool")) for spool in spools] == [[], []]


@pytest.mark.slow
async def test_up_keeps_them_running_and_has_one_after_the_other_begin_again(
    tmp_path: Path, kafka_settings: KafkaSettings
) -> None:
    tree = kafka_settings.tree()
    site = Site(tmp_path, {name: tree[name] for name in ("kafka", "data_dir")})
    try:
        await asyncio.to_thread(site.start, "--processes", "2")
        gateway = _OfUp(int(site.gateway.rpartition(":")[2]))
        shops = Shops(gateway, count=SHOPS)
        async with shops.sending():
            await shops.until_kept(100)
            os.kill(members(gateway)["2/2"], signal.SIGKILL)
            await shops.until_kept(100)
            await until(lambda: are_ready(gateway), 30)
            before = members(gateway)
            site.tree["gateway"]["read_timeout"] = 14.0
            site.path.write_text(dumps(site.tree), encoding="utf-8")
            command = [sys.executable, "-m", "pipeline", "reload", "--config", str(site.path)]
            asked = await asyncio.create_subprocess_exec(*command)
            assert await asyncio.wait_for(asked.wait(), 120) == 0
            await shops.until_kept(100)
            assert not set(before.values()) & set(members(gateway).values())
        await until(lambda: are_drained(gateway), 60)
        assert shops.refused == 0
        found = addresses.read(Path(site.tree["data_dir"]))
        assert [name for name in found if is_gateway(name)] == ["gateway", "gateway-2"]
    finally:
        await asyncio.to_thread(site.stop)
    settings = config.load(site.path)
    check_once(shops, [event for event in events(settings) if event.store == "acme-es"])


class _OfUp(NamedTuple):
    port: int


@pytest.mark.slow
async def test_many_kills_at_random_lose_nothing(gateway: GatewayProcess, patient_settings: Settings) -> None:
    await gateway.start()
    await until(lambda: are_ready(gateway))
    shops = Shops(gateway, count=SHOPS)
    async with shops.sending():
        for kill in range(20):
            found = members(gateway)
            if found:
                os.kill(found[sorted(found)[kill % len(found)]], signal.SIGKILL)
            await shops.until_kept(50)
        await until(lambda: are_ready(gateway), 60)
        await shops.until_kept(200)
        assert shops.refused == 0
        # They go on sending while it ends: what was answered until then is kept.
        assert await asyncio.to_thread(gateway.end, signal.SIGTERM) == 0
    assert members(gateway) == {}
    await gateway.start()
    await until(lambda: are_ready(gateway) and are_drained(gateway), 60)
    assert gateway.end(signal.SIGTERM) == 0
    # One killed while it drains repeats some: with the delivery they had, so translate takes each once.
    arrived = events(patient_settings)
    check_all(shops, arrived)
    assert len({event.delivery for event in arrived}) == len({event.body for event in arrived})
