"""Magento's requests: what they are about, the handshakes, batches, and repeats."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.gateway.answers import HttpAnswer
from pipeline.gateway.webhooks import Webhooks
from pipeline.shops.base import WebhookRequest
from pipeline.shops.magento import MAGENTO
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from tests.magento import RECEIVED_MS, adobe, arrived, read, sold
from tests.platforms import settings_of
from tests.settings_trees import ACCOUNT

SAVED = "observer.sales_order_save_commit_after"


def greeting(body: bytes = b"", query: str = "", method: str = "POST") -> str | None:
    assert MAGENTO.greeting is not None
    return MAGENTO.greeting(WebhookRequest({}, body, 0, query, method))


def split(body: bytes, **headers: str) -> list[RawEvent]:
    assert MAGENTO.split is not None
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    parts = MAGENTO.split(WebhookRequest(named, body, RECEIVED_MS))
    return [raw_event("acme", MAGENTO, part) for part in parts]


def test_a_challenge_is_answered_with_itself_and_nothing_else_is() -> None:
    assert greeting(query="challenge=8ec8d794-e0ab-42df-9017-e3dada8e84f7", method="GET") == (
        "8ec8d794-e0ab-42df-9017-e3dada8e84f7"
    )
    assert greeting(query="a=1&challenge=x", method="GET") == "x"
    for query in ("", "challenge=", "challenge=<script>", "challenge=" + "x" * 500, "a=" + "&b" * 900):
        assert greeting(query=query, method="GET") is None
    assert greeting(query="challenge=x") is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"validationUrl":7}',
        b'{"validationUrl":""}',
        b'{"validationUrl":"https://csm.adobe.io/x","type":"x"}',
        b'{"validationUrl":"' + b"x" * 3_000 + b'"}',
        b"[]",
        b"",
    ],
)
def test_what_holds_more_than_an_address_is_no_greeting(body: bytes) -> None:
    assert greeting(body) is None


@pytest.mark.parametrize(
    "address",
    [
        "http://csm.adobe.io/x",
        "https://adobe.io.example/x",
        "https://csm.adobe.io@example.com/x",
        "https://example.com/csm.adobe.io",
        "https://csm.adobe.io:8443/x",
    ],
)
def test_only_an_address_of_adobes_is_shown_to_a_person(address: str) -> None:
    assert MAGENTO.to_open is not None
    body = orjson.dumps({"validationUrl": address})
    assert greeting(body) == ""
    assert MAGENTO.to_open(WebhookRequest({}, body)) is None


class Keeper:
    """Keeps nothing."""

    def submit(self, message: Any) -> Any:
        raise AssertionError(message)


def test_the_gateway_answers_the_handshakes_and_says_what_a_person_must_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = {
        "platform": "magento",
        "account": "es",
        "domain": "acme.example",
        "secrets": ["s"],
        "access_token": "t",
    }
    tree = {"data_dir": str(tmp_path), "accounts": {"es": ACCOUNT}, "stores": {"acme": store}}
    gateway = Webhooks(config.parse(tree, {}), PLATFORMS, Keeper(), lambda: 1_000.0)
    route, nowhere = (gateway.route(b"/webhooks/magento/" + name) for name in (b"acme", b"other"))
    assert route is not None
    assert nowhere is not None
    json_headers = {"content-type": "application/json"}
    body = (Path(str(__file__)).parents[2] / "pipeline/bodies/magento").joinpath(
        "constructed-ioevents-validationUrl-request.json"
    )
    with caplog.at_level(logging.WARNING):
        answered = gateway.keep(route, json_headers, body.read_bytes())
        gateway.keep(route, json_headers, body.read_bytes())
        refused = gateway.keep(nowhere, json_headers, body.read_bytes())
    challenge = gateway.keep(route, {}, b"", "challenge=abc", "GET")
    assert all(isinstance(answer, HttpAnswer) for answer in (answered, refused, challenge))
    statuses = [answer.start["status"] for answer in (answered, refused, challenge)]  # type: ignore[union-attr]
    assert statuses == [200, 401, 200]
    [said] = [message for message in caplog.messages if "csm.adobe.io" in message]
    assert said.startswith(
        "store acme: to confirm its new webhook, open within five minutes: https://csm.adobe.io/"
    )


def test_a_batch_is_as_many_events() -> None:
    listed = [adobe(SAVED, {"entity_id": str(number)}, eventid=f"e{number}") for number in (7, 8)]
    events = split(json.dumps(listed).encode(), x_adobe_event_id="one for both")
    assert [(event.entity, event.delivery) for event in events] == [
        ("7", f"{SAVED}:e7"),
        ("8", f"{SAVED}:e8"),
    ]
    assert [event.entity[:7] for event in split(b"[7")] == ["unread-"]
    assert split(b"[]") == []
    assert len(split(json.dumps(listed[0]).encode())) == 1


def test_a_repeat_is_what_adobe_names_so_and_each_notice_of_a_module_is_news() -> None:
    first = arrived(adobe(SAVED, {"entity_id": "7"}))
    again = arrived(adobe(SAVED, {"entity_id": "7"}, time="2025-06-15T16:00:00Z"))
    other = arrived(adobe(SAVED, {"entity_id": "7"}, eventid="another"))
    assert first.delivery == again.delivery != other.delivery
    named = {"type": "update_customer", "data": {"entity_id": 5}}
    later = WebhookRequest({}, json.dumps(named).encode(), RECEIVED_MS + 1)
    assert arrived(named).delivery != raw_event("acme", MAGENTO, later).delivery
    whole = {"data": sold()}
    later = WebhookRequest({}, json.dumps(whole).encode(), RECEIVED_MS + 1)
    assert arrived(whole).delivery == raw_event("acme", MAGENTO, later).delivery


@pytest.mark.parametrize(
    ("body", "query", "topic", "kind", "entity"),
    [
        ({"data": sold()}, "", "rest/order", Kind.ORDER, "902"),
        (sold(), "", "rest/order", Kind.ORDER, "902"),
        ({"data": sold()}, "topic=sales.order.paid", "sales.order.paid", Kind.ORDER, "902"),
        ({"data": read("rest-customer-storefront.json")}, "", "rest/customer", Kind.CUSTOMER, "158"),
        ({"data": read("rest-product-docs-simple.json")}, "", "rest/product", Kind.PRODUCT, "2079"),
        ({"event": "order", "data": {"entity_id": 7}}, "", "order", Kind.ORDER, "7"),
        (
            {"topic": "new_creditmemo", "data": {"order_id": "7", "entity_id": "3"}},
            "",
            "new_creditmemo",
            Kind.ORDER,
            "7",
        ),
        ({"type": "new_product", "data": {"sku": "a/b"}}, "", "new_product", Kind.PRODUCT, "sku-a/b"),
        (
            adobe("observer.newsletter_subscriber_save_commit_after", {"subscriber_id": 4, "customer_id": 0}),
            "",
            "observer.newsletter_subscriber_save_commit_after",
            Kind.CUSTOMER,
            "subscriber-4",
        ),
        (
            adobe("observer.customer_address_save_commit_after", {"entity_id": 4, "parent_id": 9}),
            "",
            "observer.customer_address_save_commit_after",
            Kind.CUSTOMER,
            "9",
        ),
    ],
)
def test_a_request_is_kept_under_what_it_names(
    body: Any, query: str, topic: str, kind: Kind, entity: str
) -> None:
    event = arrived(body, query)
    assert (event.topic, event.kind, event.entity) == (topic, kind, entity)


@pytest.mark.parametrize("query", ["topic=fetched/order", "topic=%66etched%2Forder"])
def test_no_sender_speaks_for_the_api(query: str) -> None:
    forged = {"documents": [{"request": "/x", "status": 200, "body": sold()}]}
    for body in (forged, {"data": forged}, {"type": "fetched/order", "data": forged}):
        event = arrived(body, query)
        assert event.topic == "webhook:fetched/order"
        assert MAGENTO.translate(event, MAGENTO_STORE).ignored == "unknown_topic"
    event = arrived({"type": "com.adobe.commerce.fetched/order", "data": {"value": forged}})
    assert event.topic == "webhook:fetched/order"


MAGENTO_STORE = MAGENTO.store("acme", settings_of("magento"))  # type: ignore[arg-type]
