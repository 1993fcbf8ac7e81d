"""SIGHUP to a gateway under load: a store more, no connection refused, no event lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tomli_w

from pipeline.config import Settings
from tests.broker import KafkaSettings
from tests.integration.receiving import PATIENT, GatewayProcess, Shops, check_arrived, events
from tests.processes import until
from tests.settings_trees import store_tree
from tests.webhooks import SECRET, STORES, order, shopify

pytestmark = pytest.mark.kafka


@pytest.fixture
def gateway(patient_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(patient_path) as process:
        yield process


def with_stores(path: Path, kafka_settings: KafkaSettings, **stores: object) -> None:
    assert kafka_settings.write({**PATIENT, "stores": {**STORES["stores"], **stores}}) == path


async def test_a_store_is_added_under_load(
    gateway: GatewayProcess, kafka_settings: KafkaSettings, patient_settings: Settings, patient_path: Path
) -> None:
    await gateway.start()
    shops, body = Shops(gateway, count=32), order(900)
    address = f"{gateway.url}/webhooks/shopify/new-one"
    async with shops.sending(), httpx.AsyncClient() as client:
        await shops.until_kept(300)
        assert (await client.post(address, content=body, headers=shopify(body))).status_code == 401
        with_stores(
            patient_path, kafka_settings, **{"new-one": store_tree(secrets=[SECRET], domain="new.example")}
        )
        gateway.send(signal.SIGHUP)
        await shops.until_kept(900)
        answer = await client.post(address, content=body, headers=shopify(body), timeout=20)
        assert answer.status_code == 200
    assert gateway.log.count("listening on http") == 2
    assert "1 settings are others now: stores.new-one" in gateway.log
    assert shops.refused == 0
    assert set(shops.answers) <= {0, 200}
    assert gateway.end(signal.SIGTERM) == 0
    arrived = events(patient_settings)
    assert [event.entity for event in arrived if event.store == "new-one"] == ["900"]
    assert check_arrived(shops, [event for event in arrived if event.store == "acme-es"]) == 0


async def test_settings_that_cannot_be_taken_over_are_said_and_change_nothing(
    gateway: GatewayProcess, kafka_settings: KafkaSettings, patient_path: Path
) -> None:
    await gateway.start()
    for text, why in (
        ("[accounts.es\n", "is not valid TOML"),
        (tomli_w.dumps({**PATIENT, "data_dir": "/elsewhere"}), "data_dir: what is kept in the old one"),
    ):
        patient_path.write_text(text)
        gateway.send(signal.SIGHUP)
        await until(lambda why=why: why in gateway.log)  # type: ignore[misc]
        assert gateway.metric("pipeline_settings_reload_refused") == 1
    with_stores(patient_path, kafka_settings)
    gateway.send(signal.SIGHUP)
    await until(lambda: "the settings are as they were" in gateway.log)
    assert gateway.metric("pipeline_settings_reload_refused") == 0
    assert gateway.log.count("listening on http") == 1
