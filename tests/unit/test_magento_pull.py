"""Magento's lists, page by page: what is asked, what a page says, and where it goes on."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, documents_of
from pipeline.shops.magento import MAGENTO
from pipeline.shops.magento.pull import PULL
from pipeline.shops.pull import PullAnswer, PullPass, completed
from tests.platforms import settings_of
from tests.pulling import event_of, exchanges, scope

SETTINGS: Any = settings_of("magento")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1_000)


SINCE, UNTIL = ms("2024-05-06 08:00:00"), ms("2024-05-06 09:00:00")
CUSTOMERS = scope(Kind.CUSTOMER, PullPass.CHANGED, SINCE, UNTIL)


def filters(request: ApiRequest | None) -> list[str]:
    """The filters of a request, as `group: field condition value`."""
    assert request is not None
    said = {name: value for name, [value] in parse_qs(request.path.partition("?")[2]).items()}
    group, found = "searchCriteria[filterGroups]", []
    for name, field in said.items():
        one, _, part = name.rpartition("[")
        if name.startswith(group) and part == "field]":
            number = one.removeprefix(group)[1]
            found.append(f"{number}: {field} {said[f'{one}[conditionType]']} {said[f'{one}[value]']}")
    return found


def test_customers_that_changed_are_read_in_the_order_of_time_and_id() -> None:
    first = PULL.first(SETTINGS, CUSTOMERS)
    assert first.path.startswith("/rest/all/V1/customers/search?")
    assert filters(first) == [
        "0: updated_at gteq 2024-05-06 08:00:00",
        "1: updated_at lteq 2024-05-06 09:00:00",
    ]
    text = unquote(first.path)
    assert "[sortOrders][0][field]=updated_at" in text
    assert "[sortOrders][1][field]=entity_id" in text
    page = PULL.read(SETTINGS, CUSTOMERS, first, exchanges("magento", "customers-search-page")[0][1])
    assert [row.entity for row in page.rows] == ["158", "157", "201"]
    assert [row.modified_ms for row in page.rows] == [
        ms("2024-05-06 08:15:00"),
        ms("2024-05-06 08:20:30"),
        ms("2024-05-06 08:20:30"),
    ]
    assert page.total == 4


def test_the_next_page_is_what_stands_behind_the_last_row_of_this_one() -> None:
    first = PULL.first(SETTINGS, CUSTOMERS)
    page = PULL.read(SETTINGS, CUSTOMERS, first, exchanges("magento", "customers-search-page")[0][1])
    assert filters(page.following) == [
        "0: updated_at gteq 2024-05-06 08:20:30",
        "1: updated_at gt 2024-05-06 08:20:30",
        "1: entity_id gt 201",
        "2: updated_at lteq 2024-05-06 09:00:00",
    ]


def test_a_last_page_that_comes_again_has_no_rows_and_is_the_end() -> None:
    second = PULL.first(SETTINGS, CUSTOMERS)
    page = PULL.read(SETTINGS, CUSTOMERS, second, exchanges("magento", "customers-search-page")[1][1])
    assert [row.entity for row in page.rows] == ["160"]
    assert page.following is not None
    [(_, again)] = exchanges("magento", "customers-search-past-last-page")
    end = PULL.read(SETTINGS, CUSTOMERS, page.following, again)
    assert (end.rows, end.following) == ([], None)


def test_customers_of_several_websites_are_looked_up_one_by_one() -> None:
    first = PULL.first(SETTINGS, CUSTOMERS)
    several, one = (answer for _, answer in exchanges("magento", "customers-search-page"))
    page = PULL.read(SETTINGS, CUSTOMERS, first, several)
    assert page.lookups[0] == (0, ("/rest/all/V1/customers/158",))
    assert page.rows[0].body == b""
    alone = PULL.read(SETTINGS, CUSTOMERS, first, one)
    assert alone.lookups == ()
    [row] = alone.rows
    assert list(documents_of(event_of(MAGENTO, Kind.CUSTOMER, row))) == ["/rest/all/V1/customers/160"]
    told: Any = settings_of("magento", website_ids=["1"])
    assert PULL.read(told, CUSTOMERS, first, one).lookups == [(0, ("/rest/all/V1/customers/160",))]


def test_a_product_comes_under_its_sku_and_asks_for_its_parts() -> None:
    what = scope(Kind.PRODUCT, PullPass.CHANGED, SINCE, UNTIL)
    settings: Any = settings_of("magento", store_code="default")
    first = PULL.first(settings, what)
    assert first.path.startswith("/rest/default/V1/products?")
    [(_, answer)] = exchanges("magento", "products-search-page")
    page = PULL.read(settings, what, first, answer)
    assert [row.entity for row in page.rows] == ["500", "501", "510"]
    documents = [documents_of(event_of(MAGENTO, Kind.PRODUCT, row)) for row in page.rows]
    assert [next(iter(one)) for one in documents] == [
        "/rest/default/V1/products/TSHIRT",
        "/rest/default/V1/products/TSHIRT-M",
        "/rest/default/V1/products/mug%2Fblue",
    ]
    store = MAGENTO.store("acme", settings)
    needs = PULL.needs
    assert needs is not None
    [parts] = needs(page.rows[0], documents[0], store)
    assert "[value]=501,502&" in parts
    assert [needs(row, found, store) for row, found in zip(page.rows[1:], documents[1:], strict=True)] == [
        [],
        [],
    ]
    whole = completed(page.rows[0], [(parts, 200, b'{"items":[],"total_count":0}')])
    assert list(documents_of(event_of(MAGENTO, Kind.PRODUCT, whole))) == [*documents[0], parts]


def test_everything_is_read_by_the_id_and_consents_and_ids_with_few_fields() -> None:
    light = "id,email,store_id,website_id,created_at,updated_at,extension_attributes[is_subscribed]"
    for reads, fields in (
        (PullPass.FULL, None),
        (PullPass.PRESENT, "items[id],total_count"),
        (PullPass.CONSENT, f"items[{light}],total_count"),
    ):
        first = PULL.first(SETTINGS, scope(Kind.CUSTOMER, reads))
        assert filters(first) == ["0: entity_id gt 0"]
        assert parse_qs(first.path.partition("?")[2]).get("fields") == (None if fields is None else [fields])


def test_a_list_that_is_an_object_is_a_list_and_keys_of_orders_are_not_kept() -> None:
    what = scope(Kind.ORDER, PullPass.FULL)
    row = {
        "entity_id": 7,
        "updated_at": "2024-05-06 08:00:00",
        "protect_code": "x",
        "remote_ip": "203.0.113.10",
    }
    page = PULL.read(SETTINGS, what, PULL.first(SETTINGS, what), PullAnswer({"items": {"3": row}}, {}))
    [one] = page.rows
    assert b'"protect_code":"","remote_ip":""' in one.body


@pytest.mark.parametrize("kind", Kind)
def test_the_cloud_service_has_other_paths(kind: Kind) -> None:
    cloud: Any = settings_of(
        "magento",
        access_token=None,
        ims_client_id="id",
        ims_client_secret="secret",
        ims_organisation="org",
        api_url="https://na1.api.commerce.adobe.com/tenant",
    )
    assert PULL.first(cloud, scope(kind)).path.startswith("/V1/")
