"""A header whose name is no UTF-8 stops neither its message nor those behind it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from pipeline.engine.faust import lenient

lenient.install()


def batch(base: int, *names: bytes) -> bytes:
    """A batch of one record for each header's name, as Kafka gives it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    for number, name in enumerate(names):
        builder.append(number, 1_000, b"k", b"v", [("X" * len(name), b"h")])
    data = bytes(builder.build())
    for name in names:
        data = data.replace(b"X" * len(name), name, 1)
    raw = bytearray(data)
    struct.pack_into(">q", raw, 0, base)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def read(data: bytes, offset: int = 0) -> list[tuple[int, str]]:
    """The offsets and header names of a fetch."""
    place = TopicPartition("t", 0)
    found: Any = fetcher.PartitionRecords(
        place, fetcher.MemoryRecords(data), None, offset, None, None, True, 0
    )
    return [(record.offset, record.headers[0][0]) for record in found]


def test_names_that_are_no_utf_8_are_replaced_and_all_records_are_read() -> None:
    data = batch(0, b"one", b"two") + batch(2, b"fine", b"\xff\xfea", b"last") + batch(5, b"\xc3", b"end")
    assert read(data) == [
        (0, "one"),
        (1, "two"),
        (2, "fine"),
        (3, "\ufffd\ufffda"),
        (4, "last"),
        (5, "\ufffd"),
        (6, "end"),
    ]


def test_reading_begins_where_it_was_left() -> None:
    assert read(batch(2, b"\xff", b"\xfe", b"last"), 4) == [(4, "last")]


def test_a_batch_that_is_damaged_indeed_is_still_refused() -> None:
    data = bytearray(batch(0, b"\xff\xff"))
    data[-1] ^= 0xFF
    with pytest.raises(CorruptRecordException):
        read(bytes(data))
