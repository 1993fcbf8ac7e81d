"""WooCommerce customers -> contacts. Guests are no customers: only their orders have their data.

WooCommerce has no consent of its own; what a plugin's field says is read where `consent_field` names it.
"""

from __future__ import annotations

from typing import Any

from pipeline.events import RawEvent
from pipeline.records import Op, Origin, RecordKind, Subscription
from pipeline.shops.base import Draft, Look, Rejected, StoreContext, Translation
from pipeline.shops.lenient import decoration, plain
from pipeline.shops.orders import Buyer, contact_draft, given_name
from pipeline.shops.php import NOTHING, entries
from pipeline.shops.values import belongs_to_nobody, email_text, epoch_ms, text
from pipeline.shops.woocommerce.consent import said
from pipeline.shops.woocommerce.fields import moment, own_id, version_of
from pipeline.shops.woocommerce.settings import WooCommerceSettings, WooCommerceStore

#: Accounts that run the shop, by WordPress's own name of their role. All other roles can be customers'.
_STAFF = frozenset({"administrator", "shop_manager"})


def customer(body: dict[str, Any], event: RawEvent, store: WooCommerceStore) -> Translation:
    """The contact of a customer's own event.

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
    buyer = _with_consent(buyer, body, version, store.settings)
    draft = contact_draft(buyer, store.settings, Origin.CUSTOMER)
    return Translation(version=version, drafts=(draft,))


def _with_consent(buyer: Buyer, body: dict[str, Any], version: int, settings: WooCommerceSettings) -> Buyer:
    """The buyer with what the plugin's field says.

    Without the plugin's time a subscription counts from the account's creation where it was never seen
    otherwise, a withdrawal in words from the last change, and a change from the look that sees it.
    """
    found = said(body, settings)
    if found.state not in {"subscribed", "unsubscribed"}:
        return buyer
    subscribes = found.state == "subscribed"
    if found.at_ms is not None:
        newsletter: Subscription = "subscribed" if subscribes else "unsubscribed"
        return buyer._replace(newsletter=newsletter, newsletter_ms=found.at_ms)
    if not subscribes:
        return buyer._replace(look=Look(subscribed=False, since_ms=version if found.in_words else 0))
    notes: list[str] = ["consent_time_missing"]
    try:
        made = moment(body, "date_created", settings.timezone, notes)
    except Rejected:
        made = None
    since = 0 if made is None else epoch_ms(made)
    notes = [*buyer.notes, *notes]
    return buyer._replace(look=Look(subscribed=True, since_ms=since), notes=tuple(dict.fromkeys(notes)))


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
