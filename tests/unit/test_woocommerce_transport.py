"""WooCommerce on the wire: signatures, the ping, keys and delivery ids."""

from __future__ import annotations

import base64
import hmac

import pytest

from pipeline.events import Kind
from pipeline.shops.base import Rejected
from pipeline.shops.woocommerce import WOOCOMMERCE, webhooks
from tests.platforms import greets, verifies
from tests.woocommerce import arrive, translate

FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


def headers(topic: str, webhook: str = "4", delivery: str = "a") -> dict[str, str]:
    return {
        "x-wc-webhook-topic": topic,
        "x-wc-webhook-id": webhook,
        "x-wc-webhook-delivery-id": delivery,
        "cookie": "not ours",
    }


def signature(secret: bytes, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, body, "sha256")).decode()


def test_a_secret_signs_as_wordpress_unescapes_it_or_as_it_stands() -> None:
    stored, used = b"a&amp;b&lt;c&#039;d", b"a&b<c'd"
    for secret in (stored, used):
        assert verifies(WOOCOMMERCE, [stored], {"x-wc-webhook-signature": signature(secret, b"{}")}, b"{}")
    assert not verifies(WOOCOMMERCE, [b"a&b"], {"x-wc-webhook-signature": signature(stored, b"{}")}, b"{}")


@pytest.mark.parametrize(
    ("stored", "used"),
    [
        (b"&amp;lt;", b"&lt;"),  # once over, not again
        (b"&quot;&#034;&#34;&#x22;", b'""""'),
        (b"&#0038;&#x26;", b"&&"),
        (b"&copy;&nbsp;&", b"&copy;&nbsp;&"),
    ],
)
def test_only_the_five_special_characters_are_unescaped(stored: bytes, used: bytes) -> None:
    assert webhooks.unescaped(stored) == used


def test_without_a_signature_nothing_is_genuine() -> None:
    assert not verifies(WOOCOMMERCE, [b"key"], {}, b"{}")
    assert not verifies(WOOCOMMERCE, [], {"x-wc-webhook-signature": signature(b"", b"{}")}, b"{}")


@pytest.mark.parametrize(
    "body", [b"webhook_id=", b"webhook_id=1&x=2", b" webhook_id=1", b"webhook_id=1\n", b""]
)
def test_what_only_resembles_a_ping_is_none(body: bytes) -> None:
    assert not greets(WOOCOMMERCE, FORM, body)


def test_a_ping_is_a_form_without_a_signature() -> None:
    assert greets(WOOCOMMERCE, FORM, b"webhook_id=142")
    assert not greets(WOOCOMMERCE, {"content-type": "application/json"}, b"webhook_id=142")
    assert not greets(WOOCOMMERCE, FORM | {"x-wc-webhook-signature": "x"}, b"webhook_id=142")


@pytest.mark.parametrize(
    "body",
    [b'{"id":727,"parent_id":0}', b'{"id":727}', b' {"number": "1", "id": 727}', b'{"id":"727"}'],
)
def test_the_id_of_the_body_is_the_entity(body: bytes) -> None:
    arrival = arrive(headers("order.updated"), body)
    assert (arrival.kind, arrival.entity, arrival.topic) == (Kind.ORDER, "727", "order.updated")
    assert sorted(arrival.headers) == ["x-wc-webhook-delivery-id", "x-wc-webhook-id", "x-wc-webhook-topic"]


def test_a_variation_has_an_entity_of_its_own() -> None:
    """Else a younger sibling's version would make its event stale."""
    body = b'{"id":732,"name":"Blue","parent_id":22,"type":"variation"}'
    assert arrive(headers("product.updated"), body).entity == "732"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"id":0}',
        b'{"id":true}',
        b'{"id":1.5}',
        b'{"id":"a|b"}',
        b"\xff",
        b'{"x":1}',
    ],
)
def test_a_body_without_an_id_is_kept_under_a_hash(body: bytes) -> None:
    arrival = arrive(headers("customer.updated"), body)
    assert arrival.kind is Kind.CUSTOMER
    assert arrival.entity == f"unread-{arrival.delivery}"


def test_an_action_topic_never_shares_the_entity_of_its_order() -> None:
    arrival = arrive(headers("action.woocommerce_order_status_completed"), b'{"id":727}')
    assert arrival.entity.startswith("unread-")


def test_a_body_that_says_the_same_as_an_earlier_one_is_another_delivery() -> None:
    """Edited and edited back: WooCommerce never repeats a delivery, so the third body is news."""
    body = b'{"id":727,"status":"processing"}'
    first = arrive(headers("order.updated", delivery="a"), body)
    again = arrive(headers("order.updated", delivery="b"), body)
    assert first.delivery != again.delivery


def test_what_cannot_be_told_apart_from_a_repeat_is_one() -> None:
    body = b'{"id":727,"status":"processing"}'
    sent = headers("order.updated", delivery="a")
    assert arrive(sent, body).delivery == arrive(dict(sent), body).delivery


def test_two_events_of_one_second_are_two_deliveries() -> None:
    """They share their delivery id."""
    same = headers("order.updated", delivery="a")
    first = arrive(same, b'{"id":727,"status":"processing"}')
    second = arrive(same, b'{"id":727,"status":"completed"}')
    assert first.delivery != second.delivery


def test_webhook_and_topic_belong_to_the_delivery() -> None:
    body = b'{"id":727}'
    seen = {
        arrive(headers(topic, webhook), body).delivery
        for topic in ("order.updated", "order.created")
        for webhook in ("4", "5")
    }
    assert len(seen) == 4


def test_a_second_deletion_is_not_the_first_one_again() -> None:
    """Deleted, restored, deleted: the bodies of both deletions are the same bare id."""
    first = arrive(headers("order.deleted", delivery="a"), b'{"id":727}')
    second = arrive(headers("order.deleted", delivery="b"), b'{"id":727}')
    assert first.delivery != second.delivery


def test_a_delivery_without_its_topic_is_kept_and_refused() -> None:
    arrival = arrive({}, b'{"id":727}')
    with pytest.raises(Rejected) as refused:
        translate(b'{"id":727}', arrival.topic)
    assert refused.value.reason == "missing_topic"


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("action.woocommerce_order_status_completed", "action_topic"),
        ("coupon.created", "coupon_topic"),
        ("subscription.updated", "unknown_topic"),
    ],
)
def test_topics_without_use_are_ignored_with_their_reason(topic: str, reason: str) -> None:
    translation = translate({"id": 1}, topic)
    assert (translation.version, translation.drafts, translation.ignored) == (0, (), reason)


def test_a_body_with_half_a_surrogate_pair_names_its_entity() -> None:
    arrival = arrive(headers("order.updated"), b'{"note": "\\ud83d", "id": 727}')
    assert arrival.entity == "727"
