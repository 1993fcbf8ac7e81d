"""WooCommerce customers -> contacts. Guests are no customers: only their orders have their data."""

from __future__ import annotations

from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.base import Draft, StoreContext, Translation
from pipeline.shops.lenient import decoration, plain
from pipeline.shops.orders import Buyer, contact_draft, given_name
from pipeline.shops.php import NOTHING, entries
from pipeline.shops.values import belongs_to_nobody, email_text, text
from pipeline.shops.woocommerce.fields import own_id, version_of

#: Accounts that run the shop, by WordPress's own name of their role. All other roles can be customers'.
_STAFF = frozenset({"administrator", "shop_manager"})


def customer(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The contact of a customer's own event. WooCommerce has no newsletter consent: none is sent.

    Raises:
        Rejected: `no_email`, `invalid_email` and what the fields' readers raise.
    """
    own = own_id(body)
    notes: list[str] = []
    version = version_of(body, event, store.settings.timezone, notes)
    if _is_staff(body.get("role")) or _is_staff(body.get("roles")):
        return Translation(version, ignored="staff")
    email = email_text(body.get("email"))
    if belongs_to_nobody(email):
        return Translation(version, ignored="anonymised")
    billing = person(body, "billing", notes)
    first, last = names(body, notes)
    billed_first, billed_last = names(billing, notes) if not (first and last) else (None, None)
    buyer = Buyer(
        email=email,
        customer_id=own,
        name=first or billed_first,
        surname=last or billed_last,
        phones=phones(billing, notes),
        notes=tuple(dict.fromkeys(notes)),
    )
    draft = contact_draft(buyer, store.settings, Origin.CUSTOMER)
    return Translation(version=version, drafts=(draft,))


def _is_staff(role: object) -> bool:
    """Whether one of the roles is; WooCommerce itself names the first alone, plugins a list."""
    return any(isinstance(one, str) and one.casefold() in _STAFF for one in (entries(role) or (role,)))


def deleted_customer(event: RawEvent, store: StoreContext) -> Translation:
    """A deletion names only the id: if the store deletes, the contacts sent for it before are deleted."""
    if store.settings.on_customer_deleted == "keep":
        return Translation(version=event.received_ms, ignored="customer_kept")
    draft = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(version=event.received_ms, drafts=(draft,), ignored="deleted")


def person(parent: dict[str, Any], key: str, notes: list[str]) -> dict[str, Any]:
    """An address block that the record does not rest on; noted where it is none."""
    value = parent.get(key)
    if isinstance(value, dict):
        return value
    if value not in NOTHING:
        notes.append(f"{key}_unreadable")
    return {}


def names(block: dict[str, Any], notes: list[str]) -> tuple[str | None, str | None]:
    """First name, with the middle name where a plugin asks for one, and last name."""
    first, last = plain(block, "first_name", notes), plain(block, "last_name", notes)
    middle = plain(block, "middle_name", notes) if block.get("middle_name") else None
    return given_name(first, middle), last


def phones(billing: dict[str, Any], notes: list[str]) -> tuple[tuple[str, str | None], ...]:
    """The billing phone with its country. A shipping phone may be another person's."""
    number = decoration(billing, "phone", notes, 60)
    if number is None:
        return ()
    country = text(billing.get("country"), 2)
    return ((number, country.upper() if country else None),)
