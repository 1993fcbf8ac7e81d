"""Webhooks in VTEX's form. They only name orders, so that no test sale can be made of them."""

from __future__ import annotations

from pipeline.shops.probe import Message, ShopProbe, Signed, compact
from pipeline.shops.vtex.settings import VtexSettings


def harmless(number: str) -> Message:
    """A body that names nothing."""
    return Message("", compact({"pipelineCheck": number}))


def signed(settings: VtexSettings, secret: str, message: Message, seconds: int, number: str) -> Signed:  # noqa: ARG001 - as `ShopProbe` has it
    """The header that holds the secret."""
    return Signed({"content-type": "application/json", settings.secret_header: secret})


PROBE: ShopProbe[VtexSettings] = ShopProbe(signed=signed, harmless=harmless)
