"""PrestaShop modules' calls: who sent them, what they name, and what is not kept of them."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.shops.base import Rejected, WebhookRequest
from pipeline.shops.platform import TopicMeaning
from pipeline.shops.prestashop.hints import hint_of
from pipeline.shops.prestashop.platform import PRESTASHOP
from pipeline.shops.prestashop.topics import TOPICS
from pipeline.shops.prestashop.webhooks import verify, without_secrets
from tests.prestashop import call, store

BODY = b'{"action":"add","entity":"Order","data":{"id":1}}'
SECRETS = [b"new", b"old"]


def is_genuine(headers: dict[str, str], query: str = "", **settings: Any) -> bool:
    return verify(SECRETS, WebhookRequest(headers, BODY, 0, query), store(**settings).settings)


def signature(secret: bytes = b"old") -> str:
    return hmac.digest(secret, BODY, "sha256").hex()


def test_a_module_signs_repeats_the_secret_or_has_it_in_its_address() -> None:
    assert is_genuine({"x-prestashop-signature": signature()})
    assert is_genuine({"x-prestashop-signature": f"sha256={signature().upper()}"})
    assert is_genuine({"x-webhook-secret": "new"})
    assert is_genuine({}, "topic=order.updated&token=old")
    assert is_genuine({"x-acme": "old"}, secret_header="X-Acme")
    assert is_genuine({"x-df-signature": signature()}, signature_header="X-DF-Signature")


def test_a_wrong_signature_is_not_made_good_by_a_token() -> None:
    assert not is_genuine({"x-prestashop-signature": signature(b"x"), "x-webhook-secret": "old"}, "token=old")
    assert not is_genuine({"x-prestashop-signature": ""}, "token=old")


def test_what_names_no_secret_or_another_one_is_refused() -> None:
    assert not is_genuine({})
    assert not is_genuine({"x-webhook-secret": "else"})
    assert not is_genuine({}, "token=")
    assert not is_genuine({}, "&".join(["token=old"] * 30))


@pytest.mark.parametrize(
    ("body", "topic", "kind", "entity"),
    [
        (
            {"action": "update", "entity": "Customer", "data": {"id": 12}},
            "customer.updated",
            Kind.CUSTOMER,
            "12",
        ),
        (
            {"action": "add", "entity": "OrderSlip", "data": {"id": 4, "id_order": "66"}},
            "order.order_slip_created",
            Kind.ORDER,
            "66",
        ),
        (
            {"action": "update", "entity": "StockAvailable", "data": {"id": 9, "id_product": 7}},
            "product.stock_available_updated",
            Kind.PRODUCT,
            "7",
        ),
        (
            {"action": "delete", "entity": "Address", "data": {"id": 3, "id_customer": 12}},
            "customer.address_deleted",
            Kind.CUSTOMER,
            "12",
        ),
        (
            {"action": "delete", "entity": "Combination", "data": {"id": 3, "id_product": "7"}},
            "product.combination_deleted",
            Kind.PRODUCT,
            "7",
        ),
        ({"event": "actionValidateOrder", "id_order": 5}, "order.created", Kind.ORDER, "5"),
        ({"hook": "actionObjectOrderUpdateAfter", "object": {"id": 5}}, "order.updated", Kind.ORDER, "5"),
        ({"hook": "actionOrderSlipAdd", "order": {"id": 5}}, "order.order_slip_created", Kind.ORDER, "5"),
        (
            {"hook": "actionUpdateQuantity", "id_product": 7},
            "product.stock_available_updated",
            Kind.PRODUCT,
            "7",
        ),
        ({"hook": "actionDeleteGDPRCustomer", "id_customer": 7}, "customer.erased", Kind.CUSTOMER, "7"),
        ({"event": "orders/create", "payload": {"order_id": "9"}}, "order.created", Kind.ORDER, "9"),
        ({"type": "product:removed", "data": {"product": {"id": 3}}}, "product.deleted", Kind.PRODUCT, "3"),
        (
            {"collection": "orders", "action": "upsert", "properties": {"id_order": 3}},
            "order.updated",
            Kind.ORDER,
            "3",
        ),
        ({"id_order": 8, "status": "paid"}, "order.named", Kind.ORDER, "8"),
        ({"customer": {"id": 8}}, "customer.named", Kind.CUSTOMER, "8"),
        (
            {"newsletter": "consent.updated", "topic": "consent.updated", "id_customer": 4},
            "customer.newsletter",
            Kind.CUSTOMER,
            "4",
        ),
    ],
)
def test_every_modules_names_are_read_as_ours(
    body: dict[str, Any], topic: str, kind: Kind, entity: str
) -> None:
    event = call(body)
    assert (event.topic, event.kind, event.entity) == (topic, kind, entity)
    assert TOPICS.get(topic) is not None


def test_the_name_may_stand_in_a_header_or_in_the_address() -> None:
    for event in (
        call({"id": 5}, {"x-prestashop-topic": "order.updated"}),
        call({"id": 5}, {"x-prestashop-hook": "actionValidateOrderAfter"}),
        call({"data": {"id": 5}}, query="token=x&topic=Order.update"),
    ):
        assert (event.kind, event.entity) == (Kind.ORDER, "5")


def test_a_part_is_never_taken_for_its_order() -> None:
    event = call({"action": "add", "entity": "OrderPayment", "data": {"id": 4, "order_reference": "ABC"}})
    assert event.entity.startswith("unread-")
    with pytest.raises(Rejected, match="does not name the order"):
        PRESTASHOP.translate(event, store())


def test_what_nothing_names_is_a_dead_letter_that_says_what_to_do() -> None:
    with pytest.raises(Rejected, match=r"topic=order\.updated"):
        PRESTASHOP.translate(call({"foo": 1}), store())


def test_a_call_of_another_shop_asks_for_nothing() -> None:
    event = call({"action": "update", "entity": "Order", "data": {"id": 5, "id_shop": "2"}})
    assert PRESTASHOP.translate(event, store(shop_id="1")).ignored == "other_shop"
    assert PRESTASHOP.translate(event, store(shop_id="2")).ignored == "fetched"
    assert PRESTASHOP.translate(event, store(shop_id="all")).ignored == "fetched"
    gone = call({"action": "delete", "entity": "Order", "data": {"id": 5, "id_shop": "2"}})
    assert PRESTASHOP.translate(gone, store(shop_id="1")).ignored == "other_shop"


def test_the_same_call_again_is_news_but_not_the_same_deletion() -> None:
    updated = {"action": "update", "entity": "Order", "data": {"id": 5}}
    assert call(updated, received_ms=1).delivery != call(updated, received_ms=2).delivery
    gone = {"action": "delete", "entity": "Order", "data": {"id": 5}}
    assert call(gone, received_ms=1).delivery == call(gone, received_ms=2).delivery


def test_an_erasure_is_for_a_person_to_do() -> None:
    row = TOPICS.get("customer.erased")
    assert row is not None
    assert (row.meaning, row.reason) == (TopicMeaning.PRIVACY, "erasure_request")


def test_no_password_or_key_is_kept_of_a_call() -> None:
    said = {
        "action": "update",
        "entity": "Customer",
        "data": {
            "id": 12,
            "passwd": '$2y$10$a"b\\c',
            "secure_key": "abc",
            "reset_password_token": "t",
            "note": 'said "passwd":"x" once',
            "total": 1.10,
        },
    }
    event = call(json.dumps(said, indent=1).encode())
    kept = json.loads(event.body)
    assert (kept["data"]["passwd"], kept["data"]["secure_key"], kept["data"]["reset_password_token"]) == (
        "",
        "",
        "",
    )
    assert kept["data"]["note"] == said["data"]["note"]  # type: ignore[index]
    assert b"1.1" in event.body
    assert event.entity == "12"


def test_a_body_without_secrets_stays_to_the_byte() -> None:
    for body in (BODY, b"", b"not json passwd", b'{"passwd":null}', b'{"passwd": 5}'):
        assert without_secrets(body) == body


def test_what_ends_within_a_text_takes_no_longer_than_its_length() -> None:
    broken = b'{"passwd":"' + b"\\" * 200_001
    assert without_secrets(broken) == broken


@pytest.mark.parametrize(
    "odd", [None, 5, [], "x", {"data": "x"}, {"entity": 5, "action": []}, {"data": [{"id": 5}]}]
)
def test_a_call_in_a_form_that_nobody_expects_is_kept(odd: Any) -> None:
    event = call(odd)
    assert event.entity.startswith("unread-")


def test_an_address_is_named_where_nothing_else_is() -> None:
    hint = hint_of(
        {"hook": "actionNewsletterRegistrationBefore", "email": " Ana@Mail.Example ", "action": "1"}
    )
    assert (hint.topic, hint.entity, hint.email) == ("customer.newsletter", None, "Ana@Mail.Example")
    one, other = (
        call({"topic": "newsletter.updated", "email": said})
        for said in ("Ana@mail.example", "ana@mail.example ")
    )
    assert one.entity == other.entity
    assert one.entity.startswith("address-")
