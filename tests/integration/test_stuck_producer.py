"""A producer that sends no more, though Kafka answers everybody else: the worker begins with a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.engine.engine import FATAL
from pipeline.engine.watch import STUCK_AFTER, WATCH_EVERY
from tests.broker import KafkaSettings
from tests.integration.translating import Environment, product, running_environment
from tests.relayed_kafka import Relay, relayed_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PRODUCTS = 40


@pytest.fixture(name="relay")
def _relay(tmp_path: Path) -> Iterator[Relay]:
    with relayed_kafka(tmp_path) as relay:
        yield relay


def names(environment: Environment) -> dict[str, str]:
    """What was told of each product last."""
    told = environment.told("connectif.products")
    return {ident: record["body"]["name"] for ident, record in told.items()}


def test_a_worker_whose_producer_hangs_ends_and_tells_everything_once_it_begins_again(
    relay: Relay, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kafka = KafkaSettings(relay.bootstrap, tmp_path)
    with running_environment(kafka) as environment:
        worker = environment.worker()
        environment.put(product(number, 1) for number in range(PRODUCTS))
        environment.settle()

        assert relay.hang_producers() >= 1
        # The producer of the environment hangs like the worker's.
        later = Environment(kafka)
        later.put(product(number, 2) for number in range(PRODUCTS))
        environment.produced += later.produced
        assert worker.wait(STUCK_AFTER + 6 * WATCH_EVERY) == FATAL
        assert "the producer is stuck" in "".join(capfd.readouterr())

        worker.restart()
        environment.settle()
        assert names(environment) == {str(9_000_000 + number): "v2" for number in range(PRODUCTS)}
