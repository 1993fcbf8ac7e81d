"""What admission control reports of a server's limit, and of files that are too large to get there."""

from __future__ import annotations

import pytest

from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.deliver.send.admission import ServerLimits
from pipeline.deliver.send.file_size import SMALLEST, FileSize
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import Observation

LATE = Answer(AnswerKind.TIMEOUT, cause=Cause.TIMEOUT, carried_out=None)
PAGE = Answer(AnswerKind.UNAVAILABLE, 413, cause=Cause.FOREIGN, carried_out=None)
TAKEN = Answer(AnswerKind.CREATED, 201)


def _told(*seen: Observation) -> list[tuple[int | None, float | None]]:
    told: list[tuple[int | None, float | None]] = []
    slowed, budget = ServerLimits(lambda limit, away: told.append((limit, away))), Limiter(100, 60.0)
    for one in seen:
        slowed.observe(budget, one)
    return told


def test_a_lower_limit_than_ours_is_reported_once() -> None:
    assert _told(
        Observation(limit=100),
        Observation(limit=60),
        Observation(limit=60),
        Observation(limit=100),
        Observation(limit=60),
    ) == [(60, None)]
    assert _told(Observation(limit=60), Observation(limit=1)) == [(60, None), (1, None)]


def test_a_time_away_that_is_longer_than_is_obeyed_is_reported_once_until_it_is_over() -> None:
    absurd = Observation(limited=True, retry_after=60_000)
    assert _told(absurd, absurd, Observation(limited=True), absurd) == [(None, 60_000)]
    assert len(_told(absurd, Observation(), absurd)) == 2
    assert _told(Observation(limited=True, retry_after=600), Observation(retry_after=1e15)) == []


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
