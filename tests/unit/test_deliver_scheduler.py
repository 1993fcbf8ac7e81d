"""What the next call is for, on lists and a clock that is passed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import DeliverSettings
from pipeline.deliver.book import Book, Phase
from pipeline.deliver.jobs import Batch, Job
from pipeline.deliver.receipts import Key
from pipeline.deliver.scheduler import GRACE, Action, Idle, Import, ListImports, Poll, Scheduler, Send
from pipeline.deliver.turns import Turns
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
WALL = 1_000_000.0


class _Desk:
    """An account with nothing but its index; everything settles when it is told to."""

    def __init__(self, **settings: float) -> None:
        self.book = Book()
        self.wants: dict[str, Sequence[Key]] = {}
        self.told: set[Key] = set()
        made = DeliverSettings.model_validate({"import_min_rows": 5, **settings})
        self.scheduler = Scheduler(
            made, self.book, needs=lambda one: self.wants.get(one, ()), is_told=lambda key: key in self.told
        )

    def add(self, kind: RecordKind, *ids: str, lane: Lane = Lane.LIVE, accepted: int = int(WALL)) -> None:
        for record_id in ids:
            self.book[kind].add(record_id, lane, accepted)

    def next(self, now: float = 0.0, *, spare: bool = False) -> Action:
        return self.scheduler.next(now, WALL + now, spare=spare)

    def send(self, now: float = 0.0) -> str:
        """The id of the record to be sent next; it settles at once."""
        action = self.next(now)
        assert isinstance(action, Send)
        self.settle(action.key)
        return action.key.id

    def settle(self, key: Key) -> None:
        self.book[key.kind].landed(key.id)
        self.book[key.kind].settled(key.id, None, told=True)
        self.told.add(key)
        self.scheduler.settled(key)


def test_a_purchase_pulls_what_it_needs_forward_and_follows_it() -> None:
    desk = _Desk()
    contact, product = Key(CONTACT, "ann"), Key(PRODUCT, "p9")
    desk.add(PURCHASE, "o1")
    desk.add(PRODUCT, "p1", "p2", "p9")
    desk.add(CONTACT, "ann")
    desk.wants["o1"] = [contact, product]
    assert [desk.send() for _ in range(4)] == ["ann", "p9", "p1", "o1"]


def test_a_purchase_whose_contact_is_in_an_import_lets_others_pass() -> None:
    desk = _Desk()
    desk.add(CONTACT, *(f"c{number}" for number in range(6)))
    action = desk.next()
    assert isinstance(action, Import)
    desk.add(PURCHASE, "o1", "o2")
    desk.wants["o1"] = [Key(CONTACT, "c1")]
    assert desk.send() == "o2"
    assert isinstance(desk.next(), Idle)
    for record_id in action.batch.ids:
        desk.settle(Key(CONTACT, record_id))
    assert desk.send() == "o1"


def test_a_purchase_waits_a_moment_for_a_contact_nobody_has_announced() -> None:
    desk = _Desk()
    desk.add(PURCHASE, "o1")
    desk.wants["o1"] = [Key(CONTACT, "ann")]
    first = desk.next(0.0)
    assert isinstance(first, Idle)
    assert first.until == GRACE
    assert desk.send(GRACE) == "o1"


def test_many_contacts_go_by_import_and_few_one_by_one() -> None:
    desk = _Desk()
    desk.add(CONTACT, "a", "b", "c", "d")
    assert desk.send() == "a"
    desk.add(CONTACT, "e", "f")
    action = desk.next()
    assert isinstance(action, Import)
    assert action.batch.ids == ["b", "c", "d", "e", "f"]


def test_one_import_a_kind_at_a_time() -> None:
    desk = _Desk()
    desk.add(CONTACT, *"abcde")
    action = desk.next()
    assert isinstance(action, Import)
    desk.scheduler.imports.started(Job(CONTACT, "i1", action.batch, "_email", 0, 10))
    desk.add(CONTACT, *"fghij")
    desk.add(PRODUCT, *"vwxyz")
    assert isinstance(desk.next(), Import)
    assert isinstance(desk.next(), Idle)
    assert isinstance(desk.next(10.0), Poll)


def test_while_an_import_is_slow_spare_calls_are_made_singly() -> None:
    desk = _Desk(import_poll=10)
    desk.scheduler.imports.started(Job(CONTACT, "i1", Batch(["x"]), "_email", 0, 1_000))
    desk.add(CONTACT, *"abcdef")
    assert isinstance(desk.next(20.0, spare=True), Idle)
    assert isinstance(desk.next(31.0, spare=False), Idle)
    assert isinstance(desk.next(31.0, spare=True), Send)


def test_no_kind_starves_while_all_want_the_budget() -> None:
    desk = _Desk(import_min_rows=10**6)
    for kind in (CONTACT, PRODUCT, PURCHASE):
        desk.add(kind, *(f"{kind}{number}" for number in range(300)))
    turns = Counter(desk.send()[:3] for _ in range(120))
    assert turns == {"pur": 60, "con": 30, "pro": 30}


def test_no_lane_starves_and_live_has_the_most() -> None:
    desk = _Desk()
    for lane in Lane:
        desk.add(PURCHASE, *(f"{lane}{number}" for number in range(100)), lane=lane)
    turns = Counter(desk.send()[:4] for _ in range(100))
    assert turns == {"live": 60, "retr": 20, "back": 20}


def test_within_a_lane_the_oldest_purchase_goes_first_though_it_stood_aside() -> None:
    desk = _Desk()
    desk.add(PURCHASE, "o1", accepted=1)
    desk.add(PURCHASE, "o2", "o3", accepted=2)
    desk.add(CONTACT, "ann")
    desk.wants["o1"] = [Key(CONTACT, "ann")]
    assert [desk.send() for _ in range(4)] == ["ann", "o1", "o2", "o3"]


def test_what_is_delayed_comes_back_when_its_time_has_come() -> None:
    desk = _Desk()
    desk.add(PURCHASE, "o1")
    action = desk.next()
    assert isinstance(action, Send)
    desk.scheduler.delay(action.key, until=30.0)
    idle = desk.next(1.0)
    assert isinstance(idle, Idle)
    assert idle.until == 30.0
    assert desk.send(30.0) == "o1"


def test_a_contact_that_is_delayed_is_not_pulled_by_a_purchase() -> None:
    desk = _Desk()
    desk.add(CONTACT, "ann")
    action = desk.next()
    assert isinstance(action, Send)
    desk.scheduler.delay(action.key, until=30.0)
    desk.add(PURCHASE, "o1")
    desk.wants["o1"] = [action.key]
    assert isinstance(desk.next(1.0), Idle)
    assert [desk.send(30.0), desk.send(30.0)] == ["ann", "o1"]


def test_while_imports_of_unknown_content_may_run_their_kind_waits_and_purchases_do_not() -> None:
    desk = _Desk()
    desk.scheduler.imports.doubt([CONTACT], 0.0)
    desk.add(CONTACT, "ann")
    desk.add(PURCHASE, "o1", "o2")
    desk.wants["o1"] = [Key(CONTACT, "ann")]
    assert isinstance(desk.next(), ListImports)
    assert desk.send() == "o2"
    assert isinstance(desk.next(), Idle)
    desk.scheduler.imports.listed([], 1.0)
    assert [desk.send(1.0), desk.send(1.0)] == ["ann", "o1"]


def test_a_cancelled_order_that_stood_aside_does_not_come_back() -> None:
    desk = _Desk()
    desk.add(CONTACT, "ann")
    desk.add(PURCHASE, "o1")
    desk.wants["o1"] = [Key(CONTACT, "ann")]
    action = desk.next()
    assert isinstance(action, Send)
    desk.book[PURCHASE].settle_at_once("o1", Lane.LIVE, 1)
    desk.settle(action.key)
    assert isinstance(desk.next(), Idle)


def test_coupons_go_by_import_alone() -> None:
    desk = _Desk()
    desk.add(COUPON, "s/1")
    assert isinstance(desk.next(), Import)


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1), st.integers(1, 60))
def test_turns_keep_to_their_weights(weights: dict[str, int], rounds: int) -> None:
    turns, had = Turns(weights), Counter[str]()
    for _ in range(rounds * sum(weights.values())):
        first = turns.order(weights)[0]
        turns.took(first, weights)
        had[first] += 1
    assert had == {name: weight * rounds for name, weight in weights.items()}


@given(
    st.lists(
        st.tuples(st.sampled_from([CONTACT, PRODUCT, PURCHASE]), st.integers(0, 9), st.integers(0, 9)),
        max_size=40,
    )
)
def test_everything_that_waits_is_sent_once_and_in_order_of_need(
    arrivals: list[tuple[RecordKind, int, int]],
) -> None:
    desk, sent, now = _Desk(import_min_rows=10**6), list[Key](), 0.0
    for kind, number, other in arrivals:
        desk.add(kind, f"{number}")
        if kind is PURCHASE:
            desk.wants[f"{number}"] = [Key(CONTACT, f"{other}"), Key(PRODUCT, f"{other}")]
    for _ in range(200):
        action = desk.next(now)
        if isinstance(action, Send):
            for need in desk.wants.get(action.key.id, ()) if action.key.kind is PURCHASE else ():
                assert desk.book[need.kind].phase(need.id) is None
            sent.append(action.key)
            desk.settle(action.key)
        elif isinstance(action, Idle):
            now = min(action.until, now + GRACE)
    assert sorted(map(str, sent)) == sorted({f"{kind}|{number}" for kind, number, _ in arrivals})
    assert not any(
        desk.book[kind].phase(one) is Phase.HELD for kind in RecordKind for one in map(str, range(10))
    )
