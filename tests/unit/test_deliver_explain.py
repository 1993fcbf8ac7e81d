"""What is said of the next calls is what is then done; and saying it changes nothing."""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pipeline.config import CouponSetSettings, DeliverSettings
from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.deliver.explain import explain_report, messages
from pipeline.deliver.explain.explanation import CALLS, ExplainedAccount, explain
from pipeline.deliver.schedule.actions import Action, Idle, Import, Poll, Send
from pipeline.deliver.schedule.coupon_inventory import (
    ABSENT,
    FORBIDDEN,
    NOT_MULTIPLE,
    REFUSED,
    UNREADABLE,
    Counters,
    CouponInventory,
)
from pipeline.deliver.schedule.decision import Decision, Method, Rule
from pipeline.deliver.schedule.lanes import Lanes
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import LANES, PendingQueue
from pipeline.deliver.schedule.purchase_readiness import PurchaseReadiness
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.send.admission import AdmissionControl
from pipeline.deliver.send.health import Health, Sign
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.limiter.limiter import Limiter
from pipeline.limiter.state import Observation
from pipeline.records import RecordKind
from pipeline.text import span

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
WALL = 1_000_000.0


class _Diary:
    def started(self, _wall: float) -> int:
        return 0

    def answered(self, _call: int, _wall: float) -> None:
        return


class _World:
    """An account with nothing but its index; calls are answered when the test says so."""

    def __init__(
        self, *, limit: int = 100, sets: dict[str, CouponSetSettings] | None = None, **more: float
    ) -> None:
        made = DeliverSettings.model_validate(more)
        self.index, self.limiter = PendingIndex(), Limiter(limit, 60.0)
        self.told: set[Key] = set()
        self.needs: dict[str, list[Key]] = {}
        self.health = Health(made, lambda: 0.5)
        self.admission = AdmissionControl(
            self.limiter, self.health, _Diary(), wall=lambda: WALL, at_once=8, heard=lambda *_: None
        )
        self.scheduler = Scheduler(
            made,
            self.index,
            self.limiter,
            needs=lambda one: self.needs.get(one, []),
            was_sent=self.told.__contains__,
            sets=sets or {},
        )
        self.tries: dict[Key, Retries] = {}
        self.now = 0.0
        self._imports = 0

    def order(self, name: str, lane: Lane, *needs: Key) -> None:
        for key in needs:
            if key not in self.told:
                self.index[key.kind].add(key.id, lane, int(WALL + self.now))
        self.needs[name] = list(needs)
        self.index[PURCHASE].add(name, lane, int(WALL + self.now))

    def next(self) -> Action:
        return self.scheduler.next(self.now, WALL + self.now)

    def explained(self) -> dict[str, Any]:
        account = ExplainedAccount("acme", self.scheduler, self.admission, self.index, tries=self.tries)
        return explain(account, self.now, WALL + self.now)

    def carry_out(self, action: Action) -> None:
        """Start it and have it answered at once."""
        self.limiter.finish(self.limiter.start(self.now), self.now)
        match action:
            case Send(key=key):
                self._settle(key)
            case Import(kind=kind, batch=batch):
                self._imports += 1
                self.scheduler.imports.started(kind, f"i{self._imports}", batch, "key", self.now)
            case Poll(job=job):
                self.scheduler.imports.ended(job)
                for record_id in job.batch.ids:
                    self._settle(Key(job.kind, record_id))

    def _settle(self, key: Key) -> None:
        self.index[key.kind].receipt_written(key.id)
        self.index[key.kind].settled(key.id, None, certain=True)
        self.told.add(key)
        self.scheduler.settled(key)


def _picture(one: object) -> object:
    """All that is remembered below a thing, to compare by value; functions are what they are."""
    if isinstance(one, (str, int, float, type(None))):
        return one
    if isinstance(one, set | frozenset):
        return sorted(map(str, one))
    if is_dataclass(one) and not isinstance(one, type):
        one = {field.name: getattr(one, field.name) for field in fields(one)}
    elif isinstance(
        one, Scheduler | PendingIndex | PendingQueue | PurchaseReadiness | Lanes | CouponInventory
    ):
        one = vars(one)
    if isinstance(one, dict):
        return {str(key): _picture(value) for key, value in one.items()}
    return [_picture(value) for value in one] if isinstance(one, list | tuple | deque) else repr(one)


