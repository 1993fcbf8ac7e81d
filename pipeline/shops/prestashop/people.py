"""PrestaShop's customers -> contacts, and the person behind an order.

`newsletter` is the shop's newsletter, `optin` that of its partners, which is none of ours.
`newsletter_date_add` dates a subscription, and stays when it ends: 0 with a date is somebody who left, 0
without one somebody who was never asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.base import Draft, Look, Rejected, Translation
from pipeline.shops.lenient import birthdate, decoration
from pipeline.shops.orders import Buyer, contact_draft, given_name
from pipeline.shops.php import NOTHING, readable_id
from pipeline.shops.prestashop.documents import flag, moment, name_of, own_id, version_of
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms, text

#: The customer to whom PrestaShop's own module hands all that erased people had.
_ERASED = "anonymous@psgdpr.com"


def customer(body: dict[str, Any], event: RawEvent, store: PrestashopStore) -> Translation:
    """The contact of a customer's own row. A guest's row says nothing of consent.

    Raises:
        Rejected: `no_email`, `invalid_email` and what the fields' readers raise.
    """
    own = own_id(body)
    settings = store.settings
    notes: list[str] = []
    version = version_of(body, event, settings.timezone, notes)
    if is_of_other_shop(body, settings):
        return Translation(version, ignored="other_shop")
    email = email_text(body.get("email"))
    if is_erased(email):
        return Translation(version, ignored="anonymised")
    if flag(body.get("deleted")):
        return gone(version, settings)
    look = None if flag(body.get("is_guest")) else _look(body, version, settings, notes)
    name, surname = names(body, notes)
    buyer = Buyer(
        email=email,
        customer_id=own,
        name=name,
        surname=surname,
        birthdate=birthdate(body, "birthday", notes),
        notes=tuple(dict.fromkeys(notes)),
        look=look,
        shop=readable_id(body.get("id_shop")),
        language=settings.language(readable_id(body.get("id_lang"))),
    )
    return Translation(version, (contact_draft(buyer, settings, Origin.CUSTOMER),))


def subscriber(listed: Sequence[dict[str, Any]], event: RawEvent, store: PrestashopStore) -> Translation:
    """What the newsletter's form changed of an account; guests' rows with the same address decide nothing.

    Who has no account stands in a table that the webservice does not show.

    Args:
        listed: the rows of the address that the form was used with.
        event: that brought them.
        store: its store.

    Raises:
        Rejected: as `customer` does.
    """
    accounts = [
        row
        for row in listed
        if not flag(row.get("is_guest"))
        and not flag(row.get("deleted"))
        and not is_of_other_shop(row, store.settings)
    ]
    if not accounts:
        return Translation(version=0, ignored="not_found")
    newest = max(accounts, key=lambda row: text(row.get("date_upd"), 40) or "")
    said = customer(newest, event, store)
    return said._replace(drafts=tuple(_said_now(draft, event) for draft in said.drafts))


def _said_now(draft: Draft, event: RawEvent) -> Draft:
    """A withdrawal by the form is as old as its call: the row's own date does not move."""
    look = draft.look
    if look is None or look.subscribed or not look.since_ms:
        return draft
    return draft._replace(look=look._replace(since_ms=max(look.since_ms, event.received_ms)))


def gone(version: int, settings: PrestashopSettings) -> Translation:
    """A customer whose row is deleted: what was sent of it is deleted, if the store wants that."""
    if settings.on_customer_deleted == "keep":
        return Translation(version=version, ignored="customer_kept")
    draft = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(version=version, drafts=(draft,), ignored="deleted")


def is_erased(email: str | None) -> bool:
    """Whether the address is one that a shop writes instead of an erased person's."""
    return belongs_to_nobody(email) or (email is not None and email.strip().lower() == _ERASED)


def is_of_other_shop(body: Mapping[str, Any], settings: PrestashopSettings) -> bool:
    """Whether it belongs to another shop of the installation."""
    shop = readable_id(body.get("id_shop"))
    return settings.shop_id is not None and shop is not None and shop != settings.shop_id


def names(block: dict[str, Any], notes: list[str]) -> tuple[str | None, str | None]:
    """First and last name."""
    first, last = (name_of(block.get(key), key, notes) for key in ("firstname", "lastname"))
    return given_name(first), last


def buyer_of(
    person: dict[str, Any] | None, address: dict[str, Any] | None, country: dict[str, Any] | None
) -> Buyer:
    """The person behind an order; a guest's row is known by its address alone.

    Args:
        person: the customer's row, None where it does not exist any more.
        address: of the bill.
        country: of the address.
    """
    notes: list[str] = []
    own, billed = person or {}, address or {}
    name, surname = names(own, notes)
    if not (name and surname):
        billed_name, billed_surname = names(billed, notes)
        name, surname = name or billed_name, surname or billed_surname
    is_guest = flag(own.get("is_guest"))
    return Buyer(
        email=email_text(own.get("email")),
        customer_id=None if is_guest else readable_id(own.get("id")),
        name=name,
        surname=surname,
        phones=_phones(billed, country, notes),
        notes=tuple(dict.fromkeys(notes)),
    )


def _phones(
    address: dict[str, Any], country: dict[str, Any] | None, notes: list[str]
) -> tuple[tuple[str, str | None], ...]:
    code = text((country or {}).get("iso_code"), 2)
    found = (decoration(address, key, notes, 60) for key in ("phone_mobile", "phone"))
    return tuple((number, code.upper() if code else None) for number in found if number is not None)


def _look(
    body: Mapping[str, Any], version: int, settings: PrestashopSettings, notes: list[str]
) -> Look | None:
    """The flag, and since when it counts.

    Set, it counts from its own date, or, without one, from the row's creation where it was never seen
    otherwise. Not set, it is a withdrawal where somebody was subscribed once, as of the change; else it is
    silence.
    """
    given = body.get("newsletter")
    subscribed = flag(given)
    if subscribed is None:
        if given not in NOTHING:
            notes.append("consent_unknown")
        return None
    dated = _moment_ms(body, "newsletter_date_add", settings, notes)
    if not subscribed:
        return Look(subscribed, version if dated else 0)
    if dated:
        return Look(subscribed, dated, is_dated=True)
    notes.append("consent_time_missing")
    return Look(subscribed, _moment_ms(body, "date_add", settings, notes))


def _moment_ms(body: Mapping[str, Any], name: str, settings: PrestashopSettings, notes: list[str]) -> int:
    """Epoch ms; 0 where there is no date, or none that can be read."""
    try:
        found = moment(body, name, settings.timezone, notes)
    except Rejected:
        notes.append("consent_time_missing")
        return 0
    return 0 if found is None else epoch_ms(found)
