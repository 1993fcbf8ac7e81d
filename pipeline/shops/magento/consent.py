"""How a customer's newsletter subscription is read and written by Magento's REST API.

A changed subscription makes Magento send its own mail to the person. Where the shop asks for confirmation, a
subscription stays inactive, and reads say no, until the person confirms. Guests cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.consent import Account, Impossible, ShopConsent, Wanted
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.values import text

#: What a write repeats of the customer: without its store it was reset by old versions, and what a shop made
#: required later is refused where it is missing. Addresses are left out: those listed would be all it keeps.
_REPEATED = (
    "id",
    "email",
    "firstname",
    "lastname",
    "website_id",
    "store_id",
    "group_id",
    "dob",
    "gender",
    "taxvat",
)
_MOST = 20


def find(settings: MagentoSettings, address: str) -> ApiRequest:
    """The customers of this address: one a website."""
    first = "searchCriteria[filterGroups][0][filters][0]"
    return ApiRequest(
        f"{_base(settings)}/customers/search?{first}[field]=email&{first}[value]={quote(address, safe='@')}"
        f"&{first}[conditionType]=eq&searchCriteria[pageSize]={_MOST}&searchCriteria[currentPage]=1"
    )


def read(settings: MagentoSettings, address: str, value: Any) -> Sequence[Account]:
    """The customers of this store's websites with exactly this address.

    Raises:
        Rejected: `not_documents`: it is no list of customers.
        Impossible: `no_consent_field`: the shop shows no subscription, as its newsletter module is off.
    """
    listed = value.get("items") if isinstance(value, dict) else None
    if listed is None and isinstance(value, dict) and value.get("total_count") == 0:
        return ()
    if not isinstance(listed, list):
        raise Rejected("not_documents", "items", "no list of customers")
    found: list[Account] = []
    for one in listed:
        if not isinstance(one, dict) or (text(one.get("email"), 300) or "").lower() != address:
            continue
        own, website = text(one.get("id"), 30), text(one.get("website_id"), 30)
        if own is None or not own.isdigit():
            continue
        if settings.website_ids is None or website in settings.website_ids:
            found.append(_account(own, one))
    return found


def _account(own: str, customer: Mapping[str, Any]) -> Account:
    more = customer.get("extension_attributes")
    said = more.get("is_subscribed") if isinstance(more, dict) else None
    if not isinstance(said, bool):
        raise Impossible("no_consent_field", "the shop's customers have no is_subscribed")
    return Account(own, "subscribed" if said else "unsubscribed", None, customer)


def write(settings: MagentoSettings, account: Account, wanted: Wanted) -> ApiRequest:
    """The customer without addresses, under the customer's own store."""
    kept = {name: account.document[name] for name in _REPEATED if account.document.get(name) is not None}
    customer = {**kept, "extension_attributes": {"is_subscribed": wanted.state == "subscribed"}}
    path = f"{_base(settings)}/customers/{account.id}"
    return ApiRequest(path, "PUT", {"content-type": "application/json"}, orjson.dumps({"customer": customer}))


def _base(settings: MagentoSettings) -> str:
    return "/V1" if settings.in_cloud else "/rest/all/V1"


CONSENT: ShopConsent[MagentoSettings] = ShopConsent(
    unsupported=lambda _: "",
    find=find,
    read=read,
    write=write,
    looked_by="observer.customer_save_commit_after",
    rights=("Magento_Customer::manage",),
)
