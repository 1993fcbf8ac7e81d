"""Whether an account may be called: back-off, stops and probes on a clock that is passed in."""

from __future__ import annotations

import math

from pipeline.config_stages import DeliverSettings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.deliver.send.health import DEAD_IN_A_ROW, TOO_MANY_DEAD, Health, Sign, sign_of
from pipeline.records import RecordKind

AWAY = Answer(AnswerKind.UNAVAILABLE, 503)
WELL = Answer(AnswerKind.OK, 200)
CONTACT, PURCHASE = RecordKind.CONTACT, RecordKind.PURCHASE


def _health(random: float = 1.0, **settings: float) -> Health:
    return Health(DeliverSettings.model_validate(settings), lambda: random)


def test_the_back_off_doubles_up_to_its_bound_and_ends_with_an_answer() -> None:
    health, now, waits = _health(retry_min=1, retry_max=10), 0.0, []
    for _ in range(6):
        health.answered(Sign.AWAY, AWAY, now, now + 0.1)
        now += 0.1 + health.wait(now + 0.1, 0)
        waits.append(round(health._until - now, 3))
        now += 0.001
    assert health._failures == 6
    health.answered(Sign.WELL, WELL, now, now + 0.1)
    assert health.wait(now + 0.1, 5) == 0
    health.answered(Sign.AWAY, AWAY, now + 1, now + 1.1)
    assert 0.9 < health.wait(now + 1.1, 0) <= 1


def test_the_jitter_is_full() -> None:
    health = _health(random=0.0)
    health.answered(Sign.AWAY, AWAY, 0, 1)
    assert health.wait(1, 0) == 0


def test_a_volley_that_fails_together_counts_once() -> None:
    health = _health(retry_min=1, retry_max=1_000)
    for _ in range(8):
        health.answered(Sign.AWAY, AWAY, 0.0, 1.0)
    assert 0 < health.wait(1.0, 0) <= 1


def test_while_anything_is_wrong_calls_go_one_at_a_time() -> None:
    health = _health()
    health.answered(Sign.AWAY, AWAY, 0, 1)
    assert health.wait(100, 0) == 0
    assert health.wait(100, 1) == math.inf


def test_an_answer_to_an_older_call_proves_nothing() -> None:
    health = _health()
    health.answered(Sign.REFUSED, Answer(AnswerKind.UNAUTHORISED, 401), 0, 5)
    health.answered(Sign.WELL, WELL, 4, 6)
    assert health.stopped == "unauthorised"
    health.answered(Sign.WELL, WELL, 66, 67)
    assert health.stopped == ""


def test_a_refused_account_is_probed_once_a_minute() -> None:
    health = _health()
    health.answered(Sign.REFUSED, Answer(AnswerKind.FORBIDDEN, 403, "no"), 0, 1)
    assert (health.stopped, health.detail) == ("forbidden", "no")
    assert health.wait(1, 0) == 60
    assert health.wait(61, 0) == 0
    assert health.wait(61, 1) == math.inf


def test_too_many_dead_in_a_row_stop_the_account_for_good() -> None:
    health = _health(dead_in_a_row=3)
    health.died(PURCHASE, "a")
    health.died(PURCHASE, "b")
    health.delivered(PURCHASE)
    health.died(PURCHASE, "c")
    health.died(PURCHASE, "d")
    assert health.wait(0, 0) == 0
    health.died(PURCHASE, "e")
    assert (health.stopped, health.wait(1e9, 0)) == (DEAD_IN_A_ROW, math.inf)
    health.answered(Sign.WELL, WELL, 1e9, 1e9)
    assert health.stopped == DEAD_IN_A_ROW


def test_too_large_a_share_of_dead_stops_the_account_though_others_are_delivered() -> None:
    health = _health(dead_in_a_row=50, dead_share=0.5, dead_window=20)
    for _ in range(9):
        health.died(PURCHASE, "a")
        health.delivered(PURCHASE)
    assert health.stopped == ""
    health.delivered(PURCHASE)
    health.died(PURCHASE, "b")
    assert (health.stopped, health.detail) == (TOO_MANY_DEAD, "b")
    health.answered(Sign.REFUSED, Answer(AnswerKind.FORBIDDEN, 403), 1, 2)
    assert (health.stopped, health.wait(1e9, 0)) == (TOO_MANY_DEAD, math.inf)


def test_contacts_that_are_taken_do_not_hide_that_every_purchase_is_refused() -> None:
    health = _health(dead_in_a_row=50, dead_share=0.5, dead_window=200)
    refused = 0
    while not health.stopped:
        health.delivered(CONTACT)
        health.delivered(RecordKind.PRODUCT)
        health.died(PURCHASE, "purchase invalid, 422")
        refused += 1
        assert refused <= 50
    assert (health.stopped, health.detail) == (DEAD_IN_A_ROW, "purchase invalid, 422")


def test_a_share_of_dead_is_one_kinds_own() -> None:
    health = _health(dead_in_a_row=50, dead_share=0.5, dead_window=20)
    for number in range(20):
        for _ in range(10):
            health.delivered(CONTACT)
        if number % 2:
            health.died(PURCHASE, "422")
        else:
            health.delivered(PURCHASE)
    assert health.stopped == TOO_MANY_DEAD


def test_a_few_dead_long_ago_are_no_share() -> None:
    health = _health(dead_in_a_row=50, dead_share=0.5, dead_window=20)
    for _ in range(9):
        health.died(PURCHASE, "a")
    for _ in range(30):
        health.delivered(PURCHASE)
    for _ in range(9):
        health.died(PURCHASE, "b")
    assert health.stopped == ""


def test_a_missing_route_is_no_answer_and_a_missing_element_is_one() -> None:
    absent = Answer(AnswerKind.ABSENT, 404)
    assert sign_of(absent, may_be_absent=True) is Sign.WELL
    assert sign_of(absent, may_be_absent=False) is Sign.AWAY
    assert sign_of(Answer(AnswerKind.LIMITED, 429), may_be_absent=True) is Sign.LIMITED
    assert sign_of(Answer(AnswerKind.INVALID, 422), may_be_absent=False) is Sign.WELL


def test_each_change_of_a_stop_is_reported_once() -> None:
    told: list[tuple[str, str]] = []
    settings = DeliverSettings(dead_in_a_row=2)
    health = Health(settings, lambda: 1.0, lambda stopped, detail: told.append((stopped, detail)))
    for now in (0, 60):
        health.answered(Sign.REFUSED, Answer(AnswerKind.FORBIDDEN, 403, detail="403"), now, now + 1)
    health.answered(Sign.WELL, WELL, 120, 121)
    health.answered(Sign.WELL, WELL, 122, 123)
    for _ in range(3):
        health.died(PURCHASE, "422")
    assert told == [("forbidden", "403"), ("", ""), (DEAD_IN_A_ROW, "422")]
