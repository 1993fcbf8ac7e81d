"""Webhooks in WooCommerce's form, to try the way from the gateway to Connectif."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

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
from pipeline.shops.woocommerce.settings import WooCommerceSettings
from pipeline.shops.woocommerce.webhooks import unescaped


def harmless(number: str) -> Message:
    """An action of no plugin, with a bare id, as WooCommerce sends any action."""
    return Message("action.pipeline_check", compact({"action": "pipeline_check", "arg": number}))


def signed(
    settings: WooCommerceSettings,  # noqa: ARG001 - as `ShopProbe` has it
    secret: str,
    message: Message,
    seconds: int,
    number: str,
) -> Signed:
    """The headers of a delivery; WordPress unescapes a secret before it signs."""
    key = unescaped(secret.encode()).decode("utf-8", "replace")
    return Signed(
        {
            "content-type": "application/json",
            "x-wc-webhook-topic": message.topic,
            "x-wc-webhook-id": "0",
            "x-wc-webhook-delivery-id": f"{number}{seconds}",
            "x-wc-webhook-signature": base64_hmac(key, message.body),
        }
    )


def sold(settings: WooCommerceSettings, trial: Trial) -> Saying:
    """The order, paid."""
    status = status_of_a_sale(settings, "processing").removeprefix("wc-")
    return Saying(Message("order.updated", _order(trial, status, trial.placed)))


def gone(settings: WooCommerceSettings, trial: Trial) -> Saying:  # noqa: ARG001 - see there
    """The order, cancelled."""
    return Saying(Message("order.updated", _order(trial, "cancelled", trial.gone)))


def _order(trial: Trial, status: str, changed: datetime) -> bytes:
    line: dict[str, Any] = {
        "id": 1,
        "name": "Pipeline check",
        "product_id": int(trial.product),
        "variation_id": 0,
        "quantity": 1,
        "sku": trial.product,
        "subtotal": "1.00",
        "subtotal_tax": "0.00",
        "total": "1.00",
        "total_tax": "0.00",
        "meta_data": [],
    }
    return compact(
        {
            "id": int(trial.number),
            "number": trial.number,
            "status": status,
            "currency": trial.currency,
            "date_created_gmt": _utc(trial.placed),
            "date_modified_gmt": _utc(changed),
            "date_paid_gmt": _utc(trial.placed),
            "total": "1.00",
            "prices_include_tax": True,
            "customer_id": 0,
            "billing": {"first_name": "Pipeline", "last_name": "Check", "email": trial.address},
            "payment_method": "pipeline_check",
            "payment_method_title": "Pipeline check",
            "coupon_lines": [],
            "line_items": [line],
            "refunds": [],
            "meta_data": [],
        }
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


PROBE: ShopProbe[WooCommerceSettings] = ShopProbe(signed=signed, harmless=harmless, sold=sold, gone=gone)
