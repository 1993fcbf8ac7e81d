"""What is asked of PrestaShop's webservice, and how."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from pydantic import ValidationError

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, Moment, documents_of
from pipeline.shops.prestashop.api import API, RESOURCES, authorise, base_url, limit, query
from pipeline.shops.prestashop.lookups import needs
from pipeline.shops.prestashop.platform import PRESTASHOP
from pipeline.sync.client import ShopClient
from pipeline.sync.lookup import Documented, look_up
from tests.platforms import settings_of
from tests.prestashop import asked, call, fetched, read, store

KEY = "KEYOFTHEWEBSERVICEFORTESTSONLY32"
NOW = Moment(0, "")
ORDER = {
    "id": 5,
    "valid": "1",
    "id_customer": "12",
    "id_currency": "1",
    "id_address_invoice": "6",
    "total_discounts": "5.000000",
    "current_state": "2",
}
ANSWERS: dict[str, Any] = {
    "/api/orders/5": {"order": ORDER},
    "/api/addresses/6": {"address": {"id": 6, "id_country": "3", "phone": "600123456"}},
    "/api/order_cart_rules": {"order_cart_rules": [{"id": 1, "id_cart_rule": "9", "name": "Welcome"}]},
    "/api/products/7": {
        "product": {
            "id": 7,
            "active": "1",
            "price": "8.0",
            "associations": {"categories": [{"id": "2"}, {"id": "4"}], "combinations": [{"id": "1"}]},
        }
    },
}


def paths(body: dict[str, Any], answers: dict[str, Any] = ANSWERS, **settings: Any) -> list[str]:
    """What is asked about a call, in that order."""
    after = asked(call(body), answers, **settings)
    return [] if after is None else [unquote(path) for path in documents_of(after)]


def plain(found: list[str]) -> list[str]:
    return [path.partition("?")[0].removeprefix("/api/") for path in found]


def test_a_sold_order_needs_its_buyer_currency_refunds_and_codes() -> None:
    found = paths({"topic": "order.updated", "id_order": 5})
    assert plain(found) == [
        "orders/5",
        "customers/12",
        "addresses/6",
        "currencies/1",
        "order_slip",
        "order_cart_rules",
        "countries/3",
        "cart_rules/9",
    ]
    assert "/api/order_slip?filter[id_order]=[5]&display=full&output_format=JSON" in found


def test_a_number_with_its_prefix_and_an_order_without_discounts_need_less() -> None:
    answers = ANSWERS | {
        "/api/orders/5": {"order": ORDER | {"total_discounts": "0.000000"}},
        "/api/addresses/6": {"address": {"id": 6, "id_country": "3", "phone": "+34600123456"}},
    }
    found = plain(paths({"topic": "order.updated", "id_order": 5}, answers))
    assert found == ["orders/5", "customers/12", "addresses/6", "currencies/1", "order_slip"]


def test_an_order_that_is_not_sold_needs_its_state_and_its_buyer_only_if_wanted() -> None:
    answers = ANSWERS | {"/api/orders/5": {"order": ORDER | {"valid": "0"}}}
    call_ = {"topic": "order.updated", "id_order": 5}
    assert plain(paths(call_, answers)) == ["orders/5", "order_states/2"]
    assert "customers/12" in plain(paths(call_, answers, contacts_from_unsold_orders=True))
    assert "order_slip" in plain(paths(call_, answers, sold_statuses={"2"}))


def test_a_product_needs_its_combinations_only_where_ids_or_prices_rest_on_them() -> None:
    update = {"topic": "product.updated", "id_product": 7}
    assert plain(paths(update)) == ["products/7", "stock_availables", "categories"]
    assert plain(paths(update, product_id="sku")) == [
        "products/7",
        "stock_availables",
        "combinations",
        "categories",
    ]


def test_what_does_not_exist_ends_the_questions() -> None:
    for body in ({"topic": "order.updated", "id_order": 5}, {"topic": "product.updated", "id_product": 5}):
        assert len(paths(body, {})) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"topic": "order.deleted", "id_order": 5},
        {"topic": "customer.erased", "id_customer": 5},
        {"topic": "order.updated"},
        {"topic": "stranger/than.fiction", "id_order": 5},
        {},
    ],
)
def test_what_is_no_notification_of_an_entity_asks_nothing(body: dict[str, Any]) -> None:
    assert needs(call(body), {}, store()) in ((), [])


def test_an_installation_with_several_shops_is_asked_for_the_right_one() -> None:
    update = {"topic": "product.updated", "id_product": 7, "id_shop": "3"}
    assert all("id_shop" not in path for path in paths(update))
    assert paths(update, shop_id="2")[0].endswith("&id_shop=2")
    assert paths(update, shop_id="all")[0].endswith("&id_shop=3")
    order = paths({"topic": "order.updated", "id_order": 5}, shop_id="2")
    assert all(path.endswith("&id_shop=all") for path in order)


def test_all_that_is_asked_is_among_the_rights_that_the_documentation_lists() -> None:
    resources = {
        path.partition("?")[0].split("/")[2]
        for body in (
            {"topic": "order.updated", "id_order": 5},
            {"topic": "product.updated", "id_product": 7},
            {"topic": "newsletter.updated", "email": "a@mail.example"},
        )
        for path in paths(body, product_id="variant")
    }
    assert resources | {"order_states"} == set(RESOURCES)
    assert API.scopes == tuple(f"{name}: GET" for name in RESOURCES)


def test_the_key_is_a_user_without_a_password_or_goes_into_the_address() -> None:
    headers = authorise(store().settings, ApiRequest("/api/orders/1"), NOW)
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == f"{KEY}:".encode()
    assert query(store().settings) == ""
    hidden = store(api_key_in_query=True).settings
    assert (authorise(hidden, ApiRequest("/"), NOW), query(hidden)) == ({}, f"ws_key={KEY}")


def test_the_address_is_the_shops_own_with_its_path() -> None:
    assert base_url(store(domain="acme.example/shop").settings) == "https://acme.example/shop"
    assert base_url(store(api_url="https://api.acme.example/").settings) == "https://api.acme.example"
    told = limit(store(api_parallel=3, api_requests_per_minute=30).settings)
    assert (told.requests, told.seconds, told.parallel) == (30, 60.0, 3)
    assert limit(store().settings).parallel == 1


def test_a_store_without_a_key_or_with_an_odd_address_is_refused() -> None:
    complaint = settings_of("prestashop", api_key=None).complaint(())
    assert complaint is not None
    assert complaint.startswith("api_key: ")
    assert settings_of("prestashop").complaint(()) is None
    with pytest.raises(ValidationError, match="must begin with https"):
        store(api_url="http://acme.example")
    with pytest.raises(ValidationError, match="nothing that can be filled in"):
        store(page_url="https://{domain}/{colour}")


def test_the_key_in_the_address_is_told_to_the_shop_and_stored_nowhere() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        rows = read("pull-customers-full.json")["exchanges"][0]["response"]["body"]["customers"]
        return httpx.Response(200, json={"customer": rows[0]})

    async def played() -> Documented:
        settings = store(api_key_in_query=True).settings
        client = ShopClient(API, settings, transport=httpx.MockTransport(answer), timeout=5.0)  # type: ignore[arg-type]
        event = call({"topic": "customer.updated", "id_customer": 12})
        result = await look_up(event, API, store(api_key_in_query=True), client.get)  # type: ignore[arg-type]
        await client.aclose()
        assert isinstance(result, Documented)
        return result

    [(path, status, body)] = asyncio.run(played()).answers
    assert seen == [f"https://shop.example/api/customers/12?output_format=JSON&ws_key={KEY}"]
    assert (path, status) == ("/api/customers/12?output_format=JSON", 200)
    assert b"neutral-" not in body
    assert b"customer1@example.com" in body


def test_documents_are_found_however_they_were_asked_for() -> None:
    answers = {"/api/customers/12?display=full": {"customers": [{"id": 12, "email": "a@mail.example"}]}}
    said = PRESTASHOP.translate(fetched(Kind.CUSTOMER, "12", answers), store())
    assert [draft.id for draft in said.drafts] == ["a@mail.example"]
