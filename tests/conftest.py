"""Fixtures every directory of tests shares."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import parallel
from tests.broker import KafkaSettings, RunningKafka, running_kafka

# How long one example takes depends on what else the machine does; bounds on time have tests of their own.
hypothesis.settings.register_profile("pipeline", deadline=None)
hypothesis.settings.load_profile("pipeline")

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker and parallel.is_spare(parallel.number_of(_worker), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])):
    os.nice(parallel.NICE)

#: Folders whose tests start processes and a broker, and mostly wait for them.
_WAITING = ("tests/integration/", "tests/faults/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, then with what must not be slow: see `tests.parallel`."""

    def place(item: pytest.Item) -> tuple[bool, bool]:
        return not item.nodeid.startswith(_WAITING), item.get_closest_marker("real_time") is None

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Ten thousand tests are not looked through for garbage with every full collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`."""
    return parallel.count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """With `--dist loadfile`; None: as xdist does it."""
    return parallel.FromBothEnds(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """The session's broker; in parallel each process has one of its own."""
    with running_kafka(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def kafka_settings(kafka: RunningKafka, tmp_path: Path) -> Iterator[KafkaSettings]:
    """Settings on the session's broker, under a topic prefix of this test alone."""
    settings = KafkaSettings(kafka.bootstrap, tmp_path)
    yield settings
    settings.remove_topics()
