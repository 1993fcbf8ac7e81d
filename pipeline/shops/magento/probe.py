"""Webhooks in the form of Magento's modules, and documents of its API where only Adobe could sign."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from pipeline.records import Subscription
from pipeline.shops.magento.api import customer_path, order_path
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.magento.signatures import is_public_key
from pipeline.shops.probe import (
    Message,
    Saying,
    ShopProbe,
    Signed,
    Trial,
    compact,
    number_of,
    status_of_a_sale,
)

_PAID, _UNDONE = "processing", "canceled"


def harmless(number: str) -> Message:
    """An event that no module has."""
    return Message("cms.pipeline_check", compact({"event": "cms.pipeline_check", "data": {"check": number}}))


def signed(
    settings: MagentoSettings,  # noqa: ARG001 - as `ShopProbe` has it
    secret: str,
    message: Message,
    seconds: int,  # noqa: ARG001 - see there
    number: str,  # noqa: ARG001 - see there
) -> Signed:
    """The signature of modules that sign."""
    signature = hmac.new(secret.encode(), message.body, "sha256").hexdigest()
    return Signed({"content-type": "application/json", "x-magento-signature": signature})


def can_sign(settings: MagentoSettings) -> bool:
    """Whether the newest secret is a module's, and not one of Adobe's public keys."""
    return not is_public_key(settings.secrets[0].get_secret_value())


def named(trial: Trial) -> Message:
    """An event that only names the order."""
    return _event("observer.sales_order_save_commit_after", {"entity_id": int(trial.number)})


def sold(settings: MagentoSettings, trial: Trial) -> Saying:
    """The order, paid."""
    return _order(settings, trial, status_of_a_sale(settings, _PAID), trial.placed)


def gone(settings: MagentoSettings, trial: Trial) -> Saying:
    """The order, cancelled."""
    return _order(settings, trial, _UNDONE, trial.gone)


def consent(settings: MagentoSettings, trial: Trial, state: Subscription, at: datetime) -> Saying:
    """The buyer as a customer with the flag, which has no time of its own."""
    body = {
        "id": int(trial.number),
        "created_at": _utc(trial.placed),
        "updated_at": _utc(at),
        "email": trial.address,
        "firstname": "Pipeline",
        "lastname": "Check",
        "extension_attributes": {"is_subscribed": state == "subscribed"},
        **_place(settings, trial),
    }
    return _saying(settings, "customer", customer_path(settings, trial.number), body)


def _order(settings: MagentoSettings, trial: Trial, state: str, changed: datetime) -> Saying:
    line = {
        "item_id": 1,
        "product_id": int(trial.product),
        "product_type": "simple",
        "sku": trial.product,
        "name": "Pipeline check",
        "qty_ordered": 1,
        "price": 1,
        "price_incl_tax": 1,
        "row_total": 1,
        "row_total_incl_tax": 1,
        "tax_amount": 0,
        "discount_amount": 0,
    }
    body: dict[str, Any] = {
        "entity_id": int(trial.number),
        "increment_id": trial.number,
        "state": state,
        "status": state,
        "created_at": _utc(trial.placed),
        "updated_at": _utc(changed),
        "grand_total": 1,
        "base_currency_code": trial.currency,
        "order_currency_code": trial.currency,
        "customer_email": trial.address,
        "customer_firstname": "Pipeline",
        "customer_lastname": "Check",
        "customer_is_guest": 1,
        "items": [line],
        "payment": {"method": "pipeline_check", "additional_information": ["Pipeline check"]},
        **_place(settings, trial),
    }
    return _saying(settings, "order", order_path(settings, trial.number), body)


def _saying(settings: MagentoSettings, kind: str, path: str, body: dict[str, Any]) -> Saying:
    """A module's webhook with the whole document; for Adobe's events a name, and the document."""
    if can_sign(settings):
        return Saying(_event("sales.order.updated" if kind == "order" else "customer.updated", body))
    observed = "sales_order" if kind == "order" else "customer"
    key = "entity_id" if kind == "order" else "id"
    return Saying(_event(f"observer.{observed}_save_commit_after", {key: body[key]}), {path: body})


def _event(name: str, value: dict[str, Any]) -> Message:
    return Message(name, compact({"event": name, "data": value}))


def _place(settings: MagentoSettings, trial: Trial) -> dict[str, str]:
    """The store view and the website, by the shop's own numbers."""
    view = trial.shop or number_of(trial.language, settings.languages) or min(settings.store_ids or {"1"})
    return {"store_id": view, "website_id": min(settings.website_ids or {"1"})}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


PROBE: ShopProbe[MagentoSettings] = ShopProbe(
    signed=signed,
    harmless=harmless,
    sold=sold,
    gone=gone,
    can_sign=can_sign,
    consent=consent,
    named=named,
)
