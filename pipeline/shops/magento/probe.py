"""Webhooks in the form of Magento's modules. Adobe's own signatures only Adobe can make."""

from __future__ import annotations

import hmac

from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.magento.signatures import is_public_key
from pipeline.shops.probe import Message, ShopProbe, Signed, compact


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


PROBE: ShopProbe[MagentoSettings] = ShopProbe(signed=signed, harmless=harmless, can_sign=can_sign)
