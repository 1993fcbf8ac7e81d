"""Which call is made next, and in which lane, on lists and a clock that is passed in."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.schedule.actions import Idle, Import, Poll, Send
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.schedule.purchase_readiness import GRACE
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind
from tests.unit.scheduling import CONTACT, PRODUCT, PURCHASE, WALL, ScheduledAccount


def test_a_purchase_follows_what_it_needs_and_the_oldest_goes_first() -> None:
    account = ScheduledAccount()
    account.add(CONTACT, "ann", accepted=3)
    account.add(PRODUCT, "p1", accepted=2)
    account.add(PURCHASE, "o1", accepted=1)
    account.add(PURCHASE, "o2", accepted=4)
    account.needs["o1"] = [Key(CONTACT, "ann"), Key(PRODUCT, "p1")]
    assert account.sent(4) == ["p1", "ann", "o1", "o2"]


def test_a_purchase_whose_contact_is_in_an_import_lets_others_pass() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 60)
    account.start_import()
    account.add(PURCHASE, "o1", "o2")
    account.needs["o1"] = [Key(CONTACT, "x1")]
    assert account.send() == "o2"
    assert isinstance(account.next(), Idle)
    account.finish(next(account.scheduler.imports.under_way()))
    assert account.send() == "o1"


def test_newer_data_of_a_contact_connectif_knows_holds_up_no_purchase() -> None:
    account = ScheduledAccount()
    account.known.add(Key(CONTACT, "ann"))
    account.add(CONTACT, "ann", accepted=9)
    account.add(PURCHASE, "o1", accepted=5)
    account.needs["o1"] = [Key(CONTACT, "ann")]
    assert account.sent(2) == ["o1", "ann"]


def test_a_purchase_waits_a_moment_for_a_contact_nobody_has_announced() -> None:
    account = ScheduledAccount()
    account.add(PURCHASE, "o1")
    account.needs["o1"] = [Key(CONTACT, "ann")]
    first = account.next(0.0)
    assert isinstance(first, Idle)
    assert first.until <= GRACE
    assert account.send(GRACE) == "o1"


def test_a_ready_purchase_whose_newer_version_needs_another_product_waits_for_it() -> None:
    account = ScheduledAccount()
    account.add(PURCHASE, "o1", "o2")
    account.scheduler.purchases.look(Lane.LIVE, 0.0, WALL, ahead=2)
    account.add(PRODUCT, "p9")
    account.needs["o1"] = [Key(PRODUCT, "p9")]
    assert account.sent(3) == ["p9", "o1", "o2"]


def test_a_cancelled_order_that_was_blocked_does_not_come_back() -> None:
    account = ScheduledAccount()
    account.add(CONTACT, "ann")
    account.add(PURCHASE, "o1")
    account.needs["o1"] = [Key(CONTACT, "ann")]
    action = account.next()
    assert isinstance(action, Send)
    account.index[PURCHASE].settle_at_once("o1", Lane.LIVE, 1)
    account.settle(action.key)
    assert isinstance(account.next(), Idle)


def test_a_superseded_version_of_a_ready_purchase_does_not_make_it_forgotten() -> None:
    account = ScheduledAccount()
    account.add(PURCHASE, "o1")
    account.scheduler.purchases.look(Lane.LIVE, 0.0, WALL, ahead=1)
    account.scheduler.settled(Key(PURCHASE, "o1"))
    assert account.send() == "o1"


def test_live_goes_first_and_the_others_have_their_floors() -> None:
    account = ScheduledAccount(retry_floor=0.1, backfill_floor=0.05)
    for lane in Lane:
        account.many(PURCHASE, 400, lane, lane.value)
    turns = [account.send()[:4] for _ in range(200)]
    assert (turns.count("retr"), turns.count("back")) == (19, 9)


def test_a_slot_nobody_more_urgent_wants_is_not_left_unused() -> None:
    account = ScheduledAccount()
    account.many(PURCHASE, 10, Lane.BACKFILL)
    assert len(account.sent(10)) == 10


def test_a_slower_lane_keeps_slots_for_the_time_in_which_none_comes_back() -> None:
    account = ScheduledAccount()
    account.many(PURCHASE, 10, Lane.BACKFILL)
    account.slots.now_free, account.slots.back = (
        5,
        [30.0 + number / 10 for number in range(95)],
    )
    idle = account.next()
    assert isinstance(idle, Idle)
    assert 1 < idle.until < 30
    assert isinstance(account.next(0.0), Idle)
    account.add(PURCHASE, "live")
    assert account.send() == "live"


def test_what_a_live_order_needs_of_a_backfill_is_as_urgent_as_the_order() -> None:
    account = ScheduledAccount()
    account.add(CONTACT, "ann", lane=Lane.BACKFILL)
    account.slots.back = [59.0] * 99
    account.slots.now_free = 1
    account.add(PURCHASE, "o1")
    account.needs["o1"] = [Key(CONTACT, "ann")]
    assert account.sent(2) == ["ann", "o1"]


def test_an_order_that_becomes_live_while_it_is_ready_goes_with_the_live_ones() -> None:
    account = ScheduledAccount()
    account.many(PURCHASE, 3, Lane.BACKFILL)
    account.scheduler.purchases.look(Lane.BACKFILL, 0.0, WALL, ahead=3)
    account.add(PURCHASE, "x2", lane=Lane.LIVE)
    assert account.sent(3) == ["x2", "x0", "x1"]


def test_what_is_delayed_comes_back_when_its_time_has_come() -> None:
    account = ScheduledAccount()
    account.add(PURCHASE, "o1")
    action = account.next()
    assert isinstance(action, Send)
    account.scheduler.delay(action.key, until=30.0)
    idle = account.next(1.0)
    assert isinstance(idle, Idle)
    assert idle.until == 30.0
    assert account.send(30.0) == "o1"


def test_a_contact_that_is_delayed_is_not_sent_early_for_a_purchase() -> None:
    account = ScheduledAccount()
    account.add(CONTACT, "ann")
    action = account.next()
    assert isinstance(action, Send)
    account.scheduler.delay(action.key, until=30.0)
    account.add(PURCHASE, "o1")
    account.needs["o1"] = [action.key]
    assert isinstance(account.next(1.0), Idle)
    assert account.sent(2, 30.0) == ["ann", "o1"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([CONTACT, PRODUCT, PURCHASE]),
            st.integers(0, 9),
            st.integers(0, 9),
            st.sampled_from(Lane),
            st.integers(0, 3),
        ),
        max_size=60,
    ),
    st.integers(1, 100),
)
def test_everything_that_waits_is_sent_once_and_in_order_of_need(
    arrivals: list[tuple[RecordKind, int, int, Lane, int]], free: int
) -> None:
    """Whatever comes in whatever lane, with steps between: by calls of its own or by an import."""
    arriving = _Arrivals(arrivals)
    arriving.account.slots.now_free = free
    for step in range(600):
        if step % arriving.every == 0:
            arriving.come()
        arriving.carry_on(step)
    assert sorted(map(str, arriving.sent)) == sorted({f"{kind}|{number}" for kind, number, *_ in arrivals})
    phases = {arriving.account.index[kind].phase(one) for kind in RecordKind for one in map(str, range(10))}
    assert Phase.HELD not in phases


class _Arrivals:
    """Records that come one after the other; asserts that they are sent in order of need."""

    def __init__(self, arrivals: Sequence[tuple[RecordKind, int, int, Lane, int]]) -> None:
        self.account = ScheduledAccount()
        self.sent: list[Key] = []
        self._now = 0.0
        self._waiting = list(reversed(arrivals))

    @property
    def every(self) -> int:
        return 1 + self._waiting[-1][4] if self._waiting else 1

    def come(self) -> None:
        if not self._waiting:
            return
        kind, number, other, lane, _ = self._waiting.pop()
        if Key(kind, f"{number}") not in self.sent:
            self.account.add(kind, f"{number}", lane=lane)
            if kind is PURCHASE:
                self.account.needs[f"{number}"] = [Key(CONTACT, f"{other}"), Key(PRODUCT, f"{other}")]

    def carry_on(self, step: int) -> None:
        account, action = self.account, self.account.next(self._now)
        match action:
            case Send(key=key):
                self._send(key)
            case Import(kind=kind, batch=batch):
                account.scheduler.imports.started(kind, f"i{step}", batch, "_email", self._now)
            case Poll(job=job):
                self.sent += [Key(job.kind, one) for one in job.batch.ids]
                account.finish(job)
            case Idle(until=until):
                self._now = min(until, self._now + GRACE)

    def _send(self, key: Key) -> None:
        for need in self.account.needs.get(key.id, ()) if key.kind is PURCHASE else ():
            assert need in self.account.known or self.account.index[need.kind].phase(need.id) is None
        self.sent.append(key)
        self.account.settle(key)
