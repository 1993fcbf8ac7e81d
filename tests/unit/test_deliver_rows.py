"""Rows of the deliver stage's tables, read again and again."""

from __future__ import annotations

import pytest

from pipeline.deliver.partition import table_rows as rows
from pipeline.deliver.partition.table_rows import ENTRY_BYTES, entry_of
from pipeline.deliver.state.contact import ContactState
from pipeline.deliver.state.entry import NOTHING, Entry, Stamp, Waiting
from pipeline.events import Lane
from pipeline.records import Origin, RecordKind


def entry(name: str) -> Entry:
    stamp = Stamp("shop", 1, ("shop.customers", 0, 1), 7, Origin.CUSTOMER, Lane.LIVE, 1)
    return Entry(
        Waiting(stamp, ContactState(by_email=True, fields={"name": (1, 1, name)}), Lane.LIVE, 1, False)
    )


def test_an_entry_is_decoded_once_for_its_call_its_receipt_and_its_end() -> None:
    raw = entry("Ann").encode()
    rows._decoded.cache_clear()
    read = [entry_of(RecordKind.CONTACT, bytes(bytearray(raw)), 0) for _ in range(3)]
    assert read == [entry("Ann")] * 3
    assert rows._decoded.cache_info().misses == 1


def test_a_large_entry_is_not_kept_in_memory() -> None:
    large = entry("A" * ENTRY_BYTES)
    rows._decoded.cache_clear()
    assert entry_of(RecordKind.CONTACT, large.encode(), 0) == large
    assert rows._decoded.cache_info().currsize == 0


@pytest.mark.parametrize("raw", [b"", b"junk", b"\0" * 40])
def test_a_row_nobody_of_ours_wrote_is_none_each_time_it_is_read(raw: bytes) -> None:
    assert [entry_of(RecordKind.CONTACT, raw, 0) for _ in range(2)] == [NOTHING, NOTHING]
