"""PrestaShop's customers -> contacts. Each check-out as a guest makes a row of its own with the same address.

`newsletter` 0 is also the flag of whoever was never asked: only with the moment of an earlier subscription it
is a withdrawal. `optin` is for partners' offers and says nothing of the shop's newsletter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.api import Documents
from pipeline.shops.base import Draft, Look, Rejected, Translation
from pipeline.shops.orders import Buyer, contact_draft, given_name
from pipeline.shops.php import plain, readable_id
from pipeline.shops.prestashop.fields import flag, is_of_other_shop, moment, version_of
from pipeline.shops.prestashop.lookups import (
    ADDRESSES,
    COUNTRIES,
    CUSTOMERS,
    address_id,
    found,
    numbers,
    those,
)
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms, text

#: The customer whom the shop's GDPR module gives the orders of everybody it erased.
_PLACEHOLDER = "anonymous@psgdpr.com"


def is_nobody(address: str | None) -> bool:
    """Whether the address stands instead of an erased person's."""
    return belongs_to_nobody(address) or (address is not None and address.strip().lower() == _PLACEHOLDER)


def customer(event: RawEvent, documents: Documents, store: PrestashopStore) -> Translation:
    """The contact of a customer's row.

    Raises:
        Rejected: `no_email`, `invalid_email`, `invalid_date`, `shop_api_error`.
    """
    body = found(documents, CUSTOMERS, event.entity)
    if body is None:
        return Translation(0, ignored="not_found")
    return _contact(body, event.entity, event, store, asked_now=False)


def subscriber(event: RawEvent, documents: Documents, store: PrestashopStore) -> Translation:
    """The account of an address that the newsletter's form named; guests' rows decide nothing.

    Who has no account stands in a table that the webservice does not show.

    Raises:
        Rejected: `invalid_email`, `invalid_date`, `shop_api_error`.
    """
    listed = those(documents, CUSTOMERS) or []
    accounts = [
        row
        for row in listed
        if not flag(row.get("is_guest"))
        and not flag(row.get("deleted"))
        and not is_of_other_shop(readable_id(row.get("id_shop")), store.settings)
        and readable_id(row.get("id")) is not None
    ]
    if not accounts:
        return Translation(0, ignored="not_found")
    newest = max(accounts, key=lambda row: text(row.get("date_upd"), 40) or "")
    return _contact(newest, readable_id(newest.get("id")) or "", event, store, asked_now=True)


def _contact(
    body: Mapping[str, Any], own: str, event: RawEvent, store: PrestashopStore, *, asked_now: bool
) -> Translation:
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, settings, notes)
    if is_of_other_shop(readable_id(body.get("id_shop")), settings):
        return Translation(version, ignored="other_shop")
    if flag(body.get("deleted")):
        return _deleted(version, store)
    address = email_text(body.get("email"))
    if is_nobody(address):
        return Translation(version, ignored="anonymised")
    guest = flag(body.get("is_guest")) is True
    changed = event.received_ms if asked_now else version
    look = None if guest else _look(body, changed, settings, notes)
    buyer = buyer_of(body, own, guest=guest, notes=notes)._replace(look=look)
    buyer = buyer._replace(notes=tuple(dict.fromkeys((*buyer.notes, *notes))))
    return Translation(version, (contact_draft(buyer, settings, Origin.CUSTOMER),))


def deleted_customer(event: RawEvent, store: PrestashopStore) -> Translation:
    """What was sent of the customer is deleted, if the store wants that."""
    return _deleted(event.received_ms, store)


def _deleted(version: int, store: PrestashopStore) -> Translation:
    if store.settings.on_customer_deleted == "keep":
        return Translation(version, ignored="customer_kept")
    draft = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(version, (draft,), "deleted")


def buyer_of(body: Mapping[str, Any], own: str, *, guest: bool, notes: list[str]) -> Buyer:
    """The person in a row; a guest's row is nobody's account."""
    fields = dict(body)
    return Buyer(
        email=email_text(body.get("email")),
        customer_id=None if guest else own,
        name=given_name(plain(fields, "firstname", notes, 200)),
        surname=plain(fields, "lastname", notes, 200),
    )


def order_buyer(order: Mapping[str, Any], documents: Documents) -> Buyer:
    """The person behind an order, with the phone of its address.

    Raises:
        Rejected: `shop_api_error`.
    """
    notes: list[str] = []
    number = readable_id(order.get("id_customer"))
    row = found(documents, CUSTOMERS, number) if number else None
    guest = row is None or number is None or flag(row.get("is_guest")) is True
    buyer = buyer_of(row or {}, number or "", guest=guest, notes=notes)
    address = found(documents, ADDRESSES, address_id(order)) or {}
    country = found(documents, COUNTRIES, readable_id(address.get("id_country"))) or {}
    code = text(country.get("iso_code"), 2)
    phones = tuple((one, code) for one in numbers(address))
    return buyer._replace(phones=phones, notes=tuple(dict.fromkeys(notes)))


def _look(
    body: Mapping[str, Any], changed: int, settings: PrestashopSettings, notes: list[str]
) -> Look | None:
    """What the flag says, and since when.

    A moment of subscription is kept when somebody leaves, so beside a refusal it proves one.
    """
    subscribed = flag(body.get("newsletter"))
    if subscribed is None or body.get("newsletter") in (None, ""):
        if body.get("newsletter") not in (None, "", []):
            notes.append("consent_unknown")
        return None
    dated = _moment_ms(body, "newsletter_date_add", settings, notes)
    if subscribed and dated is None:
        notes.append("consent_time_missing")
        return Look(subscribed=True, since_ms=_moment_ms(body, "date_add", settings, notes) or 0)
    if dated is None:
        return Look(subscribed=False, since_ms=0)
    return Look(subscribed, dated if subscribed else max(dated, changed), given=True)


def _moment_ms(
    body: Mapping[str, Any], name: str, settings: PrestashopSettings, notes: list[str]
) -> int | None:
    try:
        made = moment(body, name, settings, notes)
    except Rejected:
        notes.append(f"{name}_unreadable")
        return None
    return None if made is None else epoch_ms(made)
