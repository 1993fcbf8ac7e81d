"""When a shop may be asked again."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.shops.api import Points, RequestLimit
from pipeline.sync.lanes import ShopLane
from pipeline.sync.limit import LONGEST_WAIT, ShopLimit
from pipeline.sync.points import RESERVE, PointsBucket


@given(st.integers(1, 20), st.floats(0.5, 60), st.lists(st.floats(0, 5), max_size=80))
def test_no_window_of_its_length_holds_more_requests_than_the_shop_stands(
    requests: int, seconds: float, gaps: list[float]
) -> None:
    limit, now, sent = ShopLimit(RequestLimit(requests, seconds)), 0.0, list[float]()
    for gap in gaps:
        now += gap
        while wait := limit.wait(now, ShopLane.LIVE):
            now += wait
        limit.sent(now)
        sent.append(now)
        recent = [moment for moment in sent if moment > now - seconds + 1e-6]
        assert len(recent) <= requests


def test_the_pause_that_a_shop_asks_for_is_kept() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0, pause=60.0))
    limit.too_many(0.0, 7.0)
    assert (limit.wait(1.0, ShopLane.LIVE), limit.stopped) == (6.0, "too_many")
    limit.answered(1.0)
    assert (limit.wait(1.0, ShopLane.LIVE), limit.stopped) == (0.0, "")


def test_a_shop_that_names_no_pause_is_left_alone_for_that_of_its_platform() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0, pause=60.0))
    limit.too_many(0.0, None)
    assert limit.wait(0.0, ShopLane.LIVE) == 60.0


def test_failures_in_a_row_are_waited_for_longer_each_time_within_a_bound() -> None:
    limit, now, waits = ShopLimit(RequestLimit(100, 1.0)), 0.0, list[float]()
    for _ in range(14):
        limit.failed(now, 1.0, "timeout")
        waits.append(limit.wait(now, ShopLane.LIVE))
        now += waits[-1]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT


def test_refused_credentials_are_tried_rarely() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0))
    limit.unauthorised(0.0)
    assert (limit.wait(0.0, ShopLane.LIVE), limit.stopped) == (60.0, "unauthorised")


def test_pulls_are_spread_over_the_limits_time_and_leave_room_for_withdrawals() -> None:
    limit, now, sent = ShopLimit(RequestLimit(120, 60.0)), 1_000.0, list[float]()
    for _ in range(200):
        now += limit.wait(now, ShopLane.FULL)
        limit.sent(now)
        sent.append(now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert max(gaps) < 0.53
    assert len(sent) * 0.5 / (sent[-1] - sent[0]) > 0.95
    for _ in range(2):
        assert limit.wait(now, ShopLane.WITHDRAWAL) == 0.0
        limit.sent(now)
    assert 0.0 < limit.wait(now, ShopLane.WITHDRAWAL) < 0.53
    assert limit.wait(now, ShopLane.FULL) > 1.0, "what withdrawals took, pulls leave"


def test_what_a_slow_answer_held_up_is_caught_up_with_and_a_pause_is_not() -> None:
    limit = ShopLimit(RequestLimit(120, 60.0))
    limit.sent(1_000.0)
    for _ in range(5):  # three seconds without a request
        assert limit.wait(1_003.0, ShopLane.FULL) == 0.0
        limit.sent(1_003.0)
    assert limit.wait(1_003.0, ShopLane.FULL) > 0.0
    limit.sent(2_000.0)
    assert limit.wait(2_000.0, ShopLane.FULL) > 0.5


def test_the_answer_to_an_older_request_ends_no_pause() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0))
    limit.too_many(10.0, 30.0)
    limit.answered(9.9)
    assert (limit.wait(11.0, ShopLane.LIVE), limit.stopped) == (29.0, "too_many")
    limit.answered(40.0)
    assert (limit.wait(40.0, ShopLane.LIVE), limit.stopped) == (0.0, "")


def test_a_query_waits_for_its_points_and_a_withdrawal_takes_those_that_are_kept_for_it() -> None:
    bucket = PointsBucket()
    assert bucket.wait(0.0, "page", ShopLane.FULL) == 0.0
    bucket.heard(0.0, "page", Points(asked=150.0, there=60.0, rate=100.0, most=2_000.0))
    assert bucket.wait(0.0, "page", ShopLane.FULL) == (150.0 + RESERVE - 60.0) / 100.0
    assert bucket.wait(0.0, "find", ShopLane.WITHDRAWAL) == 0.0
    assert bucket.wait(1.4, "page", ShopLane.FULL) == 0.0
    taken = bucket.sent("page")
    assert bucket.wait(1.4, "page", ShopLane.FULL) == 1.5, "one that is under way has its points"
    bucket.ended(taken)
    assert bucket.wait(1.4, "page", ShopLane.FULL) == 0.0


def test_a_query_that_was_never_asked_waits_for_as_much_as_it_may_cost() -> None:
    bucket = PointsBucket()
    bucket.heard(0.0, "page", Points(asked=150.0, there=300.0, rate=100.0, most=2_000.0))
    assert bucket.wait(0.0, "page", ShopLane.FULL) == 0.0
    assert bucket.wait(0.0, "another", ShopLane.FULL) == 7.0
    bucket.heard(0.0, "dear", Points(asked=5_000.0, there=0.0, rate=100.0, most=400.0))
    assert bucket.wait(0.0, "dear", ShopLane.FULL) == 4.0, "no longer than the bucket takes to fill"
