"""Shopify customers -> contacts.

A merge (`customers/merge`) makes no record itself: it names two customers and no address. The customer that
is kept follows in an event of its own; the addresses of the other stay what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind
from pipeline.shops.base import Draft, Rejected, StoreContext, Translation
from pipeline.shops.orders import Buyer, contact_draft
from pipeline.shops.shopify.consents import is_redacted, stated
from pipeline.shops.shopify.fields import CUSTOMER, contradicted, own_id, require_bare, said_ms, version_of
from pipeline.shops.shopify.people import home_of, is_erased, is_placeholder, names, once, phones
from pipeline.shops.values import email_text, epoch_ms, instant, text


def customer(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The customer as a contact; nothing where the customer has no address, or was erased.

    Raises:
        Rejected: `missing_field`, `no_email`, `invalid_email`, `invalid_date`, `topic_contradicts_body`.
    """
    zone = store.settings.timezone
    customer_id = own_id(body, CUSTOMER)
    if "line_items" in body or "variants" in body:
        raise contradicted("id", "the body is an order's or a product's, not a customer's")
    version, version_notes = version_of(body, event, zone)
    notes = list(version_notes)
    email = _email(body)
    if is_redacted(body) or (email is None and _is_erased(body, version, zone)):
        return Translation(version, ignored="anonymised")
    if email is not None and is_placeholder(email):
        return Translation(version, ignored="anonymised")
    if email is None and store.settings.guests_without_email == "park" and _has_face(body):
        return Translation(version, ignored="no_email")
    home = home_of(body, notes)
    name, surname = names(notes, body, home)
    numbers = phones(notes, body, home)
    said = stated(body, version, zone)
    buyer = Buyer(
        email=email,
        customer_id=customer_id,
        name=name,
        surname=surname,
        phones=numbers,
        newsletter=said.newsletter,
        newsletter_ms=said.at_ms,
        notes=once(notes, said.notes),
        currency=text(body.get("currency"), 10),
    )
    return Translation(version, (contact_draft(buyer, store.settings, Origin.CUSTOMER),))


def deleted_customer(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """Kept, unless the settings say otherwise; an erasure is another matter.

    Raises:
        Rejected: `missing_field`, `topic_contradicts_body`.
    """
    own_id(body, CUSTOMER)
    require_bare(body, "phone", "addresses", "tax_exemptions")
    if store.settings.on_customer_deleted == "keep":
        return Translation(said_ms(event), ignored="customer_kept")
    gone = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(said_ms(event), (gone,), ignored="deleted")


def _email(body: Mapping[str, Any]) -> str | None:
    """The address; None where the customer has none.

    Raises:
        Rejected: `missing_field` where the body was cut, `invalid_email` for what is no text.
    """
    if "email" not in body:
        raise Rejected("missing_field", "email", "whether the customer has an address is not said")
    said = body["email"]
    if said is not None and not isinstance(said, str):
        raise Rejected("invalid_email", "email", f"a {type(said).__name__} is not an address")
    return email_text(said)


def _is_erased(body: Mapping[str, Any], version: int, zone: str) -> bool:
    try:
        created = epoch_ms(instant(body.get("created_at"), "created_at", zone))
    except Rejected:
        return False
    return is_erased(body, created, version)


def _has_face(body: Mapping[str, Any]) -> bool:
    """Whether a name or a phone says who this is: then the customer simply has no address."""
    return any(body.get(field) for field in ("first_name", "last_name", "phone"))
