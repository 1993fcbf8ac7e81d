"""The whole deliver path on a real Kafka, judged by the sandbox's ledger."""

from __future__ import annotations

import pytest

from tests.broker import KafkaSettings
from tests.integration.delivering import scene
from tests.simulation import oracle
from tests.simulation.shop import Shop

pytestmark = pytest.mark.kafka


def test_records_of_two_accounts_reach_connectif_each_once(kafka_settings: KafkaSettings) -> None:
    with scene(kafka_settings, "acme", "bolt") as play:
        worker = play.worker()
        for account in ("acme", "bolt"):
            shop = Shop(play, account)
            for number in range(150):
                shop.order(f"o{number}", f"c{number % 40}@example.com", f"p{number % 9}")
        play.settle()
        for account in ("acme", "bolt"):
            oracle.judge(play, account)
            play.limit_kept(account)
        assert play.accounted()["dead"] == 0
        assert worker.stop() == 0
