"""The spool on disk: a SQLite file in WAL mode whose commits are fsynced."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from pipeline.errors import PipelineError
from pipeline.gateway.message import Message

_PRAGMAS = (
    # One process owns the file: a second gateway draining it would turn the order round.
    "locking_mode = EXCLUSIVE",
    "page_size = 16384",
    "journal_mode = WAL",
    # A commit returns once the log is on the disk.
    "synchronous = FULL",
    "wal_autocheckpoint = 2000",
    "journal_size_limit = 67108864",
)
_TABLE = """
    CREATE TABLE IF NOT EXISTS events (
        id INTEGER PRIMARY KEY, size INTEGER NOT NULL,
        topic TEXT NOT NULL, key BLOB NOT NULL, headers BLOB NOT NULL, body BLOB NOT NULL
    )
"""
#: An empty file larger than this many pages is shrunk.
_WORTH_SHRINKING = 1_000


class Row(NamedTuple):
    """A spooled message; ids grow in the order of arrival."""

    id: int
    size: int
    message: Message


class SpoolFile:
    """The file and its one table. Not for concurrent use.

    Raises:
        PipelineError: the file cannot be opened, is another process's, or is no spool.
    """

    def __init__(self, path: Path) -> None:
        try:
            _make_directory(path.parent)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute(_TABLE)
            self._db.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            if hasattr(self, "_db"):
                self._db.close()
            raise PipelineError(
                f"the spool {path} cannot be used: {error}",
                hint="each gateway needs a writable data_dir of its own",
            ) from error

    def extent(self) -> tuple[int, int, int]:
        """The number of events, the sum of their sizes in bytes, and the highest id (0: none)."""
        count, size, last = self._db.execute(
            "SELECT count(*), coalesce(sum(size), 0), coalesce(max(id), 0) FROM events"
        ).fetchone()
        return count, size, last

    def write(self, rows: Iterable[Row], delete_through: int = 0) -> None:
        """Delete up to an id and append rows, in one transaction that is on the disk on return.

        Raises:
            sqlite3.Error: nothing was changed (disk full, file damaged).
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if delete_through:
                self._db.execute("DELETE FROM events WHERE id <= ?", (delete_through,))
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", map(_to_columns, rows))
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def read(self, after: int, max_rows: int, max_bytes: int) -> list[Row]:
        """The first rows with a higher id, in order; at least one where there is one, whatever its size."""
        rows: list[Row] = []
        size = 0
        query = self._db.execute(
            "SELECT id, size, topic, key, headers, body FROM events WHERE id > ? ORDER BY id LIMIT ?",
            (after, max_rows),
        )
        for columns in query:
            rows.append(_from_columns(columns))
            size += rows[-1].size
            if size >= max_bytes:
                break
        query.close()
        return rows

    def shrink(self) -> None:
        """Give the disk space of an empty spool back, where that is worth it."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        if pages > _WORTH_SHRINKING and self.extent()[0] == 0:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file; another process may have it then."""
        self._db.close()


def _make_directory(path: Path) -> None:
    """A new directory's entry must be on the disk too, or a power cut takes the file with it."""
    if path.is_dir():
        return
    path.mkdir(parents=True)
    os.sync()


def _to_columns(row: Row) -> tuple[int, int, str, bytes, bytes, bytes]:
    topic, key, body, headers = row.message
    packed = orjson.dumps([[name, value.decode("latin-1")] for name, value in headers])
    return row.id, row.size, topic, key, packed, body


def _from_columns(columns: tuple[int, int, str, bytes, bytes, bytes]) -> Row:
    ident, size, topic, key, packed, body = columns
    headers = [(name, value.encode("latin-1")) for name, value in orjson.loads(packed)]
    return Row(ident, size, Message(topic, key, body, headers))
