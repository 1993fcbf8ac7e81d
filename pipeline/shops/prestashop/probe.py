"""Webhooks in the form of PrestaShop's modules, and the documents of the webservice that they name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.records import Subscription
from pipeline.shops.prestashop.api import list_path, path_of
from pipeline.shops.prestashop.settings import PrestashopSettings
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

#: States of a new installation: payment accepted, cancelled. Whether an order is sold `valid` says, too.
_PAID, _UNDONE = "2", "6"
_CURRENCY = "1"


def harmless(number: str) -> Message:
    """A topic that no module has."""
    return Message("pipeline.check", compact({"topic": "pipeline.check", "data": {"check": number}}))


def signed(
    settings: PrestashopSettings,  # noqa: ARG001 - as `ShopProbe` has it
    secret: str,
    message: Message,
    seconds: int,  # noqa: ARG001 - see there
    number: str,  # noqa: ARG001 - see there
) -> Signed:
    """The signature of modules that sign."""
    signature = hmac.new(secret.encode(), message.body, "sha256").hexdigest()
    return Signed({"content-type": "application/json", "x-prestashop-signature": f"sha256={signature}"})


def named(trial: Trial) -> Message:
    """The order's announcement."""
    return _announced("order.updated", trial)


def sold(settings: PrestashopSettings, trial: Trial) -> Saying:
    """The order, paid."""
    state = status_of_a_sale(settings, _PAID)
    return _order(settings, trial, {"current_state": state, "valid": "1"}, trial.placed)


def gone(settings: PrestashopSettings, trial: Trial) -> Saying:
    """The order, cancelled."""
    said = _order(settings, trial, {"current_state": _UNDONE, "valid": "0"}, trial.gone)
    state = {"order_state": {"id": int(_UNDONE), "paid": "0", "template": "order_canceled"}}
    return said._replace(documents={**(said.documents or {}), path_of("order_states", _UNDONE): state})


def consent(settings: PrestashopSettings, trial: Trial, state: Subscription, at: datetime) -> Saying:
    """The buyer's row with the flag: a withdrawal is dated by the row's change."""
    row = _person(settings, trial) | {
        "newsletter": str(int(state == "subscribed")),
        "newsletter_date_add": _local(settings, trial.placed),
        "date_upd": _local(settings, at),
    }
    path = path_of("customers", trial.number)
    return Saying(_announced("customer.updated", trial), {path: {"customer": row}})


def _announced(topic: str, trial: Trial) -> Message:
    return Message(topic, compact({"topic": topic, "data": {"id": trial.number}}))


def _order(settings: PrestashopSettings, trial: Trial, state: Mapping[str, str], changed: datetime) -> Saying:
    row = {
        "id": "1",
        "product_id": trial.product,
        "product_attribute_id": "0",
        "product_quantity": "1",
        "product_name": "Pipeline check",
        "product_reference": trial.product,
        "unit_price_tax_incl": "1.000000",
        "unit_price_tax_excl": "1.000000",
    }
    order: dict[str, Any] = {
        "id": int(trial.number),
        "reference": trial.number,
        "id_customer": trial.number,
        "id_currency": _CURRENCY,
        "date_add": _local(settings, trial.placed),
        "date_upd": _local(settings, changed),
        "payment": "Pipeline check",
        "total_paid_tax_incl": "1.000000",
        "total_products_wt": "1.000000",
        "total_discounts": "0.000000",
        "associations": {"order_rows": [row]},
        **_place(settings, trial),
        **state,
    }
    documents = {
        path_of("orders", trial.number): {"order": order},
        path_of("customers", trial.number): {"customer": _person(settings, trial)},
        path_of("currencies", _CURRENCY): {"currency": {"id": 1, "iso_code": trial.currency}},
        list_path("order_slip"): [],
    }
    return Saying(_announced("order.updated", trial), documents)


def _person(settings: PrestashopSettings, trial: Trial) -> dict[str, Any]:
    return {
        "id": int(trial.number),
        "email": trial.address,
        "firstname": "Pipeline",
        "lastname": "Check",
        "is_guest": "0",
        "deleted": "0",
        "date_add": _local(settings, trial.placed),
        "date_upd": _local(settings, trial.placed),
        **_place(settings, trial),
    }


def _place(settings: PrestashopSettings, trial: Trial) -> dict[str, str]:
    """The shop of the installation, and the language by the shop's own number."""
    number = number_of(trial.language, settings.languages) or "1"
    return {"id_shop": trial.shop or settings.shop_id or "1", "id_lang": number}


def _local(settings: PrestashopSettings, moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(settings.timezone)).strftime("%Y-%m-%d %H:%M:%S")


PROBE: ShopProbe[PrestashopSettings] = ShopProbe(
    signed=signed, harmless=harmless, sold=sold, gone=gone, consent=consent, named=named
)
