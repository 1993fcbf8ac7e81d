"""A worker that stops leaves its group at once, and one that cannot leave stops all the same."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.engine.faust import thread as thread_module
from pipeline.engine.faust.consumer import RoundConsumer
from pipeline.engine.faust.thread import ConsumerThread


class _Coordinator:
    """aiokafka's, which lets only a member without an instance id go."""

    def __init__(self, *, answers: bool = True) -> None:
        self.member_id = "m1"
        self._group_instance_id: str | None = "deliver-w1"
        self.left: list[str] = []
        self._answers = answers

    async def close(self) -> None:
        while not self._answers:
            await asyncio.sleep(60)
        if self._group_instance_id is None:
            self.left.append(self.member_id)
        self.member_id = ""


class _Worker:
    """A consumer and its thread, around a coordinator."""

    def __init__(self, coordinator: _Coordinator) -> None:
        self.lost: list[str] = []
        self.thread = cast("Any", object.__new__(ConsumerThread))
        self.thread.thread_loop = asyncio.get_running_loop()
        self.thread.consumer = SimpleNamespace(on_lost=self.lost.append, _contact=lambda _: None)
        self.thread._ensure_consumer = lambda: SimpleNamespace(_coordinator=coordinator)
        self.consumer = cast("Any", object.__new__(RoundConsumer))
        self.consumer._thread = self.thread


async def test_a_worker_that_stops_leaves_though_it_has_an_instance_id() -> None:
    coordinator = _Coordinator()
    await _Worker(coordinator).consumer.leave()
    assert coordinator.left == ["m1"]


async def test_a_commit_under_way_while_it_leaves_does_not_make_it_a_worker_that_was_dropped() -> None:
    coordinator, sent = _Coordinator(), asyncio.Event()
    worker = _Worker(coordinator)
    committing = asyncio.create_task(worker.thread._watched(coordinator, sent.wait)())
    await asyncio.sleep(0)
    await worker.consumer.leave()
    sent.set()
    await committing
    assert worker.lost == []


async def test_a_group_that_does_not_answer_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(thread_module, "LEAVE_SECONDS", 0.01)
    await _Worker(_Coordinator(answers=False)).consumer.leave()
    assert "the group was not left" in caplog.text
