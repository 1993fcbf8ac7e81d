"""A rebalance meets a restore, or the building of an index, that has not ended."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.deliver import worker
from pipeline.deliver.worker import DeliverWorker
from pipeline.engine import restorer
from pipeline.engine.compaction import Compaction
from pipeline.engine.engine import Engine
from pipeline.engine.restorer import Restorer
from pipeline.engine.table import NotAssigned
from pipeline.kafka.reader import Stopped

pytestmark = pytest.mark.real_time


async def test_a_pause_that_comes_as_the_restore_ends_leaves_the_engine_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def past_its_last_look(*_args: object, **_options: object) -> None:
        started.set()
        go_on.wait(10)

    monkeypatch.setattr(restorer, "restore", past_its_last_look)
    seen: list[str | None] = []

    async def hook() -> None:
        seen.append(engine.not_ready)

    async def drain() -> None:
        await asyncio.sleep(0)

    engine: Any = object.__new__(Engine)
    engine._ready, engine._stopping, engine._tables = False, False, []
    engine._restorer, engine._pause_hooks = Restorer({}, stale_seconds=1), [hook]
    engine._compaction = Compaction([], "w1", lambda: engine.not_ready)
    engine.steps = SimpleNamespace(drain=drain)
    restoring = asyncio.create_task(engine._restore())
    await asyncio.to_thread(started.wait)
    pausing = asyncio.create_task(engine.pause())
    await asyncio.sleep(0)
    go_on.set()
    await pausing
    with pytest.raises(Stopped):
        await restoring
    assert None not in (*seen, engine.not_ready)


class _PartitionState:
    """An index of what the tables hold at the moment it is built."""

    def __init__(self, partition: int, tables: dict[str, str], _receipt_writer: object) -> None:
        self.partition, self._tables = partition, tables
        self.holds = ""

    async def load(self) -> None:
        self.holds = self._tables["content"]


def _worker(monkeypatch: pytest.MonkeyPatch, tables: dict[str, str], held: frozenset[int]) -> Any:
    monkeypatch.setattr(worker, "PartitionState", _PartitionState)

    async def nothing(*_args: object, **_options: object) -> None:
        return

    stage: Any = object.__new__(DeliverWorker)
    stage._loading, stage._opening = asyncio.Lock(), asyncio.Lock()
    stage._stale, stage._partition_states, stage._behind, stage._receipts_read = set(), {}, {}, {}
    stage._tables, stage._receipt_writer = tables, None
    stage._all_tables = (SimpleNamespace(partitions=held),)
    stage.account_manager = SimpleNamespace(close=nothing)
    return stage


async def test_an_index_built_before_a_partition_went_away_is_built_anew_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables, look = {"content": "before"}, asyncio.Event()
    held = frozenset({3})
    stage = _worker(monkeypatch, tables, held)

    async def wait(_partition_state: object) -> None:
        await look.wait()

    stage._look = wait
    await stage._loaded(held)
    building = asyncio.create_task(stage._partition_state(3))
    await asyncio.sleep(0)
    await stage._lost(held)
    tables["content"] = "what another worker made of it"
    await stage._loaded(held)
    look.set()
    assert (await building).holds == "what another worker made of it"


async def test_an_index_of_a_partition_that_went_away_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = _worker(monkeypatch, {"content": ""}, frozenset())

    async def look(_partition_state: object) -> None:
        return

    stage._look = look
    with pytest.raises(NotAssigned):
        await stage._partition_state(3)
    assert not stage._partition_states


async def test_a_worker_that_hears_nothing_of_its_group_makes_no_calls_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "LOOK", 0.001)
    said: list[str] = []
    silence = 11.0

    class _AccountManager:
        running = True

        async def pause(self, *, leave: bool) -> None:
            assert not leave
            said.append("pause")
            self.running = False

        async def run(self) -> None:
            said.append("run")
            self.running = True

    async def open_partitions() -> None:
        return

    stage = _worker(monkeypatch, {}, frozenset())
    stage.account_manager, stage._open_partitions = _AccountManager(), open_partitions
    stage._settings = SimpleNamespace(kafka=SimpleNamespace(session_timeout=15.0))
    consumer = SimpleNamespace(silence=lambda: silence)
    stage._engine = SimpleNamespace(not_ready=None, consumer=consumer)
    conducting = asyncio.create_task(stage._conduct())
    until = time.monotonic() + 10
    while "pause" not in said:
        await asyncio.sleep(0.001)
        assert time.monotonic() < until
    silence = 1.0
    while "run" not in said:
        await asyncio.sleep(0.001)
        assert time.monotonic() < until
    conducting.cancel()
    assert said[:2] == ["pause", "run"]
