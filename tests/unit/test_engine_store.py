"""A partition's store: writes and their position are one, and the restore plans from it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import store as store_module
from pipeline.engine.restore import RestoreJob, _restore
from pipeline.engine.store import (
    ARENA_BYTES,
    KEPT_ASIDE,
    Closed,
    Damaged,
    Memory,
    PartitionStore,
    Position,
)
from pipeline.errors import PipelineError
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import MessageBatch, OffsetRange, PartitionExtent
from pipeline.kafka.reader import Stopped

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
        self, offset: int, key: bytes = b"", value: bytes | None = None, *, written_ms: int = 10**12
    ) -> None:
        self._offset, self._key, self._value, self._written_ms = offset, key, value, written_ms

    def timestamp(self) -> tuple[int, int]:
        return 1, self._written_ms

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes | None:
        return self._value


def job(store: PartitionStore) -> RestoreJob:
    return RestoreJob("changelog", 0, store)


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
    restored.take([Message(0, b"a", b"1"), Message(1, b"b", b"2")], now=50)
    assert store.position == Position(1, 50)
    restored.take([Message(2, b"a", None), Message(3, b"c", b"3")], now=51)
    assert store.position == Position(3, 51)
    assert list(store.items()) == [(b"b", b"2"), (b"c", b"3")]


def test_a_gap_before_the_end_is_not_read_again(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    restored.take([Message(1, b"a", b"1")], now=50)
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
    read = [Message(number, f"k{number}".encode(), b"v") for number in range(3)]
    reader: Any = Changelogs(
        [
            MessageBatch(TopicPartition("short", 0), read, 3),
            MessageBatch(TopicPartition("long", 0), [Message(0, b"k0", b"v")], 1),
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
    restored.take([Message(1, b"a", b"1", written_ms=20_000)], now=50)
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


def filled(path: Path) -> Path:
    """A store of two megabytes, closed."""
    made = PartitionStore(path, MEMORY)
    made.apply({b"k%05d" % number: os.urandom(400) for number in range(5_000)}, offset=7, at=99, logged=False)
    made.flush()
    made.close()
    return path


def _cut(path: Path, pattern: str) -> None:
    for found in path.glob(pattern):
        os.truncate(found, found.stat().st_size // 2)


def _remove(path: Path, pattern: str) -> None:
    for found in path.glob(pattern):
        found.unlink()


def _flip(path: Path, pattern: str, place: float) -> None:
    for found in path.glob(pattern):
        data = bytearray(found.read_bytes())
        data[int(place * (len(data) - 1))] ^= 0xFF
        found.write_bytes(data)


def _file_instead(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("x")


def _wrong_current(path: Path) -> None:
    (path / "CURRENT").write_bytes(b"MANIFEST-999999\n")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "tables cut": lambda path: _cut(path, "*.sst"),
    "tables missing": lambda path: _remove(path, "*.sst"),
    "tables flipped at their end": lambda path: _flip(path, "*.sst", 1),
    "manifest cut": lambda path: _cut(path, "MANIFEST-*"),
    "manifest missing": lambda path: _remove(path, "MANIFEST-*"),
    "manifest flipped": lambda path: _flip(path, "MANIFEST-*", 0.1),
    "current missing": lambda path: _remove(path, "CURRENT"),
    "current wrong": _wrong_current,
    "a file in its place": _file_instead,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_store_is_set_aside_and_an_empty_one_takes_its_place(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(tmp_path / "entities-3.db")
    DAMAGE[kind](path)
    opened = PartitionStore(path, MEMORY)
    assert opened.position is None
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.name in caplog.text
    opened.apply({b"a": b"1"}, offset=0, at=99)
    assert dict(opened.items()) == {b"a": b"1"}
    opened.close()


def test_a_table_damaged_anywhere_never_looks_like_one_in_use(tmp_path: Path) -> None:
    path = filled(tmp_path / "entities-3.db")
    [table] = path.glob("*.sst")
    whole = table.read_bytes()
    kept = tmp_path / "kept"
    shutil.copytree(path, kept)
    for place in range(len(whole) - 40, len(whole) - 1_100, -120):  # its indexes and filters
        shutil.rmtree(path)
        shutil.copytree(kept, path)
        (path / table.name).write_bytes(
            whole[:place] + bytes(one ^ 0x55 for one in whole[place:][:40]) + whole[place + 40 :]
        )
        opened = PartitionStore(path, MEMORY)
        with contextlib.suppress(Damaged):
            opened.multi_get([b"k%05d" % number for number in range(5_000)])
        opened.close()
        again = PartitionStore(path, MEMORY)
        assert again.position in {None, Position(7, 99)}
        again.close()


def test_only_the_newest_damaged_stores_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT_ASIDE + 2):
        path = tmp_path / f"entities-{number}.db"
        path.write_text("x")
        PartitionStore(path, MEMORY).close()
    kept = {path.name.partition(".")[0] for path in tmp_path.glob("*.damaged-*")}
    assert kept == {f"entities-{number}" for number in range(2, KEPT_ASIDE + 2)}


def _reads(opened: PartitionStore) -> dict[str, Callable[[], object]]:
    keys = [b"k%05d" % number for number in range(5_000)]
    return {
        "get": lambda: [opened.get(key) for key in keys],
        "multi_get": lambda: opened.multi_get(keys),
        "items": lambda: list(opened.items()),
    }


@pytest.mark.parametrize("read", ["get", "multi_get", "items"])
def test_a_block_that_cannot_be_read_is_told_and_the_next_opening_starts_anew(
    tmp_path: Path, read: str
) -> None:
    path = filled(tmp_path / "entities-3.db")
    _flip(path, "*.sst", 0.5)
    opened = PartitionStore(path, MEMORY)
    with pytest.raises(Damaged, match="the next start sets it aside"):
        _reads(opened)[read]()
    opened.close()
    again = PartitionStore(path, MEMORY)
    assert again.position is None
    again.close()
    third = PartitionStore(path, MEMORY)
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    third.close()


@pytest.mark.parametrize("fault", ["IO error: No space left on device: x.sst", "Too many open files"])
def test_a_machine_without_room_is_no_reason_to_set_a_store_aside(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path / "entities-3.db")

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(fault)

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "Rdict", refuse)
        with pytest.raises(PipelineError, match="cannot be opened"):
            PartitionStore(path, MEMORY)
    opened = PartitionStore(path, MEMORY)
    assert opened.position == Position(7, 99)
    opened.close()


def test_a_file_that_may_grow_no_further_is_no_damage(tmp_path: Path) -> None:
    path = filled(tmp_path / "entities-3.db")
    opened = PartitionStore(path, MEMORY)
    allowed, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most))
    try:
        with pytest.raises(PipelineError, match="File too large") as refused:
            opened.apply({b"big": bytes(1_000_000)}, offset=8, at=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, most))
    assert not isinstance(refused.value, Damaged)
    with pytest.raises(Exception, match="previous error"):  # as long as this process lives
        opened.close()
    again = PartitionStore(path, MEMORY)
    assert again.position == Position(7, 99)
    again.close()


def test_a_store_that_is_closed_while_somebody_looks_through_it_can_be_opened_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "entities-3.db")
    opened = PartitionStore(path, MEMORY)
    rows = opened.items()
    next(rows)
    opened.close()
    again = PartitionStore(path, MEMORY)
    assert again.position == Position(7, 99)
    with pytest.raises(Closed):
        next(rows)
    again.close()


def test_a_restore_leaves_out_what_no_worker_writes(store: PartitionStore) -> None:
    restored = job(store)
    restored.plan(low=0, high=4, stale_before=0)
    none: Any = None
    foreign = [Message(1, b"", b"x"), Message(2, b"\x00position", b"junk"), Message(3, none, b"x")]
    restored.take([Message(0, b"a", b"1"), *foreign], now=50)
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
