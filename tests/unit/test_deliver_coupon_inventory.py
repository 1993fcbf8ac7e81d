"""When a coupon set is looked at, and which codes are let go: on lists and a clock that is passed in."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config_accounts import CouponSetSettings
from pipeline.deliver.schedule.coupon_inventory import (
    AT_ONCE,
    FRUITLESS,
    LAG,
    NOT_MULTIPLE,
    REFUSED,
    UNREADABLE,
    Counters,
    CouponInventory,
    read_counters,
    set_of,
)
from pipeline.deliver.schedule.pending_queue import PendingQueue, Phase
from pipeline.events import Lane

SPRING = CouponSetSettings(set_id="s1", low=5, batch=3, every=600)


class Bench:
    """A stock of one set, `s1`, and codes that come and go; it started a while ago."""

    def __init__(self, *, started: float = -LAG, unsure: bool = False, **changes: Any) -> None:
        self.queue = PendingQueue()
        self.settings = SPRING.model_copy(update=changes)
        self.waiting = CouponInventory({"spring": self.settings}, self.queue)
        self.spring = self.waiting.sets["spring"]
        assert not self.due(started, unsure=unsure)

    def add(self, *codes: str, of: str = "s1") -> None:
        for code in codes:
            self.queue.add(f"{of}/{code}", Lane.LIVE, 0)

    def take(self, most: int = 100) -> list[str]:
        return [record_id.partition("/")[2] for record_id in self.waiting.take(Lane.LIVE, most)]

    def due(self, now: float, *, unsure: bool = False) -> bool:
        return self.waiting.due(now, unsure=unsure) is not None

    def seen(self, now: float, available: int, quantity: int = 100) -> int:
        return self.waiting.seen("spring", Counters(available, quantity), now)

    def settle(self, *codes: str) -> None:
        for code in codes:
            self.queue.receipt_written(f"s1/{code}")
            self.queue.settled(f"s1/{code}", None, certain=True)


def test_codes_of_a_set_nobody_watches_go_at_once() -> None:
    bench = Bench()
    bench.add("a", "b", of="s2")
    assert bench.take() == ["a", "b"]
    assert bench.take() == []


def test_codes_of_a_watched_set_wait_until_it_is_low() -> None:
    bench = Bench()
    bench.add("a", "b", "c", "d")
    assert bench.take() == []
    assert bench.spring.waiting == 4
    assert bench.due(0.0)
    assert bench.seen(0.1, available=5) == 0
    assert not bench.due(600.0)
    assert bench.due(600.1)
    assert bench.seen(600.2, available=4) == 3
    assert bench.take() == ["a", "b", "c"], "the oldest first"
    assert bench.spring.waiting == 1


def test_codes_of_both_kinds_are_told_apart_in_one_look() -> None:
    bench = Bench()
    bench.add("a")
    bench.add("x", of="s2")
    bench.add("b")
    bench.add("y", "z", of="s2")
    assert bench.take(most=2) == ["x", "y"]
    assert bench.take() == ["z"]
    assert bench.spring.waiting == 2


def test_a_large_stock_is_kept_back_a_part_at_a_time() -> None:
    bench = Bench()
    bench.add(*(str(number) for number in range(AT_ONCE + 1)))
    bench.add("x", of="s2")
    assert bench.take() == []
    assert bench.spring.waiting == AT_ONCE
    assert bench.take() == ["x"]


def test_while_one_look_is_under_way_there_is_no_other() -> None:
    bench = Bench()
    assert bench.due(0.0)
    assert not bench.due(10_000.0)


def test_after_a_top_up_the_set_is_not_looked_at_until_its_counters_must_have_it() -> None:
    bench = Bench()
    bench.add("a", "b", "c", "d", "e")
    bench.take()
    bench.due(0.0)
    assert bench.seen(0.0, available=0) == 3
    bench.take()
    assert not bench.due(LAG), "they are under way"
    assert not bench.due(1_000.0)
    bench.settle("a", "b", "c")
    assert not bench.due(1_000.0 + LAG), "they have just been found to have arrived"
    assert not bench.due(1_000.0 + 2 * LAG - 0.1)
    assert bench.due(1_000.0 + 2 * LAG)
    assert bench.seen(1_100.0, available=3, quantity=103) == 2, "low still"


def test_the_first_look_after_a_start_sees_what_the_worker_before_saw_arrive() -> None:
    bench = Bench(started=100.0)
    assert not bench.due(100.0 + LAG - 0.1)
    assert bench.due(100.0 + LAG)


def test_while_imports_of_unknown_content_may_run_no_set_is_looked_at() -> None:
    bench = Bench()
    assert not bench.due(0.0, unsure=True)
    assert not bench.due(LAG - 0.1)
    assert not bench.due(LAG)
    assert bench.due(2 * LAG)


def test_without_an_answer_nothing_goes_and_the_set_is_looked_at_again() -> None:
    bench = Bench()
    bench.add("a")
    bench.take()
    bench.due(0.0)
    assert bench.waiting.seen("spring", None, 1.0) == 0
    assert not bench.due(1.0 + LAG - 0.1)
    assert bench.due(1.0 + LAG)


@pytest.mark.parametrize("trouble", [NOT_MULTIPLE, UNREADABLE])
def test_a_set_that_cannot_be_filled_gets_nothing(trouble: str) -> None:
    bench = Bench()
    bench.add("a")
    bench.take()
    bench.due(0.0)
    assert bench.waiting.seen("spring", Counters(trouble=trouble), 0.0) == 0
    assert (bench.spring.trouble, bench.spring.available) == (trouble, None)
    assert bench.due(600.0)
    assert bench.seen(600.0, available=0) == 1
    assert bench.spring.trouble == ""


def test_a_set_that_takes_none_of_its_codes_is_not_fed_all_of_them() -> None:
    bench = Bench()
    bench.add(*(str(number) for number in range(100)))
    bench.take()
    now = 0.0
    for _ in range(50):
        while not bench.due(now):
            now += 1.0
        bench.seen(now, available=0, quantity=7)
        bench.settle(*bench.take())
    assert bench.spring.trouble == REFUSED
    assert bench.spring.waiting == 100 - 3 * FRUITLESS


def test_one_top_up_in_vain_stops_nothing() -> None:
    bench = Bench()
    bench.add(*(str(number) for number in range(100)))
    bench.take()
    now, quantity = 0.0, 0
    for number in range(20):
        while not bench.due(now):
            now += 1.0
        assert bench.seen(now, available=0, quantity=quantity) == 3
        bench.settle(*bench.take())
        quantity += 3 * (number % FRUITLESS == 0)
    assert bench.spring.trouble == ""


def test_new_codes_for_a_set_that_went_without_are_not_kept_waiting() -> None:
    bench = Bench()
    bench.due(0.0)
    assert bench.seen(0.0, available=0) == 0
    bench.add("a")
    bench.take()
    assert not bench.due(LAG - 0.1)
    assert bench.due(LAG)


def test_new_codes_for_a_set_that_has_enough_change_nothing() -> None:
    bench = Bench()
    bench.due(0.0)
    bench.seen(0.0, available=50)
    bench.add("a")
    bench.take()
    assert not bench.due(599.0)


def test_a_code_that_the_worker_before_us_sent_is_not_let_go() -> None:
    bench = Bench()
    bench.add("a", "b")
    bench.take()
    bench.queue.settled("s1/a", None, certain=True)
    bench.due(0.0)
    assert bench.seen(0.0, available=0) == 1
    assert bench.take() == ["b"]


def test_a_code_that_comes_again_while_it_waits_waits_once() -> None:
    bench = Bench()
    bench.add("a", "a")
    bench.take()
    bench.add("a")
    assert bench.take() == []
    assert bench.queue.phase("s1/a") is Phase.HELD
    assert bench.spring.waiting == 1


@pytest.mark.parametrize(
    ("body", "counters"),
    [
        ({"type": "multiple", "available": 3, "quantity": 9, "assigned": 6}, Counters(3, 9)),
        ({"type": "single", "code": "A", "available": 3, "quantity": 9}, Counters(trouble=NOT_MULTIPLE)),
        ({"type": "single", "available": None, "quantity": None}, Counters(trouble=NOT_MULTIPLE)),
        ({"available": None, "quantity": 4}, Counters(trouble=NOT_MULTIPLE)),
        ({"available": "3", "quantity": 9}, Counters(trouble=UNREADABLE)),
        ({"available": True, "quantity": 9}, Counters(trouble=UNREADABLE)),
        ([], Counters(trouble=UNREADABLE)),
        (None, Counters(trouble=UNREADABLE)),
    ],
)
def test_a_set_is_read_as_it_is_answered(body: object, counters: Counters) -> None:
    assert read_counters(body) == counters


def test_the_set_of_an_id_is_what_stands_before_the_first_slash() -> None:
    assert set_of("6072374b/A/B") == "6072374b"


class _Connectif:
    """A set whose counters lag and whose imports take their time; it counts how often each code came."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.assigned = 0
        self.imports: list[tuple[float, list[str]]] = []
        self.history = [(0.0, 0, 0)]

    def run(self, now: float) -> list[str]:
        """What arrived by now."""
        done = [codes for at, codes in self.imports if at <= now]
        self.imports = [(at, codes) for at, codes in self.imports if at > now]
        for code in [code for codes in done for code in codes]:
            self.codes[code] = self.codes.get(code, 0) + 1
        self.history.append((now, len(self.codes) - self.assigned, len(self.codes)))
        return [code for codes in done for code in codes]

    def counters(self, now: float, lag: float) -> Counters:
        """As they were."""
        shown = [(available, quantity) for at, available, quantity in self.history if at <= now - lag]
        return Counters(*(shown[-1] if shown else (0, 0)))


