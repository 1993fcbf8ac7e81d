"""Signed deliveries with a known key, exactly as Shopify would send them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.shops.shopify import SHOPIFY
from tests.platforms import verifies
from tests.shopify import arrive, load, ms

VECTORS = load("constructed-signature-vectors")


def headers_of(vector: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in vector["headers"].items()}


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_a_signature_vector_is_verified_exactly(vector: dict[str, Any]) -> None:
    key, headers, body = vector["secret"].encode(), headers_of(vector), vector["body"].encode()
    assert verifies(SHOPIFY, [key], headers, body)
    assert verifies(SHOPIFY, [b"the new one", key], headers, body)


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_a_tampered_vector_is_refused(vector: dict[str, Any]) -> None:
    key, headers, body = vector["secret"].encode(), headers_of(vector), vector["body"].encode()
    signature = headers["x-shopify-hmac-sha256"]
    assert not verifies(SHOPIFY, [key], headers, body + b"\n")
    assert not verifies(SHOPIFY, [key], headers, body.replace(b"0", b"1", 1))
    assert not verifies(SHOPIFY, [b"another key"], headers, body)
    assert not verifies(SHOPIFY, [], headers, body)
    for forged in ("", "=", signature[:-1], signature.lower(), f" {signature}", "é" * 44, "\ud800" * 44):
        assert not verifies(SHOPIFY, [key], headers | {"x-shopify-hmac-sha256": forged}, body)
    without = {name: value for name, value in headers.items() if name != "x-shopify-hmac-sha256"}
    assert not verifies(SHOPIFY, [key], without, body)


def test_topics_that_share_an_event_id_are_different_deliveries() -> None:
    created, updated = (arrive(headers_of(one), one["body"].encode()) for one in VECTORS[-2:])
    assert created.headers["x-shopify-event-id"] == updated.headers["x-shopify-event-id"]
    assert created.delivery == "orders/create:00000000-0000-4000-8000-000000000004"
    assert updated.delivery == "orders/updated:00000000-0000-4000-8000-000000000005"
    assert created.entity == updated.entity == "820982911946154508"
    assert created.triggered_ms == ms("2026-05-06T08:15:04Z") + 123
