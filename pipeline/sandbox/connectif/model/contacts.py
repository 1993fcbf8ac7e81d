"""Contacts: found by e-mail or external id, with what their purchases amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pipeline.sandbox.connectif.http.responses import Violation, refuse, unprocessable
from pipeline.sandbox.connectif.model.field_types import (
    BOOLEAN,
    DATE_TIME,
    EMAIL,
    INTEGER,
    NUMBER,
    PHONE,
    TEXT,
    TEXTS,
    Kind,
    iso,
    one_of,
)
from pipeline.sandbox.connectif.model.storage import Entry, Shelf, id_maker
from pipeline.sandbox.connectif.simulation.behaviour import Switches

By = Literal["email", "external-id"]

MAX_EXTERNAL_ID = 50
SUBSCRIPTIONS = one_of("subscribed", "unsubscribed", "none")
_EXTERNAL_ID = Kind(lambda value: isinstance(value, str) and 0 < len(value) <= MAX_EXTERNAL_ID, str)
#: What a PATCH may set, whichever key it goes by.
WRITABLE: dict[str, Kind] = {
    "_name": TEXT,
    "_surname": TEXT,
    "_birthdate": DATE_TIME,
    "_mobilePhone": PHONE,
    "_mobilePhoneStatus": one_of("active", "bounced", "paused"),
    "_emailStatus": one_of("active", "bounced", "paused", "banned"),
    "_newsletterSubscriptionStatus": SUBSCRIPTIONS,
    "_smsSubscriptionStatus": SUBSCRIPTIONS,
    "_points": INTEGER,
}
#: Each key can set the other one.
WRITABLE_BY: dict[By, dict[str, Kind]] = {
    "email": {**WRITABLE, "_externalId": _EXTERNAL_ID},
    "external-id": {**WRITABLE, "_email": EMAIL},
}
_DEFAULTS = {
    "_emailStatus": "active",
    "_newsletterSubscriptionStatus": "none",
    "_smsSubscriptionStatus": "none",
    "_points": 0,
}
#: Read-only values that stay when the person subscribes again.
LEFT = ("_emailLastUnsubscribedDate", "_emailLastUnsubscribedIp")
#: Read-only values that only Connectif's models fill.
_MODELLED = (
    *("_rfm", "_recency", "_frequency", "_monetary", "_clv"),
    *("_churnRate", "_pAlive", "_expectedPurchases"),
)


def custom_kind(definition: Mapping[str, Any]) -> Kind:
    """The kind of value a custom field's definition asks for in JSON."""
    kinds = {"boolean": BOOLEAN, "integer": INTEGER, "decimal": NUMBER, "checkbox": TEXTS, "email": EMAIL}
    kinds |= {"date": DATE_TIME, "phone": PHONE}
    options = [option["id"] for option in definition.get("options", ())]
    if definition["type"] == "radio":
        return one_of(*options)
    if definition["type"] == "checkbox":
        return Kind(lambda value: TEXTS.check(value) and set(value) <= set(options), TEXTS.read)
    return kinds.get(definition["type"], TEXT)


class Bought:
    """What a contact's purchases amount to, kept up to date: a contact is answered at every PATCH.

    Attributes:
        places: where the purchases stand on their shelf.
        amount: the sum of their totals.
        first: epoch seconds of the earliest.
        last: epoch seconds of the latest.
    """

    __slots__ = ("amount", "first", "last", "places")

    def __init__(self) -> None:
        self.places: list[int] = []
        self.amount = 0.0
        self.first, self.last = math.inf, -math.inf

    def add(self, purchase: Entry, total_price: float) -> None:
        """Add a purchase."""
        self.places.append(purchase.place)
        self.amount += total_price
        self.first, self.last = min(self.first, purchase.when), max(self.last, purchase.when)


_NOTHING = Bought()


