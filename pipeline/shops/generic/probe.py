"""Webhooks by our own contract, to try the way from the gateway to Connectif."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime
from typing import Any

from pipeline.records import Subscription
from pipeline.shops.generic.settings import GenericSettings
from pipeline.shops.generic.signatures import ID, SIGNATURE, TIMESTAMP, keys_of
from pipeline.shops.probe import Message, Saying, ShopProbe, Signed, Trial, compact, status_of_a_sale
from pipeline.shops.values import body_hash


def harmless(number: str) -> Message:
    """A type that the contract does not have."""
    return Message("pipeline.check", compact({"type": "pipeline.check", "data": {"id": number}}))


def signed(settings: GenericSettings, secret: str, message: Message, seconds: int, number: str) -> Signed:  # noqa: ARG001 - as `ShopProbe` has it
    """Standard Webhooks: id, time and body."""
    ident = f"pipeline-check-{number}-{seconds}-{body_hash(message.body)[:8]}"
    text = f"{ident}.{seconds}.".encode() + message.body
    signature = base64.b64encode(hmac.digest(keys_of([secret.encode()])[0], text, "sha256")).decode()
    return Signed(
        {
            "content-type": "application/json",
            ID: ident,
            TIMESTAMP: str(seconds),
            SIGNATURE: f"v1,{signature}",
        }
    )


def sold(settings: GenericSettings, trial: Trial) -> Saying:
    """The order, paid."""
    return _message("order.created", trial, status_of_a_sale(settings, "paid"), trial.placed.isoformat())


def gone(settings: GenericSettings, trial: Trial) -> Saying:
    """The order, cancelled."""
    return _message("order.cancelled", trial, status_of_a_sale(settings, "paid"), trial.gone.isoformat())


def consent(settings: GenericSettings, trial: Trial, state: Subscription, at: datetime) -> Saying:  # noqa: ARG001 - see there
    """The buyer's statement."""
    said = at.isoformat()
    data = {
        "id": trial.number,
        "email": trial.address,
        "state": state,
        "updated_at": said,
        "locale": trial.language,
        "currency": trial.currency,
        **({"shop": trial.shop} if trial.shop else {}),
    }
    return _saying("customer.consent_updated", said, data)


def _message(kind: str, trial: Trial, paid: str, changed: str) -> Saying:
    line = {
        "line_id": "1",
        "product_id": trial.product,
        "variant_id": trial.product,
        "sku": trial.product,
        "name": "Pipeline check",
        "quantity": 1,
        "unit_price": "1.00",
        "total": "1.00",
    }
    data: dict[str, Any] = {
        "id": trial.number,
        "number": trial.number,
        "currency": trial.currency,
        "created_at": trial.placed.isoformat(),
        "updated_at": changed,
        "status": "cancelled" if kind.endswith("cancelled") else "pipeline check",
        "payment_status": paid,
        "total": "1.00",
        "prices_include_tax": True,
        "test": False,
        "locale": trial.language,
        "customer": {"email": trial.address, "first_name": "Pipeline", "last_name": "Check"},
        "line_items": [line],
    }
    if trial.shop:
        data["shop"] = trial.shop
    return _saying(kind, changed, data)


def _saying(kind: str, at: str, data: dict[str, Any]) -> Saying:
    said = {"type": kind, "timestamp": at, "source": "pipeline check", "data": data}
    return Saying(Message(kind, compact(said)))


PROBE: ShopProbe[GenericSettings] = ShopProbe(
    signed=signed, harmless=harmless, sold=sold, gone=gone, consent=consent
)
