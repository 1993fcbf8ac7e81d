"""What an event says by itself: why an order made no purchase, and which purchase an order's number is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.reconcile.histories import History
from pipeline.reconcile.meanings import known_stores, meaning_of
from pipeline.translate.alone import Meaning, Read
from tests.shopify import RECEIVED, paid_order

STORE = {"platform": "shopify", "account": "acme", "domain": "acme.example", "secrets": ["s"]}


def said(
    body: Any, topic: str = "orders/updated", account: dict[str, Any] | None = None, **store: Any
) -> Read:
    """What the event of a body says."""
    tree = {
        "accounts": {"acme": {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"} | (account or {})},
        "stores": {"acme-es": STORE | store},
    }
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    event = RawEvent("acme-es", "shopify", Kind.ORDER, "77", topic, "d", RECEIVED, raw)
    message = LibrdkafkaMessage("shop.orders", 1, 5, RECEIVED, event.key, raw, event.to_kafka_headers())
    found = meaning_of(message, known_stores(config.parse(tree, {})))
    assert found is not None
    return found


def test_a_sold_order_tells_its_total_and_its_day() -> None:
    found = said(paid_order(id=77))
    assert (found.entity, found.meaning, found.total) == ("77", Meaning.TELLS, "40.85")
    assert found.placed is not None


@pytest.mark.parametrize(
    ("changes", "meaning", "reason"),
    [
        ({"financial_status": "pending"}, Meaning.IGNORED, "not_sold"),
        ({"test": True}, Meaning.IGNORED, "test_order"),
        ({"cancelled_at": "2026-01-01T00:00:00Z"}, Meaning.IGNORED, "cancelled"),
        ({"financial_status": "a new word"}, Meaning.REJECTED, "unknown_status"),
        ({"line_items": None}, Meaning.REJECTED, "missing_field"),
    ],
)
def test_an_order_without_a_purchase_says_why(changes: dict[str, Any], meaning: Meaning, reason: str) -> None:
    found = said(paid_order(id=77, **changes))
    assert (found.meaning, found.reason) == (meaning, reason)


def test_the_accounts_first_day_is_a_reason() -> None:
    found = said(paid_order(id=77), account={"purchases_since": "2099-01-01"})
    assert (found.meaning, found.reason) == (Meaning.IGNORED, "too_old")


@pytest.mark.parametrize("status", ["paid", "pending"])
def test_the_number_that_a_purchase_is_known_by_is_learnt_from_sold_and_unsold_orders(status: str) -> None:
    body = paid_order(id=77, order_number=1_234, name="#1234-ES", financial_status=status)
    assert said(body, purchase_id="number").purchase_ids == ("1234",)
    assert said(body, purchase_id="name").purchase_ids == ("#1234-ES",)


def test_bytes_that_are_no_order_are_a_rejection_and_no_error() -> None:
    assert said(b"\xff{").meaning is Meaning.REJECTED


def history(*events: tuple[dict[str, Any], str]) -> History:
    """What events of one order say together, in the order of their arrival: body and topic of each."""
    tree = {
        "accounts": {"acme": {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}},
        "stores": {"acme-es": STORE},
    }
    stores, found = known_stores(config.parse(tree, {})), History()
    for offset, (body, topic) in enumerate(events):
        raw = orjson.dumps(body)
        event = RawEvent("acme-es", "shopify", Kind.ORDER, "77", topic, f"d{offset}", RECEIVED, raw)
        headers = event.to_kafka_headers()
        found.take(LibrdkafkaMessage("shop.orders", 1, offset, RECEIVED, event.key, raw, headers), stores)
    return found


def test_an_older_version_that_comes_late_does_not_say_that_something_was_told() -> None:
    paid = paid_order(id=77)
    older = paid | {"updated_at": "2020-01-01T00:00:00Z"}
    cancelled = paid | {"cancelled_at": "2026-01-01T00:00:00Z"}
    late = history((cancelled, "orders/cancelled"), (older, "orders/paid"))
    assert (late.meaning, late.reason) == (Meaning.IGNORED, "cancelled")
    assert history((older, "orders/paid")).meaning is Meaning.TELLS
    assert history((older, "orders/paid"), (cancelled, "orders/cancelled")).meaning is Meaning.IGNORED
    assert history(({"id": 77}, "orders/paid")).meaning is None
