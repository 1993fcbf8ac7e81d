"""The partitions that a worker holds, and for how long their state could not be used."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from pipeline.engine.engine import Engine
from pipeline.engine.usable import UsableCollector


def figures(collector: UsableCollector) -> tuple[float, float, float]:
    """Usable, building, and for how many seconds the longest."""
    partitions, seconds = collector.collect()
    by_state = {sample.labels["state"]: sample.value for sample in partitions.samples}
    (longest,) = seconds.samples
    assert longest.labels == {"process": "deliver"}
    return by_state["usable"], by_state["building"], longest.value


def test_a_partition_counts_as_building_from_the_look_that_found_it_so_until_its_state_can_be_used() -> None:
    held: dict[int, bool] = {}
    now = iter((0.0, 5.0, 15.0, 25.0, 35.0, 45.0))
    collector = UsableCollector("deliver", lambda: held, lambda: next(now))
    assert figures(collector) == (0, 0, 0)
    held |= {1: False, 2: False}
    assert figures(collector) == (0, 2, 0)
    held |= {1: True, 3: False}
    assert figures(collector) == (1, 2, 10)
    held.pop(2)
    assert figures(collector) == (1, 1, 10), "the other one went to another worker"
    held |= {3: True}
    assert figures(collector) == (2, 0, 0)
    held |= {3: False}
    assert figures(collector) == (1, 1, 0)


def test_a_partition_can_be_used_once_the_worker_is_ready_with_all_its_tables_and_the_stage_says_so() -> None:
    def table(*restored: int) -> SimpleNamespace:
        return SimpleNamespace(assigned=frozenset({1, 2, 3}), partitions=frozenset(restored))

    engine: Any = object.__new__(Engine)
    engine._tables, engine._stopping, engine._ready = [table(1, 2), table(1, 2, 3)], False, True
    engine._is_usable = lambda partition: partition != 2
    assert cast("Engine", engine).held() == {1: True, 2: False, 3: False}
    engine._ready = False
    assert cast("Engine", engine).held() == {1: False, 2: False, 3: False}
