"""A broker that ends is brought back, also where its start fails once or twice."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.config import Settings
from pipeline.config_stages import ArchiveSettings, KafkaSettings
from pipeline.errors import BrokerError, SettingsError
from pipeline.local import wiring
from pipeline.local.supervisor import Pace, ProcessPhase
from pipeline.local.wiring import Wiring

pytestmark = pytest.mark.real_time


class Broker:
    """A broker that is down, and whose first starts fail."""

    bootstrap = "127.0.0.1:1"

    def __init__(self, failures: int) -> None:
        self.pids: dict[int, int] = {}
        self.starts = 0
        self._failures = failures

    def cut_logs(self) -> None: ...

    def last_words(self) -> str:
        return "Kafka's broker 1 stopped: the disk is full"

    def start(self) -> None:
        self.starts += 1
        if self.starts <= self._failures:
            raise BrokerError("killed while it started", hint="make room")
        self.pids = {1: 7}


@pytest.fixture(name="watched")
def _watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wiring:
    monkeypatch.setattr(wiring, "WATCH_SECONDS", 0)
    settings = Settings(data_dir=tmp_path, kafka=KafkaSettings(bootstrap="127.0.0.1:1"))
    return Wiring(settings, pace=Pace(0, 0))


async def watch(watched: Wiring, broker: Any) -> None:
    """Watch until the broker is there; its error ends it."""
    watched.kafka = broker
    task = asyncio.create_task(watched.watch())
    while not broker.pids and not task.done():
        await asyncio.sleep(0)
    await asyncio.wait([task], timeout=0.1)
    if task.done():
        await task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_start_that_fails_is_tried_again(watched: Wiring) -> None:
    broker = Broker(failures=2)
    await watch(watched, broker)
    assert broker.starts == 3
    assert watched.status("kafka").phase is ProcessPhase.READY
    assert watched.status("kafka").restarts == 3


async def test_a_broker_that_does_not_start_is_tried_without_an_end_and_said_once(
    watched: Wiring, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broker = Broker(failures=50)
    await watch(watched, broker)
    assert broker.starts == 51
    assert watched.status("kafka").phase is ProcessPhase.READY
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == ["WARNING", "ERROR", "INFO"]
    assert "the disk is full" in said[0][1]
    assert "killed while it started" in said[1][1]
    assert "make room" in said[1][1]
    assert said[2][1] == "Kafka's broker is back"


def test_the_archive_has_a_process_where_the_settings_have_one(tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap="127.0.0.1:1")
    without = Wiring(Settings(data_dir=tmp_path, kafka=kafka), port=8_080)
    archived = Settings(data_dir=tmp_path, kafka=kafka, archive=ArchiveSettings(url="file:///srv/archive"))
    urls = Wiring(archived, port=8_080).urls
    assert urls == without.urls | {"archive": "http://127.0.0.1:8086"}
    [command] = [one for one in Wiring(archived).statuses if one.name == "archive"]
    assert command.phase is ProcessPhase.STOPPED


def test_an_archive_that_would_wait_longer_than_events_are_kept_is_refused() -> None:
    tree = {"kafka": {"shop_retention_days": 1}, "archive": {"url": "file:///a", "max_wait": 50_000}}
    with pytest.raises(SettingsError, match=r"at most 43200, half of kafka\.shop_retention_days"):
        config.parse(tree, {})
