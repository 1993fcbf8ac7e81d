"""Webhooks in the form of PrestaShop's modules. They only name orders: no test sale can be made of them."""

from __future__ import annotations

import hmac

from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.probe import Message, ShopProbe, Signed, compact


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


PROBE: ShopProbe[PrestashopSettings] = ShopProbe(signed=signed, harmless=harmless)
