"""Fixtures every directory of tests shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.broker import KafkaSettings, RunningKafka, running_kafka

# How long one example takes depends on what else the machine does; bounds on time have tests of their own.
hypothesis.settings.register_profile("pipeline", deadline=None)
hypothesis.settings.load_profile("pipeline")

#: Folders whose tests start processes, listen on ports and share a broker.
_ONE_AFTER_THE_OTHER = ("tests/integration/", "tests/faults/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For pytest-xdist: one process has all that starts processes, and begins first, since it takes longest.

    Of the others a file is run by one process, with its fixtures.
    """

    def starts_processes(item: pytest.Item) -> bool:
        return item.nodeid.startswith(_ONE_AFTER_THE_OTHER)

    items.sort(key=lambda item: not starts_processes(item))
    for item in items:
        group = "processes" if starts_processes(item) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """The session's broker."""
    with running_kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def kafka_settings(kafka: RunningKafka, tmp_path: Path) -> Iterator[KafkaSettings]:
    """Settings on the session's broker, under a topic prefix of this test alone."""
    settings = KafkaSettings(kafka.bootstrap, tmp_path)
    yield settings
    settings.remove_topics()
