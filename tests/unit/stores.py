"""A partition's stores and messages of their changelogs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.engine.restore import RestoreJob
from pipeline.engine.store import (
    Memory,
    PartitionStore,
)

MEMORY = Memory()


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[PartitionStore]:
    """An empty store, closed at the end."""
    made = PartitionStore(directory / "s.db", MEMORY)
    yield made
    made.close()


class ChangelogMessage:
    """A message of a changelog."""

    def __init__(
        self, offset: int, key: bytes = b"", value: bytes | None = None, *, written_ms: int = 10**12
    ) -> None:
        self._offset, self._key, self._value, self._written_ms = offset, key, value, written_ms

    def timestamp(self) -> tuple[int, int]:
        return 1, self._written_ms

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes | None:
        return self._value


def job(store: PartitionStore) -> RestoreJob:
    return RestoreJob("changelog", 0, store)


def filled(path: Path) -> Path:
    """A store of two megabytes, closed."""
    made = PartitionStore(path, MEMORY)
    made.apply({b"k%05d" % number: os.urandom(400) for number in range(5_000)}, offset=7, at=99, logged=False)
    made.flush()
    made.close()
    return path


def flip(path: Path, pattern: str, place: float) -> None:
    for found in path.glob(pattern):
        data = bytearray(found.read_bytes())
        data[int(place * (len(data) - 1))] ^= 0xFF
        found.write_bytes(data)
