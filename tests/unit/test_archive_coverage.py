"""Names of the archive's files, and which offsets they hold: on lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.coverage import Coverage, Piece
from pipeline.archive.files import Listing
from pipeline.archive.layout import ArchiveFile, day_of, named, parsed
from pipeline.archive.writer import due_until
from pipeline.kafka.ranges import OffsetRange
from tests.archived import DAY, PLACE, TEN_O_CLOCK, file

RANGES = st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(0, 2)).map(
    lambda drawn: file(drawn[0], drawn[0] + drawn[1], drawn[2], f"{hash(drawn) % 10**16:016}")
)


def test_a_name_says_all_of_a_file() -> None:
    made = named(OffsetRange(PLACE, 5, 9), DAY, b"content", 3)
    assert parsed(made.path) == made
    assert made.path.startswith("shop.orders/partition=0/day=2026-11-30/00000000000000000005-000000000000000")
    assert made.holds(b"content")
    assert not made.holds(b"kontent")
    assert not made.holds(b"content of another size")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "readme.txt",
        file(5, 5).path,
        file(5, 9).path + ".part",
        "x/" + file(5, 9).path,
        file(5, 9).path.replace("partition=0", "partition=-1"),
    ],
)
def test_other_names_are_none_of_the_archive(path: str) -> None:
    assert parsed(path) is None


def test_a_file_that_is_not_as_large_as_its_name_says_does_not_count() -> None:
    whole, cut = file(0, 4), file(4, 8)
    unfinished = whole.path.replace("0000-0", "0000-1").replace("/0000", "/.0000") + ".part"
    found = Listing.of([(whole.path, 4), (cut.path, 3), (unfinished, 4), ("readme.txt", 1)])
    assert (found.whole, found.cut, found.foreign) == ([whole], [cut.path, unfinished], ["readme.txt"])


def test_of_two_revisions_the_newer_is_read_and_the_older_is_named() -> None:
    coverage = Coverage.of([file(0, 4), file(0, 4, 1), file(4, 6)])
    assert coverage.files == (file(0, 4, 1), file(4, 6))
    assert coverage.superseded == (file(0, 4),)
    assert not coverage.overlapping


def test_offsets_that_two_files_hold_are_read_once() -> None:
    coverage = Coverage.of([file(0, 10), file(0, 4), file(8, 12)])
    assert coverage.pieces(0, 12) == [Piece(file(0, 10), 0, 10), Piece(file(8, 12), 10, 12)]
    assert set(coverage.overlapping) == {file(0, 4), file(8, 12)}


def test_what_no_file_holds_is_a_piece_without_a_file() -> None:
    coverage = Coverage.of([file(2, 4), file(6, 8)])
    assert coverage.pieces(0, 10) == [
        Piece(None, 0, 2),
        Piece(file(2, 4), 2, 4),
        Piece(None, 4, 6),
        Piece(file(6, 8), 6, 8),
        Piece(None, 8, 10),
    ]
    assert coverage.gaps() == [Piece(None, 4, 6)]
    assert (coverage.start, coverage.end) == (2, 8)
    assert Coverage().gaps() == []
    assert Coverage().pieces(3, 5) == [Piece(None, 3, 5)]


@given(st.lists(RANGES, max_size=12), st.integers(0, 30), st.integers(0, 40))
def test_pieces_are_the_range_in_its_order_and_hold_what_any_file_holds(
    files: list[ArchiveFile], start: int, length: int
) -> None:
    pieces = Coverage.of(files).pieces(start, start + length)
    assert [at for piece in pieces for at in range(piece.start, piece.end)] == list(
        range(start, start + length)
    )
    for piece in pieces:
        for at in range(piece.start, piece.end):
            held = any(one.start <= at < one.end for one in files)
            assert held is (piece.file is not None)
            assert piece.file is None or piece.file.start <= at < piece.file.end


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("oldest", "now", "until"),
    [
        (TEN_O_CLOCK, TEN_O_CLOCK + HOUR, None),
        (TEN_O_CLOCK, TEN_O_CLOCK + 14 * HOUR - 1, None),
        # The day is over: up to midnight, and what came since waits.
        (TEN_O_CLOCK, TEN_O_CLOCK + 15 * HOUR, TEN_O_CLOCK + 14 * HOUR),
        # It waited long enough.
        (TEN_O_CLOCK, TEN_O_CLOCK + 24 * HOUR, TEN_O_CLOCK + 24 * HOUR),
    ],
)
def test_days_that_are_over_are_due_and_what_waits_too_long(oldest: int, now: int, until: int | None) -> None:
    assert due_until(oldest, now, 86_400) == until


def test_a_short_wait_makes_what_came_within_a_day_due() -> None:
    assert due_until(TEN_O_CLOCK, TEN_O_CLOCK + HOUR, 3_600) == TEN_O_CLOCK + HOUR
    assert day_of(TEN_O_CLOCK) == DAY
