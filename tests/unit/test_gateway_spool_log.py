"""The spool's files: what was committed is there after a crash, in order, on a real disk."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.gateway import spool_log
from pipeline.gateway.message import Message
from pipeline.gateway.spool_log import Row, SpoolLog
from tests.unit.spooling import crashed_copy, everything, message


def test_a_message_comes_back_as_it_was(tmp_path: Path) -> None:
    file = SpoolLog(tmp_path / "new" / "deep")
    assert file.write([message(1)]) == (1, None)
    assert everything(file) == [message(1)]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new/deep").iterdir()} == {0o600}
    file.close()


Operation = tuple[str, int]


operations = st.lists(
    st.tuples(st.sampled_from(["append", "append", "delete", "crash", "reopen"]), st.integers(1, 4)),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(operations, st.sampled_from([1, 1_000, 1_000_000]))
def test_any_order_of_appending_deleting_and_crashing_keeps_what_was_committed(
    todo: list[Operation], file_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool_log, "FILE_BYTES", file_bytes)
        path = Path(directory) / "spool"
        file, model, last, place = SpoolLog(path), list[Message](), 0, spool_log.START
        for step, (operation, count) in enumerate(todo):
            if operation == "append":
                added = [message(number) for number in range(last + 1, last + 1 + count)]
                assert file.write(added) == (count, None)
                model += added
                last += count
            elif operation == "delete" and model:
                rows = file.read(place, count, 1_000_000)
                place = rows[-1].place
                file.delete_through(place)
                del model[: len(rows)]
            elif operation in {"crash", "reopen"}:
                copy = crashed_copy(path, Path(directory) / f"{step}") if operation == "crash" else path
                file.close()
                file, path = SpoolLog(copy), copy
                place = file.start
                assert everything(file) == model
            assert [row.message for row in file.read(place, 100, 1_000_000)] == model
        assert file.lost == 0
        file.close()


def test_rows_are_read_in_order_up_to_a_number_and_a_size_but_at_least_one(tmp_path: Path) -> None:
    file = SpoolLog(tmp_path)
    file.write([message(number) for number in range(1, 6)])

    def numbers(rows: list[Row]) -> list[int]:
        return [row.place.number for row in rows]

    first = file.read(spool_log.START, 3, 1_000_000)
    assert numbers(first) == [1, 2, 3]
    assert numbers(file.read(first[-1].place, 3, 1_000_000)) == [4, 5]
    assert numbers(file.read(first[0].place, 3, 1)) == [2]
    file.close()


def test_a_write_that_breaks_off_leaves_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write, left = SpoolLog(tmp_path), os.write, [700]

    def nearly_full(descriptor: int, data: bytes) -> int:
        size = min(left[0], len(data))
        if size == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= size
        return write(descriptor, data[:size])

    assert file.write([message(1)]) == (1, None)
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", nearly_full)
        written, error = file.write([message(2), message(3)])
    assert (written, error and error.errno) == (0, errno.ENOSPC)
    assert file.write([message(4)]) == (1, None)
    file.close()
    again = SpoolLog(tmp_path)
    assert everything(again) == [message(1), message(4)]
    assert again.lost == 0


def test_a_file_that_could_not_be_taken_back_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    file = SpoolLog(tmp_path / "spool")
    with monkeypatch.context() as read_only:
        read_only.setattr(os, "fsync", fails)
        read_only.setattr(Path, "unlink", fails)
        read_only.setattr(spool_log, "sync_directory", lambda _: None)
        assert file.write([message(1)])[0] == 0
    assert file.write([message(2)]) == (1, None)
    assert everything(file) == [message(2)]
    assert [one.body for one in everything(SpoolLog(tmp_path / "spool"))] == [message(2).body]
