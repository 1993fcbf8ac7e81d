"""Whether contacts, products and coupons go singly or by import, on lists and a clock that is passed in."""

from __future__ import annotations

from pipeline.config_accounts import CouponSetSettings
from pipeline.deliver.schedule.actions import CheckCouponSet, Idle, Import, ListImports, Poll, Send
from pipeline.deliver.schedule.coupon_inventory import LAG, Counters
from pipeline.deliver.schedule.decision import Method
from pipeline.deliver.schedule.import_jobs import ImportBatch
from pipeline.deliver.schedule.pending_queue import Phase
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from tests.unit.scheduling import CONTACT, COUPON, PURCHASE, WALL, ScheduledAccount


def test_a_few_contacts_go_one_by_one_and_a_backlog_by_one_import() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 20, name="few")
    assert account.sent(20) == [f"few{number}" for number in range(20)]
    account.many(CONTACT, 500)
    assert len(account.start_import().batch.ids) == 500


def test_where_slots_are_short_fewer_contacts_make_an_import() -> None:
    account = ScheduledAccount()
    account.slots.now_free = 1
    account.many(CONTACT, 15)
    assert len(account.start_import().batch.ids) == 15


def test_a_backfill_of_contacts_goes_by_import_though_slots_are_free() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 3, Lane.BACKFILL, "few")
    assert len(account.sent(3)) == 3
    account.many(CONTACT, 10, Lane.BACKFILL)
    assert len(account.start_import().batch.ids) == 10


def test_an_import_takes_the_rows_of_its_own_lane_alone() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 300, Lane.BACKFILL, "old")
    account.many(CONTACT, 60, name="new")
    assert {one[:3] for one in account.start_import().batch.ids} == {"new"}


def test_a_slower_lanes_import_is_no_longer_than_a_live_order_can_wait_for() -> None:
    account = ScheduledAccount()
    account.scheduler.imports.durations[CONTACT].per_row = 0.1
    account.many(CONTACT, 5_000, Lane.BACKFILL)
    assert 100 < len(account.start_import().batch.ids) < 600


def test_while_ready_purchases_keep_the_budget_busy_rows_gather_for_the_next_import() -> None:
    account = ScheduledAccount()
    account.many(PURCHASE, 100, name="o")
    account.many(CONTACT, 60)
    for number in range(60):
        account.needs[f"later{number}"] = [Key(CONTACT, f"x{number}")]
    account.many(PURCHASE, 60, name="later")
    sent = 0
    while isinstance(action := account.next(), Send):
        sent += 1
        account.settle(action.key)
    assert isinstance(action, Import)
    # It is made while there are purchases for as long as it is expected to take.
    assert 80 < sent < 95


def test_what_has_waited_as_long_as_it_may_goes_though_purchases_are_ready() -> None:
    account = ScheduledAccount(freshness=30)
    account.many(PURCHASE, 1_000, name="o")
    account.many(CONTACT, 60)
    assert isinstance(account.next(29.0), Send)
    assert len(account.start_import(31.0).batch.ids) == 60


def test_the_next_import_of_a_kind_is_no_smaller_than_what_is_under_way() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 80)
    account.start_import()
    account.slots.now_free = 1
    account.many(CONTACT, 70, name="y")
    assert account.scheduler.decide(CONTACT, Lane.LIVE, 0.0, WALL).method is Method.WAIT
    account.many(CONTACT, 90, name="y")
    assert len(account.start_import().batch.ids) == 90


def test_no_more_imports_than_the_settings_allow() -> None:
    account = ScheduledAccount(imports_at_once=2)
    for name in "abc":
        account.many(CONTACT, 200, name=name)
        if name != "c":
            account.start_import()
    assert not isinstance(account.next(), Import)


def test_while_an_import_is_waited_for_the_slots_that_come_back_are_used_one_by_one() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 400)
    account.start_import()
    account.slots.now_free = 1
    account.many(CONTACT, 40, name="y")
    assert account.send(1.0) == "y0"
    assert isinstance(account.next(1.1), Idle)
    assert account.send(1.7) == "y1"


