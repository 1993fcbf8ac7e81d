"""A partition's store: writes and their position are one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.engine.store import (
    ARENA_BYTES,
    Closed,
    PartitionStore,
    Position,
)
from pipeline.errors import PipelineError
from tests.unit.stores import MEMORY, filled, opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    with opened(tmp_path) as made:
        yield made


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


def test_a_wipe_that_was_cut_off_leaves_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "s.gone").mkdir()
    (tmp_path / "s.gone" / "000001.log").touch()
    opened = PartitionStore(tmp_path / "s.db", MEMORY)
    assert opened.position is None
    assert not (tmp_path / "s.gone").exists()
    opened.close()


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
