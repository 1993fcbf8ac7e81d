"""What else lies in the spool's directory is neither followed, nor waited for, nor taken for a topic."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.gateway.message import Stored
from pipeline.gateway.spool import Spool
from pipeline.gateway.spool_log import SpoolLog
from tests.unit.spooling import TOPIC, append, everything, message


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
