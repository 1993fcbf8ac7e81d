"""Damage to the spool's files costs the events it hit, and no other."""

from __future__ import annotations

import resource
import tempfile
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PipelineError
from pipeline.gateway.frames import encode
from pipeline.gateway.spool import Spool
from pipeline.gateway.spool_log import SpoolLog
from tests.unit.spooling import DAMAGE, TOPIC, damage, everything, message, spooled


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
