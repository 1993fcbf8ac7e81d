"""A custom shop's lists, page by page: what is asked, what a page says, and where it goes on."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, Moment
from pipeline.shops.base import Rejected
from pipeline.shops.generic import GENERIC
from pipeline.shops.generic.api import API
from pipeline.shops.generic.pull import PULL
from pipeline.shops.pull import PullAnswer, PullPass
from tests.platforms import settings_of
from tests.pulling import exchanges, scope

SETTINGS: Any = settings_of(
    "generic", api_url="https://shop.example/connectif/v1/", api_token=SecretStr("only-for-tests")
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


SINCE, UNTIL = ms("2024-05-06T08:00:00+00:00"), ms("2024-05-06T09:00:00+00:00")
ORDERS = scope(Kind.ORDER, PullPass.CHANGED, SINCE, UNTIL)


def test_orders_that_changed_are_read_by_the_cursor_that_the_shop_gives() -> None:
    first = PULL.first(SETTINGS, ORDERS)
    assert first.path == "/orders?updated_since=2024-05-06T08:00:00Z&limit=100"
    (_, one), (_, two) = exchanges("generic", "orders-page")
    page = PULL.read(SETTINGS, ORDERS, first, one)
    assert [(row.entity, row.topic) for row in page.rows] == [
        ("O-1001", "order.updated"),
        ("O-1002", "order.updated"),
    ]
    assert page.rows[0].modified_ms == ms("2024-05-06T10:20:30+02:00")
    assert json.loads(page.rows[0].body) == {"type": "order.updated", "data": one.value["items"][0]}
    assert page.following is not None
    assert page.following.path == "/orders?cursor=MjAyNC0wNS0wNnxPLTEwMDI&limit=100"
    end = PULL.read(SETTINGS, ORDERS, page.following, two)
    assert [(row.entity, row.topic) for row in end.rows] == [
        ("O-1001", "order.updated"),
        ("O-0999", "order.deleted"),
    ]
    assert end.following is None


def test_customers_that_are_gone_are_told_and_are_not_present() -> None:
    [(_, answer)] = exchanges("generic", "customers-page")
    what = scope(Kind.CUSTOMER, PullPass.FULL)
    page = PULL.read(SETTINGS, what, PULL.first(SETTINGS, what), answer)
    assert [row.topic for row in page.rows] == ["customer.updated", "customer.updated", "customer.deleted"]
    what = scope(Kind.CUSTOMER, PullPass.PRESENT)
    page = PULL.read(SETTINGS, what, PULL.first(SETTINGS, what), answer)
    assert [(row.entity, row.body) for row in page.rows] == [("C-1", b""), ("C-2", b"")]


def test_all_products_are_asked_for_without_a_time() -> None:
    what = scope(Kind.PRODUCT, PullPass.FULL)
    first = PULL.first(SETTINGS, what)
    [(asked, answer)] = exchanges("generic", "products-page")
    assert f"/connectif/v1{first.path}" == asked
    assert [row.entity for row in PULL.read(SETTINGS, what, first, answer).rows] == ["P-100", "P-100"]


def test_a_row_without_an_id_is_left_out_and_one_without_a_time_is_kept() -> None:
    rows = [{"id": None}, {"id": 7, "updated_at": "2024-05-06 10:00:00"}]
    page = PULL.read(
        SETTINGS, ORDERS, PULL.first(SETTINGS, ORDERS), PullAnswer({"items": rows, "next_cursor": None}, {})
    )
    assert [(row.entity, row.modified_ms) for row in page.rows] == [("7", None)]
    assert page.dropped == 1


@pytest.mark.parametrize("cursor", ["", 7, [], "x" * 1_001, True])
def test_a_cursor_that_is_none_is_refused(cursor: object) -> None:
    answer = PullAnswer({"items": [], "next_cursor": cursor}, {})
    with pytest.raises(Rejected, match="next_cursor"):
        PULL.read(SETTINGS, ORDERS, PULL.first(SETTINGS, ORDERS), answer)


def test_a_page_that_does_not_say_whether_it_is_the_last_and_one_that_leads_to_itself_are_refused() -> None:
    first = PULL.first(SETTINGS, ORDERS)
    with pytest.raises(Rejected, match="next_cursor"):
        PULL.read(SETTINGS, ORDERS, first, PullAnswer({"items": []}, {}))
    again = ApiRequest("/orders?cursor=a&limit=100")
    with pytest.raises(Rejected, match="next_cursor"):
        PULL.read(SETTINGS, ORDERS, again, PullAnswer({"items": [{"id": 1}], "next_cursor": "a"}, {}))


def test_its_lists_are_read_only_where_address_and_token_are_given() -> None:
    plain: Any = settings_of("generic")
    assert (GENERIC.asks(SETTINGS), GENERIC.asks(plain)) == (True, False)
    assert API.base_url(SETTINGS) == "https://shop.example/connectif/v1"
    first = PULL.first(SETTINGS, ORDERS)
    assert API.authorise(SETTINGS, first, Moment(0, "")) == {"authorization": "Bearer only-for-tests"}
    one_half: Any = settings_of("generic", api_url="https://shop.example")
    assert "api_token: missing" in (one_half.complaint([]) or "")
