"""A body that was signed, sent again under a topic it was not sent with: the topic is in no signature."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.shops.base import Rejected
from tests.shopify import load, paid_order, store, translate

CONSENT = "customers_email_marketing_consent/update"
ORDER = paid_order()
CUSTOMER: dict[str, Any] = load("webhook-customers_update-2024-04")
PRODUCT: dict[str, Any] = load("webhook-products_update-2026-04")
STATEMENT: dict[str, Any] = load("constructed-webhook-consent-unsubscribed")


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("orders/delete", ORDER),
        ("orders/delete", {"id": 5, "updated_at": "2024-05-06T10:00:00Z"}),
        ("orders/delete", {"id": 5, "admin_graphql_api_id": "gid://shopify/Product/5"}),
        ("orders/delete", CUSTOMER),
        ("products/delete", PRODUCT),
        ("products/delete", {"id": 5, "title": "Mug"}),
        ("products/delete", {"id": 5, "admin_graphql_api_id": "gid://shopify/Order/5"}),
        ("customers/delete", CUSTOMER),
        ("customers/delete", {"id": 5, "email": "a@example.com"}),
        ("customers/delete", {"id": 5, "admin_graphql_api_id": "gid://shopify/Order/5"}),
        ("customers/update", ORDER),
        ("customers/update", {k: v for k, v in ORDER.items() if k != "admin_graphql_api_id"}),
        ("customers/update", PRODUCT),
        ("orders/updated", CUSTOMER),
        ("orders/cancelled", PRODUCT),
        ("products/update", ORDER),
        (CONSENT, ORDER),
        (CONSENT, CUSTOMER),
        (CONSENT, PRODUCT),
    ],
)
def test_a_body_under_anothers_topic_changes_nothing(topic: str, body: dict[str, Any]) -> None:
    context = store(on_customer_deleted="delete", on_product_deleted="delete")
    with pytest.raises(Rejected, match="topic_contradicts_body"):
        translate(topic, body, context)


@pytest.mark.parametrize(
    "topic", ["orders/updated", "orders/cancelled", "products/update", "customers/update"]
)
def test_a_statement_of_consent_is_no_entity(topic: str) -> None:
    with pytest.raises(Rejected, match="missing_field"):
        translate(topic, STATEMENT)


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        (f"{kind}/delete", f"webhook-{kind}_delete-{version}")
        for kind in ("orders", "products", "customers")
        for version in ("2024-04", "2026-04")
    ],
)
def test_a_deletion_as_shopify_sends_it_deletes(topic: str, name: str) -> None:
    assert translate(topic, load(name), store(on_customer_deleted="delete")).drafts


def test_a_deleted_customers_exemptions_and_phone_are_no_contradiction() -> None:
    body = {
        "id": 5,
        "phone": "+34612345678",
        "tax_exemptions": ["EU_REVERSE_CHARGE_EXEMPTION_RULE"],
        "note": "",
    }
    assert translate("customers/delete", body).ignored == "customer_kept"
