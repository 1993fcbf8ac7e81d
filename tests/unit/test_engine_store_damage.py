"""A damaged store is kept beside a new one, and a machine without room is no damage."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine import store as store_module
from pipeline.engine.store import (
    KEPT_ASIDE,
    Damaged,
    PartitionStore,
    Position,
)
from pipeline.errors import PipelineError
from tests.unit.stores import MEMORY, filled, flip


def _cut(path: Path, pattern: str) -> None:
    for found in path.glob(pattern):
        os.truncate(found, found.stat().st_size // 2)


def _remove(path: Path, pattern: str) -> None:
    for found in path.glob(pattern):
        found.unlink()


def _file_instead(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("x")


def _wrong_current(path: Path) -> None:
    (path / "CURRENT").write_bytes(b"MANIFEST-999999\n")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "tables cut": lambda path: _cut(path, "*.sst"),
    "tables missing": lambda path: _remove(path, "*.sst"),
    "tables flipped at their end": lambda path: flip(path, "*.sst", 1),
    "manifest cut": lambda path: _cut(path, "MANIFEST-*"),
    "manifest missing": lambda path: _remove(path, "MANIFEST-*"),
    "manifest flipped": lambda path: flip(path, "MANIFEST-*", 0.1),
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
    (kept,) = tmp_path.glob("*.damaged-*")
    assert kept.name in caplog.text
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
def test_a_block_that_cannot_be_read_is_reported_and_the_next_opening_starts_anew(
    tmp_path: Path, read: str
) -> None:
    path = filled(tmp_path / "entities-3.db")
    flip(path, "*.sst", 0.5)
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
