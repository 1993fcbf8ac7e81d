"""A store's restore from its changelog: where it begins, what it leaves out, and what survives a kill."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import store as store_module
from pipeline.engine.restore import RestoreJob, _restore
from pipeline.engine.store import (
    PartitionStore,
    Position,
)
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import MessageBatch, OffsetRange, PartitionExtent
from pipeline.kafka.reader import Stopped
from pipeline.kafka.tombstones import MARKER_KEY
from tests.unit.stores import MEMORY, ChangelogMessage, filled, job, opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    with opened(tmp_path) as made:
        yield made


def test_a_new_store_is_read_from_the_beginning(store: PartitionStore) -> None:
    restored = job(store)
    assert restored.plan(low=3, high=9, stale_before=0)
    assert restored.range.start == 3


def test_a_store_at_the_end_needs_nothing(store: PartitionStore) -> None:
    store.apply({}, offset=8, at=99)
    assert not job(store).plan(low=0, high=9, stale_before=0)


def test_a_store_behind_is_continued(store: PartitionStore) -> None:
    store.apply({}, offset=5, at=99)
    restored = job(store)
    assert restored.plan(low=0, high=9, stale_before=0)
    assert restored.range.start == 6


@pytest.mark.parametrize(("high", "stale_before", "latest"), [(5, 0, 99), (9, 100, 200), (9, 0, 98)])
def test_a_store_ahead_of_the_topic_or_of_the_clock_or_away_too_long_starts_again(
    store: PartitionStore, high: int, stale_before: int, latest: float
) -> None:
    store.apply({b"gone": b"1"}, offset=5, at=99)
    restored = job(store)
    assert restored.plan(0, high, stale_before, latest)
    assert restored.range.start == 0
    assert store.get(b"gone") is None


def test_each_batch_records_its_progress(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    restored.take([ChangelogMessage(0, b"a", b"1"), ChangelogMessage(1, b"b", b"2")], now=50)
    assert store.position == Position(1, 50)
    restored.take([ChangelogMessage(2, b"a", None), ChangelogMessage(3, b"c", b"3")], now=51)
    assert store.position == Position(3, 51)
    assert list(store.items()) == [(b"b", b"2"), (b"c", b"3")]


def test_a_gap_before_the_end_is_not_read_again(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    restored.take([ChangelogMessage(1, b"a", b"1")], now=50)
    restored.finish(now=60)
    assert store.position == Position(3, 60)
    assert not job(store).plan(low=0, high=4, stale_before=0)


def _crashed(store: PartitionStore, name: str) -> PartitionStore:
    """The store as a kill -9 at this moment leaves it."""
    copy = store.path.with_name(name)
    shutil.copytree(store.path, copy)
    (copy / "LOCK").unlink()
    return PartitionStore(copy, MEMORY)


class Changelogs:
    """A reader of two changelogs, which is called off before the second is read."""

    def __init__(self, batches: list[MessageBatch]) -> None:
        self.offsets = self
        self._batches = batches

    def extents(self, places: list[TopicPartition]) -> dict[TopicPartition, PartitionExtent]:
        return {place: PartitionExtent(0, 3 if place.topic == "short" else 1_000) for place in places}

    def read(self, ranges: list[OffsetRange], **_: Any) -> Iterator[MessageBatch]:
        assert [found.place.topic for found in ranges] == ["short", "long"]
        yield from self._batches
        raise Stopped


def test_what_a_restore_read_before_it_was_called_off_survives_a_kill(tmp_path: Path) -> None:
    stores = {name: PartitionStore(tmp_path / f"{name}.db", MEMORY) for name in ("short", "long")}
    read = [ChangelogMessage(number, f"k{number}".encode(), b"v") for number in range(3)]
    reader: Any = Changelogs(
        [
            MessageBatch(TopicPartition("short", 0), read, 3),
            MessageBatch(TopicPartition("long", 0), [ChangelogMessage(0, b"k0", b"v")], 1),
        ]
    )
    jobs = [RestoreJob(name, 0, store) for name, store in stores.items()]
    with pytest.raises(Stopped):
        _restore(reader, jobs, 1e9, threading.Event())
    stores["short"].apply({b"new": b"v"}, offset=3, at=99)
    crashed = _crashed(stores["short"], "crashed.db")
    assert crashed.position == Position(3, 99)
    assert {key for key, _ in crashed.items()} == {b"k0", b"k1", b"k2", b"new"}
    for store in (*stores.values(), crashed):
        store.close()


def test_a_half_read_store_is_as_old_as_the_last_record_it_has_seen(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    restored.take([ChangelogMessage(1, b"a", b"1", written_ms=20_000)], now=50)
    assert store.position == Position(1, 20)
    assert job(store).plan(low=0, high=4, stale_before=21)
    assert store.position is None


def test_a_restore_leaves_out_what_no_worker_writes(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    none: Any = None
    foreign = [
        ChangelogMessage(1, b"", b"x"),
        ChangelogMessage(2, b"\x00position", b"junk"),
        ChangelogMessage(3, none, b"x"),
    ]
    restored.take([ChangelogMessage(0, b"a", b"1"), *foreign], now=50)
    assert (store.position, list(store.items())) == (Position(3, 50), [(b"a", b"1")])


def test_a_store_whose_position_cannot_be_read_is_restored_from_the_beginning(tmp_path: Path) -> None:
    path = filled(tmp_path / "entities-3.db")
    opened = PartitionStore(path, MEMORY)
    opened._db.put(store_module.POSITION_KEY, b"short")
    restored = job(opened)
    assert restored.plan(low=2, high=9, stale_before=0)
    assert restored.range.start == 2
    assert list(opened.items()) == []
    opened.close()


# After an erasure.


def _after_an_erasure() -> list[ChangelogMessage]:
    """The changelog: of two rows one was deleted, and its deletion is compacted away."""
    marker = ChangelogMessage(7, MARKER_KEY, b"")
    return [ChangelogMessage(1, b"stays", b"1"), marker, ChangelogMessage(8, b"new", b"2")]


def test_a_store_that_may_have_missed_deletions_is_not_believed(store: PartitionStore) -> None:
    store.apply({b"gone": b"1", b"stays": b"1"}, offset=3, at=99)
    restored = job(store)
    restored.plan(low=0, high=9, stale_before=0)
    restored.take([message for message in _after_an_erasure() if message.offset() > 3], now=100)
    restored.finish(now=100)
    assert restored.missed
    # Killed here, the next start finds the same.
    assert store.position == Position(3, 99)
    restored.start_anew()
    assert restored.plan(low=0, high=9, stale_before=0)
    restored.take(_after_an_erasure(), now=100)
    restored.finish(now=100)
    assert dict(store.items()) == {b"new": b"2", b"stays": b"1"}


def test_a_store_that_has_read_past_an_erasure_is_continued(store: PartitionStore) -> None:
    store.apply({b"stays": b"1"}, offset=7, at=99)
    restored = job(store)
    restored.plan(low=0, high=9, stale_before=0)
    restored.take([message for message in _after_an_erasure() if message.offset() > 7], now=100)
    assert not restored.missed
    assert list(store.items()) == [(b"new", b"2"), (b"stays", b"1")]
