"""Webhooks in VTEX's form, and the documents that they name, as its API has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.records import Subscription
from pipeline.shops.probe import Message, Saying, ShopProbe, Signed, Trial, compact, status_of_a_sale
from pipeline.shops.vtex.lookups import client_path, order_path
from pipeline.shops.vtex.settings import VtexSettings

_PAID, _UNDONE = "payment-approved", "canceled"


def harmless(number: str) -> Message:
    """A body that names nothing."""
    return Message("", compact({"pipelineCheck": number}))


def signed(settings: VtexSettings, secret: str, message: Message, seconds: int, number: str) -> Signed:  # noqa: ARG001 - as `ShopProbe` has it
    """The header that holds the secret."""
    return Signed({"content-type": "application/json", settings.secret_header: secret})


def named(trial: Trial) -> Message:
    """The order's hook."""
    return _hook(trial, _PAID, trial.placed)


def sold(settings: VtexSettings, trial: Trial) -> Saying:
    """The order, authorised."""
    return _order(settings, trial, status_of_a_sale(settings, _PAID), trial.placed)


def gone(settings: VtexSettings, trial: Trial) -> Saying:
    """The order, cancelled."""
    return _order(settings, trial, _UNDONE, trial.gone)


def consent(settings: VtexSettings, trial: Trial, state: Subscription, at: datetime) -> Saying:  # noqa: ARG001 - see there
    """The buyer as a client with the opt-in, which has no time of its own."""
    document = {
        "id": trial.number,
        "userId": trial.number,
        "email": trial.address,
        "firstName": "Pipeline",
        "lastName": "Check",
        "isNewsletterOptIn": state == "subscribed",
        "localeDefault": trial.language,
        "createdIn": _utc(trial.placed),
        "updatedIn": _utc(at),
    }
    trigger = {"id": trial.number, "email": "", "isNewsletterOptIn": "", "updatedIn": document["updatedIn"]}
    path = client_path(trial.number).partition("?")[0]
    return Saying(Message("", compact(trigger)), {path: document})


def _hook(trial: Trial, state: str, changed: datetime) -> Message:
    moment = _utc(changed)
    hook = {"Domain": "Marketplace", "OrderId": trial.number, "State": state, "LastChange": moment}
    return Message("", compact(hook))


def _order(settings: VtexSettings, trial: Trial, status: str, changed: datetime) -> Saying:
    price = settings.money_divisor
    line = {
        "uniqueId": trial.product,
        "id": trial.product,
        "productId": trial.product,
        "refId": trial.product,
        "name": "Pipeline check",
        "quantity": 1,
        "price": price,
        "listPrice": price,
        "sellingPrice": price,
        "tax": 0,
        "priceDefinition": {"calculatedSellingPrice": price, "total": price},
    }
    document: dict[str, Any] = {
        "orderId": trial.number,
        "sequence": trial.number,
        "origin": "Marketplace",
        "status": status,
        "value": price,
        "creationDate": _utc(trial.placed),
        "lastChange": _utc(changed),
        "authorizedDate": _utc(trial.placed),
        "items": [line],
        "clientProfileData": {"email": trial.address, "firstName": "Pipeline", "lastName": "Check"},
        "clientPreferencesData": {"locale": trial.language},
        "salesChannel": trial.shop or settings.sales_channel,
        "paymentData": {
            "transactions": [{"payments": [{"paymentSystemName": "Pipeline check", "value": price}]}]
        },
        "storePreferencesData": {"currencyCode": trial.currency},
    }
    return Saying(_hook(trial, status, changed), {order_path(trial.number): document})


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


PROBE: ShopProbe[VtexSettings] = ShopProbe(
    signed=signed, harmless=harmless, sold=sold, gone=gone, consent=consent, named=named
)
