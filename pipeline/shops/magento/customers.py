"""Magento customers -> contacts. Guests are no customers: their orders have their data.

Whether somebody is subscribed is a flag without a time, kept in another table: a change of it does not change
the customer. The stage compares it with the last look. Absent, as in versions before 2.4, it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind, Subscription
from pipeline.shops.base import CONSENT_CLOCK, Draft, Look, Rejected, Translation
from pipeline.shops.lenient import birthdate
from pipeline.shops.magento.fields import extension, flag, moment, own_id, version_of
from pipeline.shops.magento.orders import is_of_other_shop
from pipeline.shops.magento.people import names, phones
from pipeline.shops.magento.settings import MagentoStore
from pipeline.shops.orders import Buyer, contact_draft
from pipeline.shops.php import NOTHING, decorations, readable_id
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms

#: The states of a subscription. Not active and unconfirmed are neither: the person may still say yes.
_SUBSCRIPTIONS: Mapping[str, Subscription] = {"1": "subscribed", "3": "unsubscribed"}


def customer(body: dict[str, Any], event: RawEvent, store: MagentoStore) -> Translation:
    """The contact of a customer's own document.

    Raises:
        Rejected: `no_email`, `invalid_email` and what the fields' readers raise.
    """
    own = own_id(body, "id", "entity_id")
    notes: list[str] = []
    version = version_of(body, event, notes)
    if is_of_other_shop(body, "website_id", store.settings.website_ids):
        return Translation(version, ignored="other_shop")
    address = email_text(body.get("email"))
    if belongs_to_nobody(address):
        return Translation(version, ignored="anonymised")
    addresses = _addresses(body, notes)
    name, surname = names(body, "", notes)
    look = _look(body, notes)
    buyer = Buyer(
        email=address,
        customer_id=own,
        name=name,
        surname=surname,
        phones=phones(addresses, notes),
        birthdate=birthdate(body, "dob", notes),
        notes=tuple(dict.fromkeys(notes)),
        look=look,
        shop=(view := readable_id(body.get("store_id"))),
        language=store.settings.language(view),
    )
    return Translation(version, (contact_draft(buyer, store.settings, Origin.CUSTOMER),))


def deleted_customer(event: RawEvent, store: MagentoStore) -> Translation:
    """What was sent of the customer is deleted, if the store wants that."""
    if store.settings.on_customer_deleted == "keep":
        return Translation(version=event.received_ms, ignored="customer_kept")
    draft = Draft(RecordKind.CONTACT, None, Origin.CUSTOMER, None, Op.RETRACT, if_emitted=True)
    return Translation(version=event.received_ms, drafts=(draft,), ignored="deleted")


def subscriber(body: dict[str, Any], event: RawEvent, said: object, store: MagentoStore) -> Translation:
    """What a row of newsletter subscribers says, also of people who are no customers.

    Args:
        body: the row.
        event: that brought it.
        said: when the event says it happened, where the row does not say it.
        store: its store.

    Raises:
        Rejected: `no_email`, `invalid_email`, `invalid_date`.
    """
    if is_of_other_shop(body, "store_id", store.settings.store_ids):
        return Translation(0, ignored="other_shop", clock=CONSENT_CLOCK)
    state = _SUBSCRIPTIONS.get(str(body.get("subscriber_status")))
    if state is None:
        return Translation(0, ignored="no_statement", clock=CONSENT_CLOCK)
    when = moment(body, "change_status_at") or (moment({"time": said}, "time"))
    at_ms = event.received_ms if when is None else epoch_ms(when)
    buyer = Buyer(
        email=email_text(body.get("subscriber_email")),
        customer_id=readable_id(body.get("customer_id")),
        newsletter=state,
        newsletter_ms=at_ms,
        notes=() if when is not None else ("consent_time_missing",),
        shop=(view := readable_id(body.get("store_id"))),
        language=store.settings.language(view),
    )
    contact = contact_draft(buyer, store.settings, Origin.CUSTOMER)
    return Translation(at_ms, (contact,), clock=CONSENT_CLOCK)


def _look(body: dict[str, Any], notes: list[str]) -> Look | None:
    """The flag, which counts from the customer's creation where it was never seen otherwise."""
    given = extension(body, notes).get("is_subscribed")
    subscribed = flag(given)
    if subscribed is None:
        if given not in NOTHING:
            notes.append("consent_unknown")
        return None
    try:
        made = moment(body, "created_at")
    except Rejected:
        made = None
    if subscribed and made is None:
        notes.append("consent_time_missing")
    return Look(subscribed, epoch_ms(made) if subscribed and made is not None else 0)


def _addresses(body: dict[str, Any], notes: list[str]) -> list[dict[str, Any]]:
    """The addresses whose phone is the customer's own: the default one for bills, else that for goods."""
    listed = decorations(body, "addresses", notes)
    billing = [one for one in listed if flag(one.get("default_billing"))]
    return billing or [one for one in listed if flag(one.get("default_shipping"))]
