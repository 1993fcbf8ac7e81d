"""Answers of a hostile server or a broken proxy to a real worker: it lives, keeps its memory and goes on."""

from __future__ import annotations

import json
import time
from typing import Any

import psutil
import pytest

from tests.broker import KafkaSettings
from tests.integration.delivering import running_environment
from tests.simulation.shop import Shop

pytestmark = pytest.mark.kafka

BIG = 600_000_000
ODD_HEADERS = {
    "X-RateLimit-Limit": "9" * 400,
    "X-RateLimit-Remaining": "9" * 400,
    "X-RateLimit-Reset": "9" * 400,
    "Date": "Mon, 01 Jan 0001 00:00:00 -0000",
}
ODD = json.dumps(
    {"status": 422, "title": "\ud83d", "detail": "name too long: \ud83d", "productIds": ["\ud83d"]}
)
HOSTILE: list[dict[str, Any]] = [
    {"effect": "page", "status": 409, "count": 3},
    {"effect": "page", "status": 201, "count": 3},
    {"effect": "huge_body", "status": 200, "size": BIG, "count": 1},
    {"effect": "bomb", "status": 200, "size": BIG, "count": 1},
    {"effect": "bomb", "status": 422, "size": BIG, "count": 1},
    {"effect": "reply", "status": 201, "body": '{"id": 1e99999999999999999999}', "count": 1},
    {"effect": "reply", "status": 500, "body": ODD, "headers": ODD_HEADERS, "count": 1},
    {"effect": "headers", "headers": ODD_HEADERS, "count": 2},
    {"effect": "too_many_requests", "headers": {"Retry-After": "9" * 400}, "count": 1},
]


def test_a_worker_outlives_every_answer_and_delivers_what_it_was_told(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings, "acme") as environment:
        worker = environment.worker()
        shop = Shop(environment, "acme", wall=time.time)
        shop.order("first", "ann@example.com", "p1")
        environment.settle()
        process = psutil.Process(worker._process.pid)
        before = process.memory_info().rss
        environment.connectif.faults(
            *({"method": "POST", "route": "/purchases/", **rule} for rule in HOSTILE)
        )
        for number in range(20):
            shop.order(f"o{number}", "ann@example.com", "p1")
        environment.settle(120)
        assert worker.exit_code() is None
        assert process.memory_info().rss - before < 100_000_000
        held = environment.connectif.ledger("acme", "purchases")
        assert {item["creates"] for item in held} == {1}
        assert len(held) == 21
        assert environment.accounted()["dead"] == 0
        log = worker.log()
        assert "Traceback" not in log
        assert "secret" not in log
        assert worker.stop() == 0
