"""A partition's store: writes and their position are one, and the restore plans from it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.engine.restore import Job, Stopped, _restore
from pipeline.engine.store import ARENA_BYTES, Memory, PartitionStore, Position
from pipeline.errors import PipelineError

MEMORY = Memory()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = PartitionStore(tmp_path / "s.db", MEMORY)
    yield made
    made.close()


def test_a_new_store_has_no_position(store: PartitionStore) -> None:
    assert store.position is None
    assert store.get(b"k") is None
    assert list(store.items()) == []


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    for ttl in (None, 1_000):
        path = tmp_path / f"{ttl}.db"
        first = PartitionStore(path, MEMORY, ttl)
        first.apply({b"a": b"1", b"b": b"2"}, offset=7, at=99)
        first.apply({b"b": None}, offset=8, at=100)
        first.close()
        second = PartitionStore(path, MEMORY, ttl)
        assert second.position == Position(8, 100)
        assert second.multi_get([b"b", b"a"]) == [None, b"1"]
        assert list(second.items()) == [(b"a", b"1")]
        second.close()


def test_nothing_is_lost_by_a_compaction_after_opening_again(tmp_path: Path) -> None:
    """Values whose last bytes could be read as a moment long past, as those of any JSON list."""
    values = {f"k{number}".encode(): f'[{number},"{number:016x}"]'.encode() for number in range(50)}
    for _ in range(3):
        opened = PartitionStore(tmp_path / "s.db", MEMORY, ttl=1_000)
        opened.apply(values, offset=7, at=99)
        opened._db.compact_range(None, None)
        assert dict(opened.items()) == values
        assert opened.position == Position(7, 99)
        opened.close()


def test_settings_count_for_a_store_that_is_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        opened = PartitionStore(tmp_path / "s.db", MEMORY)
        opened.apply({b"a": b"1"}, offset=7, at=99)
        opened.close()
    newest = max((tmp_path / "s.db").glob("OPTIONS-*"), key=lambda path: path.name).read_text()
    assert f"arena_block_size={ARENA_BYTES}\n" in newest
    assert "filter_policy=bloomfilter" in newest


def test_a_wiped_store_is_new(store: PartitionStore) -> None:
    store.apply({b"a": b"1"}, offset=7, at=99)
    store.wipe()
    assert store.position is None
    assert store.get(b"a") is None


def test_a_store_in_use_says_so(store: PartitionStore) -> None:
    with pytest.raises(PipelineError, match="in use by another process"):
        PartitionStore(store.path, MEMORY)


class Message:
    """A message of a changelog."""

    def __init__(
        self,
        offset: int,
        key: bytes = b"",
        value: bytes | None = None,
        error: int | None = None,
        *,
        topic: str = "changelog",
        written_ms: int = 10**12,
    ) -> None:
        self._offset, self._key, self._value, self._error = offset, key, value, error
        self._topic, self._written_ms = topic, written_ms

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def timestamp(self) -> tuple[int, int]:
        return 1, self._written_ms

    def error(self) -> KafkaError | None:
        return None if self._error is None else KafkaError(self._error)

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes | None:
        return self._value


def job(store: PartitionStore) -> Job:
    return Job("changelog", 0, store)


def test_a_new_store_is_read_from_the_beginning(store: PartitionStore) -> None:
    restored = job(store)
    assert restored.plan(low=3, high=9, stale_before=0)
    assert restored.at().offset == 3


def test_a_store_at_the_end_needs_nothing(store: PartitionStore) -> None:
    store.apply({}, offset=8, at=99)
    assert not job(store).plan(low=0, high=9, stale_before=0)


def test_a_store_behind_is_continued(store: PartitionStore) -> None:
    store.apply({}, offset=5, at=99)
    restored = job(store)
    assert restored.plan(low=0, high=9, stale_before=0)
    assert restored.at().offset == 6


@pytest.mark.parametrize(("high", "stale_before"), [(5, 0), (9, 100)])
def test_a_store_ahead_of_the_topic_or_away_too_long_starts_again(
    store: PartitionStore, high: int, stale_before: int
) -> None:
    store.apply({b"gone": b"1"}, offset=5, at=99)
    restored = job(store)
    assert restored.plan(low=0, high=high, stale_before=stale_before)
    assert restored.at().offset == 0
    assert store.get(b"gone") is None


def test_each_batch_records_its_progress(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    assert not restored.take([Message(0, b"a", b"1"), Message(1, b"b", b"2")], now=50)
    assert store.position == Position(1, 50)
    assert restored.take([Message(2, b"a", None), Message(3, b"c", b"3")], now=51)
    assert store.position == Position(3, 51)
    assert list(store.items()) == [(b"b", b"2"), (b"c", b"3")]


def test_the_end_is_reached_where_compaction_left_a_gap(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    end = Message(4, error=KafkaError._PARTITION_EOF)
    assert restored.take([Message(1, b"a", b"1"), end], now=50)


def test_a_broker_that_refuses_ends_the_restore(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    with pytest.raises(KafkaException):
        restored.take([Message(0, error=KafkaError.TOPIC_AUTHORIZATION_FAILED)], now=1)


def _crashed(store: PartitionStore, name: str) -> PartitionStore:
    """The store as a kill -9 at this moment leaves it."""
    copy = store.path.with_name(name)
    shutil.copytree(store.path, copy)
    (copy / "LOCK").unlink()
    return PartitionStore(copy, MEMORY)


class Changelogs:
    """A consumer of two changelogs; the second ends once the restore was called off."""

    def __init__(self, stop: threading.Event, messages: list[Message]) -> None:
        self._stop = stop
        self._messages = messages

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        del timeout
        return 0, 3 if place.topic == "short" else 1_000

    def assign(self, places: list[TopicPartition]) -> None:
        assert [place.topic for place in places] == ["short", "long"]

    def consume(self, most: int, timeout: float) -> list[Message]:
        del most, timeout
        self._stop.set()
        return self._messages


def test_what_a_restore_read_before_it_was_called_off_survives_a_kill(tmp_path: Path) -> None:
    stores = {name: PartitionStore(tmp_path / f"{name}.db", MEMORY) for name in ("short", "long")}
    stop = threading.Event()
    read = [Message(number, f"k{number}".encode(), b"v", topic="short") for number in range(3)]
    consumer: Any = Changelogs(stop, [*read, Message(0, b"k0", b"v", topic="long")])
    with pytest.raises(Stopped):
        _restore(consumer, [Job(name, 0, store) for name, store in stores.items()], 1e9, stop)
    stores["short"].apply({b"new": b"v"}, offset=3, at=99)
    crashed = _crashed(stores["short"], "crashed.db")
    assert crashed.position == Position(3, 99)
    assert {key for key, _ in crashed.items()} == {b"k0", b"k1", b"k2", b"new"}
    for store in (*stores.values(), crashed):
        store.close()


def test_a_half_read_store_is_as_old_as_the_last_record_it_has_seen(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    assert not restored.take([Message(1, b"a", b"1", written_ms=20_000)], now=50)
    assert store.position == Position(1, 20)
    assert job(store).plan(low=0, high=4, stale_before=21)
    assert store.position is None


def test_a_wipe_that_was_cut_off_leaves_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "s.gone").mkdir()
    (tmp_path / "s.gone" / "000001.log").touch()
    opened = PartitionStore(tmp_path / "s.db", MEMORY)
    assert opened.position is None
    assert not (tmp_path / "s.gone").exists()
    opened.close()
