"""How a client's opt-in is read and written in VTEX's Master Data, entity CL.

It has no time of its own. A search may show what was a moment ago, a document shows what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.consent import Account, ShopConsent, Shown, Wanted
from pipeline.shops.values import text
from pipeline.shops.vtex.fields import flag, readable
from pipeline.shops.vtex.settings import VtexSettings
from pipeline.shops.vtex.topics import CLIENT

_CLIENTS = "/api/dataentities/CL"
_FIELDS = "id,email,isNewsletterOptIn,updatedIn"
_JSON = {"content-type": "application/json"}


def find(settings: VtexSettings, address: str) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The documents of this address."""
    return ApiRequest(f"{_CLIENTS}/search?{urlencode({'email': address})}&_fields={_FIELDS}")


def read(settings: VtexSettings, address: str, value: Any) -> Sequence[Account]:  # noqa: ARG001 - as `ShopConsent` has it
    """The documents with exactly this address, of a search or of a look at one.

    Raises:
        Rejected: `not_documents`: it is neither.
    """
    listed = [value] if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise Rejected("not_documents", "", "no list of clients")
    found: list[Account] = []
    for one in listed:
        own = text(one.get("id"), 100) if isinstance(one, dict) else None
        if own is None or (readable(one.get("email")) or "").lower() != address:
            continue
        opted_in = flag(one.get("isNewsletterOptIn"))
        state: Shown = "none" if opted_in is None else "subscribed" if opted_in else "unsubscribed"
        found.append(Account(own, state))
    return found


def write(settings: VtexSettings, account: Account, wanted: Wanted) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The field alone: what a request does not name stays."""
    body = orjson.dumps({"isNewsletterOptIn": wanted.state == "subscribed"})
    return ApiRequest(f"{_CLIENTS}/documents/{quote(account.id, safe='')}", "PATCH", _JSON, body)


def look(settings: VtexSettings, account: Account) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The document itself."""
    return ApiRequest(f"{_CLIENTS}/documents/{quote(account.id, safe='')}?_fields={_FIELDS}")


def create(settings: VtexSettings, wanted: Wanted) -> ApiRequest | None:
    """A client of this address, where the store wants that of those who subscribe."""
    if not settings.create_clients or wanted.state != "subscribed":
        return None
    body = orjson.dumps({"email": wanted.address, "isNewsletterOptIn": True})
    return ApiRequest(f"{_CLIENTS}/documents", "POST", _JSON, body)


CONSENT: ShopConsent[VtexSettings] = ShopConsent(
    unsupported=lambda _: "",
    find=find,
    read=read,
    write=write,
    look=look,
    create=create,
    looked_by=CLIENT,
    rights=("Insert or update document (not remove) of Master Data",),
)
