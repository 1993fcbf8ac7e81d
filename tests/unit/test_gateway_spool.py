"""The spool: what was committed is there after a crash, in order, on a real disk."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.spool import Spool
from pipeline.gateway.spool_file import Row, SpoolFile
from tests.processes import until


def message(number: int, size: int = 10) -> Message:
    headers = [("pipeline-store", b"acme"), ("odd", bytes(range(256)))]
    return Message("shop.orders", b"acme|order|%d" % number, b"%d " % number + b"x" * size, headers)


def row(ident: int) -> Row:
    return Row(ident, message(ident).size, message(ident))


def crashed_copy(path: Path, target: Path) -> Path:
    """The files as kill -9 leaves them: the log not yet written back."""
    target.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, target / file.name)
    return target / path.name


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool(SpoolFile(tmp_path / "spool.sqlite"), max_bytes=100_000)
    yield spool
    await spool.close()


def append(spool: Spool, one: Message) -> asyncio.Future[Stored]:
    future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
    spool.append(one, future)
    return future


def test_a_message_comes_back_as_it_was(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "new" / "deep" / "spool.sqlite")
    file.write([row(1)])
    assert file.read(0, 10, 10_000) == [row(1)]
    file.close()


Operation = tuple[str, int]
operations = st.lists(
    st.tuples(st.sampled_from(["append", "append", "delete", "crash", "reopen"]), st.integers(1, 4)),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(operations)
def test_any_order_of_appending_deleting_and_crashing_keeps_what_was_committed(todo: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "spool.sqlite"
        file, model, last = SpoolFile(path), list[Row](), 0
        for step, (operation, count) in enumerate(todo):
            if operation == "append":
                rows = [row(ident) for ident in range(last + 1, last + 1 + count)]
                file.write(rows)
                model += rows
                last += count
            elif operation == "delete" and model:
                through = model[min(count, len(model)) - 1].id
                file.write([], through)
                model = [one for one in model if one.id > through]
            else:
                copy = crashed_copy(path, Path(directory) / f"{step}") if operation == "crash" else path
                file.close()
                file, path = SpoolFile(copy), copy
            assert file.read(0, 100, 1_000_000) == model
            assert file.extent() == (len(model), sum(one.size for one in model), model[-1].id if model else 0)
        file.close()


def test_rows_are_read_in_order_up_to_a_number_and_a_size_but_at_least_one(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "spool.sqlite")
    file.write(map(row, range(1, 6)))
    assert [one.id for one in file.read(0, 3, 1_000_000)] == [1, 2, 3]
    assert [one.id for one in file.read(3, 3, 1_000_000)] == [4, 5]
    assert [one.id for one in file.read(1, 3, 1)] == [2]
    file.close()


def test_a_second_process_is_refused_with_a_hint(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "spool.sqlite")
    with pytest.raises(PipelineError, match="data_dir of its own"):
        SpoolFile(tmp_path / "spool.sqlite")
    file.close()
    SpoolFile(tmp_path / "spool.sqlite").close()


def test_a_file_that_is_no_spool_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(PipelineError, match="cannot be used"):
        SpoolFile(tmp_path / "spool.sqlite")


def test_an_emptied_file_gives_its_space_back(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    file = SpoolFile(path)
    file.write([Row(number, 1, message(number, size=1_000_000)) for number in range(1, 25)])
    file.write([], 24)
    file.shrink()
    file.close()
    assert path.stat().st_size < 1_000_000


async def test_a_commit_is_answered_and_counted(spool: Spool) -> None:
    assert await append(spool, message(1)) is Stored.SPOOL
    assert (spool.events, spool.bytes) == (1, message(1).size)
    assert [one.message for one in await spool.read(0, 10, 10_000)] == [message(1)]


async def test_many_waiting_events_share_few_commits(spool: Spool) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    spool.on_change = count
    await asyncio.gather(*(append(spool, message(number)) for number in range(200)))
    assert commits <= 2


async def test_a_full_spool_takes_nothing_until_some_is_deleted(spool: Spool) -> None:
    big = message(1, size=60_000)
    await append(spool, big)
    with pytest.raises(Overloaded):
        await append(spool, big)
    [first] = await spool.read(0, 10, 100_000)
    spool.delete_through(first)
    assert await append(spool, big) is Stored.SPOOL


class FailingFile(SpoolFile):
    """A disk that is full when it is told to be."""

    full = False

    def write(self, rows: Iterable[Row], delete_through: int = 0) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().write(rows, delete_through)


async def test_what_the_disk_refuses_is_not_promised_and_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.gateway.spool.RETRY_SECONDS", 0.01)
    file = FailingFile(tmp_path / "spool.sqlite")
    spool = Spool(file, max_bytes=100_000)
    await append(spool, message(1))
    [first] = await spool.read(0, 10, 10_000)
    file.full = True
    with pytest.raises(Overloaded):
        await append(spool, message(2))
    spool.delete_through(first)
    await until(lambda: spool.events == 0)
    file.full = False
    assert await append(spool, message(3)) is Stored.SPOOL
    await until(lambda: file.extent()[0] == 1)
    assert [one.message for one in await spool.read(0, 10, 10_000)] == [message(3)]
    await spool.close()


async def test_ids_go_on_where_they_were_so_that_order_outlives_a_restart(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        spool = Spool(SpoolFile(tmp_path / "spool.sqlite"), max_bytes=100_000)
        await append(spool, message(number))
        assert spool.events == number
        await spool.close()
    file = SpoolFile(tmp_path / "spool.sqlite")
    assert [one.message for one in file.read(0, 10, 10_000)] == [message(n) for n in (1, 2, 3)]
    file.close()
