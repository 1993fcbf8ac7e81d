"""Newsletter consent in Shopify's bodies: what counts is the customer's consent state, and nothing else.

Only `subscribed` and `unsubscribed` are sent, with the moment they were said. `not_subscribed`, `pending`,
`redacted`, `invalid` and silence change nothing. The box ticked at checkout (`buyer_accepts_marketing`) is no
consent: with double opt-in the customer stays `pending`. It counts only where the store says
`consent_from_orders`, as of the order's placement, and not against the customer's own state in the body.

An order's `customer` holds the state up to API 2024-10: the customer's own statement, with its own moment,
about the customer's own address. Bodies of 2025-01 and later hold none, so their orders have no consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.events import RawEvent
from pipeline.records import Origin, Subscription
from pipeline.shops.base import CONSENT_CLOCK, Rejected, StoreContext, Translation
from pipeline.shops.orders import Buyer, contact_draft
from pipeline.shops.shopify.fields import contradicted, said_ms, shop_id
from pipeline.shops.values import email_text, epoch_ms, instant

_TOLD: Mapping[str, Subscription] = {"subscribed": "subscribed", "unsubscribed": "unsubscribed"}
_SILENT = frozenset({"not_subscribed", "pending", "redacted", "invalid"})
_STATE = "email_marketing_consent.state"


class Statement(NamedTuple):
    """What was said, when (epoch ms), and what could not be read of it."""

    newsletter: Subscription | None = None
    at_ms: int | None = None
    notes: tuple[str, ...] = ()


_SILENCE = Statement()


def consent(body: dict[str, Any], event: RawEvent, store: StoreContext) -> Translation:
    """A statement of the customer, on the clock of consent.

    Raises:
        Rejected: `no_email` (of a withdrawal: it needs a contact), `invalid_email`, `invalid_date`,
            `invalid_consent` (an unknown state may be a withdrawal: it is neither guessed nor passed over),
            `missing_field`, `topic_contradicts_body`.
    """
    state = _state_of_event(body)
    if state is None:
        return Translation(0, ignored="no_statement", clock=CONSENT_CLOCK)
    email = email_text(body.get("email_address"))
    by_id = store.settings.guests_without_email == "external_id"
    if email is None and "email_address" in body and state == "subscribed" and not by_id:
        # A customer without an address: there is no contact to send, and nothing to correct.
        return Translation(0, ignored="no_email", clock=CONSENT_CLOCK)
    said_at = body["email_marketing_consent"].get("consent_updated_at")
    if said_at is None:
        at_ms = said_ms(event)
    else:
        at_ms = epoch_ms(instant(said_at, "consent_updated_at", store.settings.timezone))
    buyer = Buyer(
        email=email,
        customer_id=shop_id(body.get("customer_id")),
        newsletter=state,
        newsletter_ms=at_ms,
        notes=("consent_time_missing",) if said_at is None else (),
    )
    contact = contact_draft(buyer, store.settings, Origin.CUSTOMER)
    return Translation(at_ms, (contact,), clock=CONSENT_CLOCK)


def _state_of_event(body: Mapping[str, Any]) -> Subscription | None:
    """What a consent event says.

    Raises:
        Rejected: `missing_field`, `invalid_consent`; `topic_contradicts_body` for an entity's own body.
    """
    for field in ("created_at", "updated_at", "line_items", "variants"):
        if field in body:
            raise contradicted(field, "the body is an entity's own and not a statement of consent")
    if "email_marketing_consent" not in body:
        raise Rejected("missing_field", "email_marketing_consent", "the body holds no statement")
    statement = body["email_marketing_consent"]
    if statement is None:
        return None
    if not isinstance(statement, dict):
        raise Rejected("invalid_consent", "email_marketing_consent", "not an object")
    if "state" not in statement:
        raise Rejected("missing_field", _STATE, "the consent state is missing")
    state, known = _state(statement["state"])
    if not known:
        raise Rejected("invalid_consent", _STATE, "not a state Shopify documents")
    return state


def stated(customer: Mapping[str, Any], now_ms: int, zone: str) -> Statement:
    """What a customer (its own event's, or an order's) of an older API version states, and when it was said.

    Nothing in it costs the record that holds it: what cannot be read is noted. Without its time a
    subscription changes nothing (it may be older than any withdrawal); an unsubscription is taken at
    `now_ms`, the body's own time.
    """
    statement = customer.get("email_marketing_consent")
    if statement is None:
        return _stated_by_flag(customer, zone) if "accepts_marketing" in customer else _SILENCE
    if not isinstance(statement, dict):
        return Statement(notes=("consent_unknown",))
    state, known = _state(statement.get("state"))
    if state is None:
        return _SILENCE if known else Statement(notes=("consent_unknown",))
    moment, note = _moment(statement.get("consent_updated_at"), zone)
    if moment is not None:
        return Statement(state, moment)
    if state == "subscribed":
        return Statement(notes=(note,))
    return Statement(state, now_ms, (note,))


def ticked_and_confirmed(body: Mapping[str, Any], customer: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the box at checkout was ticked, and whether the customer's own state, if given, agrees."""
    own = customer.get("email_marketing_consent")
    ticked = body.get("buyer_accepts_marketing") is True
    confirmed = own is None or (isinstance(own, dict) and _state(own.get("state"))[0] == "subscribed")
    return ticked, ticked and confirmed


def is_redacted(customer: Mapping[str, Any]) -> bool:
    """Whether the consent state says that the person was erased."""
    own = customer.get("email_marketing_consent")
    said = own.get("state") if isinstance(own, dict) else None
    return isinstance(said, str) and said.lower() == "redacted"


def _state(state: object) -> tuple[Subscription | None, bool]:
    """What the state says, None where it says nothing; and whether it is one that is known."""
    if state is None:
        return None, True
    said = state.lower() if isinstance(state, str) else ""
    told = _TOLD.get(said)
    return told, told is not None or said in _SILENT


def _moment(said_at: object, zone: str) -> tuple[int | None, str]:
    """The moment in epoch ms; else the note that says why there is none."""
    if said_at is None:
        return None, "consent_time_missing"
    try:
        return epoch_ms(instant(said_at, "consent_updated_at", zone)), ""
    except Rejected:
        return None, "consent_time_unreadable"


def _stated_by_flag(customer: Mapping[str, Any], zone: str) -> Statement:
    """The boolean of API versions before 2024-01, which counts only with its time.

    False is also the value every customer is created with: it is a statement only where it came later.
    """
    flag, said_at = customer.get("accepts_marketing"), customer.get("accepts_marketing_updated_at")
    if not isinstance(flag, bool):
        return Statement(notes=("consent_unknown",)) if flag else _SILENCE
    if said_at is None:
        return _SILENCE
    moment, note = _moment(said_at, zone)
    if moment is None:
        return Statement(notes=(note,))
    if flag:
        return Statement("subscribed", moment)
    created, _ = _moment(customer.get("created_at"), zone)
    if created is None or moment <= created:
        return _SILENCE
    return Statement("unsubscribed", moment)
