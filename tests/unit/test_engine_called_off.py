"""A rebalance meets a restore, or the building of an index, that has not ended."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.deliver import worker
from pipeline.deliver.partition.held_states import LARGE_ROWS, HeldStates
from pipeline.deliver.partition.partition_state import PartitionState
from pipeline.deliver.worker import DeliverWorker
from pipeline.engine import restorer
from pipeline.engine.compaction import Compaction
from pipeline.engine.engine import Engine
from pipeline.engine.restorer import Restorer
from pipeline.engine.table import NotAssigned
from pipeline.errors import BrokerError
from pipeline.kafka.catchup import GroupExtent
from pipeline.kafka.messages import TopicPartition
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


class _State:
    """A state of what the tables hold at the moment it is built."""

    def __init__(self, partition: int, tables: dict[str, str]) -> None:
        self.partition, self._tables = partition, tables
        self.holds = ""

    async def load(self) -> None:
        self.holds = self._tables["content"]

    def tallies(self) -> list[object]:
        return []


class _States(HeldStates):
    """States of `_State`; Kafka is asked for nothing, once `answer` is set."""

    def __init__(
        self, tables: dict[str, str], held: frozenset[int], rows: dict[int, int] | None = None
    ) -> None:
        self.answer = asyncio.Event()
        self.asked: list[set[int]] = []
        super().__init__(
            lambda partition: cast("PartitionState", _State(partition, tables)),
            held=lambda: held,
            rows=lambda partition: (rows or {}).get(partition, 0),
            look=self._looked,
            named="shop.{}".format,
        )

    async def _looked(self, places: Collection[TopicPartition]) -> dict[TopicPartition, GroupExtent]:
        self.asked.append({place.partition for place in places})
        await self.answer.wait()
        return dict.fromkeys(places, GroupExtent(0, 0, 0))


async def test_a_state_built_before_a_partition_went_away_is_built_anew_after_it() -> None:
    tables, held = {"content": "before"}, frozenset({3})
    states = _States(tables, held)
    states.reload(held)
    building = asyncio.create_task(states.get(3))
    await asyncio.sleep(0)
    states.forget(held)
    tables["content"] = "what another worker made of it"
    states.reload(held)
    states.answer.set()
    assert cast("_State", await building).holds == "what another worker made of it"


async def test_a_state_of_a_partition_that_went_away_is_not_kept() -> None:
    states = _States({"content": ""}, frozenset({1}))
    states.answer.set()
    with pytest.raises(NotAssigned):
        await states.build([3, 1])
    assert [state.partition for state in states.all()] == [1]


async def test_kafka_is_asked_about_many_partitions_at_once_and_small_ones_do_not_wait_for_a_large_one() -> (
    None
):
    held = frozenset(range(8))
    states = _States({"content": ""}, held, {2: LARGE_ROWS, 5: 10 * LARGE_ROWS})
    building = asyncio.create_task(states.build(held))
    while not states.asked:
        await asyncio.sleep(0)
    assert states.asked == [{0, 1, 3, 4, 6, 7}]
    assert not any(states.is_usable(partition) for partition in held)
    states.answer.set()
    await building
    assert states.asked[1:] == [{2}, {5}]
    assert all(states.is_usable(partition) for partition in held)


async def test_a_topic_made_anew_is_named_as_kafka_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = SimpleNamespace(counted_up_to=lambda: [("connectif.purchases", 7)])
    monkeypatch.setattr(_State, "tallies", lambda _: [("acme", "store", counted)])
    states = _States({"content": ""}, frozenset({3}))
    states.answer.set()
    with pytest.raises(BrokerError, match=r"^shop\.connectif\.purchases partition 3 ends at 0"):
        await states.build([3])


def _worker() -> Any:
    stage: Any = object.__new__(DeliverWorker)
    stage._opening = asyncio.Lock()
    return stage


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

    stage = _worker()
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
