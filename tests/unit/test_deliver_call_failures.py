"""Whether calls fail, since when and why: told once for each change, and once when it is over."""

from __future__ import annotations

import pytest

from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.deliver.send.call_failures import CallFailures, Failing
from pipeline.deliver.send.health import Sign

WELL = Answer(AnswerKind.OK, 200)
DOWN = Answer(AnswerKind.UNAVAILABLE, 503, "503; a web page", cause=Cause.SERVER_ERROR)
SILENT = Answer(AnswerKind.TIMEOUT, detail="ReadTimeout", cause=Cause.TIMEOUT)
PAGE = Answer(AnswerKind.UNAVAILABLE, 409, "409; a web page", cause=Cause.FOREIGN)


class _Account:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.wall = 1_000.0
        self.failures = CallFailures(self._tell)

    def _tell(self, now: Failing | None, before: Failing | None) -> None:
        self.told.append(now.cause if now else f"over: {before.cause if before else ''}")

    def hear(self, *answers: Answer, route: str = "purchases", sign: Sign = Sign.AWAY) -> None:
        for answer in answers:
            heard = Sign.WELL if answer is WELL else sign
            self.failures.answered(route, heard, answer, self.wall, self.wall + 0.5)
            self.wall += 1


def test_one_failure_is_none() -> None:
    account = _Account()
    for _ in range(10):
        account.hear(DOWN, WELL)
    assert (account.told, account.failures.failing) == ([], None)


def test_an_outage_is_reported_once_and_its_end_once() -> None:
    account = _Account()
    account.hear(*[DOWN] * 50)
    failing = account.failures.failing
    assert failing == Failing("server_error", "503; a web page", 1_000.0, ("purchases",))
    assert "503" in failing.sentence
    account.hear(WELL, WELL)
    assert (account.told, account.failures.failing) == (["server_error", "over: server_error"], None)


def test_each_cause_of_one_outage_is_reported_once_and_begins_with_it() -> None:
    account = _Account()
    account.hear(*[DOWN, SILENT] * 20)
    assert account.told == ["timeout", "server_error"]
    assert account.failures.failing is not None
    assert account.failures.failing.since == 1_000.0


def test_what_fails_on_every_route_is_over_with_the_first_success() -> None:
    account = _Account()
    for route in ("contacts", "purchases", "imports"):
        account.hear(DOWN, DOWN, route=route)
    assert account.failures.failing is not None
    assert account.failures.failing.routes == ("contacts", "imports", "purchases")
    account.hear(WELL, route="contacts")
    assert account.told == ["server_error", "over: server_error"]


def test_a_route_that_fails_while_others_succeed_is_trouble_until_it_succeeds_itself() -> None:
    account = _Account()
    for _ in range(20):
        account.hear(PAGE)
        account.hear(WELL, route="contacts")
    assert account.told == ["foreign"]
    assert account.failures.failing is not None
    assert account.failures.failing.routes == ("purchases",)
    account.hear(WELL)
    assert account.told == ["foreign", "over: foreign"]


def test_failures_long_ago_are_not_in_a_row_with_one_of_today() -> None:
    account = _Account()
    account.hear(DOWN)
    account.hear(WELL, route="contacts")
    account.wall += 86_400
    account.hear(DOWN)
    assert account.told == []


def test_a_route_that_is_called_no_more_is_forgotten() -> None:
    account = _Account()
    for _ in range(3):
        account.hear(PAGE)
        account.hear(WELL, route="contacts")
    account.wall += 3_600
    account.hear(WELL, route="contacts")
    assert account.told == ["foreign", "over: foreign"]


def test_a_volley_that_fails_together_is_one_failure() -> None:
    account = _Account()
    for _ in range(8):
        account.failures.answered("purchases", Sign.AWAY, SILENT, 1_000.0, 1_030.0)
    assert account.told == []


def test_a_refused_key_is_known_at_once() -> None:
    account = _Account()
    account.hear(Answer(AnswerKind.UNAUTHORISED, 401, "401"), sign=Sign.REFUSED)
    assert account.failures.failing is not None
    assert account.failures.failing.sentence == "it does not accept the API key (401)"


@pytest.mark.parametrize("sign", [Sign.LIMITED, Sign.NOTHING])
def test_the_limit_and_the_size_of_a_file_are_no_trouble(sign: Sign) -> None:
    account = _Account()
    account.hear(*[SILENT] * 5, sign=sign)
    assert account.told == []


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause])
def test_every_cause_has_its_sentence(cause: Cause) -> None:
    account = _Account()
    account.hear(*[Answer(AnswerKind.UNAVAILABLE, cause=cause)] * 2)
    assert account.failures.failing is not None
    assert account.failures.failing.sentence != cause.value


def test_a_route_that_is_not_there_tells_of_the_address() -> None:
    account = _Account()
    account.hear(*[Answer(AnswerKind.ABSENT, 404, "404")] * 2)
    assert account.told == ["wrong_address"]
