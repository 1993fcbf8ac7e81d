"""Frames of a spool file: found whatever lies between them, in work that grows with the bytes alone."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway import checksums
from pipeline.gateway.checksums import Checksums
from pipeline.gateway.frames import encode, frames
from pipeline.gateway.message import Message

#: As a frame's head: magic, checksum, number, length.
HEAD = struct.Struct(">4sIQI")


def framed(number: int, body: bytes) -> bytes:
    """One event as it lies in a file."""
    return b"".join(encode(number, Message("shop.orders", b"s|1", body, [])))


def lookalikes(count: int, behind: int) -> bytes:
    """Heads of frames, each of which says that it reaches so far behind all of them."""
    ends = range((count - 1) * HEAD.size + behind, -1, -HEAD.size)
    return b"".join(HEAD.pack(b"\xf5\xfeSP", 1, n + 1, ends[n]) for n in range(count))


@given(st.binary(max_size=20_000), st.data())
def test_the_checksum_of_any_piece_is_that_of_its_bytes(data: bytes, draw: st.DataObject) -> None:
    sums = Checksums(data * 2)
    ends = st.lists(st.integers(0, 2 * len(data)), min_size=2, max_size=2).map(sorted)
    for begin, end in draw.draw(st.lists(ends, max_size=8)):
        assert sums.of(begin, end) == zlib.crc32((data * 2)[begin:end])


def test_a_cut_off_event_full_of_heads_hides_no_event_behind_it() -> None:
    cut = framed(1, lookalikes(300, 5_000) + b"x" * 10_000)[:-5_000]
    behind = [framed(number, b"y" * number) for number in (2, 3)]
    found = list(frames(cut + b"".join(behind)))
    assert [frame.number for frame in found] == [2, 3]
    assert found[-1].end == len(cut) + sum(map(len, behind))


def test_searching_a_cut_off_event_sums_up_each_byte_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    summed = 0

    def crc32(data: bytes, before: int = 0) -> int:
        nonlocal summed
        summed += len(data)
        return zlib.crc32(data, before)

    monkeypatch.setattr(checksums, "zlib", SimpleNamespace(crc32=crc32))
    count, behind = 2_000, 400_000
    data = framed(1, lookalikes(count, behind) + b"x" * behind)[:-1]
    assert list(frames(data)) == []
    # Byte by byte, the lookalikes alone would be 800 million.
    assert summed <= 2 * len(data) + count * 2 * 4_096


def test_a_frame_that_says_more_than_there_is_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checksums, "of", lambda *_: pytest.fail("its bytes were summed up"))
    assert list(frames(framed(1, b"x" * 1_000)[:-1])) == []
