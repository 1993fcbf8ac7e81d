"""What the gate tells of a server's word, and of files that their size keeps from getting there."""

from __future__ import annotations

import pytest

from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.deliver.filesize import SMALLEST, FileSize
from pipeline.deliver.gate import Slowed
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import Seen

LATE = Answer(AnswerKind.TIMEOUT, cause=Cause.TIMEOUT, carried_out=None)
PAGE = Answer(AnswerKind.UNAVAILABLE, 413, cause=Cause.FOREIGN, carried_out=None)
TAKEN = Answer(AnswerKind.CREATED, 201)


def _told(*seen: Seen) -> list[tuple[int | None, float | None]]:
    told: list[tuple[int | None, float | None]] = []
    slowed, budget = Slowed(lambda limit, away: told.append((limit, away))), Limiter(100, 60.0)
    for one in seen:
        slowed.heed(budget, one)
    return told


def test_a_lower_limit_than_ours_is_told_once() -> None:
    assert _told(Seen(limit=100), Seen(limit=60), Seen(limit=60), Seen(limit=100), Seen(limit=60)) == [
        (60, None)
    ]
    assert _told(Seen(limit=60), Seen(limit=1)) == [(60, None), (1, None)]


def test_a_time_away_that_is_longer_than_is_obeyed_is_told_once_until_it_is_over() -> None:
    absurd = Seen(limited=True, retry_after=60_000)
    assert _told(absurd, absurd, Seen(limited=True), absurd) == [(None, 60_000)]
    assert len(_told(absurd, Seen(), absurd)) == 2
    assert _told(Seen(limited=True, retry_after=600), Seen(retry_after=1e15)) == []


@pytest.mark.parametrize("answer", [LATE, PAGE])
def test_a_file_that_fails_for_its_size_is_followed_by_half_of_it(answer: Answer) -> None:
    size = FileSize(45_000_000)
    assert size.learn(answer, 40_000_000)
    assert size.most == 20_000_000
    assert not size.learn(TAKEN, 20_000_000)
    assert 20_000_000 < size.most <= 22_000_000
    for _ in range(100):
        size.learn(PAGE, size.most)
    assert size.most == SMALLEST
    for _ in range(200):
        size.learn(TAKEN, size.most)
    assert size.most == 45_000_000


def test_a_small_file_that_gets_no_answer_says_nothing_of_its_size() -> None:
    size = FileSize(45_000_000)
    assert not size.learn(LATE, 5_000)
    assert size.most == 45_000_000
