"""Webhooks in Shopify's form, to try the way from the gateway to Connectif."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.records import Subscription
from pipeline.shops.probe import (
    Message,
    Saying,
    ShopProbe,
    Signed,
    Trial,
    base64_hmac,
    compact,
    status_of_a_sale,
)
from pipeline.shops.shopify.settings import ShopifySettings
from pipeline.shops.values import body_hash


def harmless(number: str) -> Message:
    """A topic that no shop has and that nothing follows from."""
    return Message("pipeline/check", compact({"id": int(number)}))


def signed(settings: ShopifySettings, secret: str, message: Message, seconds: int, number: str) -> Signed:  # noqa: ARG001 - as `ShopProbe` has it
    """The headers of a delivery."""
    return Signed(
        {
            "content-type": "application/json",
            "x-shopify-topic": message.topic,
            "x-shopify-webhook-id": f"pipeline-check-{number}-{seconds}-{body_hash(message.body)[:8]}",
            "x-shopify-triggered-at": datetime.fromtimestamp(seconds, UTC).isoformat(),
            "x-shopify-hmac-sha256": base64_hmac(secret, message.body),
        }
    )


def sold(settings: ShopifySettings, trial: Trial) -> Saying:
    """The order, paid."""
    return _message("orders/paid", settings, trial, None)


def gone(settings: ShopifySettings, trial: Trial) -> Saying:
    """The order, cancelled."""
    return _message("orders/cancelled", settings, trial, trial.gone)


def _message(topic: str, settings: ShopifySettings, trial: Trial, cancelled: datetime | None) -> Saying:
    placed = trial.placed.isoformat(timespec="seconds")
    ended = None if cancelled is None else cancelled.isoformat(timespec="seconds")
    line = {
        "id": int(trial.product),
        "product_id": int(trial.product),
        "variant_id": int(trial.product),
        "sku": trial.product,
        "title": "Pipeline check",
        "name": "Pipeline check",
        "quantity": 1,
        "current_quantity": 1,
        "price": "1.00",
        "discount_allocations": [],
        "tax_lines": [],
    }
    body = {
        "id": int(trial.number),
        "name": trial.number,
        "order_number": int(trial.number),
        "currency": trial.currency,
        "created_at": placed,
        "processed_at": placed,
        "updated_at": ended or placed,
        "cancelled_at": ended,
        "financial_status": "voided" if ended else status_of_a_sale(settings, "paid"),
        "payment_gateway_names": ["pipeline check"],
        "total_price": "1.00",
        "current_total_price": "1.00",
        "taxes_included": True,
        "discount_codes": [],
        "email": trial.address,
        "contact_email": trial.address,
        "customer_locale": trial.language,
        "buyer_accepts_marketing": False,
        "test": False,
        "line_items": [line],
        "billing_address": {"first_name": "Pipeline", "last_name": "Check"},
        "customer": None,
    }
    return Saying(Message(topic, compact(body)))


def consent(settings: ShopifySettings, trial: Trial, state: Subscription, at: datetime) -> Saying:  # noqa: ARG001 - see there
    """The buyer as a customer with the statement."""
    said = at.isoformat(timespec="seconds")
    stated = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": said}
    body = {
        "id": int(trial.number),
        "email": trial.address,
        "created_at": trial.placed.isoformat(timespec="seconds"),
        "updated_at": said,
        "first_name": "Pipeline",
        "last_name": "Check",
        "email_marketing_consent": stated,
        "currency": trial.currency,
    }
    return Saying(Message("customers/update", compact(body)))


PROBE: ShopProbe[ShopifySettings] = ShopProbe(
    signed=signed, harmless=harmless, sold=sold, gone=gone, consent=consent
)
