"""What an account is said to wait for, and why."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from rich.console import Console

from pipeline.config_accounts import CouponSetSettings
from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.deliver.explain import explain_report, messages
from pipeline.deliver.schedule.actions import Send
from pipeline.deliver.schedule.coupon_inventory import (
    ABSENT,
    FORBIDDEN,
    NOT_MULTIPLE,
    REFUSED,
    UNREADABLE,
    Counters,
)
from pipeline.deliver.schedule.decision import Decision, Method, Rule
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.send.health import Sign
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.limiter.state import Observation
from pipeline.records import RecordKind
from pipeline.text import span
from tests.unit.explaining import LimitedAccount
from tests.unit.scheduling import CONTACT, COUPON, PRODUCT, PURCHASE, WALL


def test_an_empty_account_has_nothing_to_send() -> None:
    found = LimitedAccount().explained()
    assert found["next"] == []
    assert found["state"] == "It runs."


def test_a_backlog_says_how_its_contacts_go_and_on_what_that_rests() -> None:
    account = LimitedAccount()
    for number in range(500):
        account.order(f"b{number}", Lane.BACKFILL, Key(CONTACT, f"c{number}@example.com"))
    found = account.explained()
    [decision] = found["choices"]
    assert (decision["lane"], decision["kind"], decision["way"], decision["rule"]) == (
        "backfill",
        "contact",
        "import",
        "runs_dry",
    )
    assert decision["rows"] == 500
    assert decision["why"].startswith("500 contacts by import, now: no purchases are ready")
    assert found["next"][0]["what"].startswith("import of ")
    account.carry_out(account.next())
    [job] = account.explained()["imports"]
    assert job["rows"] == 500
    assert 0 < job["expected_end_in_seconds"] < job["next_look_in_seconds"]


def test_what_blocks_purchases_is_counted() -> None:
    account = LimitedAccount()
    ann, pen = Key(CONTACT, "ann@example.com"), Key(PRODUCT, "pen")
    for number in range(4):
        account.order(f"o{number}", Lane.LIVE, ann, pen)
    account.next()
    live = account.explained()["lanes"][0]
    assert live["aside_for"] == {"contact": 1, "product": 1}
    assert live["purchases_aside"] >= 1


def test_a_record_that_is_delayed_for_a_retry_is_counted_and_has_its_age() -> None:
    account = LimitedAccount()
    account.order("o1", Lane.LIVE)
    action = account.next()
    assert isinstance(action, Send)
    account.scheduler.delay(action.key, 500.0)
    account.now = 90.0
    [live, retry] = account.explained()["lanes"][:2]
    found = live if live["pending"]["purchase"] else retry
    assert found["pending"]["purchase"] == found["held"] == 1
    assert found["waiting"]["purchase"] == 0
    assert found["oldest_seconds"]["purchase"] >= 89


@pytest.mark.parametrize("kind", [CONTACT, PRODUCT, PURCHASE])
def test_a_record_that_is_delayed_says_how_often_it_failed_with_what_and_when_it_is_tried(
    kind: RecordKind,
) -> None:
    account = LimitedAccount()
    account.index[kind].add("ann@example.com", Lane.LIVE, int(WALL))
    action = account.next()
    assert isinstance(action, Send)
    first = Retries.after(None, "503; a web page", WALL)
    account.tries[action.key] = Retries.after(first, "500 for ann@example.com", WALL + 3)
    account.scheduler.delay(action.key, 500.0)
    account.now = 90.0
    found = account.explained()
    [group] = found["retries"]
    assert (group["kind"], group["records"], group["tries"]) == (kind, 1, 2)
    assert (group["since"], group["last"]) == (WALL, "500 for (address)")
    assert group["next_in_seconds"] == pytest.approx(410)
    assert f"1 {kind} waits to be tried again: 2 tries failed since " in group["why"]
    assert group["why"].endswith("the last with: 500 for (address). Tried again in 7 min.")
    assert found["next"] == []
    assert found["why_none"] == "No call is foreseen; pending are 1 waiting to be tried again."
    console = Console(record=True, width=200)
    explain_report._show(found, console)
    assert group["why"] in console.export_text()


def test_no_record_is_said_to_be_tried_before_the_account_may_be_called() -> None:
    account = LimitedAccount(retry_min=60, retry_max=600)
    account.order("o1", Lane.LIVE)
    action = account.next()
    assert isinstance(action, Send)
    account.scheduler.delay(action.key, 5.0)
    for _ in range(2):
        started, account.now = account.now + 0.5, account.now + 1.0
        answer = Answer(AnswerKind.UNAVAILABLE, 503, cause=Cause.SERVER_ERROR, detail="503")
        account.health.answered(Sign.AWAY, answer, started, account.now)
        account.admission.call_failures.answered(
            "purchases", Sign.AWAY, answer, WALL + started, WALL + account.now
        )
    found = account.explained()
    next_try = found["retries"][0]["next_in_seconds"]
    assert next_try > 20, "its own delay ends in 3 s"
    assert f"in {span(next_try)}" in found["state"]
    assert "it answers with an error of its own (503)" in found["state"]
    assert f"in {span(next_try)}" in found["retries"][0]["why"]
    assert [call["in_seconds"] for call in found["next"]] == [pytest.approx(next_try)]


def test_nothing_is_only_said_where_nothing_is_pending() -> None:
    account = LimitedAccount()
    assert account.explained()["why_none"] == ""
    account.order("o1", Lane.LIVE)
    action = account.next()
    assert isinstance(action, Send)
    assert account.explained()["why_none"] == "No call is foreseen; pending are 1 in flight."
    account.index[PURCHASE].receipt_written("o1")
    assert account.explained()["why_none"] == "No call is foreseen; pending are 1 waiting for their receipts."
    account.index[COUPON].add("spring/A", Lane.LIVE, int(WALL))
    assert "waiting in their queues" in account.explained()["why_none"] or account.explained()["next"]


def test_a_used_budget_says_when_the_next_slot_is_free_and_plans_from_then_on() -> None:
    account = LimitedAccount(limit=5)
    for number in range(9):
        account.order(f"o{number}", Lane.LIVE)
    for _ in range(5):
        account.carry_out(account.next())
    account.now = 10.0
    found = account.explained()
    assert (found["budget"]["used"], found["budget"]["free"]) == (5, 0)
    assert found["budget"]["next_place_in_seconds"] == pytest.approx(50, abs=0.1)
    assert "All 5 slots" in found["budget"]["why"]
    assert found["next"][0]["in_seconds"] == pytest.approx(50, abs=0.1)


def test_a_429_is_shown_as_the_servers_own_answer() -> None:
    account = LimitedAccount()
    account.order("o1", Lane.LIVE)
    account.limiter.finish(account.limiter.start(0.0), 0.0, Observation(limited=True, retry_after=30))
    budget = account.explained()["budget"]
    assert budget["blocked_for_seconds"] == pytest.approx(30, abs=0.1)
    assert "429" in budget["why"]


def _refused(account: LimitedAccount) -> None:
    answer = Answer(AnswerKind.UNAUTHORISED, 401, detail="bad key of ann@example.com")
    account.health.answered(Sign.REFUSED, answer, 0.0, 0.0)


def _dead_letters(account: LimitedAccount) -> None:
    for _ in range(50):
        account.health.died(RecordKind.PURCHASE, "ann%40example.com is no address")


def _away(account: LimitedAccount) -> None:
    account.health.answered(Sign.AWAY, Answer(AnswerKind.UNAVAILABLE, 503), 0.0, 0.0)


@pytest.mark.parametrize(
    ("failure", "said", "calls"),
    [(_refused, "api_key", 1), (_dead_letters, "dead letters", 0), (_away, "One call tries again in", 1)],
)
def test_a_failure_is_shown_with_what_to_do_and_without_addresses(
    failure: Callable[[LimitedAccount], None], said: str, calls: int
) -> None:
    account = LimitedAccount()
    for number in range(3):
        account.order(f"o{number}", Lane.LIVE)
    failure(account)
    found = account.explained()
    assert said in found["state"]
    assert len(found["next"]) == calls
    assert "example" not in json.dumps(found)


@pytest.mark.parametrize("why", Rule)
def test_every_rule_has_its_sentence(why: Rule) -> None:
    for method in Method:
        assert messages.decision(CONTACT, Decision(why, method, rows=2)).startswith("2 contacts ")


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        (None, "was not checked yet; 0 codes wait"),
        (Counters(available=4, quantity=20), "has 4 codes left and no more wait for it; add some by"),
        (Counters(available=1_200, quantity=2_000), "has 1,200 codes left, and 0 wait"),
        *((Counters(trouble=trouble), f"({trouble})") for trouble in (ABSENT, FORBIDDEN, NOT_MULTIPLE)),
        *((Counters(trouble=trouble), f"({trouble})") for trouble in (UNREADABLE, REFUSED)),
    ],
)
def test_a_coupon_set_says_what_it_holds(counters: Counters | None, said: str) -> None:
    spring = CouponSetSettings(set_id="0" * 24, low=10, batch=50, every=600)
    account = LimitedAccount(sets={"spring": spring})
    account.scheduler.coupons.seen("spring", counters, account.now)
    (found,) = account.explained()["coupon_sets"]
    assert found["why"].startswith("coupon set spring ")
    assert said in found["why"]
    assert found["trouble"] == (counters.trouble if counters else "")
