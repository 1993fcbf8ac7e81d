"""Every target of `make fuzz`, for some seconds; and that a fault is found and left to be looked at."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.files import targets as files
from tests.fuzz.mutating import change
from tests.fuzz.run import every_target, fuzz

SECONDS = 5.0


@pytest.mark.slow
@pytest.mark.parametrize("name", every_target())
def test_no_bytes_make_a_reader_fail(name: str) -> None:
    outcome = fuzz(*every_target()[name], SECONDS)
    assert outcome.inputs > 20
    assert outcome.failed is None, outcome.failed[1]


def test_a_reader_that_fails_is_found_with_a_small_input() -> None:
    def reads(data: bytes) -> None:
        assert b"\xff" not in data, "not to be read"

    outcome = fuzz([b"plain text"], reads, 60.0)
    assert outcome.failed is not None
    data, said = outcome.failed
    assert b"\xff" in data
    assert "not to be read" in said


def test_a_damaged_archive_of_purchases_is_refused_in_words() -> None:
    """Found by `make fuzz`: a place before the archive's beginning, and other errors of its reader."""
    seeds, read = files()["exports"]
    packed = seeds[1]
    for at in range(len(packed) - 60, len(packed)):
        for value in (0x00, 0x7D, 0xFF):
            read(packed[:at] + bytes([value]) + packed[at + 1 :])


def test_a_seed_is_changed_and_stays_within_bounds() -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    made = {change(b'order x\n\n{"id": 1, "lines": [{"price": "1"}]}', chance, 8) for _ in range(300)}
    assert len(made) > 200
    assert max(map(len, made)) < 100_000
