"""The gateway's process without a Kafka: limits, warnings and what it remembers."""

from __future__ import annotations

import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tomli_w import dumps

from pipeline.gateway.run import OTHER_FILES
from tests.integration.receiving import PATH, GatewayProcess
from tests.processes import until
from tests.webhooks import STORES, order, shopify

LAST = "pipeline_gateway_last_event_timestamp_seconds"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    path = tmp_path / "pipeline.toml"
    tree = {**STORES, "data_dir": str(tmp_path / "data"), "kafka": {"bootstrap": "127.0.0.1:1"}}
    path.write_text(dumps(tree), encoding="utf-8")
    with GatewayProcess(path) as process:
        yield process


async def keep_one(gateway: GatewayProcess) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.post(PATH, content=order(1), headers=shopify(order(1)))
    assert answer.status_code == 200


async def test_when_a_store_last_sent_something_outlives_a_restart(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    await gateway.start()
    assert gateway.metric(LAST) == 0
    await keep_one(gateway)
    last = gateway.metric(LAST, store="acme-es")
    assert last > 1_700_000_000
    assert gateway.end(signal.SIGTERM) == 0
    await gateway.start()
    assert (gateway.metric(LAST, store="acme-es"), gateway.metric(LAST, store="woo-fr")) == (last, 0)
    assert gateway.end(signal.SIGTERM) == 0
    (tmp_path / "data/gateway/last-events.json").write_bytes(b"[1, \xff")
    await gateway.start()
    assert gateway.metric(LAST) == 0
    assert "last-events.json cannot be read" in gateway.log


async def test_the_limit_on_open_files_is_raised_and_said(gateway: GatewayProcess) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        await gateway.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = gateway.metric("pipeline_gateway_connections_max")
    assert hard == resource.RLIM_INFINITY or most == hard - OTHER_FILES
    assert f"at most {most:.0f} connections at once" in gateway.log
    with socket.create_connection(("127.0.0.1", gateway.port)):
        await until(lambda: gateway.metric("pipeline_gateway_connections") == 1)


async def test_stores_that_share_a_secret_are_named_at_the_start(gateway: GatewayProcess) -> None:
    await gateway.start()
    assert "WARNING" in gateway.log
    assert "stores acme-es and woo-fr share a secret" in gateway.log
    assert "shop-secret" not in gateway.log


async def test_without_kafka_nothing_is_logged_but_what_it_means(gateway: GatewayProcess) -> None:
    await gateway.start()
    await keep_one(gateway)
    assert gateway.end(signal.SIGTERM) == 0
    assert " ERROR " not in gateway.log
    assert "rdkafka" not in gateway.log
    assert gateway.log.count("Kafka does not take shop.orders") <= 3
