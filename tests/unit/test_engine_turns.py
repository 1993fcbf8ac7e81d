"""A partition with a backlog rests as long as it was worked on."""

from __future__ import annotations

import pytest
from faust.types import TP

from pipeline.engine.faust.turns import LONGEST_REST, Turns

BIG, OTHER = TP("connectif.purchases", 3), TP("connectif.purchases", 4)


class _Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(("share", "rest"), [(0.5, 0.4), (0.25, 1.2), (0.1, LONGEST_REST)])
def test_a_backlog_rests_once_its_fetch_is_dealt_with_and_others_are_read_meanwhile(
    share: float, rest: float
) -> None:
    clock = _Clock()
    turns = Turns(share, clock)
    turns.read(BIG, 500)
    clock.seconds += 0.4
    turns.released(BIG, 300)
    turns.released(OTHER, 900)
    assert turns.not_now() == {BIG}
    turns.released(BIG, 500)
    clock.seconds += rest - 0.001
    assert turns.not_now() == {BIG}
    clock.seconds += 0.002
    assert turns.not_now() == set()


def test_a_new_assignment_begins_with_every_partition() -> None:
    turns = Turns(0.5, _Clock())
    turns.read(BIG, 500)
    turns.clear()
    assert turns.not_now() == set()
    turns.released(BIG, 500)
    assert turns.not_now() == set()


def test_a_stage_whose_backlogs_may_take_all_of_its_time_has_none_that_rests() -> None:
    turns = Turns(1.0, _Clock())
    turns.read(BIG, 500)
    assert turns.not_now() == set()
