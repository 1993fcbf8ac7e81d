"""PrestaShop's lists, page by page: what is asked, what a page says, and where it goes on."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, documents_of
from pipeline.shops.base import Rejected
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.pull import PULL
from pipeline.shops.pull import PullAnswer, PullPass, PullScope
from tests.platforms import settings_of
from tests.pulling import event_of, exchanges, scope

SETTINGS: Any = settings_of("prestashop", timezone="Europe/Madrid")


def ms(text: str, fold: int = 0) -> int:
    """A moment by the shop's clock."""
    at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Madrid"), fold=fold)
    return int(at.timestamp() * 1_000)


def between(kind: Kind, since: str, until: str) -> PullScope:
    return scope(kind, PullPass.CHANGED, ms(since), ms(until))


CUSTOMERS = between(Kind.CUSTOMER, "2024-05-06 10:00:00", "2024-05-06 11:00:00")


def path(request: ApiRequest | None) -> str:
    assert request is not None
    return unquote(request.path)


def test_customers_that_changed_are_asked_for_by_the_shops_own_clock() -> None:
    first = PULL.first(SETTINGS, CUSTOMERS)
    assert path(first) == (
        "/api/customers?output_format=JSON&display=full&date=1"
        "&filter[date_upd]=[2024-05-06 10:00:00,2024-05-06 11:00:00]"
        "&sort=[date_upd_ASC,id_ASC]&limit=0,100"
    )
    page = PULL.read(SETTINGS, CUSTOMERS, first, exchanges("prestashop", "customers-full")[0][1])
    assert [row.entity for row in page.rows] == ["12", "13", "14", "15"]
    assert page.rows[0].modified_ms == ms("2024-05-06 10:14:00")
    [(asked, document)] = documents_of(event_of(PRESTASHOP, Kind.CUSTOMER, page.rows[0])).items()
    assert asked == "/api/customers/12?output_format=JSON"
    assert document.body["customer"]["email"] == "customer1@example.com"
    assert b"neutral" not in page.rows[0].body  # hashes of passwords, keys


def test_behind_a_page_come_the_other_rows_of_its_last_second_and_then_what_is_later() -> None:
    first = PULL.first(SETTINGS, CUSTOMERS)
    page = PULL.read(SETTINGS, CUSTOMERS, first, exchanges("prestashop", "customers-full")[0][1])
    assert path(page.following) == (
        "/api/customers?output_format=JSON&display=full&date=1"
        "&filter[date_upd]=[2024-05-06 10:40:00,2024-05-06 10:40:00]&filter[id]=>[15]"
        "&sort=[id_ASC]&limit=0,100"
    )
    [(_, empty)] = exchanges("prestashop", "customers-empty")
    assert page.following is not None
    behind = PULL.read(SETTINGS, CUSTOMERS, page.following, empty)
    assert "filter[date_upd]=[2024-05-06 10:40:01,2024-05-06 11:00:00]" in path(behind.following)
    assert behind.following is not None
    assert PULL.read(SETTINGS, CUSTOMERS, behind.following, empty).following is None


def test_orders_of_the_hour_that_exists_twice_are_all_read() -> None:
    what = between(Kind.ORDER, "2024-10-27 01:00:00", "2024-10-27 04:00:00")
    first = PULL.first(SETTINGS, what)
    two, last = (answer for _, answer in exchanges("prestashop", "orders-page"))
    page = PULL.read(SETTINGS, what, first, two)
    assert [row.entity for row in page.rows] == ["51", "52"]
    assert "filter[date_upd]=[2024-10-27 02:30:00,2024-10-27 02:30:00]&filter[id]=>[52]" in path(
        page.following
    )
    assert [row.entity for row in PULL.read(SETTINGS, what, first, last).rows] == ["53"]
    # Between two moments of that hour, the later of which the clock shows as the earlier one.
    turned = scope(Kind.ORDER, PullPass.CHANGED, ms("2024-10-27 02:50:00"), ms("2024-10-27 02:10:00", fold=1))
    assert "[2024-10-27 02:10:00,2024-10-27 02:50:00]" in path(PULL.first(SETTINGS, turned))
    assert PULL.overlap > 3_600


def test_an_order_of_a_list_asks_for_what_an_announced_one_does() -> None:
    what = between(Kind.ORDER, "2024-10-27 01:00:00", "2024-10-27 04:00:00")
    page = PULL.read(SETTINGS, what, PULL.first(SETTINGS, what), exchanges("prestashop", "orders-page")[0][1])
    needs = PULL.needs
    assert needs is not None
    row = page.rows[0]
    documents = documents_of(event_of(PRESTASHOP, Kind.ORDER, row))
    assert needs(row, documents, PRESTASHOP.store("acme", SETTINGS)) == [
        "/api/customers/12?output_format=JSON",
        "/api/currencies/1?output_format=JSON",
        "/api/addresses/5?output_format=JSON",
        "/api/order_slip?filter[id_order]=[51]&display=full&output_format=JSON",
    ]


def test_consents_are_read_with_few_fields_in_the_order_of_the_ids() -> None:
    what = scope(Kind.CUSTOMER, PullPass.CONSENT)
    first = PULL.first(SETTINGS, what)
    assert path(first) == (
        "/api/customers?output_format=JSON&display=[id,email,newsletter,newsletter_date_add,is_guest,deleted,"
        "id_shop,id_lang,date_add,date_upd]&filter[id]=>[0]&sort=[id_ASC]&limit=0,500"
    )
    page = PULL.read(SETTINGS, what, first, exchanges("prestashop", "customers-full")[1][1])
    assert {row.topic for row in page.rows} == {"fetched/consent"}
    assert "filter[id]=>[15]" in path(page.following)


def test_ids_alone_and_products_are_those_of_the_stores_shop() -> None:
    several: Any = settings_of("prestashop", shop_id="2")
    asked = path(PULL.first(several, scope(Kind.PRODUCT, PullPass.PRESENT)))
    assert asked == (
        "/api/products?output_format=JSON&display=[id]&filter[id]=>[0]&sort=[id_ASC]&limit=0,500&id_shop=2"
    )
    assert path(PULL.first(several, scope(Kind.ORDER, PullPass.FULL))).endswith("&id_shop=all")


@pytest.mark.parametrize("said", ["0000-00-00 00:00:00", "2024-05-06", None, 7, "yesterday"])
def test_a_row_that_changed_at_no_time_is_no_row_of_a_window(said: object) -> None:
    answer = PullAnswer({"customers": [{"id": 1, "date_upd": said}]}, {})
    with pytest.raises(Rejected, match="invalid_date"):
        PULL.read(SETTINGS, CUSTOMERS, PULL.first(SETTINGS, CUSTOMERS), answer)
