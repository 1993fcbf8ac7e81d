"""What the gateway must know of a Shopify delivery to store it."""

from __future__ import annotations

import orjson
import pytest

from pipeline.events import Kind
from pipeline.shops.base import Rejected
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.values import body_hash
from tests.platforms import greets
from tests.shopify import arrive, ms, paid_order, translate


def arrival_of(topic: str, body: bytes, **headers: str) -> tuple[Kind, str]:
    arrival = arrive({"x-shopify-topic": topic, **headers}, body)
    return arrival.kind, arrival.entity


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":12,"name":"x"}',
        b' {\n  "id" : 12 ,"id2":3}',
        b'{"id":12}',
        b'{"name":"x","id":12}',
        b'{"id":"12"}',
        b'{"line_items":[{"id":99}],"id":12}',
        b'{"id":12,"admin_graphql_api_id":"gid://shopify/Order/13"}',
    ],
)
def test_the_top_level_id_names_the_entity(body: bytes) -> None:
    assert arrival_of("orders/updated", body) == (Kind.ORDER, "12")


def test_an_id_that_javascript_rounded_is_read_from_its_global_form() -> None:
    body = b'{"id":820982911946154500,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508"}'
    assert arrival_of("orders/updated", body) == (Kind.ORDER, "820982911946154508")


def test_a_global_id_that_is_another_number_is_not_believed() -> None:
    body = b'{"id":820982911946154500,"admin_graphql_api_id":"gid://shopify/Order/77"}'
    assert arrival_of("orders/updated", body) == (Kind.ORDER, "820982911946154500")


@pytest.mark.parametrize(
    "body", [b'{"id":null}', b'{"id":true}', b'{"id":-5}', b'{"id":0}', b'{"id":1.5}', b"{}"]
)
def test_a_body_without_an_id_is_stored_under_its_hash(body: bytes) -> None:
    assert arrival_of("orders/updated", body) == (Kind.ORDER, body_hash(body))


@pytest.mark.parametrize(
    ("topic", "body", "kind", "entity"),
    [
        ("refunds/create", {"id": 1, "order_id": 2}, Kind.ORDER, "2"),
        ("order_transactions/create", {"id": 1, "order_id": 2}, Kind.ORDER, "2"),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 2}}, Kind.ORDER, "2"),
        ("customers_email_marketing_consent/update", {"customer_id": 2}, Kind.CUSTOMER, "2"),
        ("customers_marketing_consent/update", {"id": 2}, Kind.CUSTOMER, "2"),
        ("customer.tags_removed", {"customerId": "gid://shopify/Customer/2"}, Kind.CUSTOMER, "2"),
        ("customers/redact", {"shop_id": 1, "customer": {"id": 2}}, Kind.CUSTOMER, "2"),
        ("customers/data_request", {"shop_id": 1, "customer": {"id": 2}}, Kind.CUSTOMER, "2"),
        ("variants/in_stock", {"id": 1, "product_id": 2}, Kind.PRODUCT, "2"),
    ],
)
def test_an_event_beside_an_entity_is_stored_with_it(
    topic: str, body: dict[str, object], kind: Kind, entity: str
) -> None:
    assert arrival_of(topic, orjson.dumps(body)) == (kind, entity)


@pytest.mark.parametrize(
    ("topic", "kind", "prefix"),
    [
        ("draft_orders/create", Kind.ORDER, "draft_orders"),
        ("product_listings/add", Kind.PRODUCT, "product_listings"),
        ("customer_groups/update", Kind.CUSTOMER, "customer_groups"),
        ("Themes|x/create", Kind.ORDER, "themes_x"),
        ("", Kind.ORDER, "untitled"),
    ],
)
def test_an_unknown_topic_is_stored_apart_from_the_entities_of_its_kind(
    topic: str, kind: Kind, prefix: str
) -> None:
    assert arrival_of(topic, b'{"id":12}') == (kind, f"{prefix}-12")
    assert arrival_of(topic, b"?") == (kind, f"{prefix}-{body_hash(b'?')}")


def test_a_delivery_is_known_by_topic_and_webhook_id_else_by_its_bytes() -> None:
    headers = {"x-shopify-topic": "orders/paid", "x-shopify-webhook-id": "w1", "x-shopify-event-id": "e1"}
    assert arrive(headers, b"{}").delivery == "orders/paid:w1"
    assert arrive(headers | {"x-shopify-topic": "orders/updated"}, b"{}").delivery == "orders/updated:w1"
    assert arrive({"x-shopify-topic": "orders/paid"}, b"{}").delivery == f"orders/paid:{body_hash(b'{}')}"


@pytest.mark.parametrize("text", ["", "yesterday", "9999999999999"])
def test_a_time_that_cannot_be_read_is_none(text: str) -> None:
    assert arrive({"x-shopify-triggered-at": text}, b"{}").triggered_ms == 0


def test_only_the_headers_that_help_later_are_kept() -> None:
    headers = {
        "x-shopify-topic": "Orders/Paid ",
        "x-shopify-hmac-sha256": "secret",
        "authorization": "secret",
        "x-shopify-test": "true",
        "x-shopify-triggered-at": "2026-05-06T08:15:01.999999999Z",
    }
    arrival = arrive(headers, b"{}")
    assert set(arrival.headers) == {"x-shopify-topic", "x-shopify-test", "x-shopify-triggered-at"}
    assert arrival.topic == "orders/paid"
    assert arrival.triggered_ms == ms("2026-05-06T08:15:01Z") + 999


def test_shopify_sends_no_ping() -> None:
    assert not greets(SHOPIFY, {}, b"")


def test_a_delivery_that_lost_its_topic_is_not_taken_for_one_without_meaning() -> None:
    with pytest.raises(Rejected, match="missing_topic"):
        translate("", paid_order())
