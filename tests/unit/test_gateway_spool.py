"""The spool of all topics: what it takes, what it refuses, and what is there after a restart."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.gateway import spool as module
from pipeline.gateway import spool_log
from pipeline.gateway.message import Overloaded, Stored
from pipeline.gateway.spool import Spool, TopicSpool
from pipeline.gateway.spool_log import LogPosition, SpoolLog
from tests.processes import until
from tests.unit.spooling import TOPIC, append, everything, message


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool(tmp_path / "spool", 100_000, [TOPIC])
    yield spool
    await spool.close()


@pytest.fixture
def lane(spool: Spool) -> TopicSpool:
    return spool.lanes[TOPIC]


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
