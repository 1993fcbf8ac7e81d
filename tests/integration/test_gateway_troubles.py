"""The gateway's process with refused topics, a full disk, damaged files: what goes on, and what is said."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka import topic_check, topics
from pipeline.local.ports import free_port
from tests.broker import KafkaSettings
from tests.integration.receiving import PATH, GatewayProcess, events
from tests.local_http import http
from tests.processes import until
from tests.webhooks import STORES, order, shopify

pytestmark = pytest.mark.kafka

TREE = {**STORES, "gateway": {"confirm_timeout": 1.0}}
SPOOLED = "pipeline_gateway_spool_events"


@pytest.fixture
def settings(kafka_settings: KafkaSettings) -> Settings:
    return kafka_settings(TREE)


@pytest.fixture
def gateway(kafka_settings: KafkaSettings, settings: Settings) -> Iterator[GatewayProcess]:
    assert settings.stores
    with GatewayProcess(kafka_settings.write(TREE)) as process:
        yield process


def post(gateway: GatewayProcess, body: bytes, topic: str = "orders/updated") -> int:
    headers = {**shopify(body), "x-shopify-topic": topic}
    return send(gateway, body, [(name.encode(), value.encode()) for name, value in headers.items()])


def send(gateway: GatewayProcess, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return http.post(gateway.url + PATH, content=body, headers=headers, timeout=30).status_code


def numbered(settings: Settings, kind: Kind = Kind.ORDER) -> set[int]:
    return {orjson.loads(event.body)["id"] for event in events(settings, kind)}


async def test_a_start_that_is_well_logs_no_error(gateway: GatewayProcess) -> None:
    await gateway.start()
    await until(lambda: gateway.metric("pipeline_gateway_kafka_up") == 1)
    assert post(gateway, order(1)) == 200
    assert gateway.end(signal.SIGTERM) == 0
    assert gateway.log.count(" INFO ") == len(gateway.log.splitlines()) - 1
    assert gateway.log.count(" WARNING ") == 1  # the two stores share a secret


async def test_a_topic_that_is_gone_holds_up_no_other(gateway: GatewayProcess, settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
    products = topics.full_name(settings, Kind.PRODUCT.topic)
    await gateway.start()
    await until(lambda: gateway.metric("pipeline_gateway_kafka_up") == 1)
    admin.delete_topics([products])[products].result(20)
    for number in range(3):
        assert post(gateway, order(number), "products/update") == 200
        assert post(gateway, order(number)) == 200
    assert gateway.metric("pipeline_gateway_topic_up", topic=products) == 0
    assert gateway.metric(SPOOLED, topic=products) == 3
    assert (
        gateway.metric("pipeline_gateway_topic_up", topic=topics.full_name(settings, Kind.ORDER.topic)) == 1
    )
    assert gateway.is_ready()
    assert numbered(settings) == {0, 1, 2}
    assert gateway.end(signal.SIGTERM) == 0
    assert f"Kafka does not take {products}" in gateway.log
    await gateway.start()
    assert post(gateway, order(3)) == 200
    topic_check.ensure(settings)
    await gateway.until_drained()
    assert numbered(settings, Kind.PRODUCT) == {0, 1, 2}


async def test_an_event_that_kafka_never_takes_is_kept_aside_and_said(
    gateway: GatewayProcess, settings: Settings
) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
    orders = topics.full_name(settings, Kind.ORDER.topic)

    def limit(size: int) -> None:
        entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, orders, incremental_configs=[entry])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(20)

    await gateway.start()
    await until(lambda: gateway.metric("pipeline_gateway_kafka_up") == 1)
    limit(50_000)
    large = orjson.dumps({"id": 7, "note": os.urandom(100_000).hex()})

    def refused() -> bool:
        assert post(gateway, large) == 200
        return gateway.metric("pipeline_gateway_refused_events") > 0

    await until(refused)  # the broker takes a moment to apply its new limit
    assert post(gateway, order(1)) == 200
    assert gateway.metric("pipeline_gateway_kafka_up") == 1
    assert gateway.metric(SPOOLED) == gateway.metric("pipeline_gateway_refused_events")
    assert gateway.end(signal.SIGTERM) == 0
    assert "key acme-es|order|7: " in gateway.log
    limit(5_000_000)
    await gateway.start()
    await gateway.until_drained()
    assert numbered(settings) == {1, 7}


async def test_unsigned_headers_do_not_make_a_message_too_large(
    kafka_settings: KafkaSettings,
) -> None:
    tree = {
        **STORES,
        "gateway": {"max_body_bytes": 737_856},
        "kafka": {"max_message_bytes": 1_000_000},
    }
    settings = kafka_settings(tree)
    with GatewayProcess(kafka_settings.write(tree)) as gateway:
        await gateway.start()
        await until(lambda: gateway.metric("pipeline_gateway_kafka_up") == 1)
        body = orjson.dumps({"id": 5, "note": os.urandom(368_000).hex()})
        headers = [(name.encode(), value.encode()) for name, value in shopify(body).items()]
        headers += [(b"x-shopify-name", b"\xff" * 60_000)]
        assert send(gateway, body, headers) == 200
        assert gateway.metric(SPOOLED) == 0
    assert numbered(settings) == {5}


async def fill(gateway: GatewayProcess, first: int, count: int) -> tuple[set[int], set[int]]:
    """The orders that were kept, and every status."""
    kept, statuses = set[int](), set[int]()
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        for number in range(first, first + count):
            body = order(number, 3_000)
            answer = await client.post(PATH, content=body, headers=shopify(body, delivery=f"d{number}"))
            statuses.add(answer.status_code)
            if answer.is_success:
                kept.add(number)
    return kept, statuses


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def away() -> str:
    return f"127.0.0.1:{free_port()}"


async def test_a_spool_that_filled_its_disk_drains_and_serves_again(
    kafka_settings: KafkaSettings, settings: Settings, small_disk: Path
) -> None:
    tree = {**TREE, "data_dir": str(small_disk / "data")}
    with_kafka = kafka_settings.write(tree)
    without = kafka_settings.write({**tree, "kafka": {"bootstrap": away()}}, "away.toml")
    with GatewayProcess(without) as gateway:
        await gateway.start()
        kept, statuses = await fill(gateway, 0, 2_500)
        assert statuses == {200, 503}
        status, reason = gateway.readiness()
        assert status == 503
        assert "the spool's disk cannot be written" in reason
        assert gateway.metric("pipeline_gateway_spool_writable") == 0
        gateway.end(signal.SIGKILL)
        assert gateway.log.count("cannot be written: No space left on device") < 30
    with GatewayProcess(with_kafka) as gateway:
        await gateway.start()
        await gateway.until_drained()
        assert gateway.metric("pipeline_gateway_drained_total") >= len(kept)
        await until(lambda: gateway.metric("pipeline_gateway_spool_writable") == 1)
        assert gateway.end(signal.SIGTERM) == 0
    with GatewayProcess(without) as gateway:
        await gateway.start()
        more, statuses = await fill(gateway, 10_000, 50)
        assert statuses == {200}
        gateway.end(signal.SIGKILL)
    with GatewayProcess(with_kafka) as gateway:
        await gateway.start()
        await gateway.until_drained()
    assert kept | more <= numbered(settings)


async def test_a_damaged_spool_costs_what_it_hit_and_keeps_nothing_from_starting(
    kafka_settings: KafkaSettings, settings: Settings
) -> None:
    without = kafka_settings.write({**TREE, "kafka": {"bootstrap": away()}}, "away.toml")
    with GatewayProcess(without) as gateway:
        await gateway.start()
        kept, _ = await fill(gateway, 0, 300)
        assert gateway.end(signal.SIGTERM) == 0
    spool = settings.data_dir / "gateway" / "spool" / topics.full_name(settings, Kind.ORDER.topic)
    [file] = spool.glob("*.spool")
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 16_384] = b"\xde\xad\xbe\xef" * 4_096
    file.write_bytes(data)
    with GatewayProcess(kafka_settings.write(TREE)) as gateway:
        await gateway.start()
        await gateway.until_drained()
        lost = gateway.metric("pipeline_gateway_spool_lost_total")
        assert gateway.metric("pipeline_gateway_spool_damaged_total") == 1
        assert post(gateway, order(1_000)) == 200
        assert gateway.end(signal.SIGTERM) == 0
        assert file.name in gateway.log
    arrived = numbered(settings)
    assert 1 <= lost <= 7
    assert len(kept - arrived) == lost
    assert [path.name for path in spool.glob("*.damaged")] == [file.with_suffix(".damaged").name]
