"""What three sides say of each order, on disk: a million orders must not need memory.

SQLite's own temporary database: a file that only this user can read, deleted as soon as it is open, so that
nothing of it outlives the process. It holds ids, amounts, statuses and places, and nothing of persons.
An account is the number of its place among those that the store feeds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

#: Kilobytes of the database that stay in memory.
CACHE_KB = 64_000
#: Rows read at a time.
AT_ONCE = 2_000

_TABLES = """
CREATE TABLE orders (pid TEXT PRIMARY KEY, entity TEXT NOT NULL, number TEXT NOT NULL, at_ms INTEGER,
    total TEXT, refunded TEXT, status TEXT NOT NULL, inside INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE events (entity TEXT PRIMARY KEY, count INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE letters (entity TEXT PRIMARY KEY, part INTEGER NOT NULL, off INTEGER NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE listed (entity TEXT PRIMARY KEY, meaning TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, takes_back INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE links (pid TEXT PRIMARY KEY, entity TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records (pid TEXT NOT NULL, account INTEGER NOT NULL, off INTEGER NOT NULL,
    takes_back INTEGER NOT NULL, total TEXT, placed TEXT, store TEXT NOT NULL,
    PRIMARY KEY (pid, account)) WITHOUT ROWID;
CREATE TABLE receipts (pid TEXT NOT NULL, account INTEGER NOT NULL, held TEXT NOT NULL,
    record_off INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    store TEXT NOT NULL, received_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
    PRIMARY KEY (pid, account)) WITHOUT ROWID;
CREATE TABLE meanings (entity TEXT PRIMARY KEY, meaning TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, placed TEXT, total TEXT) WITHOUT ROWID;
CREATE TABLE meant (entity TEXT NOT NULL, account INTEGER NOT NULL,
    PRIMARY KEY (entity, account)) WITHOUT ROWID;
CREATE TABLE exported (pid TEXT NOT NULL, account INTEGER NOT NULL, at_ms INTEGER, total TEXT,
    PRIMARY KEY (pid, account)) WITHOUT ROWID;
CREATE TABLE verified (pid TEXT NOT NULL, account INTEGER NOT NULL, found INTEGER, total TEXT,
    PRIMARY KEY (pid, account)) WITHOUT ROWID;
CREATE TABLE accounts (account INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE belongs (pid TEXT NOT NULL, account INTEGER NOT NULL, PRIMARY KEY (pid, account)) WITHOUT ROWID;
CREATE TABLE repairs (entity TEXT PRIMARY KEY, mode TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE wanted (part INTEGER NOT NULL, off INTEGER NOT NULL, PRIMARY KEY (part, off)) WITHOUT ROWID;
CREATE TABLE findings (pid TEXT NOT NULL, account INTEGER NOT NULL, number TEXT NOT NULL, day TEXT NOT NULL,
    category TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    shop_total TEXT, connectif_total TEXT, status TEXT NOT NULL, ask INTEGER NOT NULL, entity TEXT NOT NULL,
    PRIMARY KEY (pid, account)) WITHOUT ROWID;
"""
_STATEMENTS = {
    # An order may stand in several rows: what the first leaves empty, a later one fills.
    "orders": """INSERT INTO orders VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET
        entity = CASE entity WHEN '' THEN excluded.entity ELSE entity END,
        number = CASE number WHEN '' THEN excluded.number ELSE number END,
        at_ms = COALESCE(at_ms, excluded.at_ms), total = COALESCE(total, excluded.total),
        refunded = COALESCE(refunded, excluded.refunded),
        status = CASE status WHEN '' THEN excluded.status ELSE status END,
        inside = MIN(inside, excluded.inside)""",
    # A list that says how an order is now, says it anew where the order changes meanwhile.
    "newest_orders": "INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?,?)",
    "listed": "INSERT OR REPLACE INTO listed VALUES (?,?,?,?,?)",
    "events": """INSERT INTO events VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET
        count = count + excluded.count, last_ms = excluded.last_ms,
        part = excluded.part, off = excluded.off""",
    "letters": "INSERT OR REPLACE INTO letters VALUES (?,?,?,?,?)",
    "links": "INSERT OR REPLACE INTO links VALUES (?,?)",
    "records": "INSERT OR REPLACE INTO records VALUES (?,?,?,?,?,?,?)",
    # `held` is what the receipts so far add up to: one that changed nothing says nothing of it.
    "receipts": """INSERT INTO receipts VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET
        held = CASE excluded.held WHEN '' THEN held ELSE excluded.held END,
        record_off = MAX(record_off, excluded.record_off), outcome = excluded.outcome,
        reason = excluded.reason, detail = excluded.detail, store = excluded.store,
        received_ms = excluded.received_ms, ended_ms = MAX(ended_ms, excluded.ended_ms)""",
    "meant": "INSERT OR IGNORE INTO meant VALUES (?,?)",
    "accounts": "INSERT OR REPLACE INTO accounts VALUES (?,?)",
    "meanings": "INSERT OR REPLACE INTO meanings VALUES (?,?,?,?,?,?)",
    "exported": "INSERT OR REPLACE INTO exported VALUES (?,?,?,?)",
    "verified": "INSERT OR REPLACE INTO verified VALUES (?,?,?,?)",
    # An order may be missing in several accounts: by force is more than what is missing.
    "repairs": """INSERT INTO repairs VALUES (?,?) ON CONFLICT DO UPDATE SET
        mode = CASE excluded.mode WHEN 'force' THEN excluded.mode ELSE mode END""",
    "wanted": "INSERT OR IGNORE INTO wanted VALUES (?,?)",
    "findings": "INSERT OR REPLACE INTO findings VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
}


class Database:
    """See the module; a context manager."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KB}"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def put(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows; what that means for one that is there is its table's rule, see the statements."""
        self._connection.execute("BEGIN")
        self._connection.executemany(_STATEMENTS[table], rows)
        self._connection.execute("COMMIT")

    def run(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Carry out a statement without a result."""
        self._connection.execute(statement, values)

    def rows(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a question, some at a time."""
        cursor = self._connection.execute(statement, values)
        cursor.arraysize = AT_ONCE
        while found := cursor.fetchmany():
            yield from found

    def one(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The only value of a question."""
        return self._connection.execute(statement, values).fetchone()[0]


def batched(rows: Iterable[Sequence[Any]], size: int = 5_000) -> Iterator[list[Sequence[Any]]]:
    """Rows in lists of so many."""
    batch: list[Sequence[Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
