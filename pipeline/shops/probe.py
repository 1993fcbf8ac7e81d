"""Webhooks of our own making, signed as a shop signs its own: to try the way from the gateway to Connectif.

Pure. A test sale has ids that no shop gives, and an address of the domain `example.com`, to which no mail can
be sent (RFC 2606). A purchase of such an address starts no workflow in Connectif (`is_trial`).
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.shops.settings import StoreSettings

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

#: Between these, the number of a trial.
_BEFORE, _AFTER = "pipeline-check-", "@example.com"
_TRIAL = re.compile(rf"{_BEFORE}9[0-9]{{17}}{re.escape(_AFTER)}")
#: Digits of a trial's number: more than ids of shops have, and few enough for any program.
DIGITS = 18


def is_trial(address: str | None) -> bool:
    """Whether an address is a trial's."""
    return address is not None and _TRIAL.fullmatch(address) is not None


class Trial(NamedTuple):
    """A test sale.

    Attributes:
        number: of the order; eighteen digits, the first a 9.
        product: of the article, of the same form.
        currency: of the account; EUR where it has none.
        placed: now.
        gone: when the order was cancelled.
        language: of the buyer.
    """

    number: str
    product: str
    currency: str
    placed: datetime
    gone: datetime
    language: str = "es"

    @property
    def address(self) -> str:
        """The buyer's."""
        return f"{_BEFORE}{self.number}{_AFTER}"


class Message(NamedTuple):
    """A webhook's topic and body, unsigned."""

    topic: str
    body: bytes


class Signed(NamedTuple):
    """What goes with a body so that it is genuine."""

    headers: Mapping[str, str]
    query: str = ""


@dataclass(frozen=True, slots=True)
class ShopProbe(Generic[SettingsT]):
    """How a platform's webhooks are made. Its functions are pure.

    Attributes:
        signed: what makes a message genuine: with a secret, at a moment in seconds, under a number.
        harmless: a message that says nothing, under a number: it counts as `ignored`.
        can_sign: whether the store's secrets sign; not where they are another's public keys.
        sold: the test sale as an order; None where webhooks only name orders, which the shop must have.
        gone: the same order, cancelled.
    """

    signed: Callable[[SettingsT, str, Message, int, str], Signed]
    harmless: Callable[[str], Message]
    can_sign: Callable[[SettingsT], bool] = lambda _: True
    sold: Callable[[SettingsT, Trial], Message] | None = None
    gone: Callable[[SettingsT, Trial], Message] | None = None


def compact(body: Any) -> bytes:
    """JSON without blanks."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def base64_hmac(secret: str, body: bytes) -> str:
    """base64(HMAC-SHA256)."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def status_of_a_sale(settings: StoreSettings, usual: str) -> str:
    """The status of an order that this store takes for sold."""
    sold = settings.sold_statuses
    return usual if sold is None or usual in sold or not sold else min(sold)
