"""Files of the archive: what is written is read, on a disk and elsewhere; rows leave it; damage is named."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pipeline.archive import parquet
from pipeline.archive.files import Archive
from pipeline.archive.layout import named
from pipeline.archive.parquet import Unreadable, first_since, messages
from pipeline.archive.removal import remove, remove_offsets
from pipeline.archive.storage import StorageError
from pipeline.errors import SettingsError
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.kafka.ranges import OffsetRange
from tests.archived import DAY, PLACE, TEN_O_CLOCK, archive_in, content_of, message, offsets_in, written


def test_messages_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 300)
    said = [message(3, body=b"\x00\xff"), message(5, body=None), message(9, body=b""), message(12)]
    content = content_of(said)
    found = [LibrdkafkaMessage.of(row) for rows in messages(content, PLACE, 0, 100) for row in rows]
    assert found == said
    assert [row.offset() for rows in messages(content, PLACE, 4, 12) for row in rows] == [5, 9]
    [row] = next(messages(content, PLACE, 3, 4))
    assert (row.topic(), row.partition(), row.timestamp()) == (*PLACE, (2, TEN_O_CLOCK))


def test_the_first_offset_since_a_moment_is_found() -> None:
    content = content_of(message(offset, at_ms=TEN_O_CLOCK + 1_000 * offset) for offset in range(10))
    assert first_since(content, 0) == 0
    assert first_since(content, TEN_O_CLOCK + 4_001) == 5
    assert first_since(content, TEN_O_CLOCK + 10_000) is None


@pytest.mark.parametrize("content", [b"", b"PAR1", content_of([message(1)])[:-9]])
def test_what_is_no_parquet_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable):
        list(messages(content, PLACE, 0, 9))
    with pytest.raises(Unreadable):
        first_since(content, 0)


@pytest.fixture(params=["disk", "memory"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    """An archive on a disk, and one in a storage that has no names to change, as object storages."""
    return archive_in(tmp_path, f"memory://{tmp_path}" if request.param == "memory" else "")


def test_an_archive_that_is_not_there_yet_is_empty(archive: Archive) -> None:
    assert archive.listing().whole == []
    assert archive.coverage(PLACE).end is None


def test_each_offset_is_read_once_whatever_files_hold_it(archive: Archive) -> None:
    written(archive, 0, 6)
    written(archive, 4, 9)
    written(archive, 12, 13)
    assert offsets_in(archive) == [*range(9), 12]
    assert offsets_in(archive, 5, 8) == [5, 6, 7]


def test_a_file_that_was_cut_off_is_not_read_and_is_cleared_away(archive: Archive) -> None:
    whole, cut = written(archive, 0, 4), written(archive, 4, 8)
    archive.storage.write(cut.path, archive.storage.read(cut.path)[:-5])
    assert offsets_in(archive) == [0, 1, 2, 3]
    assert archive.clear(archive.listing()) == 1
    assert [path for path, _ in archive.storage.listing()] == [whole.path]


def test_a_file_whose_content_was_changed_is_not_read(archive: Archive) -> None:
    changed = written(archive, 0, 4)
    content = bytearray(archive.storage.read(changed.path))
    content[40] ^= 1
    archive.storage.write(changed.path, bytes(content))
    with pytest.raises(Unreadable, match="is not what was written"):
        offsets_in(archive)


def test_rows_are_removed_and_all_others_stay(archive: Archive) -> None:
    first, second, third = written(archive, 0, 5), written(archive, 5, 10), written(archive, 10, 15)
    done = remove_offsets(archive, {PLACE: [3, 5, 7, 99]})
    assert (done.rows, done.files) == (3, 2)
    assert offsets_in(archive) == [0, 1, 2, 4, 6, 8, 9, *range(10, 15)]
    found = archive.listing()
    assert not found.cut
    assert {file.revision for file in found.whole} == {0, 1}
    assert third in found.whole
    assert first not in found.whole
    assert second not in found.whole
    assert archive.coverage(PLACE).gaps() == [], "the offsets are accounted for without their rows"
    done = remove(archive, lambda row: row.key() == b"acme-es|order|12")
    assert (done.rows, done.files) == (1, 1)
    assert 12 not in offsets_in(archive)
    assert remove(archive, lambda row: row.offset() in {3, 12}).rows == 0, "done again it changes nothing"


def test_removed_rows_leave_nothing_of_them_behind(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    # So short that zstd leaves it in clear.
    content = content_of([message(0, body=b"ann@acme.example"), message(1, body=b"bob@acme.example")])
    found = named(OffsetRange(PLACE, 0, 2), DAY, content)
    archive.storage.write(found.path, content)
    assert b"ann@acme.example" in bytes_below(tmp_path)
    remove(archive, lambda row: row.offset() == 0)
    assert b"ann@acme.example" not in bytes_below(tmp_path)
    assert b"bob@acme.example" in bytes_below(tmp_path)
    assert len(list(archive.storage.listing())) == 1


def bytes_below(directory: Path) -> bytes:
    """All files of a directory, one behind the other."""
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_a_removal_that_was_interrupted_before_the_old_file_was_deleted_is_finished(archive: Archive) -> None:
    old = written(archive, 0, 5)
    remove_offsets(archive, {PLACE: [2]})
    archive.storage.write(old.path, content_of(message(offset) for offset in range(5)))
    assert offsets_in(archive) == [0, 1, 3, 4], "of two the newer counts"
    assert remove_offsets(archive, {PLACE: [2]}).rows == 0
    assert len(list(archive.storage.listing())) == 1


class Killed(BaseException):
    """Ends the work at once."""


def killed_at_line(number: int, work: Callable[[], object]) -> bool:
    """Work until so many lines of the archive's code have run; whether it was done before."""
    left = number

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal left
        if "/pipeline/archive/" not in frame.f_code.co_filename:
            return None
        left -= event == "line"
        if left == 0:
            left = -1
            raise Killed
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Killed:
        return False
    finally:
        sys.settrace(before)
    return True


