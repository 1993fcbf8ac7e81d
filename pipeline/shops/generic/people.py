"""Customers of custom shops -> contacts, and what they say of newsletters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind, Subscription
from pipeline.shops.base import CONSENT_CLOCK, Draft, Rejected, Translation
from pipeline.shops.countries import two_letters
from pipeline.shops.generic.fields import (
    currency_code,
    flag,
    moment,
    own_id,
    plain,
    readable_id,
    said_ms,
    version_of,
    word,
)
from pipeline.shops.generic.settings import GenericStore
from pipeline.shops.lenient import birthdate, decoration
from pipeline.shops.orders import Buyer, contact_draft, given_name
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms, text

_TOLD: Mapping[str, Subscription] = {"subscribed": "subscribed", "unsubscribed": "unsubscribed"}
_SILENT = frozenset({"unknown", "not_subscribed", "pending"})


class Statement(NamedTuple):
    """What was said of newsletters, and when (epoch ms)."""

    newsletter: Subscription | None = None
    at_ms: int | None = None


def customer(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """The contact of a customer's own event.

    Raises:
        Rejected: `missing_field`, `invalid_id`, `invalid_date`, `no_email`, `invalid_email`.
    """
    own = own_id(data)
    if flag(data.get("deleted")) is True:
        return deleted_customer(data, event, store)
    notes: list[str] = []
    version = version_of(data, event, notes)
    if belongs_to_nobody(email_text(data.get("email"))):
        return Translation(version, ignored="anonymised")
    born = birthdate(data, "birthday", notes)
    buyer = buyer_of(data, own, version, notes)._replace(birthdate=born)
    return Translation(version, (contact_draft(buyer, store.settings, Origin.CUSTOMER),))


def deleted_customer(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """Kept, unless the settings say otherwise: then the contacts sent for it before are deleted.

    Raises:
        Rejected: `missing_field`, `invalid_id`, `invalid_date`.
    """
    own_id(data)
    version = version_of(data, event, [])
    if store.settings.on_customer_deleted == "keep":
        return Translation(version, ignored="customer_kept")
    gone = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(version, (gone,), ignored="deleted")


def consent(data: dict[str, Any], event: RawEvent, store: GenericStore) -> Translation:
    """A person's statement, on the clock of consent: flat, or as a customer's document holds it.

    Raises:
        Rejected: `no_email`, `invalid_email`, `invalid_date`; `invalid_consent` for a word that is unknown:
            it may be a withdrawal, and the event says nothing else.
    """
    node = _email_consent(data.get("marketing_consent")) if "state" not in data else data
    if node is None:
        raise Rejected("missing_field", "data.state", "the event does not say what was decided")
    said = word(node.get("state"))
    if said in _SILENT:
        return Translation(0, ignored="no_statement", clock=CONSENT_CLOCK)
    state = _TOLD.get(said)
    if state is None:
        raise Rejected(
            "invalid_consent", "data.state", "neither subscribed nor unsubscribed, nor a silent word"
        )
    notes: list[str] = []
    given_at = node.get("updated_at") or data.get("updated_at")
    if given_at is None:
        notes.append("consent_time_missing")
    at_ms = said_ms(event) if given_at is None else epoch_ms(moment(given_at, "data.updated_at"))
    buyer = Buyer(
        email=email_text(data.get("email")),
        customer_id=readable_id(data.get("id")),
        newsletter=state,
        newsletter_ms=at_ms,
        notes=tuple(notes),
        language=text(data.get("locale"), 40),
        shop=text(data.get("shop")),
        currency=currency_code(data.get("currency")),
    )
    return Translation(at_ms, (contact_draft(buyer, store.settings, Origin.CUSTOMER),), clock=CONSENT_CLOCK)


def buyer_of(person: Mapping[str, Any], customer_id: str | None, now_ms: int, notes: list[str]) -> Buyer:
    """The person of a document, as of `now_ms` (epoch ms)."""
    said = _stated(person, now_ms, notes)
    given, family = plain(person, "first_name", notes), plain(person, "last_name", notes)
    middle = plain(person, "middle_name", notes)
    number, country = decoration(person, "phone", notes, 60), decoration(person, "country", notes, 60)
    if country is not None and (country := two_letters(country)) is None:
        notes.append("country_unreadable")
    return Buyer(
        email=email_text(person.get("email")),
        customer_id=customer_id,
        name=given_name(given, middle),
        surname=family,
        phones=((number, country),) if number else (),
        newsletter=said.newsletter,
        newsletter_ms=said.at_ms,
        notes=tuple(dict.fromkeys(notes)),
        language=text(person.get("locale"), 40),
        shop=text(person.get("shop")),
        currency=currency_code(person.get("currency")),
    )


def _email_consent(node: object) -> Mapping[str, Any] | None:
    """What is said of e-mail, of all the ways there are to write to a person; None where nothing is."""
    if not isinstance(node, dict):
        return None
    inside = node if "state" in node else node.get("email")
    return inside if isinstance(inside, dict) else None


def _stated(person: Mapping[str, Any], now_ms: int, notes: list[str]) -> Statement:
    """What the document states, and when it was said: nothing in it costs the record.

    Without its time a subscription changes nothing, for it may be older than any withdrawal; a withdrawal is
    taken at the document's own time.
    """
    node = person.get("marketing_consent")
    if not node:
        return Statement()
    found = _email_consent(node)
    if found is None:
        if not isinstance(node, dict) or node.get("email"):
            notes.append("consent_unknown")
        return Statement()
    said = word(found.get("state"))
    state = _TOLD.get(said)
    if state is None:
        if found.get("state") and said not in _SILENT:
            notes.append("consent_unknown")
        return Statement()
    try:
        if found.get("updated_at") is not None:
            return Statement(state, epoch_ms(moment(found["updated_at"], "marketing_consent.updated_at")))
        notes.append("consent_time_missing")
    except Rejected:
        notes.append("consent_time_unreadable")
    return Statement() if state == "subscribed" else Statement(state, now_ms)