_orders = st.tuples(
    st.sampled_from(LANES), st.none() | st.integers(0, 30), st.none() | st.integers(0, 8), st.booleans()
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(_orders, max_size=40), min_size=1, max_size=6),
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
    st.integers(2, 100),
)
def test_it_changes_nothing_and_names_the_call_that_comes(
    arrivals: list[list[tuple[Lane, int | None, int | None, bool]]], work: list[int], limit: int
) -> None:
    world, plain = _World(limit=limit), _World(limit=limit)
    for round_number, orders in enumerate(arrivals):
        for one in (world, plain):
            for number, (lane, contact, product, shared) in enumerate(orders):
                wanted = [] if contact is None else [Key(CONTACT, f"c{contact}@example.com")]
                wanted += [] if product is None else [Key(PRODUCT, f"p{product}")]
                if shared:
                    one.index[PRODUCT].add(f"lone{number}", lane, int(WALL + one.now))
                one.order(f"o{round_number}-{number}", lane, *wanted)
        for _ in range(work[round_number % len(work)]):
            if world.limiter.wait(world.now) > 0:
                break
            before = _picture(world.scheduler), _picture(world.index), _picture(world.limiter.state)
            found = world.explained()
            after = _picture(world.scheduler), _picture(world.index), _picture(world.limiter.state)
            assert after == before
            assert "@" not in json.dumps(found)
            assert len(found["next"]) <= CALLS
            action, other = world.next(), plain.next()
            assert _what(action) == _what(other)
            if not isinstance(action, Idle):
                assert found["next"][0]["in_seconds"] == 0
                assert _says(found["next"][0]["what"], action)
                world.carry_out(action)
                plain.carry_out(other)
        world.now += 7
        plain.now += 7


def _what(action: Action) -> object:
    match action:
        case Import(kind=kind, batch=batch):
            return kind, batch.ids
        case Poll(job=job):
            return job.import_id
    return action


def _says(what: str, action: Action) -> bool:
    match action:
        case Send(key=Key(kind=kind, id=name)):
            return what == ("contact" if kind is CONTACT else f"{kind} {name}")
        case Import(batch=batch):
            return what.startswith(f"import of {len(batch.ids)} ")
        case Poll():
            return what.startswith("poll of an import")
    return False


def test_the_calls_come_in_the_order_in_which_they_are_then_made() -> None:
    world = _World()
    for number in range(30):
        world.order(f"o{number:02}", Lane.LIVE)
        world.order(f"b{number:02}", Lane.BACKFILL)
    said = [call["what"] for call in world.explained()["next"]]
    assert said == [f"purchase o{number:02}" for number in range(CALLS)]
    done = []
    for _ in range(CALLS):
        action = world.next()
        assert isinstance(action, Send)
        done.append(f"purchase {action.key.id}")
        world.carry_out(action)
    assert said == done


def test_an_empty_account_has_nothing_to_send() -> None:
    found = _World().explained()
    assert found["next"] == []
    assert found["state"] == "It runs."


def test_a_backlog_says_how_its_contacts_go_and_on_what_that_rests() -> None:
    world = _World()
    for number in range(500):
        world.order(f"b{number}", Lane.BACKFILL, Key(CONTACT, f"c{number}@example.com"))
    found = world.explained()
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
    world.carry_out(world.next())
    [job] = world.explained()["imports"]
    assert job["rows"] == 500
    assert 0 < job["expected_end_in_seconds"] < job["next_look_in_seconds"]


def test_what_purchases_stand_aside_for_is_counted() -> None:
    world = _World()
    ann, pen = Key(CONTACT, "ann@example.com"), Key(PRODUCT, "pen")
    for number in range(4):
        world.order(f"o{number}", Lane.LIVE, ann, pen)
    world.next()
    live = world.explained()["lanes"][0]
    assert live["aside_for"] == {"contact": 1, "product": 1}
    assert live["purchases_aside"] >= 1


def test_a_record_that_is_delayed_for_a_retry_is_counted_and_has_its_age() -> None:
    world = _World()
    world.order("o1", Lane.LIVE)
    action = world.next()
    assert isinstance(action, Send)
    world.scheduler.delay(action.key, 500.0)
    world.now = 90.0
    [live, retry] = world.explained()["lanes"][:2]
    found = live if live["pending"]["purchase"] else retry
    assert found["pending"]["purchase"] == found["held"] == 1
    assert found["waiting"]["purchase"] == 0
    assert found["oldest_seconds"]["purchase"] >= 89


