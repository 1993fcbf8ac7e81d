"""What was deleted from a table leaves the worker's disk when it is asked to rewrite its files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from pipeline.engine.compaction import Compaction
from pipeline.engine.store import Memory
from pipeline.engine.table import StateTable
from pipeline.http_access import ACTION
from pipeline.observe import Pages, observe_app

PLANTED = b"acme|contact|planted@person.example"


async def held(tmp_path: Path, partition: int) -> StateTable:
    """A table that holds one partition, out of which a planted row was deleted."""
    table = StateTable("delivered", "delivered-changelog", tmp_path, Memory(), ttl=10**6)
    await take(table, partition)
    table.store_confirmed(partition, {b"k%d" % number: b"v" for number in range(1_000)}, 999)
    table.store_confirmed(partition, {PLANTED: b"planted-value"}, 1_000)
    table.compact(partition)  # its key is in the list of files, and its value in one of them
    table.store_confirmed(partition, {PLANTED: None}, 1_001)
    assert planted(tmp_path)
    return table


async def take(table: StateTable, partition: int) -> None:
    await table.hold({partition})
    jobs = table.open_jobs()
    for job in jobs:
        job.plan(0, 0 if job.store.position is None else 1_002, 0)
    await table.restored(jobs)


def planted(directory: Path) -> list[str]:
    """The files with anything of the planted row in them."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return [str(path) for path in files if b"planted" in path.read_bytes()]


async def test_a_deleted_row_leaves_every_file_of_its_store(tmp_path: Path) -> None:
    table = await held(tmp_path, 3)
    status, body = await Compaction([table], "w1", lambda: None).page({"partitions": "3,7"})
    said = orjson.loads(body)
    assert (status, said["partitions"], said["files"]) == (200, [3], 1)
    assert not planted(tmp_path)
    assert table.get(3, b"k7") == b"v"
    assert table.get(3, PLANTED) is None
    table.close()


async def test_stores_of_partitions_that_left_and_damaged_ones_are_deleted(tmp_path: Path) -> None:
    table = await held(tmp_path, 3)
    await take(table, 4)
    (tmp_path / "delivered-9.damaged-1").mkdir()
    (tmp_path / "delivered-9.damaged-1" / "1.sst").write_bytes(PLANTED)
    _, body = await Compaction([table], "w1", lambda: None).page({"partitions": "4"})
    assert orjson.loads(body)["left_behind"] == ["delivered-3.db", "delivered-9.damaged-1"]
    assert not planted(tmp_path)
    await table.hold({3, 4})
    assert len(table.open_jobs()) == 2
    table.close()


async def test_reads_and_writes_go_on_while_files_are_rewritten(tmp_path: Path) -> None:
    table = await held(tmp_path, 3)
    task = asyncio.create_task(Compaction([table], "w1", lambda: None).page({"partitions": "3"}))
    number = 0
    while not task.done():
        number += 1
        table.store_confirmed(3, {b"n%d" % number: b"v"}, 1_001 + number)
        await asyncio.sleep(0)
    assert number
    assert all(table.get(3, b"n%d" % at) == b"v" for at in range(1, number + 1))
    table.close()


async def test_a_worker_that_is_not_ready_says_so(tmp_path: Path) -> None:
    table = await held(tmp_path, 3)
    status, _ = await Compaction([table], "w1", lambda: "stopping").page({"partitions": "3"})
    assert status == 503
    assert planted(tmp_path)
    table.close()


async def test_what_names_no_partitions_is_refused(tmp_path: Path) -> None:
    table = await held(tmp_path, 3)
    for given in ("", "x", "1,,2", "9" * 30):
        status, _ = await Compaction([table], "w1", lambda: None).page({"partitions": given})
        assert status == 400
    table.close()


async def test_only_a_post_with_the_header_does_anything() -> None:
    calls: list[str] = []

    async def act(_: object) -> tuple[int, bytes]:
        calls.append("done")
        return 200, b"{}"

    app = observe_app("deliver", lambda: None, Pages(actions={"/act": act}))

    async def ask(method: str, headers: list[tuple[bytes, bytes]]) -> int:
        sent: list[int] = []

        async def send(message: object) -> None:
            if isinstance(message, dict) and "status" in message:
                sent.append(message["status"])

        async def receive() -> dict[str, object]:
            return {}

        scope = {
            "type": "http",
            "path": "/act",
            "method": method,
            "headers": [(b"host", b"127.0.0.1"), *headers],
            "client": ("127.0.0.1", 1),
        }
        await app(scope, receive, send)
        return sent[0]

    assert await ask("GET", [(ACTION.encode(), b"1")]) == 405
    assert await ask("POST", []) == 403
    assert not calls
    assert await ask("POST", [(ACTION.encode(), b"1")]) == 200
    assert calls