@settings(deadline=None)
@given(low=st.integers(1, 6), batch=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_every_code_arrives_once_and_a_set_never_has_more_than_it_needs(
    low: int, batch: int, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable chance is the point
    connectif, told = _Connectif(), set[str]()
    codes = [f"c{number}" for number in range(100)]

    def started() -> Bench:
        bench = Bench(low=low, batch=batch, every=60, started=now, unsure=True)
        bench.add(*(code for code in codes if code not in told))
        return bench

    now = 0
    bench, unsure = started(), False
    for now in range(1, 1_000):
        eventful = now < 500
        arrived = connectif.run(now)
        told.update(arrived)  # the worker finds its import finished, or after a crash the code refused
        bench.settle(*arrived)
        unsure = unsure and bool(connectif.imports)
        going = bench.take()
        if going:
            connectif.imports.append((now + chance.randint(1, 30), going))
        if bench.due(now, unsure=unsure):
            bench.waiting.seen("spring", connectif.counters(now, chance.uniform(0, 10)), now)
        if eventful and chance.random() < 1 / 20:  # a customer
            connectif.assigned = min(connectif.assigned + 1, len(connectif.codes))
        if eventful and chance.random() < 1 / 50:  # kill -9
            bench, unsure = started(), True
        assert len(connectif.codes) - connectif.assigned < low + batch
    assert set(connectif.codes.values()) <= {1}
    assert len(connectif.codes) - connectif.assigned >= low


@pytest.mark.parametrize("count", [10**400, -(10**13), 1.5, True, "12"])
def test_a_count_that_is_none_is_not_shown_as_one(count: object) -> None:
    body = {"id": "1", "type": "multiple", "available": count, "quantity": 10}
    assert read_counters(body).trouble == UNREADABLE