@pytest.mark.parametrize("kind", [CONTACT, PRODUCT, PURCHASE])
def test_a_record_that_is_delayed_says_how_often_it_failed_with_what_and_when_it_is_tried(
    kind: RecordKind,
) -> None:
    world = _World()
    world.index[kind].add("ann@example.com", Lane.LIVE, int(WALL))
    action = world.next()
    assert isinstance(action, Send)
    first = Retries.after(None, "503; a web page", WALL)
    world.tries[action.key] = Retries.after(first, "500 for ann@example.com", WALL + 3)
    world.scheduler.delay(action.key, 500.0)
    world.now = 90.0
    found = world.explained()
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
    world = _World(retry_min=60, retry_max=600)
    world.order("o1", Lane.LIVE)
    action = world.next()
    assert isinstance(action, Send)
    world.scheduler.delay(action.key, 5.0)
    for _ in range(2):
        started, world.now = world.now + 0.5, world.now + 1.0
        answer = Answer(AnswerKind.UNAVAILABLE, 503, cause=Cause.SERVER_ERROR, detail="503")
        world.health.answered(Sign.AWAY, answer, started, world.now)
        world.admission.call_failures.answered(
            "purchases", Sign.AWAY, answer, WALL + started, WALL + world.now
        )
    found = world.explained()
    again = found["retries"][0]["next_in_seconds"]
    assert again > 20, "its own delay ends in 3 s"
    assert f"in {span(again)}" in found["state"]
    assert "it answers with an error of its own (503)" in found["state"]
    assert f"in {span(again)}" in found["retries"][0]["why"]
    assert [call["in_seconds"] for call in found["next"]] == [pytest.approx(again)]


def test_nothing_is_only_said_where_nothing_is_pending() -> None:
    world = _World()
    assert world.explained()["why_none"] == ""
    world.order("o1", Lane.LIVE)
    action = world.next()
    assert isinstance(action, Send)
    assert world.explained()["why_none"] == "No call is foreseen; pending are 1 in flight."
    world.index[PURCHASE].receipt_written("o1")
    assert world.explained()["why_none"] == "No call is foreseen; pending are 1 waiting for their receipts."
    world.index[COUPON].add("spring/A", Lane.LIVE, int(WALL))
    assert "waiting in their queues" in world.explained()["why_none"] or world.explained()["next"]


def test_a_used_budget_says_when_the_next_place_is_free_and_plans_from_then_on() -> None:
    world = _World(limit=5)
    for number in range(9):
        world.order(f"o{number}", Lane.LIVE)
    for _ in range(5):
        world.carry_out(world.next())
    world.now = 10.0
    found = world.explained()
    assert (found["budget"]["used"], found["budget"]["free"]) == (5, 0)
    assert found["budget"]["next_place_in_seconds"] == pytest.approx(50, abs=0.1)
    assert "All 5 slots" in found["budget"]["why"]
    assert found["next"][0]["in_seconds"] == pytest.approx(50, abs=0.1)


def test_a_429_is_told_as_the_servers_word() -> None:
    world = _World()
    world.order("o1", Lane.LIVE)
    world.limiter.finish(world.limiter.start(0.0), 0.0, Observation(limited=True, retry_after=30))
    budget = world.explained()["budget"]
    assert budget["blocked_for_seconds"] == pytest.approx(30, abs=0.1)
    assert "429" in budget["why"]


def _refused(world: _World) -> None:
    answer = Answer(AnswerKind.UNAUTHORISED, 401, detail="bad key of ann@example.com")
    world.health.answered(Sign.REFUSED, answer, 0.0, 0.0)


def _buried(world: _World) -> None:
    for _ in range(50):
        world.health.died(RecordKind.PURCHASE, "ann%40example.com is no address")


def _away(world: _World) -> None:
    world.health.answered(Sign.AWAY, Answer(AnswerKind.UNAVAILABLE, 503), 0.0, 0.0)


@pytest.mark.parametrize(
    ("trouble", "said", "calls"),
    [(_refused, "api_key", 1), (_buried, "dead letters", 0), (_away, "One call tries again in", 1)],
)
def test_trouble_is_told_with_what_to_do_and_without_addresses(
    trouble: Callable[[_World], None], said: str, calls: int
) -> None:
    world = _World()
    for number in range(3):
        world.order(f"o{number}", Lane.LIVE)
    trouble(world)
    found = world.explained()
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
def test_a_coupon_set_says_how_it_fares(counters: Counters | None, said: str) -> None:
    spring = CouponSetSettings(set_id="0" * 24, low=10, batch=50, every=600)
    world = _World(sets={"spring": spring})
    world.scheduler.coupons.seen("spring", counters, world.now)
    (found,) = world.explained()["coupon_sets"]
    assert found["why"].startswith("coupon set spring ")
    assert said in found["why"]
    assert found["trouble"] == (counters.trouble if counters else "")


def test_a_copy_goes_its_own_way() -> None:
    world = _World()
    for number in range(50):
        world.order(f"o{number}", Lane.BACKFILL, Key(CONTACT, f"c{number}"))
    world.carry_out(world.next())
    before = copy.deepcopy(_picture(world.scheduler))
    index, limiter = world.index.copy(), world.limiter.copy()
    twin = world.scheduler.copy(index, limiter, set())
    assert _picture(twin.imports) == _picture(world.scheduler.imports)
    for moment in range(20):
        action = twin.next(float(moment), WALL + moment)
        if isinstance(action, Poll):
            twin.imports.ended(action.job)
        limiter.finish(limiter.start(float(moment)), float(moment))
    assert _picture(world.scheduler) == before
