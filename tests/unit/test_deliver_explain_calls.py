"""What is said of the next calls is what is then done; and saying it changes nothing."""

from __future__ import annotations

import copy
import json
from collections import deque
from dataclasses import fields, is_dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.deliver.explain.explanation import CALLS
from pipeline.deliver.schedule.actions import Action, Idle, Import, Poll, Send
from pipeline.deliver.schedule.coupon_inventory import (
    CouponInventory,
)
from pipeline.deliver.schedule.lanes import Lanes
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import LANES, PendingQueue
from pipeline.deliver.schedule.purchase_readiness import PurchaseReadiness
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from tests.unit.explaining import LimitedAccount
from tests.unit.scheduling import CONTACT, PRODUCT, WALL


def remembered(one: object) -> object:
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
        return {str(key): remembered(value) for key, value in one.items()}
    return [remembered(value) for value in one] if isinstance(one, list | tuple | deque) else repr(one)


def everything_of(account: LimitedAccount) -> list[object]:
    return [remembered(one) for one in (account.scheduler, account.index, account.limiter.state)]


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
    account, plain = LimitedAccount(limit=limit), LimitedAccount(limit=limit)
    for round_number, orders in enumerate(arrivals):
        for one in (account, plain):
            for number, (lane, contact, product, shared) in enumerate(orders):
                wanted = [] if contact is None else [Key(CONTACT, f"c{contact}@example.com")]
                wanted += [] if product is None else [Key(PRODUCT, f"p{product}")]
                if shared:
                    one.index[PRODUCT].add(f"lone{number}", lane, int(WALL + one.now))
                one.order(f"o{round_number}-{number}", lane, *wanted)
        for _ in range(work[round_number % len(work)]):
            if account.limiter.wait(account.now) > 0:
                break
            before = everything_of(account)
            found = account.explained()
            after = everything_of(account)
            assert after == before
            assert "@" not in json.dumps(found)
            assert len(found["next"]) <= CALLS
            action, other = account.next(), plain.next()
            assert _what(action) == _what(other)
            if not isinstance(action, Idle):
                assert found["next"][0]["in_seconds"] == 0
                assert _says(found["next"][0]["what"], action)
                account.carry_out(action)
                plain.carry_out(other)
        account.now += 7
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
    account = LimitedAccount()
    for number in range(30):
        account.order(f"o{number:02}", Lane.LIVE)
        account.order(f"b{number:02}", Lane.BACKFILL)
    said = [call["what"] for call in account.explained()["next"]]
    assert said == [f"purchase o{number:02}" for number in range(CALLS)]
    done = []
    for _ in range(CALLS):
        action = account.next()
        assert isinstance(action, Send)
        done.append(f"purchase {action.key.id}")
        account.carry_out(action)
    assert said == done


def test_a_copy_changes_nothing_of_the_original() -> None:
    account = LimitedAccount()
    for number in range(50):
        account.order(f"o{number}", Lane.BACKFILL, Key(CONTACT, f"c{number}"))
    account.carry_out(account.next())
    before = copy.deepcopy(remembered(account.scheduler))
    index, limiter = account.index.copy(), account.limiter.copy()
    other = account.scheduler.copy(index, limiter, set())
    assert remembered(other.imports) == remembered(account.scheduler.imports)
    for moment in range(20):
        action = other.next(float(moment), WALL + moment)
        if isinstance(action, Poll):
            other.imports.ended(action.job)
        limiter.finish(limiter.start(float(moment)), float(moment))
    assert remembered(account.scheduler) == before
