"""Rows of this stage's tables; what no worker of ours wrote is taken for none."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import orjson

from pipeline.deliver.state.entry import NOTHING, Entry
from pipeline.deliver.state.last_caller import LastCaller
from pipeline.deliver.state.last_sent import LastSent, last_sent_from_json
from pipeline.deliver.state.tally import Tally
from pipeline.engine.foreign import JUNK, foreign_row
from pipeline.records import RecordKind

#: So many entries are kept as they were read, and none that has more bytes: an entry is read again when its
#: call is made, when its receipt is told and when it is cleared, mostly within a second or two.
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
    """An entry; nobody changes one, so all may have the same."""
    return Entry.decode(kind, raw)


def last_sent_of(kind: RecordKind, raw: bytes | None, partition: int) -> LastSent | None:
    """A row of `delivered`; where it cannot be read, the record is sent again."""
    try:
        return None if raw is None else last_sent_from_json(kind, orjson.loads(raw))
    except JUNK:
        foreign_row("delivered", partition)
        return None


def read_tallies(
    rows: Iterable[tuple[bytes, bytes]],
    partition: int,
    tallies: dict[bytes, Tally],
    last_callers: dict[bytes, LastCaller],
) -> None:
    """The rows of `tally`: `account|store` counts, and `account|` says whose the account is."""
    for raw_key, raw in rows:
        try:
            account, bar, store = raw_key.decode().partition("|")
            if not (account and bar) or "|" in store:
                raise ValueError("no key of this table")
            if store:
                tallies[raw_key] = Tally.decode(raw)
            else:
                last_callers[raw_key] = LastCaller.decode(raw)
        except JUNK:
            foreign_row("tally", partition)
