"""How a person's newsletter is read and written at a custom shop, by our own contract: `/consent`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.consent import Account, ShopConsent, Shown, Wanted
from pipeline.shops.generic.fields import moment, word
from pipeline.shops.generic.settings import GenericSettings
from pipeline.shops.values import epoch_ms

_PATH = "/consent"
_SHOWN: Mapping[str, Shown] = {
    "subscribed": "subscribed",
    "unsubscribed": "unsubscribed",
    "pending": "pending",
}


def unsupported(settings: GenericSettings) -> str:
    """Without an API nothing can be written."""
    return "" if settings.api_token is not None else "api_token of the store is not set"


def find(settings: GenericSettings, address: str) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """What the shop holds of an address; 404 where it does not know it."""
    return ApiRequest(f"{_PATH}?{urlencode({'email': address})}")


def read(settings: GenericSettings, address: str, value: Any) -> Sequence[Account]:  # noqa: ARG001 - as `ShopConsent` has it
    """The one person.

    Raises:
        Rejected: `not_documents`, `invalid_date`: it is no answer of the contract.
    """
    if not isinstance(value, dict) or not isinstance(value.get("state"), str):
        raise Rejected("not_documents", "state", "no statement")
    since = value.get("updated_at")
    at_ms = None if since is None else epoch_ms(moment(since, "updated_at"))
    return (Account(address, _SHOWN.get(word(value["state"]), "none"), at_ms),)


def write(settings: GenericSettings, account: Account, wanted: Wanted) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The statement with its moment; `source` lets the shop tell ours from its own."""
    said = datetime.fromtimestamp(wanted.at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"email": wanted.address, "state": wanted.state, "updated_at": said, "source": "connectif"}
    return ApiRequest(_PATH, "PUT", {"content-type": "application/json"}, orjson.dumps(body))


CONSENT: ShopConsent[GenericSettings] = ShopConsent(
    unsupported=unsupported,
    find=find,
    read=read,
    write=write,
    rights=("a token that may read and write /consent",),
)