class Contacts:
    """The contacts of one account.

    Attributes:
        bought: what living contacts bought, by the contact's place on the shelf.
    """

    def __init__(self, space: int) -> None:
        self.shelf = Shelf(id_maker(space))
        self._by_external_id: dict[str, int] = {}
        self.bought: dict[int, Bought] = {}

    def find(self, by: By, key: str) -> Entry | None:
        """The contact with that key."""
        if by == "email":
            return self.shelf.find(key)
        place = self._by_external_id.get(key)
        return None if place is None else self.shelf.at(place)

    def patch(
        self, by: By, key: str, changes: Mapping[str, Any], now: float, switches: Switches
    ) -> tuple[Entry, bool]:
        """Create or change a contact; says which. None as a value clears a field.

        Whoever becomes unsubscribed did so now, from an unknown address, unless `changes` say otherwise.

        Raises:
            Refusal: the other key belongs to another contact.
        """
        entry = self.find(by, key)
        body = {} if entry is None else entry.body
        body["_email" if by == "email" else "_externalId"] = key
        other = "_externalId" if by == "email" else "_email"
        if changes.get(other) is not None:
            self._claim(other, changes[other], entry, switches)
        before = body.get("_externalId"), body.get("_newsletterSubscriptionStatus")
        for name, value in changes.items():
            if value is None:
                body.pop(name, None)
            else:
                body[name] = value
        if before[1] != "unsubscribed" and body.get("_newsletterSubscriptionStatus") == "unsubscribed":
            body["_emailLastUnsubscribedDate"] = changes.get("_emailLastUnsubscribedDate") or iso(now)
            if "_emailLastUnsubscribedIp" not in changes:
                body.pop("_emailLastUnsubscribedIp", None)
        shelf_key = _shelf_key(body)
        if entry is not None and entry.key != shelf_key:
            self.shelf.rename(entry, shelf_key)
        stored = self.shelf.put(shelf_key, body, now)
        self._index(before[0], body.get("_externalId"), stored.place)
        return stored, entry is None

    def delete(self, entry: Entry, now: float) -> None:
        """Delete a contact; its purchases stay, but are nobody's."""
        self._index(entry.body.get("_externalId"), None, entry.place)
        self.bought.pop(entry.place, None)
        self.shelf.drop(entry, now)

    def shown(self, entry: Entry) -> dict[str, Any]:
        """A contact as GET answers it."""
        return _shown(entry, self.bought.get(entry.place, _NOTHING))

    def _claim(self, field: str, value: str, entry: Entry | None, switches: Switches) -> None:
        holder = self.find("external-id" if field == "_externalId" else "email", value)
        if holder is None or (entry is not None and holder.place == entry.place):
            return
        if switches.duplicate_key_status == 409:  # noqa: PLR2004 - an HTTP status
            raise refuse(409, f"Another contact has that {field}.")
        raise unprocessable([Violation(field, f"/{field}", "Value is not unique")])

    def _index(self, old: str | None, new: str | None, place: int) -> None:
        if old is not None and old != new:
            del self._by_external_id[old]
        if new is not None:
            self._by_external_id[new] = place


def _shelf_key(body: Mapping[str, Any]) -> str:
    email = body.get("_email")
    return str(email) if email is not None else f"\0{body['_externalId']}"


def _shown(entry: Entry, bought: Bought) -> dict[str, Any]:
    count = len(bought.places)
    return {
        "id": entry.id,
        "_createdAt": iso(entry.created),
        "_updatedAt": iso(entry.updated),
        "_isAnonymous": False,
        "_hasPushSubscriptions": False,
        "_totalPurchases": count,
        "_totalPurchasesAmount": round(bought.amount, 2) if count else 0,
        "_averagePurchasesAmount": round(bought.amount / count, 2) if count else 0,
        "_firstPurchaseDate": iso(bought.first) if count else None,
        "_lastPurchaseDate": iso(bought.last) if count else None,
        **dict.fromkeys((*LEFT, *_MODELLED)),
        **_DEFAULTS,
        **entry.body,
    }