#: What is killed in this process leaves a file to the garbage collection.
not_closed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@not_closed
@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_a_removal_that_is_killed_at_any_line_loses_nothing_else_and_is_finished_later(
    archive: Archive, step: int
) -> None:
    line = 1
    done = False
    while not done:
        for path, _ in archive.storage.listing():
            archive.storage.delete(path)
        written(archive, 0, 4)
        written(archive, 4, 8)
        line += step
        done = killed_at_line(line, lambda: remove_offsets(archive, {PLACE: [2, 5]}))
        assert {0, 1, 3, 4, 6, 7} <= set(offsets_in(archive)), line
        remove_offsets(archive, {PLACE: [2, 5]})
        assert offsets_in(archive) == [0, 1, 3, 4, 6, 7], line
        assert len(list(archive.storage.listing())) == 2, line
    assert line > 100


@not_closed
def test_a_file_whose_writing_is_killed_at_any_line_is_whole_or_not_there(archive: Archive) -> None:
    content = content_of([message(0)])
    found = named(OffsetRange(PLACE, 0, 1), DAY, content)
    line, done = 0, False
    while not done:
        for path, _ in archive.storage.listing():
            archive.storage.delete(path)
        line += 1
        done = killed_at_line(line, lambda: archive.storage.write(found.path, content))
        assert offsets_in(archive) in ([], [0])
        archive.clear(archive.listing())
        assert [path for path, _ in archive.storage.listing()] in ([], [found.path])
    assert line > 3
    assert offsets_in(archive) == [0]


def test_files_are_the_users_own(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    path = tmp_path / "archive" / written(archive, 0, 2).path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o700


def test_what_was_never_finished_is_not_read_and_is_cleared_away(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    path = tmp_path / "archive" / written(archive, 0, 2).path
    path.rename(path.with_name(f".{path.name}.part"))
    assert offsets_in(archive) == []
    assert archive.clear(archive.listing()) == 1
    assert list(archive.storage.listing()) == []


def test_a_storage_that_refuses_is_named_in_words(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the directory should be")
    archive = archive_in(tmp_path)
    with pytest.raises(StorageError, match=r"the archive file:.* cannot be written"):
        written(archive, 0, 2)


def test_a_kind_of_storage_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere://x cannot be used"):
        archive_in(tmp_path, "nowhere://x")


@pytest.mark.parametrize("url", ["archive", "s3://key:secret@bucket", "file:///a/../b", "s3://a b"])
def test_addresses_without_a_kind_or_with_keys_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"archive\.url"):
        archive_in(tmp_path, url)
