"""The spool: what was committed is there after a crash, in order, on a real disk."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import signal
import tempfile
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.gateway import spool as module
from pipeline.gateway import spool_log
from pipeline.gateway.frames import encode
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.spool import Spool, TopicSpool
from pipeline.gateway.spool_log import LogPosition, Row, SpoolLog
from tests.processes import until

TOPIC = "shop.orders"


def message(number: int, size: int = 10, store: str = "acme") -> Message:
    headers = [("pipeline-store", b"acme"), ("odd", bytes(range(256)))]
    return Message(TOPIC, b"%s|order|%d" % (store.encode(), number), b"%d " % number + b"x" * size, headers)


def crashed_copy(path: Path, target: Path) -> Path:
    """The directory as kill -9 leaves it."""
    path.mkdir(exist_ok=True)
    shutil.copytree(path, target)
    return target


def everything(file: SpoolLog) -> list[Message]:
    return [row.message for row in file.rows(file.start)]


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    yield spool
    await spool.close()


@pytest.fixture
def lane(spool: Spool) -> TopicSpool:
    return spool.lanes[TOPIC]


def append(lane: TopicSpool, one: Message, refused: str = "") -> asyncio.Future[Stored]:
    future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
    lane.append(one, future, refused)
    return future


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


async def test_a_second_process_is_refused_and_told_who_has_it(spool: Spool, tmp_path: Path) -> None:
    assert spool.lanes
    with pytest.raises(PipelineError, match=rf"in use by process {os.getpid()}\n.*data_dir of its own"):
        Spool(tmp_path / "spool", 1_000)


async def test_a_directory_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"a file")
    with pytest.raises(PipelineError, match="cannot be used"):
        Spool(tmp_path / "spool", 1_000)


async def test_an_emptied_spool_gives_its_space_back(lane: TopicSpool, tmp_path: Path) -> None:
    await append(lane, message(1, size=50_000))
    [row] = await lane.read(lane.start, 10, 1_000_000)
    lane.delete_through(row)
    await until(lambda: lane.quiet)
    assert list((tmp_path / "spool" / TOPIC).glob("*.spool")) == []


async def test_a_commit_is_answered_and_counted(lane: TopicSpool) -> None:
    assert await append(lane, message(1)) is Stored.SPOOL
    assert (lane.events, lane.bytes) == (1, message(1).size)
    assert [one.message for one in await lane.read(lane.start, 10, 10_000)] == [message(1)]


async def test_many_waiting_events_share_few_commits(lane: TopicSpool) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    lane.on_change = count
    await asyncio.gather(*(append(lane, message(number)) for number in range(200)))
    assert commits <= 2


async def test_a_full_spool_takes_nothing_until_some_is_deleted(spool: Spool, lane: TopicSpool) -> None:
    big = message(1, size=60_000)
    await append(lane, big)
    with pytest.raises(Overloaded):
        await append(lane, big)
    assert spool.complaint() is None
    await append(lane, message(1, size=35_000))
    assert spool.complaint() == "the spool is full"
    [first, _] = await lane.read(lane.start, 10, 200_000)
    lane.delete_through(first)
    assert await append(lane, big) is Stored.SPOOL


async def test_one_store_never_takes_the_room_of_the_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC, "shop.products"], shared=True)
    lane, other = spool.lanes[TOPIC], spool.lanes["shop.products"]
    flood = [append(lane if n % 2 else other, message(n, size=5_000, store="flood")) for n in range(100)]
    kept = [one for one in await asyncio.gather(*flood, return_exceptions=True) if one is Stored.SPOOL]
    assert 8 <= len(kept) <= 13
    for number in range(3):
        assert await append(lane, message(number, size=5_000, store="quiet")) is Stored.SPOOL
    await spool.close()
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC, "shop.products"], shared=True)
    with pytest.raises(Overloaded):
        await append(spool.lanes[TOPIC], message(1, size=5_000, store="flood"))
    assert await append(spool.lanes[TOPIC], message(1, size=5_000, store="quiet")) is Stored.SPOOL
    await spool.close()


async def test_what_the_disk_refuses_is_not_promised_and_does_not_count(
    spool: Spool, lane: TopicSpool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    await append(lane, message(1))
    [first] = await lane.read(lane.start, 10, 10_000)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        for number in (2, 3):
            with pytest.raises(Overloaded):
                await append(lane, message(number))
        assert spool.complaint() == "the spool's disk cannot be written"
        assert caplog.text.count("cannot be written: No space left") == 1
        lane.delete_through(first)
        await until(lambda: lane.events == 0)
        await until(lambda: lane.quiet)
    await until(lambda: spool.complaint() is None)
    assert await append(lane, message(3)) is Stored.SPOOL
    assert [one.message for one in await lane.read(first.place, 10, 10_000)] == [message(3)]


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


def spooled(directory: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """So many events in files of about ten each."""
    monkeypatch.setattr(spool_log, "FILE_BYTES", 6_000)
    file = SpoolLog(directory)
    file.write([message(number, size=100) for number in range(1, count + 1)])
    file.close()
    return sorted(directory.glob("*.spool"))


DAMAGE = [
    "zeros at the beginning",
    "a page in the middle",
    "cut off",
    "emptied",
    "garbage",
    "a directory",
    "gone",
]


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    if how in {"a directory", "gone"}:
        path.unlink()
        if how == "a directory":
            path.mkdir()
        return
    if how == "zeros at the beginning":
        data[:100] = bytes(100)
    elif how == "a page in the middle":
        data[half : half + 400] = b"\xde\xad\xbe\xef" * 100
    elif how == "cut off":
        del data[half + 30 :]
    else:
        data = bytearray() if how == "emptied" else bytearray(b"garbage" * 500)
    path.write_bytes(data)


@pytest.mark.parametrize("which", [0, 2, -1], ids=["the first", "another", "the last"])
@pytest.mark.parametrize("how", DAMAGE)
def test_damage_costs_the_events_it_hit_and_is_named_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str, which: int
) -> None:
    files = spooled(tmp_path, 60, monkeypatch)
    damage(files[which], how)
    file = SpoolLog(tmp_path)
    rows = list(file.rows(file.start))
    found = {int(row.message.body.split()[0]) for row in rows}
    assert len(found) == len(rows) >= 60 - 12
    assert all(row.message == message(int(row.message.body.split()[0]), size=100) for row in rows)
    # Of what lay before or behind all that is left, nothing tells.
    if which == 2 or (which == 0 and how != "gone"):
        assert file.lost == 60 - len(found)
    if how not in {"emptied", "gone"}:
        assert files[which].name in caplog.text
    assert file.write([message(61, size=100)]) == (1, None)
    assert [row.message for row in file.rows(rows[-1].place)][-1] == message(61, size=100)
    file.delete_through([*file.rows(rows[-1].place)][-1].place)
    assert list(tmp_path.glob("*.spool")) == []
    kept = [path.name for path in tmp_path.glob("*.damaged")]
    assert kept == ([] if how in {"emptied", "gone"} else [files[which].with_suffix(".damaged").name])
    file.close()


def test_a_machine_without_room_costs_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = spooled(tmp_path, 60, monkeypatch)
    file = SpoolLog(tmp_path)
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    try:
        with pytest.raises(PipelineError, match="cannot be read: Too many open files"):
            list(file.rows(file.start))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    assert len(everything(file)) == 60
    assert sorted(tmp_path.glob("*.spool")) == files
    file.close()


def test_damage_that_comes_while_it_runs_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = spooled(tmp_path, 60, monkeypatch)
    file = SpoolLog(tmp_path)
    assert len(everything(file)) == 60
    damage(files[2], "a page in the middle")
    left = len(everything(file))
    assert left < 60
    assert len(everything(file)) == left
    assert file.lost == 60 - left
    file.close()


def test_a_position_that_cannot_be_believed_repeats_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled(tmp_path, 60, monkeypatch)
    for broken in (b"", b"[1,", b'"x"', b"[1,2,3,4]", b"\xff" * 120, b"[[],[],[],0]"):
        (tmp_path / "position").write_bytes(broken)
        file = SpoolLog(tmp_path)
        assert len(everything(file)) == 60
        assert file.lost == 0
        file.close()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2_000), st.booleans())
def test_any_bytes_in_a_file_are_passed_over(junk: bytes, behind: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        file = SpoolLog(directory)
        file.write([message(1), message(2)])
        file.close()
        [path] = directory.glob("*.spool")
        data = path.read_bytes()
        path.write_bytes(data + junk if behind else junk + data)
        again = SpoolLog(directory)
        assert everything(again) == [message(1), message(2)]
        again.close()


async def test_a_lane_whose_events_are_lost_is_empty_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [only] = spooled(tmp_path / "spool" / TOPIC, 5, monkeypatch)
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    lane = spool.lanes[TOPIC]
    assert lane.events == 5
    damage(only, "garbage")
    assert await lane.read(lane.start, 10, 10_000) == []
    assert (lane.events, lane.bytes) == (0, 0)
    await spool.close()


async def test_what_kafka_refuses_for_good_is_kept_aside_and_tried_again_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    lane = spool.lanes[TOPIC]
    await append(lane, message(1))
    assert await append(lane, message(2), refused="too large") is Stored.SPOOL
    [row] = await lane.read(lane.start, 10, 10_000)
    lane.delete_through(row, refused="not valid")
    await until(lambda: lane.quiet)
    assert (lane.events, lane.unrefused) == (2, 0)
    assert "key acme|order|2: too large" in caplog.text
    assert "key acme|order|1: not valid" in caplog.text
    await spool.close()
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    lane = spool.lanes[TOPIC]
    assert (lane.events, lane.unrefused) == (2, 2)
    rows = await lane.read(lane.start, 10, 10_000)
    assert [one.message for one in rows] == [message(2), message(1)]
    await spool.close()


async def test_a_topic_of_other_settings_is_drained_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 100_000, ["before.orders"])
    await append(spool.lanes["before.orders"], message(1))
    await spool.close()
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    assert spool.lanes["before.orders"].events == 1
    await spool.close()


async def test_order_outlives_a_restart(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
        await append(spool.lanes[TOPIC], message(number))
        assert spool.events == number
        await spool.close()
    file = SpoolLog(tmp_path / "spool" / TOPIC)
    assert everything(file) == [message(n) for n in (1, 2, 3)]
    assert LogPosition(*file.start) == spool_log.START


async def test_what_else_lies_in_the_directory_is_no_topic_and_harms_none(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    topic = spool / TOPIC
    topic.mkdir(parents=True)
    for name in ("lost+found", ".snapshot", "a copy", "empty", "x" * 250, TOPIC + "/refused/deep"):
        (spool / name).mkdir(parents=True)
    (spool / "a copy" / f"{1:020}.spool").write_bytes(b"")
    (spool / "notes.txt").write_bytes(b"")
    for name in ("99999999999999999999", f"{1 << 62:020}", "7", "\u0661" * 20, f"{1:020} (copy)"):
        (topic / f"{name}.spool").write_bytes(b"junk")
    os.mkfifo(topic / f"{1:020}.spool")
    one = Spool(spool, 100_000, [TOPIC])
    assert list(one.lanes) == [TOPIC]
    lane = one.lanes[TOPIC]
    assert lane.events == 0
    assert await append(lane, message(1)) is Stored.SPOOL
    assert [row.message for row in await lane.read(lane.start, 10, 10_000)] == [message(1)]
    await one.close()
    assert everything(SpoolLog(topic)) == [message(1)]


@pytest.mark.parametrize("name", ["lock", "probe", TOPIC + "/position"])
async def test_a_pipe_in_the_directory_is_not_waited_for(tmp_path: Path, name: str) -> None:
    place = tmp_path / "spool" / name
    place.parent.mkdir(parents=True)
    os.mkfifo(place)
    signal.alarm(30)  # ends the test where it waits, as nothing in its process could
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    lane = spool.lanes[TOPIC]
    assert await append(lane, message(1)) is Stored.SPOOL
    [row] = await lane.read(lane.start, 10, 10_000)
    lane.delete_through(row)
    await spool.close()
    signal.alarm(0)


async def test_the_position_is_not_written_through_a_link(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    (tmp_path / TOPIC).mkdir()
    (tmp_path / TOPIC / "position").symlink_to(theirs)
    file = SpoolLog(tmp_path / TOPIC)
    assert file.write([message(1)]) == (1, None)
    [row] = file.rows(file.start)
    file.delete_through(row.place)
    file.close()
    assert theirs.read_text() == "precious"


@pytest.mark.parametrize("name", ["lock", "probe"])
async def test_a_link_in_the_directory_is_not_followed(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / name).symlink_to(theirs)
    if name == "lock":
        with pytest.raises(PipelineError):
            Spool(tmp_path / "spool", 100_000)
    else:
        await Spool(tmp_path / "spool", 100_000).close()
    assert theirs.read_text() == "precious"


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


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\x02{}", b"\0\0\0\x0a[1,2,[[3]]]", b"\0\0\0\xff"])
def test_a_whole_frame_that_is_not_ours_is_passed_over(tmp_path: Path, payload: bytes) -> None:
    file = SpoolLog(tmp_path)
    assert file.write([message(1)]) == (1, None)
    head = encode(2, message(2))[0][:20]
    data = head[8:16] + len(payload).to_bytes(4, "big")
    foreign = head[:4] + zlib.crc32(payload, zlib.crc32(data)).to_bytes(4, "big") + data + payload
    with (tmp_path / f"{1:020}.spool").open("ab") as opened:
        opened.write(foreign + b"".join(encode(3, message(3))))
    again = SpoolLog(tmp_path)
    assert everything(again) == [message(1), message(3)]
    assert again.lost == 1


@pytest.mark.parametrize("length", [2**32 - 1, 3_000_000], ids=["too long", "of half the file"])
def test_data_full_of_beginnings_are_searched_in_a_moment(tmp_path: Path, length: int) -> None:
    beginning = encode(1, message(1))[0][:16] + length.to_bytes(4, "big")
    (tmp_path / f"{1:020}.spool").write_bytes(beginning * 300_000)
    began = time.process_time()
    assert everything(SpoolLog(tmp_path)) == []
    assert time.process_time() - began < 10


def test_a_file_larger_than_any_of_ours_is_set_aside_unread(tmp_path: Path) -> None:
    with (tmp_path / f"{1:020}.spool").open("wb") as opened:
        opened.truncate(50_000_000_000)
    assert everything(SpoolLog(tmp_path)) == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]