def test_what_a_purchase_waits_for_is_the_first_to_use_such_a_slot() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 400)
    account.start_import()
    account.slots.now_free = 1
    account.many(CONTACT, 40, name="y")
    account.add(PURCHASE, "o1")
    account.needs["o1"] = [Key(CONTACT, "y7")]
    assert account.sent(2, 1.0) == ["y7", "o1"]


def test_rows_that_no_import_can_hold_go_by_calls_of_their_own() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 60)
    action = account.start_import()
    account.scheduler.singly(CONTACT, action.batch.ids[:2])
    assert account.sent(2) == ["x0", "x1"]


def test_a_batch_that_was_put_off_goes_by_the_next_import() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 60)
    action = account.start_import()
    account.scheduler.batch(CONTACT, ImportBatch(action.batch.ids[30:], lane=Lane.LIVE))
    assert account.start_import().batch.ids == action.batch.ids[30:]


def test_coupons_go_by_import_alone() -> None:
    account = ScheduledAccount()
    account.add(COUPON, "s/1")
    assert isinstance(account.next(), Import)


def test_a_look_at_an_import_goes_before_everything_else() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 60)
    account.start_import()
    account.add(PURCHASE, "o1", "o2")
    assert account.send(1.0) == "o1"
    assert isinstance(account.next(10.0), Poll)


def test_while_imports_of_unknown_content_may_run_their_kind_waits_and_purchases_do_not() -> None:
    account = ScheduledAccount()
    account.scheduler.imports.doubt([CONTACT], 0.0)
    account.add(CONTACT, "ann")
    account.add(PURCHASE, "o1", "o2")
    account.needs["o1"] = [Key(CONTACT, "ann")]
    assert isinstance(account.next(), ListImports)
    assert account.send() == "o2"
    assert isinstance(account.next(), Idle)
    account.scheduler.imports.listed([], 1.0)
    assert account.sent(2, 1.0) == ["ann", "o1"]


SPRING = {"spring": CouponSetSettings(set_id="s1", low=2, batch=1)}


def test_codes_of_a_coupon_set_go_once_it_is_found_low() -> None:
    account = ScheduledAccount(sets=SPRING)
    account.add(COUPON, "s1/a", "s1/b", lane=Lane.BACKFILL)
    action = account.next()
    assert isinstance(action, Idle)
    assert action.until <= LAG
    assert account.next(LAG) == CheckCouponSet("spring")
    assert account.scheduler.coupons.seen("spring", Counters(1, 1), LAG) == 1
    assert account.start_import(LAG).batch.ids == ["s1/a"]


def test_no_set_is_looked_at_before_imports_of_unknown_content_are_over_for_a_while() -> None:
    account = ScheduledAccount(sets=SPRING)
    account.scheduler.imports.doubt([COUPON], 0.0)
    assert account.next(0.0) == ListImports()
    for now in (1.0, LAG, 2 * LAG):
        assert not isinstance(account.next(now), CheckCouponSet)
    account.scheduler.imports.listed([], 2 * LAG + 1)
    assert not isinstance(account.next(3 * LAG), CheckCouponSet)
    assert not isinstance(account.next(4 * LAG - 0.1), CheckCouponSet)
    assert account.next(4 * LAG) == CheckCouponSet("spring")


def test_what_is_delayed_does_not_go_by_a_batch_it_was_once_put_into() -> None:
    account = ScheduledAccount()
    account.many(CONTACT, 60)
    action = account.start_import()
    account.scheduler.batch(CONTACT, ImportBatch(action.batch.ids[:30]))
    account.add(PURCHASE, "o1")
    account.needs["o1"] = [Key(CONTACT, "x3")]
    account.index[CONTACT].pull("x3")
    account.scheduler.delay(Key(CONTACT, "x3"), until=50.0)
    assert "x3" not in account.start_import().batch.ids
    assert account.index[CONTACT].phase("x3") is Phase.HELD
