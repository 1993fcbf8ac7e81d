"""Which offsets are read, and when a reading is at its end: rules on lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import (
    FIRST,
    MOST,
    MOST_BYTES,
    LostRange,
    OffsetRange,
    PartitionExtent,
    RangeProgress,
    clamped,
)

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


@dataclass(frozen=True)
class At:
    """All of a message that counts here."""

    number: int

    def offset(self) -> int:
        return self.number


def at(*offsets: int) -> list[At]:
    return [At(offset) for offset in offsets]


def offsets(messages: Sequence[At]) -> list[int]:
    return [message.offset() for message in messages]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (None, None, [OffsetRange(A, 3, 9)]),
        (5, 7, [OffsetRange(A, 5, 7)]),
        (0, 99, [OffsetRange(A, 3, 9)]),
        (9, None, []),
        (99, None, []),
        (None, 3, []),
        (7, 5, []),
    ],
)
def test_a_range_lies_within_what_the_partition_holds(
    start: int | None, end: int | None, found: list[OffsetRange]
) -> None:
    assert clamped({A: PartitionExtent(3, 9)}, {A: start}, {A: end}) == found


def test_an_empty_partition_has_no_range() -> None:
    assert clamped({A: PartitionExtent(7, 7), B: PartitionExtent(0, 1)}) == [OffsetRange(B, 0, 1)]


def test_a_reading_ends_with_its_last_offset() -> None:
    state = RangeProgress([OffsetRange(A, 0, 3), OffsetRange(B, 5, 6)])
    assert (state.total, state.done, state.open) == (4, 0, (A, B))
    assert offsets(state.take(A, at(0, 1, 2))) == [0, 1, 2]
    assert (state.done, state.open) == (3, (B,))
    state.take(B, at(5))
    assert (state.done, state.open) == (4, ())


def test_messages_outside_of_the_range_are_left_out() -> None:
    state = RangeProgress([OffsetRange(A, 2, 4)])
    assert offsets(state.take(A, at(1, 2, 3, 4, 5))) == [2, 3]
    assert (state.done, state.open) == (2, ())
    assert offsets(state.take(A, at(6))) == []
    assert offsets(state.take(B, at(6))) == []


def test_a_message_beyond_a_gap_at_the_end_ends_the_range() -> None:
    state = RangeProgress([OffsetRange(A, 0, 5)])
    state.take(A, at(0, 1))
    assert offsets(state.take(A, at(7))) == []
    assert (state.done, state.open) == (5, ())


def test_the_partitions_end_ends_the_range_where_what_is_missing_is_no_message() -> None:
    state = RangeProgress([OffsetRange(A, 0, 5)])
    state.take(A, at(0, 1))
    assert not state.at_end(A, 4)
    assert state.next(A) == 4
    assert state.at_end(A, 5)
    assert state.at_end(A, 6)  # heard again
    assert (state.done, state.open) == (5, ())


def test_a_message_that_was_read_is_not_read_again() -> None:
    state = RangeProgress([OffsetRange(A, 0, 5)])
    state.take(A, at(0, 1, 2))
    assert offsets(state.take(A, at(1, 2, 3))) == [3]


def test_what_was_deleted_before_it_was_read_is_reported_and_skipped() -> None:
    state = RangeProgress([OffsetRange(A, 0, 5), OffsetRange(B, 0, 5)])
    assert state.skip(A, PartitionExtent(0, 9)) is None
    assert state.skip(A, PartitionExtent(3, 9)) == LostRange(A, 0, 3)
    assert state.next(A) == 3
    assert state.skip(B, PartitionExtent(8, 9)) == LostRange(B, 0, 5)
    assert state.open == (A,)


def test_no_more_is_asked_for_than_there_can_be_nor_than_fits() -> None:
    state = RangeProgress([OffsetRange(A, 0, 1_000_000)])
    assert state.next_count(None) == FIRST
    assert state.next_count(0.0) == MOST
    assert state.next_count(MOST_BYTES / 7) == 7
    assert state.next_count(10.0 * MOST_BYTES) == 1
    assert RangeProgress([OffsetRange(A, 0, 3)]).next_count(100.0) == 3


@given(
    st.sets(st.integers(0, 40)),
    st.integers(0, 40),
    st.integers(0, 45),
    st.lists(st.integers(1, 9), max_size=60),
)
def test_however_a_partition_is_cut_into_batches_each_message_of_the_range_is_read_once(
    there: set[int], start: int, end: int, sizes: list[int]
) -> None:
    """`there` are messages; all other offsets up to 45 are gaps."""
    state = RangeProgress([OffsetRange(A, start, end)])
    left, found = sorted(offset for offset in there if offset >= start), list[int]()
    for size in [*sizes, 99]:
        batch, left = left[:size], left[size:]
        if batch and state.open:
            found += offsets(state.take(A, at(*batch)))
    if state.open:
        assert state.at_end(A, 45)
    assert found == sorted(offset for offset in there if start <= offset < end)
    assert state.done == state.total == max(0, end - start)
