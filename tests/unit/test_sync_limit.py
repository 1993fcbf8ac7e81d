"""When a shop may be asked again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.shops.api import RequestLimit
from pipeline.sync.limit import LONGEST_WAIT, ShopLimit


@given(st.integers(1, 20), st.floats(0.5, 60), st.lists(st.floats(0, 5), max_size=80))
def test_no_window_of_its_length_holds_more_requests_than_the_shop_stands(
    requests: int, seconds: float, gaps: list[float]
) -> None:
    limit, now, sent = ShopLimit(RequestLimit(requests, seconds)), 0.0, list[float]()
    for gap in gaps:
        now += gap
        while wait := limit.wait(now):
            now += wait
        limit.sent(now)
        sent.append(now)
        recent = [moment for moment in sent if moment > now - seconds + 1e-6]
        assert len(recent) <= requests


def test_the_pause_that_a_shop_asks_for_is_kept() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0, pause=60.0))
    limit.too_many(0.0, 7.0)
    assert (limit.wait(1.0), limit.stopped) == (6.0, "too_many")
    limit.answered()
    assert (limit.wait(1.0), limit.stopped) == (0.0, "")


def test_a_shop_that_names_no_pause_is_left_alone_for_that_of_its_platform() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0, pause=60.0))
    limit.too_many(0.0, None)
    assert limit.wait(0.0) == 60.0


def test_failures_in_a_row_are_waited_for_longer_each_time_within_a_bound() -> None:
    limit, now, waits = ShopLimit(RequestLimit(100, 1.0)), 0.0, list[float]()
    for _ in range(14):
        limit.failed(now, 1.0, "timeout")
        waits.append(limit.wait(now))
        now += waits[-1]
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_WAIT


def test_refused_credentials_are_tried_rarely() -> None:
    limit = ShopLimit(RequestLimit(100, 1.0))
    limit.unauthorised(0.0)
    assert (limit.wait(0.0), limit.stopped) == (60.0, "unauthorised")
