"""PrestaShop's requests: who may send them, what they name, and what is asked of the webservice."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, Document, Moment
from pipeline.shops.base import Rejected, Translation, WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.api import API, needs
from pipeline.shops.prestashop.settings import PrestashopSettings
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
