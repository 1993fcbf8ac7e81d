"""PrestaShop's requests: who may send them, what they name, and what is asked of the webservice."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Any

import httpx
import pytest

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, Document, Moment
from pipeline.shops.base import Rejected, Translation, WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.api import API, needs
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.sync.answers import Answer
from pipeline.sync.client import ShopClient
from pipeline.sync.lookup import Documented, Halted, TooLarge, look_up
from tests.platforms import settings_of
from tests.prestashop import RECEIVED_MS, arrived, sold, store

BODY = b'{"action":"update","entity":"Order","data":{"id":7}}'


def settings(**changes: Any) -> PrestashopSettings:
    own = settings_of("prestashop", domain="shop.example/es", **changes)
    assert isinstance(own, PrestashopSettings)
    return own


def genuine(secrets: list[bytes], headers: dict[str, str], query: str = "") -> bool:
    return PRESTASHOP.verify(secrets, WebhookRequest(headers, BODY, RECEIVED_MS, query), settings())


BASIC = base64.b64encode(b"shop:one").decode()
SIGNED = hmac.digest(b"one", BODY, "sha256").hex()


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-webhook-token": "one"}, ""),
        ({"authorization": "Bearer one"}, ""),
        ({"authorization": f"Basic {BASIC}"}, ""),
        ({}, "token=one"),
        ({}, "topic=order.updated&token=o%6Ee"),
        ({"x-prestashop-signature": SIGNED}, ""),
        ({"x-prestashop-signature": f"sha256={SIGNED.upper()}"}, ""),
    ],
)
def test_a_secret_is_repeated_in_a_header_or_the_address_or_signs_the_body(
    headers: dict[str, str], query: str
) -> None:
    assert genuine([b"one"], headers, query)
    assert genuine([b"two", b"one"], headers, query)
    assert not genuine([b"two"], headers, query)
    assert not genuine([], headers, query)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({}, "token="),
        ({}, "token=" + "&a" * 900),
        ({"authorization": "Basic !"}, ""),
        ({"authorization": "Digest one"}, ""),
        ({"x-webhook-token": " "}, ""),
        ({"x-prestashop-signature": ""}, "token=one"),
        ({"x-prestashop-signature": "é"}, ""),
    ],
)
def test_nothing_else_is_genuine(headers: dict[str, str], query: str) -> None:
    assert not genuine([b"one"], headers, query)


@pytest.mark.parametrize(
    ("body", "query", "headers", "topic", "kind", "entity"),
    [
        ({"action": "add", "entity": "Order", "data": {"id": "7"}}, "", {}, "order.created", Kind.ORDER, "7"),
        (
            {"action": "delete", "entity": "Customer", "data": {"id": 7}},
            "",
            {},
            "customer.deleted",
            Kind.CUSTOMER,
            "7",
        ),
        (
            {"action": "add", "entity": "OrderSlip", "data": {"id": 3, "id_order": "7"}},
            "",
            {},
            "orderslip.created",
            Kind.ORDER,
            "7",
        ),
        (
            {"action": "update", "entity": "StockAvailable", "data": {"id": 3, "id_product": 7}},
            "",
            {},
            "stockavailable.updated",
            Kind.PRODUCT,
            "7",
        ),
        (
            {"action": "update", "entity": "Address", "data": {"id": 3, "id_customer": 7}},
            "",
            {},
            "address.updated",
            Kind.CUSTOMER,
            "7",
        ),
        (
            {"topic": "customer.updated", "data": {"customer": {"id": 7}}},
            "",
            {},
            "customer.updated",
            Kind.CUSTOMER,
            "7",
        ),
        ({"id": 7}, "topic=product.updated", {}, "product.updated", Kind.PRODUCT, "7"),
        ({"id": 7}, "", {"x_prestashop_topic": "product.created"}, "product.created", Kind.PRODUCT, "7"),
        (json.loads(BODY), "", {"x_prestashop_topic": "order.refunded"}, "order.refunded", Kind.ORDER, "7"),
    ],
)
def test_a_request_is_kept_under_what_it_names(  # noqa: PLR0917 - a row of the table
    body: Any, query: str, headers: dict[str, str], topic: str, kind: Kind, entity: str
) -> None:
    event = arrived(body, query, **headers)
    assert (event.topic, event.kind, event.entity) == (topic, kind, entity)


def test_a_header_alone_deletes_nothing_that_the_body_says_was_changed() -> None:
    event = arrived(json.loads(BODY), x_prestashop_topic="order.deleted")
    assert event.topic == "order.updated"
    event = arrived(
        {"action": "delete", "entity": "Order", "data": {"id": 7}}, x_prestashop_topic="order.updated"
    )
    assert event.topic == "order.deleted"


def test_each_announcement_is_news_and_a_repeated_deletion_is_not() -> None:
    later = WebhookRequest({}, BODY, RECEIVED_MS + 1)
    assert arrived(BODY).delivery != raw_event("acme", PRESTASHOP, later).delivery
    gone = b'{"action":"delete","entity":"Order","data":{"id":7}}'
    later = WebhookRequest({}, gone, RECEIVED_MS + 1)
    assert arrived(gone).delivery == raw_event("acme", PRESTASHOP, later).delivery


def test_what_names_nothing_is_kept_and_refused_or_ignored() -> None:
    for body, reason in (
        (b"no JSON", "missing_topic"),
        ({"action": "delete", "entity": "Order"}, "missing_field"),
    ):
        with pytest.raises(Rejected, match=reason):
            PRESTASHOP.translate(arrived(body), store())
    unknown = arrived({"action": "add", "entity": "Cart", "data": {"id": 7}})
    assert PRESTASHOP.translate(unknown, store()) == Translation(0, ignored="unknown_topic")
    assert needs(unknown, {}, store()) == ()


def asked(event: Any, answers: dict[str, Any]) -> list[str]:
    documents = {path: Document(path, 200, body) for path, body in answers.items()}
    return list(needs(event, documents, store()))


def test_an_order_is_asked_with_all_that_it_is_not_understood_without() -> None:
    event = arrived({"action": "update", "entity": "Order", "data": {"id": 41}})
    first = "/api/orders/41?output_format=JSON"
    assert asked(event, {}) == [first]
    second = asked(event, {first: {"order": sold()}})
    assert second == [
        "/api/customers/12?output_format=JSON",
        "/api/currencies/1?output_format=JSON",
        "/api/addresses/5?output_format=JSON",
        "/api/order_slip?filter[id_order]=[41]&display=full&output_format=JSON",
        "/api/order_cart_rules?filter[id_order]=[41]&display=full&output_format=JSON",
    ]
    answers = {first: {"order": sold()}, **{path: [] for path in second}}
    answers[second[2]] = {"address": {"id": 5, "id_country": "6"}}
    [third] = asked(event, answers)
    assert third == "/api/countries/6?output_format=JSON"
    assert asked(event, answers | {third: {}}) == []
    plain = {first: {"order": sold(total_discounts="0.000000")}}
    assert not [path for path in asked(event, plain) if "cart_rules" in path]
    missing = {first: Document(first, 404, None)}
    assert list(needs(event, missing, store())) == []


def test_a_product_is_asked_with_its_stock_and_a_customer_alone() -> None:
    event = arrived({"id": 7}, "topic=product.updated")
    [first] = asked(event, {})
    assert [path.partition("?")[0] for path in asked(event, {first: {"product": {"id": 7}}})] == [
        "/api/stock_availables",
        "/api/specific_prices",
    ]
    event = arrived({"id": 7}, "topic=customer.updated")
    [first] = asked(event, {})
    assert asked(event, {first: {"customer": {"id": 7}}}) == []


def test_the_webservice_is_asked_with_its_key_as_a_user() -> None:
    said = API.authorise(settings(), ApiRequest("/api/orders/7"), Moment(1, "n"))
    assert said == {"authorization": "Basic " + base64.b64encode(b"only-for-tests:").decode()}
    assert API.base_url(settings()) == "https://shop.example"
    assert API.base_url(settings(api_url="https://api.shop.example/")) == "https://api.shop.example"
    assert API.limit(settings()).parallel >= 1
    assert str(settings(webservice_key=None).complaint([])).startswith("webservice_key: ")


@pytest.mark.parametrize(
    ("body", "topic", "entity"),
    [
        ({"hook": "actionValidateOrder", "id_order": 5}, "order.created", "5"),
        ({"event": "actionOrderStatusPostUpdate", "data": {"id_order": "5"}}, "order.updated", "5"),
        ({"action": "actionOrderSlipAdd", "id_order": 5}, "orderslip.created", "5"),
        (
            {"hook": "actionObjectOrderSlipAddAfter", "data": {"id": 4, "id_order": "5"}},
            "orderslip.created",
            "5",
        ),
        ({"hook": "actionObjectCustomerDeleteAfter", "data": {"id": 12}}, "customer.deleted", "12"),
        ({"hook": "actionUpdateQuantity", "id_product": 7}, "stockavailable.updated", "7"),
        ({"hook": "actionDeleteGDPRCustomer", "data": {"id": 12}}, "customer.erased", "12"),
    ],
)
def test_the_name_of_a_hook_is_a_topic(body: dict[str, Any], topic: str, entity: str) -> None:
    event = arrived(body)
    assert (event.topic, event.entity) == (topic, entity)
    assert arrived({"id": 5}, x_prestashop_topic="actionValidateOrder").topic == "order.created"


def test_nobody_is_erased_on_the_word_of_a_call_whose_secret_may_stand_in_an_address() -> None:
    event = arrived({"hook": "actionDeleteGDPRCustomer", "data": {"id": 12}})
    assert PRESTASHOP.translate(event, store()).ignored == "erased_in_shop"


def test_no_password_or_key_is_kept_of_a_call_and_every_other_byte_is() -> None:
    said = (
        b'{"topic": "customer.saved", "data": {"id": 12, "passwd":"$2y\\"x", "secure_key" : "k", "n": 1.1}}'
    )
    assert PRESTASHOP.split is not None
    [kept] = PRESTASHOP.split(WebhookRequest({}, said))
    assert kept.body == said.replace(b'"passwd":"$2y\\"x"', b'"passwd":""').replace(
        b'"secure_key" : "k"', b'"secure_key":""'
    )
    [same] = PRESTASHOP.split(WebhookRequest({}, b'{"id": 12, "note": "passwd"}'))
    assert same.body == b'{"id": 12, "note": "passwd"}'


def test_the_newsletters_form_names_an_address_and_its_account_is_asked_for() -> None:
    event = arrived(
        {"hook": "actionNewsletterRegistrationBefore", "email": "A+b@mail.example", "action": "1"}
    )
    assert event.entity == arrived({"topic": "customer.newsletter", "email": "a+b@mail.example"}).entity
    assert list(needs(event, {}, store())) == [
        "/api/customers?filter[email]=[A%2Bb@mail.example]&display=full&output_format=JSON"
    ]
    nothing = arrived({"hook": "actionNewsletterRegistrationBefore", "action": "1"})
    assert list(needs(nothing, {}, store())) == []


def test_the_key_may_stand_in_the_address_where_only_the_shop_sees_it() -> None:
    hidden = store(key_in_address=True).settings
    key = settings_of("prestashop").webservice_key.get_secret_value()  # type: ignore[attr-defined]
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        seen.append(str(request.url))
        return httpx.Response(200, json={"order": {"id": 5}})

    async def asked() -> Documented | Halted | TooLarge:
        client = ShopClient(API, hidden, transport=httpx.MockTransport(answer), timeout=5.0)  # type: ignore[arg-type]
        event = arrived({"topic": "order.updated", "data": {"id": 5}})

        async def ask(path: str) -> Answer:
            return await client.send(ApiRequest(path))

        result = await look_up(event, API, store(key_in_address=True), ask)  # type: ignore[arg-type]
        await client.aclose()
        return result

    result = asyncio.run(asked())
    assert seen[0] == f"https://shop.example/api/orders/5?output_format=JSON&ws_key={key}"
    assert isinstance(result, Documented)
    assert key not in repr(result)


def test_a_fragile_host_is_asked_as_little_as_the_store_says() -> None:
    told = API.limit(store(webservice_requests_per_minute=30, parallel_requests=1).settings)
    assert (told.requests, told.seconds, told.parallel) == (30, 60.0, 1)
    assert API.limit(store().settings).parallel == 2


def test_in_an_installation_of_several_shops_the_right_one_is_asked() -> None:
    routes = [{"shop": "1", "account": "acme"}, {"shop": "2", "account": "acme"}]
    several = PRESTASHOP.store("acme", settings_of("prestashop", account=None, routes=routes))  # type: ignore[arg-type]
    own = store(shop_id="2")
    for topic, first, second in (("order.updated", "all", "all"), ("product.updated", "2", "all")):
        event = arrived({"topic": topic, "data": {"id": 7}})
        assert [path.rpartition("=")[2] for path in needs(event, {}, own)] == [first]
        assert [path.rpartition("=")[2] for path in needs(event, {}, several)] == [second]
        assert "id_shop" not in needs(event, {}, store())[0]
