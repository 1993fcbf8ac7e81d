"""Rows of this stage's tables; foreign rows count as absent."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import orjson

from pipeline.deliver.state.entry import NOTHING, Entry
from pipeline.deliver.state.last_caller import LastCaller
from pipeline.deliver.state.last_sent import LastSent, last_sent_from_json
from pipeline.deliver.state.tally import RecordTally
from pipeline.engine.foreign import JUNK, foreign_row
from pipeline.records import RecordKind

#: Decoded entries in the cache, and the largest of them: an entry is read again when its call is made, when
#: its receipt is read back and when it is deleted, mostly within a second or two.
ENTRIES, ENTRY_BYTES = 1_024, 4_096


def entry_of(kind: RecordKind, raw: bytes | None, partition: int) -> Entry:
    """A row of `pending`."""
    try:
        if raw is None:
            return NOTHING
        return _decoded(kind, raw) if len(raw) <= ENTRY_BYTES else Entry.decode(kind, raw)
    except JUNK:
        foreign_row("pending", partition)
        return NOTHING


@functools.lru_cache(ENTRIES)
def _decoded(kind: RecordKind, raw: bytes) -> Entry:
    """An entry, cached: entries are immutable."""
    return Entry.decode(kind, raw)


def last_sent_of(kind: RecordKind, raw: bytes | None, partition: int) -> LastSent | None:
    """A row of `delivered`; if it cannot be read, the record is sent again."""
    try:
        return None if raw is None else last_sent_from_json(kind, orjson.loads(raw))
    except JUNK:
        foreign_row("delivered", partition)
        return None


def read_tallies(
    rows: Iterable[tuple[bytes, bytes]],
    partition: int,
    tallies: dict[bytes, RecordTally],
    last_callers: dict[bytes, LastCaller],
) -> None:
    """The rows of `tally`: `account|store` has counts, `account|` the last caller."""
    for raw_key, raw in rows:
        try:
            account, bar, store = raw_key.decode().partition("|")
            if not (account and bar) or "|" in store:
                raise ValueError("no key of this table")
            if store:
                tallies[raw_key] = RecordTally.decode(raw)
            else:
                last_callers[raw_key] = LastCaller.decode(raw)
        except JUNK:
            foreign_row("tally", partition)
