"""What the next call is for, on lists and a clock that is passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import CouponSetSettings, DeliverSettings
from pipeline.deliver.schedule.actions import Action, CheckCouponSet, Idle, Import, ListImports, Poll, Send
from pipeline.deliver.schedule.coupon_inventory import LAG, Counters
from pipeline.deliver.schedule.decision import Method
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportJob
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.schedule.purchase_readiness import GRACE
from pipeline.deliver.schedule.scheduler import Scheduler
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
WALL = 1_000_000.0


class _Places:
    """A budget whose places are as the test says."""

    window = 60.0
    spacing = 0.6

    def __init__(self) -> None:
        self.now_free = 100
        self.back: list[float] = []

    def free(self, _now: float) -> int:
        return self.now_free

    def returning(self, _now: float) -> list[float]:
        return self.back


class _Desk:
    """An account with nothing but its index; everything settles when it is told to."""

    def __init__(self, *, sets: Mapping[str, CouponSetSettings] | None = None, **settings: float) -> None:
        self.index = PendingIndex()
        self.slots = _Places()
        self.wants: dict[str, Sequence[Key]] = {}
        self.told: set[Key] = set()
        self.scheduler = Scheduler(
            DeliverSettings.model_validate(settings),
            self.index,
            self.slots,
            needs=lambda one: self.wants.get(one, ()),
            was_sent=lambda key: key in self.told,
            sets=sets or {},
        )

    def add(self, kind: RecordKind, *ids: str, lane: Lane = Lane.LIVE, accepted: int = int(WALL)) -> None:
        for record_id in ids:
            self.index[kind].add(record_id, lane, accepted)

    def many(self, kind: RecordKind, count: int, lane: Lane = Lane.LIVE, name: str = "x") -> None:
        self.add(kind, *(f"{name}{number}" for number in range(count)), lane=lane)

    def next(self, now: float = 0.0) -> Action:
        return self.scheduler.next(now, WALL + now)

    def send(self, now: float = 0.0) -> str:
        """The id of the record to be sent next; it settles at once."""
        action = self.next(now)
        assert isinstance(action, Send), action
        self.settle(action.key)
        return action.key.id

    def sent(self, count: int, now: float = 0.0) -> list[str]:
        return [self.send(now) for _ in range(count)]

    def settle(self, key: Key) -> None:
        self.index[key.kind].receipt_written(key.id)
        self.index[key.kind].settled(key.id, None, certain=True)
        self.told.add(key)
        self.scheduler.settled(key)

    def post(self, now: float = 0.0) -> Import:
        """The import to be made next; Connectif takes it."""
        action = self.next(now)
        assert isinstance(action, Import), action
        number = len(list(self.scheduler.imports.under_way()))
        self.scheduler.imports.started(action.kind, f"i{number}", action.batch, "_email", now)
        return action

    def finish(self, job: ImportJob) -> None:
        self.scheduler.imports.ended(job)
        for record_id in job.batch.ids:
            self.settle(Key(job.kind, record_id))


# Purchases and what they need.


def test_a_purchase_follows_what_it_needs_and_the_oldest_goes_first() -> None:
    partition_state = _Desk()
    partition_state.add(CONTACT, "ann", accepted=3)
    partition_state.add(PRODUCT, "p1", accepted=2)
    partition_state.add(PURCHASE, "o1", accepted=1)
    partition_state.add(PURCHASE, "o2", accepted=4)
    partition_state.wants["o1"] = [Key(CONTACT, "ann"), Key(PRODUCT, "p1")]
    assert partition_state.sent(4) == ["p1", "ann", "o1", "o2"]


def test_a_purchase_whose_contact_is_in_an_import_lets_others_pass() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 60)
    partition_state.post()
    partition_state.add(PURCHASE, "o1", "o2")
    partition_state.wants["o1"] = [Key(CONTACT, "x1")]
    assert partition_state.send() == "o2"
    assert isinstance(partition_state.next(), Idle)
    partition_state.finish(next(partition_state.scheduler.imports.under_way()))
    assert partition_state.send() == "o1"


def test_newer_data_of_a_contact_connectif_knows_holds_up_no_purchase() -> None:
    partition_state = _Desk()
    partition_state.told.add(Key(CONTACT, "ann"))
    partition_state.add(CONTACT, "ann", accepted=9)
    partition_state.add(PURCHASE, "o1", accepted=5)
    partition_state.wants["o1"] = [Key(CONTACT, "ann")]
    assert partition_state.sent(2) == ["o1", "ann"]


def test_a_purchase_waits_a_moment_for_a_contact_nobody_has_announced() -> None:
    partition_state = _Desk()
    partition_state.add(PURCHASE, "o1")
    partition_state.wants["o1"] = [Key(CONTACT, "ann")]
    first = partition_state.next(0.0)
    assert isinstance(first, Idle)
    assert first.until <= GRACE
    assert partition_state.send(GRACE) == "o1"


def test_a_ready_purchase_whose_newer_version_needs_another_product_waits_for_it() -> None:
    partition_state = _Desk()
    partition_state.add(PURCHASE, "o1", "o2")
    partition_state.scheduler.purchases.look(Lane.LIVE, 0.0, WALL, ahead=2)
    partition_state.add(PRODUCT, "p9")
    partition_state.wants["o1"] = [Key(PRODUCT, "p9")]
    assert partition_state.sent(3) == ["p9", "o1", "o2"]


def test_a_cancelled_order_that_stood_aside_does_not_come_back() -> None:
    partition_state = _Desk()
    partition_state.add(CONTACT, "ann")
    partition_state.add(PURCHASE, "o1")
    partition_state.wants["o1"] = [Key(CONTACT, "ann")]
    action = partition_state.next()
    assert isinstance(action, Send)
    partition_state.index[PURCHASE].settle_at_once("o1", Lane.LIVE, 1)
    partition_state.settle(action.key)
    assert isinstance(partition_state.next(), Idle)


def test_a_superseded_version_of_a_ready_purchase_does_not_make_it_forgotten() -> None:
    partition_state = _Desk()
    partition_state.add(PURCHASE, "o1")
    partition_state.scheduler.purchases.look(Lane.LIVE, 0.0, WALL, ahead=1)
    partition_state.scheduler.settled(Key(PURCHASE, "o1"))
    assert partition_state.send() == "o1"


# Singly or by import.


def test_a_few_contacts_go_one_by_one_and_a_backlog_by_one_import() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 20, name="few")
    assert partition_state.sent(20) == [f"few{number}" for number in range(20)]
    partition_state.many(CONTACT, 500)
    assert len(partition_state.post().batch.ids) == 500


def test_where_places_are_short_fewer_contacts_make_an_import() -> None:
    partition_state = _Desk()
    partition_state.slots.now_free = 1
    partition_state.many(CONTACT, 15)
    assert len(partition_state.post().batch.ids) == 15


def test_a_backfill_of_contacts_goes_by_import_though_places_are_free() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 3, Lane.BACKFILL, "few")
    assert len(partition_state.sent(3)) == 3
    partition_state.many(CONTACT, 10, Lane.BACKFILL)
    assert len(partition_state.post().batch.ids) == 10


def test_an_import_takes_the_rows_of_its_own_lane_alone() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 300, Lane.BACKFILL, "old")
    partition_state.many(CONTACT, 60, name="new")
    assert {one[:3] for one in partition_state.post().batch.ids} == {"new"}


def test_a_slower_lanes_import_is_no_longer_than_a_live_order_can_wait_for() -> None:
    partition_state = _Desk()
    partition_state.scheduler.imports.durations[CONTACT].per_row = 0.1
    partition_state.many(CONTACT, 5_000, Lane.BACKFILL)
    assert 100 < len(partition_state.post().batch.ids) < 600


def test_while_ready_purchases_keep_the_budget_busy_rows_gather_for_the_next_import() -> None:
    partition_state = _Desk()
    partition_state.many(PURCHASE, 100, name="o")
    partition_state.many(CONTACT, 60)
    for number in range(60):
        partition_state.wants[f"later{number}"] = [Key(CONTACT, f"x{number}")]
    partition_state.many(PURCHASE, 60, name="later")
    sent = 0
    while isinstance(action := partition_state.next(), Send):
        sent += 1
        partition_state.settle(action.key)
    assert isinstance(action, Import)
    # It is made while there are purchases for as long as it is expected to take.
    assert 80 < sent < 95


def test_what_has_waited_as_long_as_it_may_goes_though_purchases_are_ready() -> None:
    partition_state = _Desk(freshness=30)
    partition_state.many(PURCHASE, 1_000, name="o")
    partition_state.many(CONTACT, 60)
    assert isinstance(partition_state.next(29.0), Send)
    assert len(partition_state.post(31.0).batch.ids) == 60


def test_the_next_import_of_a_kind_is_no_smaller_than_what_is_under_way() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 80)
    partition_state.post()
    partition_state.slots.now_free = 1
    partition_state.many(CONTACT, 70, name="y")
    assert partition_state.scheduler.decide(CONTACT, Lane.LIVE, 0.0, WALL).method is Method.WAIT
    partition_state.many(CONTACT, 90, name="y")
    assert len(partition_state.post().batch.ids) == 90


def test_no_more_imports_than_the_settings_allow() -> None:
    partition_state = _Desk(imports_at_once=2)
    for name in "abc":
        partition_state.many(CONTACT, 200, name=name)
        if name != "c":
            partition_state.post()
    assert not isinstance(partition_state.next(), Import)


def test_while_an_import_is_waited_for_the_places_that_come_back_are_used_one_by_one() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 400)
    partition_state.post()
    partition_state.slots.now_free = 1
    partition_state.many(CONTACT, 40, name="y")
    assert partition_state.send(1.0) == "y0"
    assert isinstance(partition_state.next(1.1), Idle)
    assert partition_state.send(1.7) == "y1"


def test_what_a_purchase_waits_for_is_the_first_to_use_such_a_place() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 400)
    partition_state.post()
    partition_state.slots.now_free = 1
    partition_state.many(CONTACT, 40, name="y")
    partition_state.add(PURCHASE, "o1")
    partition_state.wants["o1"] = [Key(CONTACT, "y7")]
    assert partition_state.sent(2, 1.0) == ["y7", "o1"]


def test_rows_that_no_import_can_tell_go_by_calls_of_their_own() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 60)
    action = partition_state.post()
    partition_state.scheduler.singly(CONTACT, action.batch.ids[:2])
    assert partition_state.sent(2) == ["x0", "x1"]


def test_a_batch_set_aside_goes_by_the_next_import() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 60)
    action = partition_state.post()
    partition_state.scheduler.batch(CONTACT, ImportBatch(action.batch.ids[30:], lane=Lane.LIVE))
    assert partition_state.post().batch.ids == action.batch.ids[30:]


def test_coupons_go_by_import_alone() -> None:
    partition_state = _Desk()
    partition_state.add(COUPON, "s/1")
    assert isinstance(partition_state.next(), Import)


def test_a_look_at_an_import_goes_before_everything_else() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 60)
    partition_state.post()
    partition_state.add(PURCHASE, "o1", "o2")
    assert partition_state.send(1.0) == "o1"
    assert isinstance(partition_state.next(10.0), Poll)


def test_while_imports_of_unknown_content_may_run_their_kind_waits_and_purchases_do_not() -> None:
    partition_state = _Desk()
    partition_state.scheduler.imports.doubt([CONTACT], 0.0)
    partition_state.add(CONTACT, "ann")
    partition_state.add(PURCHASE, "o1", "o2")
    partition_state.wants["o1"] = [Key(CONTACT, "ann")]
    assert isinstance(partition_state.next(), ListImports)
    assert partition_state.send() == "o2"
    assert isinstance(partition_state.next(), Idle)
    partition_state.scheduler.imports.listed([], 1.0)
    assert partition_state.sent(2, 1.0) == ["ann", "o1"]


# Lanes.


def test_live_goes_first_and_the_others_have_their_floors() -> None:
    partition_state = _Desk(retry_floor=0.1, backfill_floor=0.05)
    for lane in Lane:
        partition_state.many(PURCHASE, 400, lane, lane.value)
    turns = [partition_state.send()[:4] for _ in range(200)]
    assert (turns.count("retr"), turns.count("back")) == (19, 9)


def test_a_place_nobody_more_urgent_wants_is_not_left_unused() -> None:
    partition_state = _Desk()
    partition_state.many(PURCHASE, 10, Lane.BACKFILL)
    assert len(partition_state.sent(10)) == 10


def test_a_slower_lane_keeps_places_for_the_time_in_which_none_comes_back() -> None:
    partition_state = _Desk()
    partition_state.many(PURCHASE, 10, Lane.BACKFILL)
    partition_state.slots.now_free, partition_state.slots.back = (
        5,
        [30.0 + number / 10 for number in range(95)],
    )
    idle = partition_state.next()
    assert isinstance(idle, Idle)
    assert 1 < idle.until < 30
    assert isinstance(partition_state.next(0.0), Idle)
    partition_state.add(PURCHASE, "live")
    assert partition_state.send() == "live"


def test_what_a_live_order_needs_of_a_backfill_is_as_urgent_as_the_order() -> None:
    partition_state = _Desk()
    partition_state.add(CONTACT, "ann", lane=Lane.BACKFILL)
    partition_state.slots.back = [59.0] * 99
    partition_state.slots.now_free = 1
    partition_state.add(PURCHASE, "o1")
    partition_state.wants["o1"] = [Key(CONTACT, "ann")]
    assert partition_state.sent(2) == ["ann", "o1"]


def test_an_order_that_becomes_live_while_it_is_ready_goes_with_the_live_ones() -> None:
    partition_state = _Desk()
    partition_state.many(PURCHASE, 3, Lane.BACKFILL)
    partition_state.scheduler.purchases.look(Lane.BACKFILL, 0.0, WALL, ahead=3)
    partition_state.add(PURCHASE, "x2", lane=Lane.LIVE)
    assert partition_state.sent(3) == ["x2", "x0", "x1"]


def test_what_is_delayed_comes_back_when_its_time_has_come() -> None:
    partition_state = _Desk()
    partition_state.add(PURCHASE, "o1")
    action = partition_state.next()
    assert isinstance(action, Send)
    partition_state.scheduler.delay(action.key, until=30.0)
    idle = partition_state.next(1.0)
    assert isinstance(idle, Idle)
    assert idle.until == 30.0
    assert partition_state.send(30.0) == "o1"


def test_a_contact_that_is_delayed_is_not_sent_early_for_a_purchase() -> None:
    partition_state = _Desk()
    partition_state.add(CONTACT, "ann")
    action = partition_state.next()
    assert isinstance(action, Send)
    partition_state.scheduler.delay(action.key, until=30.0)
    partition_state.add(PURCHASE, "o1")
    partition_state.wants["o1"] = [action.key]
    assert isinstance(partition_state.next(1.0), Idle)
    assert partition_state.sent(2, 30.0) == ["ann", "o1"]


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
def test_everything_that_waits_is_told_once_and_in_order_of_need(
    arrivals: list[tuple[RecordKind, int, int, Lane, int]], free: int
) -> None:
    """Whatever comes in whatever lane, with steps between: by calls of its own or by an import."""
    shop = _Shop(arrivals)
    shop.partition_state.slots.now_free = free
    for step in range(600):
        if step % shop.every == 0:
            shop.come()
        shop.go_on(step)
    assert sorted(map(str, shop.sent)) == sorted({f"{kind}|{number}" for kind, number, *_ in arrivals})
    phases = {
        shop.partition_state.index[kind].phase(one) for kind in RecordKind for one in map(str, range(10))
    }
    assert Phase.HELD not in phases


class _Shop:
    """Says things one after the other, and sees to it that they are told in order of need."""

    def __init__(self, arrivals: Sequence[tuple[RecordKind, int, int, Lane, int]]) -> None:
        self.partition_state = _Desk()
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
            self.partition_state.add(kind, f"{number}", lane=lane)
            if kind is PURCHASE:
                self.partition_state.wants[f"{number}"] = [Key(CONTACT, f"{other}"), Key(PRODUCT, f"{other}")]

    def go_on(self, step: int) -> None:
        partition_state, action = self.partition_state, self.partition_state.next(self._now)
        match action:
            case Send(key=key):
                self._tell(key)
            case Import(kind=kind, batch=batch):
                partition_state.scheduler.imports.started(kind, f"i{step}", batch, "_email", self._now)
            case Poll(job=job):
                self.sent += [Key(job.kind, one) for one in job.batch.ids]
                partition_state.finish(job)
            case Idle(until=until):
                self._now = min(until, self._now + GRACE)

    def _tell(self, key: Key) -> None:
        for need in self.partition_state.wants.get(key.id, ()) if key.kind is PURCHASE else ():
            assert (
                need in self.partition_state.told
                or self.partition_state.index[need.kind].phase(need.id) is None
            )
        self.sent.append(key)
        self.partition_state.settle(key)


SPRING = {"spring": CouponSetSettings(set_id="s1", low=2, batch=1)}


def test_codes_of_a_watched_set_go_once_it_is_found_low() -> None:
    partition_state = _Desk(sets=SPRING)
    partition_state.add(COUPON, "s1/a", "s1/b", lane=Lane.BACKFILL)
    action = partition_state.next()
    assert isinstance(action, Idle)
    assert action.until <= LAG
    assert partition_state.next(LAG) == CheckCouponSet("spring")
    assert partition_state.scheduler.coupons.seen("spring", Counters(1, 1), LAG) == 1
    assert partition_state.post(LAG).batch.ids == ["s1/a"]


def test_no_set_is_looked_at_before_imports_of_unknown_content_are_over_for_a_while() -> None:
    partition_state = _Desk(sets=SPRING)
    partition_state.scheduler.imports.doubt([COUPON], 0.0)
    assert partition_state.next(0.0) == ListImports()
    for now in (1.0, LAG, 2 * LAG):
        assert not isinstance(partition_state.next(now), CheckCouponSet)
    partition_state.scheduler.imports.listed([], 2 * LAG + 1)
    assert not isinstance(partition_state.next(3 * LAG), CheckCouponSet)
    assert not isinstance(partition_state.next(4 * LAG - 0.1), CheckCouponSet)
    assert partition_state.next(4 * LAG) == CheckCouponSet("spring")


def test_what_is_delayed_does_not_go_by_a_batch_it_was_once_put_into() -> None:
    partition_state = _Desk()
    partition_state.many(CONTACT, 60)
    action = partition_state.post()
    partition_state.scheduler.batch(CONTACT, ImportBatch(action.batch.ids[:30]))
    partition_state.add(PURCHASE, "o1")
    partition_state.wants["o1"] = [Key(CONTACT, "x3")]
    partition_state.index[CONTACT].pull("x3")
    partition_state.scheduler.delay(Key(CONTACT, "x3"), until=50.0)
    assert "x3" not in partition_state.post().batch.ids
    assert partition_state.index[CONTACT].phase("x3") is Phase.HELD
