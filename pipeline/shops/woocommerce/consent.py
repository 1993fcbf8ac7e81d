"""How a newsletter plugin's field of a customer is read, and written by WooCommerce's REST API.

WooCommerce itself has no consent. Plugins that keep it as a field of the user (Mailchimp for WooCommerce) can
be written by REST; those with tables of their own (MailPoet) cannot. Guests have no user to be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.consent import Account, ShopConsent, Shown, Wanted
from pipeline.shops.php import entries, readable_id
from pipeline.shops.values import email_text, text
from pipeline.shops.woocommerce.api import BASE
from pipeline.shops.woocommerce.settings import WooCommerceSettings

#: Mailchimp's own key, its clock in seconds, and further words that it writes.
MAILCHIMP = "mailchimp_woocommerce_is_subscribed"
_MAILCHIMP_CLOCK = "mailchimp_woocommerce_marketing_status_updated_at"
_MAILCHIMP_WORDS: Mapping[str, Shown] = {
    "1": "subscribed",
    "true": "subscribed",
    "subscribed": "subscribed",
    "unsubscribed": "unsubscribed",
    "pending": "pending",
}
_SECONDS = range(631_152_000, 4_102_444_800)  # 1990 to 2100


def unsupported(settings: WooCommerceSettings) -> str:
    """Without credentials, or a field, nothing can be written."""
    if not settings.readable:
        return "consumer_key and consumer_secret of the store are not set"
    if settings.consent_field is None:
        return "WooCommerce has no consent of its own, and consent_field of the store is not set"
    return ""


def find(settings: WooCommerceSettings, address: str) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The users of this address, whatever their role."""
    return ApiRequest(f"{BASE}/customers?{urlencode({'role': 'all', 'email': address})}")


def read(settings: WooCommerceSettings, address: str, value: Any) -> Sequence[Account]:
    """The users with exactly this address.

    Raises:
        Rejected: `not_documents`: it is no list of customers.
    """
    listed = [value] if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise Rejected("not_documents", "", "no list of customers")
    return [
        _account(one, own, settings)
        for one in listed
        if isinstance(one, dict)
        and (own := readable_id(one.get("id"))) is not None
        and (email_text(one.get("email")) or "").lower() == address
    ]


class Said(NamedTuple):
    """What the plugin's field says.

    Attributes:
        state: of the person.
        at_ms: since when, epoch ms; None where the plugin does not say it.
        in_words: whether somebody who does not subscribe is said to have left, which a `0` does not say: that
            may stand for all who were never asked.
    """

    state: Shown
    at_ms: int | None
    in_words: bool


def said(customer: Mapping[str, Any], settings: WooCommerceSettings) -> Said:
    """What a customer's fields say of newsletters; `none` without the setting `consent_field`."""
    if settings.consent_field is None:
        return Said("none", None, in_words=False)
    meta = {
        str(one.get("key")): one.get("value")
        for one in entries(customer.get("meta_data")) or ()
        if isinstance(one, dict)
    }
    word = str(meta.get(settings.consent_field, "")).strip().lower()
    known: dict[str, Shown] = {
        settings.consent_values[0].lower(): "subscribed",
        settings.consent_values[1].lower(): "unsubscribed",
    }
    if settings.consent_field == MAILCHIMP:
        known = {**_MAILCHIMP_WORDS, **known}
    at_ms = _clock(meta) if settings.consent_field == MAILCHIMP else None
    return Said(known.get(word, "none"), at_ms, in_words=word == "unsubscribed")


def _account(customer: Mapping[str, Any], own: str, settings: WooCommerceSettings) -> Account:
    found = said(customer, settings)
    return Account(own, found.state, found.at_ms)


def _clock(meta: Mapping[str, Any]) -> int | None:
    said = text(meta.get(_MAILCHIMP_CLOCK), 20)
    seconds = int(said) if said is not None and said.isdecimal() else 0
    return seconds * 1_000 if seconds in _SECONDS else None


def write(settings: WooCommerceSettings, account: Account, wanted: Wanted) -> ApiRequest:
    """The field alone: what a request does not name stays."""
    value = settings.consent_values[0 if wanted.state == "subscribed" else 1]
    meta: list[dict[str, str]] = [{"key": settings.consent_field or "", "value": value}]
    if settings.consent_field == MAILCHIMP:
        meta.append({"key": _MAILCHIMP_CLOCK, "value": str(wanted.at_ms // 1_000)})
    headers = {"content-type": "application/json"}
    return ApiRequest(f"{BASE}/customers/{account.id}", "PUT", headers, orjson.dumps({"meta_data": meta}))


CONSENT: ShopConsent[WooCommerceSettings] = ShopConsent(
    unsupported=unsupported,
    find=find,
    read=read,
    write=write,
    rights=("a key with the permission Read/Write, of a user who may edit customers",),
)
