"""The gateway's process on a real Kafka: what is answered 2xx is there in the end, whatever dies."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.config import Settings
from pipeline.events import Kind
from tests.broker import KafkaSettings, RunningKafka
from tests.integration.receiving import PATH, GatewayProcess, Shops, check_arrived, events
from tests.processes import until
from tests.webhooks import STORES, order, shopify, woocommerce

pytestmark = pytest.mark.kafka

TREE = {**STORES, "gateway": {"confirm_timeout": 0.5, "drain_timeout": 10}}


@pytest.fixture
def settings(kafka_settings: KafkaSettings) -> Settings:
    return kafka_settings(TREE)


@pytest.fixture
def gateway(kafka_settings: KafkaSettings, settings: Settings) -> Iterator[GatewayProcess]:
    assert settings.stores
    with GatewayProcess(kafka_settings.write(TREE)) as process:
        yield process


@pytest.fixture
def broker_pids(kafka: RunningKafka) -> list[int]:
    if kafka.embedded is None:
        pytest.skip("only our own broker is stopped")
    return list(kafka.embedded.pids.values())


def signal_all(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, what)


async def test_signed_webhooks_arrive_byte_for_byte_with_their_headers(
    gateway: GatewayProcess, settings: Settings
) -> None:
    await gateway.start()
    bodies = [order(7, padding=30_000), b'{"id": 8, "truncated', b'{"id": 9, "emoji": "\xf0\x9f\x8e\x81"}\n']
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        for number, body in enumerate(bodies):
            headers = {**shopify(body, delivery=f"d-{number}"), "x-shopify-event-id": "e", "cookie": "no"}
            assert (await client.post(PATH, content=body, headers=headers)).status_code == 200
        woo = order(10)
        answer = await client.post("/webhooks/woocommerce/woo-fr", content=woo, headers=woocommerce(woo))
        assert answer.status_code == 200
        ping = await client.post("/webhooks/woocommerce/woo-fr", data={"webhook_id": "3"})
        assert ping.status_code == 200
    await gateway.until_drained()
    assert gateway.end(signal.SIGTERM) == 0
    found = {event.entity: event for event in events(settings)}
    assert sorted(event.body for event in found.values()) == sorted([*bodies, woo])
    assert {event.kind for event in found.values()} == {Kind.ORDER}
    assert found["7"].headers == {
        "x-shopify-topic": "orders/updated",
        "x-shopify-webhook-id": "d-0",
        "x-shopify-event-id": "e",
    }
    assert (found["10"].store, found["10"].platform, found["10"].topic) == (
        "woo-fr",
        "woocommerce",
        "order.updated",
    )


async def test_while_kafka_hangs_events_are_spooled_and_follow_in_order(
    gateway: GatewayProcess, settings: Settings, broker_pids: list[int]
) -> None:
    await gateway.start()
    shops = Shops(gateway)
    async with shops.sending():
        await shops.until_kept(500)
        signal_all(broker_pids, signal.SIGSTOP)
        try:
            await shops.until_kept(1_000)
            assert gateway.metric("pipeline_gateway_kafka_up") == 0
            assert gateway.metric("pipeline_gateway_spool_events") > 0
            assert gateway.is_ready()
        finally:
            signal_all(broker_pids, signal.SIGCONT)
        await until(lambda: gateway.metric("pipeline_gateway_kafka_up") == 1, 40)
        await shops.until_kept(500)
    await gateway.until_drained()
    assert gateway.end(signal.SIGTERM) == 0
    assert set(shops.answers) == {200}
    assert check_arrived(shops, events(settings)) < shops.kept / 10


async def test_without_kafka_the_spool_takes_all_and_the_next_process_delivers_it(
    gateway: GatewayProcess, settings: Settings, kafka: RunningKafka, broker_pids: list[int]
) -> None:
    assert kafka.embedded is not None
    assert broker_pids
    kafka.embedded.kill()
    try:
        await gateway.start()
        shops = Shops(gateway)
        async with shops.sending():
            await shops.until_kept(300)
        assert gateway.end(signal.SIGTERM) == 0
        await gateway.start()
        async with shops.sending():
            await shops.until_kept(300)
    finally:
        kafka.embedded.start()
    async with shops.sending():
        await shops.until_kept(300)
    await gateway.until_drained()
    check_arrived(shops, events(settings))


async def test_kill_9_under_load_loses_nothing_that_was_answered(
    gateway: GatewayProcess, settings: Settings, broker_pids: list[int]
) -> None:
    chance = random.Random(11)  # noqa: S311 - repeatable chance is the point
    await gateway.start()
    shops = Shops(gateway)
    async with shops.sending():
        for hanging in (False, True, False, True):
            await shops.until_kept(chance.randrange(200, 600))
            try:
                if hanging:
                    signal_all(broker_pids, signal.SIGSTOP)
                    await shops.until_kept(chance.randrange(200, 600))
                gateway.end(signal.SIGKILL)
            finally:
                signal_all(broker_pids, signal.SIGCONT)
            await gateway.start()
        await shops.until_kept(200)
    await gateway.until_drained()
    assert gateway.end(signal.SIGTERM) == 0
    check_arrived(shops, events(settings))


async def test_sigterm_under_load_answers_what_it_took_and_exits_with_0(
    patient_settings: Settings, patient_path: Path
) -> None:
    with GatewayProcess(patient_path) as gateway:
        await gateway.start()
        shops = Shops(gateway, count=32)
        async with shops.sending():
            for _ in range(3):
                await shops.until_kept(400)
                assert gateway.end(signal.SIGTERM) == 0
                await gateway.start()
        await gateway.until_drained()
    assert set(shops.answers) <= {0, 200}
    assert check_arrived(shops, events(patient_settings)) == 0
