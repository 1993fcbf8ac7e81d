"""WooCommerce customers -> contacts. Guests are no customers: only their orders tell of them."""

from __future__ import annotations

from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.base import Draft, StoreContext, Translation
from pipeline.shops.orders import Buyer, contact_draft
from pipeline.shops.values import email_text, text
from pipeline.shops.woocommerce.fields import mapping, own_id, plain, version_of


def customer(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The contact of a customer's own event. WooCommerce knows no newsletter: consent is never told.

    Raises:
        Rejected: `no_email`, `invalid_email` and what the fields' readers raise.
    """
    own = own_id(body)
    notes: list[str] = []
    version = version_of(body, event, store.settings.timezone, notes)
    billing = mapping(body, "billing")
    buyer = Buyer(
        email=email_text(body.get("email")),
        customer_id=own,
        name=plain(body.get("first_name")) or plain(billing.get("first_name")),
        surname=plain(body.get("last_name")) or plain(billing.get("last_name")),
        phones=phones(billing),
        notes=tuple(notes),
    )
    draft = contact_draft(buyer, store.settings, Origin.CUSTOMER)
    return Translation(version=version, drafts=(draft,))


def deleted_customer(event: RawEvent, store: StoreContext) -> Translation:
    """A deletion names only the id: where the store erases, the contacts told for it before are the ones."""
    if store.settings.on_customer_deleted == "keep":
        return Translation(version=event.received_ms, ignored="customer_kept")
    draft = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(version=event.received_ms, drafts=(draft,), ignored="deleted")


def phones(billing: dict[str, Any]) -> tuple[tuple[str, str | None], ...]:
    """The billing phone with its country. A shipping phone may be somebody else's."""
    number = text(billing.get("phone"), 60)
    country = text(billing.get("country"), 2)
    return ((number, country.upper() if country else None),) if number else ()
