"""Webhooks of our own making, signed as a shop signs its own: to try the way from the gateway to Connectif.

Pure. A test sale has ids that no shop gives, and an address of the domain `example.com`, to which no mail can
be sent (RFC 2606). A purchase of such an address starts no workflow in Connectif (`is_trial`). Where webhooks
only name what happened, the documents that the shop's API would answer are made, too: the shop has none.
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

from pipeline.records import Subscription
from pipeline.shops.settings import StoreSettings

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

#: Between these, the number of a trial.
_BEFORE, _AFTER = "pipeline-check-", "@example.com"
_NUMBER = re.compile(r"9[0-9]{17}")
_TRIAL = re.compile(rf"{_BEFORE}{_NUMBER.pattern}{re.escape(_AFTER)}")
#: Digits of a trial's number: more than ids of shops have, and few enough for any program.
DIGITS = 18


def is_trial(address: str | None) -> bool:
    """Whether an address is a trial's."""
    return address is not None and _TRIAL.fullmatch(address) is not None


def is_trials_number(ident: str) -> bool:
    """Whether an id is a trial's."""
    return _NUMBER.fullmatch(ident) is not None


def address_of(number: str) -> str:
    """The address of the buyer in a trial."""
    return f"{_BEFORE}{number}{_AFTER}"


class Trial(NamedTuple):
    """A test sale.

    Attributes:
        number: of the order; eighteen digits, the first a 9.
        product: of the article, of the same form.
        currency: of the account; EUR where it has none.
        placed: now.
        gone: when the order was cancelled.
        language: of the buyer.
        shop: that a body names, where one feed has several; "" for the only one.
    """

    number: str
    product: str
    currency: str
    placed: datetime
    gone: datetime
    language: str = "es"
    shop: str = ""

    @property
    def address(self) -> str:
        """The buyer's."""
        return address_of(self.number)


class Message(NamedTuple):
    """A webhook's topic and body, unsigned."""

    topic: str
    body: bytes


#: Begins what the gateway answers, if it is genuine, and does not keep.
UNKEPT = b'{"pipeline_doctor":'


def unkept(message: Message) -> Message:
    """A harmless message as one that the gateway does not keep; that of an older release keeps it."""
    return message._replace(body=compact({"pipeline_doctor": True, **json.loads(message.body)}))


def is_unkept(body: bytes) -> bool:
    """Whether it is one. No shop begins a body so; who signs one as the shop's only hides it from itself."""
    return body.startswith(UNKEPT)


class Saying(NamedTuple):
    """What a shop says.

    Attributes:
        message: the webhook.
        documents: what the API would answer, by path without query; None where the webhook holds all.
    """

    message: Message
    documents: Mapping[str, Any] | None = None


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
        sold: the test sale as an order.
        gone: the same order, cancelled.
        consent: what the buyer says of newsletters, and when; None where the platform's shops have none.
        named: a webhook that only names the test order, for which the shop is asked and which it does not
            have; None where webhooks hold all.
    """

    signed: Callable[[SettingsT, str, Message, int, str], Signed]
    harmless: Callable[[str], Message]
    sold: Callable[[SettingsT, Trial], Saying]
    gone: Callable[[SettingsT, Trial], Saying]
    can_sign: Callable[[SettingsT], bool] = lambda _: True
    consent: Callable[[SettingsT, Trial, Subscription, datetime], Saying] | None = None
    named: Callable[[Trial], Message] | None = None


def compact(body: Any) -> bytes:
    """JSON without blanks."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def base64_hmac(secret: str, body: bytes) -> str:
    """base64(HMAC-SHA256)."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def number_of(language: str, numbers: Mapping[str, str] | None) -> str | None:
    """The number by which a shop calls a language, of the settings' `languages`; None where none does."""
    for number, said in (numbers or {}).items():
        tag = said.lower().replace("_", "-")
        if tag == language or tag.startswith(f"{language}-"):
            return number
    return None


def status_of_a_sale(settings: StoreSettings, usual: str) -> str:
    """The status of an order that this store takes for sold."""
    sold = settings.sold_statuses
    return usual if sold is None or usual in sold or not sold else min(sold)
