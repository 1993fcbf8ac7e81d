"""Contacts: found by e-mail or external id, with what their purchases amount to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pipeline.sandbox.connectif.model.api_errors import ApiError, Violation, unprocessable
from pipeline.sandbox.connectif.model.field_types import (
    BOOLEAN,
    DATE_TIME,
    EMAIL,
    INTEGER,
    NUMBER,
    PHONE,
    TEXT,
    TEXTS,
    FieldType,
    iso,
    one_of,
)
from pipeline.sandbox.connectif.model.ids import MakeId
from pipeline.sandbox.connectif.model.storage import ElementStorage, StoredElement
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour

ContactKey = Literal["email", "external-id"]

MAX_EXTERNAL_ID = 50
SUBSCRIPTIONS = one_of("subscribed", "unsubscribed", "none")
_EXTERNAL_ID = FieldType(lambda value: isinstance(value, str) and 0 < len(value) <= MAX_EXTERNAL_ID, str)
#: What a PATCH may set, whichever key it goes by.
WRITABLE: dict[str, FieldType] = {
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
WRITABLE_BY: dict[ContactKey, dict[str, FieldType]] = {
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
UNSUBSCRIPTION_FIELDS = ("_emailLastUnsubscribedDate", "_emailLastUnsubscribedIp")
#: Read-only values that only Connectif's models fill.
_PREDICTED_FIELDS = (
    *("_rfm", "_recency", "_frequency", "_monetary", "_clv"),
    *("_churnRate", "_pAlive", "_expectedPurchases"),
)


def custom_field_type(definition: Mapping[str, Any]) -> FieldType:
    """The kind of value a custom field's definition asks for in JSON."""
    field_types = {
        "boolean": BOOLEAN,
        "integer": INTEGER,
        "decimal": NUMBER,
        "checkbox": TEXTS,
        "email": EMAIL,
    }
    field_types |= {"date": DATE_TIME, "phone": PHONE}
    options = [option["id"] for option in definition.get("options", ())]
    if definition["type"] == "radio":
        return one_of(*options)
    if definition["type"] == "checkbox":
        return FieldType(lambda value: TEXTS.check(value) and set(value) <= set(options), TEXTS.read)
    return field_types.get(definition["type"], TEXT)


class PurchaseTotals:
    """What a contact's purchases amount to, kept up to date: a contact is answered at every PATCH.

    Attributes:
        positions: of the purchases in their storage.
        amount: the sum of their totals.
        first: epoch seconds of the earliest.
        last: epoch seconds of the latest.
    """

    __slots__ = ("amount", "first", "last", "positions")

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.amount = 0.0
        self.first, self.last = math.inf, -math.inf

    def add(self, purchase: StoredElement, total_price: float) -> None:
        """Add a purchase."""
        self.positions.append(purchase.position)
        self.amount += total_price
        self.first, self.last = min(self.first, purchase.event_time), max(self.last, purchase.event_time)


_NOTHING = PurchaseTotals()


class StoredContacts:
    """The contacts of one account.

    Attributes:
        purchase_totals: of the contacts that are there, by the contact's position in the storage.
    """

    def __init__(self, make_id: MakeId) -> None:
        self.storage = ElementStorage(make_id)
        self._by_external_id: dict[str, int] = {}
        self.purchase_totals: dict[int, PurchaseTotals] = {}

    def find(self, by: ContactKey, key: str) -> StoredElement | None:
        """The contact with that key."""
        if by == "email":
            return self.storage.find(key)
        position = self._by_external_id.get(key)
        return None if position is None else self.storage.at(position)

    def patch(
        self, by: ContactKey, key: str, changes: Mapping[str, Any], now: float, behaviour: ApiBehaviour
    ) -> tuple[StoredElement, bool]:
        """Create or change a contact; says which. None as a value clears a field.

        One that becomes unsubscribed did so now, from an unknown address, unless `changes` say otherwise.

        Raises:
            ApiError: the other key belongs to another contact.
        """
        element = self.find(by, key)
        body = {} if element is None else element.body
        body["_email" if by == "email" else "_externalId"] = key
        other = "_externalId" if by == "email" else "_email"
        if changes.get(other) is not None:
            self._claim(other, changes[other], element, behaviour)
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
        storage_key = _storage_key(body)
        if element is not None and element.key != storage_key:
            self.storage.rename(element, storage_key)
        stored = self.storage.put(storage_key, body, now)
        self._index(before[0], body.get("_externalId"), stored.position)
        return stored, element is None

    def delete(self, element: StoredElement, now: float) -> None:
        """Delete a contact; its purchases stay, without a contact."""
        self._index(element.body.get("_externalId"), None, element.position)
        self.purchase_totals.pop(element.position, None)
        self.storage.delete(element, now)

    def to_json(self, element: StoredElement) -> dict[str, Any]:
        """A contact as GET answers it."""
        return _contact_json(element, self.purchase_totals.get(element.position, _NOTHING))

    def _claim(self, field: str, value: str, element: StoredElement | None, behaviour: ApiBehaviour) -> None:
        holder = self.find("external-id" if field == "_externalId" else "email", value)
        if holder is None or (element is not None and holder.position == element.position):
            return
        if behaviour.duplicate_key_status == 409:  # noqa: PLR2004 - an HTTP status
            raise ApiError(409, f"Another contact has that {field}.")
        raise unprocessable([Violation(field, f"/{field}", "Value is not unique")])

    def _index(self, old: str | None, new: str | None, position: int) -> None:
        if old is not None and old != new:
            del self._by_external_id[old]
        if new is not None:
            self._by_external_id[new] = position


def _storage_key(body: Mapping[str, Any]) -> str:
    email = body.get("_email")
    return str(email) if email is not None else f"\0{body['_externalId']}"


def _contact_json(element: StoredElement, purchase_totals: PurchaseTotals) -> dict[str, Any]:
    count = len(purchase_totals.positions)
    return {
        "id": element.id,
        "_createdAt": iso(element.created),
        "_updatedAt": iso(element.updated),
        "_isAnonymous": False,
        "_hasPushSubscriptions": False,
        "_totalPurchases": count,
        "_totalPurchasesAmount": round(purchase_totals.amount, 2) if count else 0,
        "_averagePurchasesAmount": round(purchase_totals.amount / count, 2) if count else 0,
        "_firstPurchaseDate": iso(purchase_totals.first) if count else None,
        "_lastPurchaseDate": iso(purchase_totals.last) if count else None,
        **dict.fromkeys((*UNSUBSCRIPTION_FIELDS, *_PREDICTED_FIELDS)),
        **_DEFAULTS,
        **element.body,
    }
