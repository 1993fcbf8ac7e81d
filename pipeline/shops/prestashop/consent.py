"""How a customer's newsletter flag is read and written by PrestaShop's webservice.

Written as XML, which alone it reads. From 8.0 on a PATCH names the flag alone; before, a PUT must repeat the
whole customer, or what it leaves out is emptied. Visitors who subscribed in the footer without an account are
in a table that the webservice does not show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.consent import Account, Impossible, ShopConsent, Wanted
from pipeline.shops.php import readable_id
from pipeline.shops.prestashop.documents import flag
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.values import email_text

_XML = {"content-type": "text/xml"}
#: Versions before 8.0 answer so to a PATCH.
_NO_PATCH = frozenset({400, 405, 501})
_JSON = "output_format=JSON"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")


def find(settings: PrestashopSettings, address: str) -> ApiRequest:
    """The rows of this address: accounts, guests, and what was deleted."""
    return ApiRequest(
        f"/api/customers?filter[email]=[{quote(address, safe='@')}]&display=full&{_JSON}{_shop(settings)}"
    )


def read(settings: PrestashopSettings, address: str, value: Any) -> Sequence[Account]:
    """The accounts of this store's shop with exactly this address.

    Raises:
        Rejected: `not_documents`: it is no list of customers.
        Impossible: `guest_at_shop`: only guests have the address, and the webservice refuses to write them.
    """
    if value == []:  # what the webservice answers where there is none
        return ()
    listed = value.get("customers") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise Rejected("not_documents", "customers", "no list of customers")
    rows = [
        one
        for one in listed
        if isinstance(one, dict)
        and (email_text(one.get("email")) or "").lower() == address
        and not flag(one.get("deleted"))
        and (settings.shop_id is None or readable_id(one.get("id_shop")) == settings.shop_id)
    ]
    accounts = [one for one in rows if not flag(one.get("is_guest"))]
    if rows and not accounts:
        raise Impossible("guest_at_shop", "only guests have the address, who cannot be written")
    return [
        Account(own, "subscribed" if flag(one.get("newsletter")) else "unsubscribed", None, one)
        for one in accounts
        if (own := readable_id(one.get("id"))) is not None
    ]


def write(settings: PrestashopSettings, account: Account, wanted: Wanted) -> ApiRequest:
    """A PATCH of the flag; of a subscription its date as well, which the shop sets only where it is empty."""
    fields = {"id": account.id, **_fields(settings, wanted)}
    return _request(settings, account, "PATCH", fields)


def instead(settings: PrestashopSettings, account: Account, wanted: Wanted, status: int) -> ApiRequest | None:
    """A PUT of the whole customer, for versions that know no PATCH."""
    if status not in _NO_PATCH:
        return None
    return _request(settings, account, "PUT", {**account.document, **_fields(settings, wanted)})


def _fields(settings: PrestashopSettings, wanted: Wanted) -> dict[str, str]:
    if wanted.state != "subscribed":
        return {"newsletter": "0"}
    said = datetime.fromtimestamp(wanted.at_ms // 1_000, UTC).astimezone(ZoneInfo(settings.timezone))
    return {"newsletter": "1", "newsletter_date_add": said.strftime("%Y-%m-%d %H:%M:%S")}


def _request(
    settings: PrestashopSettings, account: Account, method: str, fields: Mapping[str, Any]
) -> ApiRequest:
    root = Element("prestashop")
    _put(SubElement(root, "customer"), fields)
    body = b'<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="utf-8", xml_declaration=False)
    return ApiRequest(f"/api/customers/{account.id}?{_JSON}{_shop(settings)}", method, _XML, body)


def _put(parent: Element, value: Any) -> None:
    """JSON of the webservice as its XML: an element of a list is named as the list, without its `s`."""
    if isinstance(value, Mapping):
        for name, inside in value.items():
            if _NAME.fullmatch(name):
                _put(SubElement(parent, name), inside)
    elif isinstance(value, list):
        for inside in value:
            _put(SubElement(parent, parent.tag.removesuffix("s")), inside)
    elif value is not None:
        parent.text = str(value)


def _shop(settings: PrestashopSettings) -> str:
    """In an installation of several shops, the one, else all: the webservice else knows its main shop's."""
    if settings.shop_id is not None:
        return f"&id_shop={settings.shop_id}"
    return "&id_shop=all" if any(route.shop for route in settings.routes) else ""


CONSENT: ShopConsent[PrestashopSettings] = ShopConsent(
    unsupported=lambda _: "",
    find=find,
    read=read,
    write=write,
    instead=instead,
    looked_by="customer.updated",
    rights=("customers: GET, PUT and PATCH",),
)
