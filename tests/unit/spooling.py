"""A spool with events in it, and damage to its files."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from pipeline.gateway import spool_log
from pipeline.gateway.message import Message, Stored
from pipeline.gateway.spool import TopicSpool
from pipeline.gateway.spool_log import SpoolLog

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


def append(lane: TopicSpool, one: Message, refused: str = "") -> asyncio.Future[Stored]:
    future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
    lane.append(one, future, refused)
    return future


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
