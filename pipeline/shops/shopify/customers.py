"""Shopify customers and what they say of newsletters -> contacts.

Consent is told only where the shop states it: `subscribed` or `unsubscribed`, with the time it was said.
`not_subscribed`, `pending`, `redacted` and silence change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind, Subscription
from pipeline.shops.base import CONSENT_CLOCK, Draft, Rejected, StoreContext, Translation
from pipeline.shops.orders import Buyer, contact_draft
from pipeline.shops.shopify.fields import mapping, own_id, said_ms, shop_id, version_of
from pipeline.shops.values import email_text, epoch_ms, instant, text

_SILENT = frozenset({"not_subscribed", "pending", "redacted", "invalid"})


def customer(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """The customer as a contact.

    Raises:
        Rejected: `missing_field`, `no_email`, `invalid_email`, `invalid_date`, `invalid_consent`.
    """
    zone = store.settings.timezone
    customer_id = own_id(body)
    version, notes = version_of(body, event, zone)
    newsletter, newsletter_ms, consent_notes = _stated(body, version, zone)
    name, surname = names(body)
    buyer = Buyer(
        email=email_text(body.get("email")),
        customer_id=customer_id,
        name=name,
        surname=surname,
        phones=phones(body),
        newsletter=newsletter,
        newsletter_ms=newsletter_ms,
        notes=notes + consent_notes,
    )
    return Translation(version, (contact_draft(buyer, store.settings, Origin.CUSTOMER),))


def deleted_customer(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """Kept, unless the settings say otherwise; an erasure is another matter."""
    own_id(body)
    if store.settings.on_customer_deleted == "keep":
        return Translation(said_ms(event), ignored="customer_kept")
    gone = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(said_ms(event), (gone,), ignored="deleted")


def consent(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """A statement of the customer, on the clock of consent.

    Raises:
        Rejected: `no_email`, `invalid_email`, `invalid_date`, `invalid_consent`.
    """
    statement = mapping(body.get("email_marketing_consent"))
    state = _state(statement.get("state"))
    if state is None:
        return Translation(0, ignored="no_statement", clock=CONSENT_CLOCK)
    said_at = statement.get("consent_updated_at")
    if said_at is None:
        at_ms = said_ms(event)
    else:
        at_ms = epoch_ms(instant(said_at, "consent_updated_at", store.settings.timezone))
    buyer = Buyer(
        email=email_text(body.get("email_address")),
        customer_id=shop_id(body.get("customer_id")),
        newsletter=state,
        newsletter_ms=at_ms,
        notes=("consent_time_missing",) if said_at is None else (),
    )
    contact = contact_draft(buyer, store.settings, Origin.CUSTOMER)
    return Translation(at_ms, (contact,), clock=CONSENT_CLOCK)


def names(*sources: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """First and last name of the first source that has either."""
    for source in sources:
        first, last = text(source.get("first_name")), text(source.get("last_name"))
        if first or last:
            return first, last
    return None, None


def phones(customer: Mapping[str, Any], *addresses: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
    """The customer's number, then the default address's, then those of the addresses given; best first.

    The customer's own is read with the country of the first address that has one.
    """
    homes = (mapping(customer.get("default_address")), *addresses)
    own = text(customer.get("phone"))
    found = []
    if own is not None:
        found.append((own, next(filter(None, map(_country, homes)), None)))
    for home in homes:
        number = text(home.get("phone"))
        if number is not None:
            found.append((number, _country(home)))
    return tuple(found)


def _country(address: Mapping[str, Any]) -> str | None:
    code = address.get("country_code")
    return code.upper() if isinstance(code, str) and len(code) == len("ES") else None


def confirms_checkout(customer: Mapping[str, Any]) -> bool:
    """Whether the customer's own consent, where the body carries it (before API 2025-01), is a yes too."""
    own = customer.get("email_marketing_consent")
    return not isinstance(own, dict) or own.get("state") == "subscribed"


def _state(state: object) -> Subscription | None:
    """What the state says; None where it says nothing.

    Raises:
        Rejected: `invalid_consent` for a state nobody documented: consent is never guessed.
    """
    if state is None:
        return None
    said = state.lower() if isinstance(state, str) else ""
    if said == "subscribed":
        return "subscribed"
    if said == "unsubscribed":
        return "unsubscribed"
    if said in _SILENT:
        return None
    raise Rejected("invalid_consent", "email_marketing_consent.state", "not a state Shopify documents")


def _stated(
    body: Mapping[str, Any], version: int, zone: str
) -> tuple[Subscription | None, int | None, tuple[str, ...]]:
    """What a customer body of an older API version states of newsletters, and when it was said.

    Without its time a subscription is no news (it may be older than any unsubscription); an unsubscription
    is taken at the body's own time.
    """
    statement = body.get("email_marketing_consent")
    if not isinstance(statement, dict):
        return _stated_by_flag(body, zone)
    state = _state(statement.get("state"))
    said_at = statement.get("consent_updated_at")
    if state is None:
        return None, None, ()
    if said_at is not None:
        return state, epoch_ms(instant(said_at, "email_marketing_consent.consent_updated_at", zone)), ()
    if state == "subscribed":
        return None, None, ("consent_time_missing",)
    return state, version, ("consent_time_missing",)


def _stated_by_flag(
    body: Mapping[str, Any], zone: str
) -> tuple[Subscription | None, int | None, tuple[str, ...]]:
    """The boolean of API versions before 2024-01, which counts only with its time.

    False is also the value every customer is created with: it is a statement only where it came later.
    """
    flag, said_at = body.get("accepts_marketing"), body.get("accepts_marketing_updated_at")
    if not isinstance(flag, bool) or said_at is None:
        return None, None, ()
    moment = instant(said_at, "accepts_marketing_updated_at", zone)
    if flag:
        return "subscribed", epoch_ms(moment), ()
    created = body.get("created_at")
    if created is None or moment <= instant(created, "created_at", zone):
        return None, None, ()
    return "unsubscribed", epoch_ms(moment), ()
