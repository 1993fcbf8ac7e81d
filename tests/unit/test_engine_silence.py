"""A worker says that Kafka is silent: no heartbeat acknowledged, or nothing confirmed of what was sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.engine.engine import SILENT_AFTER, Engine
from pipeline.kafka import confirmed
from pipeline.kafka.confirmed import AsyncProducer


def complaint(*, group: float, sender: float, ready: bool = True) -> str | None:
    """What a worker says when it last heard from Kafka so many seconds ago."""
    engine: Any = object.__new__(Engine)
    engine._runtime = SimpleNamespace(consumer=SimpleNamespace(silence=lambda: group))
    engine.producer = SimpleNamespace(silence=lambda: sender)
    engine._ready, engine._stopping, engine.concerns = ready, False, []
    return cast("Engine", engine).complaint


def test_a_worker_that_hears_from_kafka_has_nothing_to_complain_of() -> None:
    assert complaint(group=SILENT_AFTER, sender=0) is None


@pytest.mark.parametrize(("group", "sender"), [(12.4, 0), (0, 12.4)])
def test_silence_of_either_side_is_reported_with_its_length(group: float, sender: float) -> None:
    assert complaint(group=group, sender=sender) == "Kafka has not answered for 12 s"


def test_a_worker_that_is_not_ready_says_why_rather_than_how_long() -> None:
    assert complaint(group=60, sender=60, ready=False) == "waiting for partitions and their tables"


async def test_a_producer_is_silent_only_while_something_is_unconfirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(confirmed, "time", SimpleNamespace(monotonic=lambda: now))
    sender = AsyncProducer({"bootstrap.servers": "127.0.0.1:1"}, max_message_bytes=1_000_000)
    assert sender.silence() == 0
    sender.expect()
    now += 7
    sender.expect()
    assert sender.silence() == 7
    sender.finished()
    now += 2
    assert sender.silence() == 2
    sender.finished()
    now += 50
    assert sender.silence() == 0
    sender.expect()
    assert sender.silence() == 0
    sender.finished()
