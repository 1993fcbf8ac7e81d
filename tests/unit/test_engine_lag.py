"""For how long messages wait: never longer than they do, and until they are dealt with."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.lag import REMEMBERED, LagCollector, WaitingSince
from pipeline.kafka.messages import TopicPartition

ONE, OTHER = TopicPartition("shop.orders", 0), TopicPartition("shop.orders", 1)


def test_a_message_waits_from_the_look_that_first_saw_it_until_it_is_dealt_with() -> None:
    since = WaitingSince()
    assert since.look(0, {ONE: range(10, 10)}) == {ONE: 0}
    assert since.look(5, {ONE: range(10, 12)}) == {ONE: 0}
    assert since.look(10, {ONE: range(10, 15)}) == {ONE: 5}
    assert since.look(15, {ONE: range(11, 15)}) == {ONE: 10}
    assert since.look(20, {ONE: range(12, 15)}) == {ONE: 10}, "those of the second look are the oldest now"
    assert since.look(25, {ONE: range(15, 15)}) == {ONE: 0}
    assert since.look(30, {ONE: range(15, 16)}) == {ONE: 0}


def test_a_partition_that_went_to_another_worker_is_forgotten() -> None:
    since = WaitingSince()
    since.look(0, {ONE: range(1), OTHER: range(1)})
    assert since.look(9, {OTHER: range(1)}) == {OTHER: 9}
    assert since.look(10, {ONE: range(1), OTHER: range(1)}) == {ONE: 0, OTHER: 10}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_it_is_never_longer_than_the_oldest_message_waits(steps: list[tuple[int, int]]) -> None:
    since, came, done = WaitingSince(), list[float](), 0
    for now, (arrived, dealt_with) in enumerate(steps):
        came += [now] * arrived
        done = min(len(came), done + dealt_with)
        waited = since.look(now, {ONE: range(done, len(came))})[ONE]
        assert waited == (now - came[done] if done < len(came) else 0)


def test_what_waits_for_ever_takes_no_more_memory_and_stays_the_oldest() -> None:
    since = WaitingSince()
    for now in range(5 * REMEMBERED):
        waited = since.look(now, {ONE: range(now + 1)})
    assert waited == {ONE: 5 * REMEMBERED - 1}
    assert len(since._ends[ONE]) <= REMEMBERED


def test_both_figures_are_exported_of_each_partition() -> None:
    behind: Mapping[TopicPartition, range] = {ONE: range(3, 8), OTHER: range(2, 2)}
    now = iter((100.0, 130.0))
    collector = LagCollector(lambda: behind, lambda: next(now))
    collector.collect()
    found = {
        (family.name, sample.labels["partition"]): sample.value
        for family in collector.collect()
        for sample in family.samples
    }
    assert found == {
        ("pipeline_lag_messages", "0"): 5,
        ("pipeline_lag_messages", "1"): 0,
        ("pipeline_lag_seconds", "0"): 30,
        ("pipeline_lag_seconds", "1"): 0,
    }
