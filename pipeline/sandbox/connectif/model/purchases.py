"""Purchases: created once, never changed, deleted one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.model.contacts import PurchaseTotals, StoredContacts
from pipeline.sandbox.connectif.model.field_types import (
    DATE_TIME,
    EMAIL,
    INTEGER,
    NUMBER,
    TEXT,
    FieldType,
    parse_timestamp,
)
from pipeline.sandbox.connectif.model.ids import MakeId
from pipeline.sandbox.connectif.model.products import COMMON
from pipeline.sandbox.connectif.model.storage import ElementStorage, StoredElement
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour

PURCHASE: dict[str, FieldType] = {
    "purchaseId": FieldType(lambda value: isinstance(value, str) and value.strip() != "", str),
    "contactEmail": EMAIL,
    "contactExternalId": TEXT,
    "cartId": TEXT,
    "purchaseDate": DATE_TIME,
    "totalPrice": NUMBER,
    "totalQuantity": INTEGER,
    "paymentMethod": TEXT,
    "products": FieldType(lambda value: isinstance(value, list), str),
    "sourceType": TEXT,
    "sourceName": TEXT,
}
LINE: dict[str, FieldType] = {**COMMON, "productId": TEXT, "quantity": INTEGER, "price": NUMBER}

_TRIGGER = "triggerPurchaseEvent"


class StoredPurchases:
    """The purchases of one account, by the shop's ids."""

    def __init__(self, make_id: MakeId, contacts: StoredContacts) -> None:
        self.storage = ElementStorage(make_id)
        self._contacts = contacts

    def find_even_deleted(self, purchase_id: str, behaviour: ApiBehaviour) -> StoredElement | None:
        """The purchase with that id, deleted or not."""
        return self.storage.find_even_deleted(_key(purchase_id, behaviour))

    def find(self, purchase_id: str, behaviour: ApiBehaviour) -> StoredElement | None:
        """The purchase with that id, if it is there now."""
        return self.storage.find(_key(purchase_id, behaviour))

    def create(
        self,
        body: Mapping[str, Any],
        contact: StoredElement,
        now: float,
        behaviour: ApiBehaviour,
        *,
        trigger: bool,
    ) -> StoredElement:
        """Store a purchase and give it to its contact; `trigger` is remembered for the ledger."""
        event_time = parse_timestamp(body["purchaseDate"]) if "purchaseDate" in body else now
        document = {**body, "contactId": contact.id, _TRIGGER: trigger}
        element = self.storage.put(_key(body["purchaseId"], behaviour), document, now, event_time)
        self._contacts.purchase_totals.setdefault(contact.position, PurchaseTotals()).add(
            element, body["totalPrice"]
        )
        return element

    def delete(self, element: StoredElement, now: float) -> None:
        """Delete a purchase; its contact has one less."""
        owner = self._contacts.storage.find_by_id(element.body["contactId"])
        if owner is not None:
            self._contacts.purchase_totals[owner.position] = self._without(
                element, self._contacts.purchase_totals[owner.position]
            )
        self.storage.delete(element, now)

    def _without(self, gone: StoredElement, purchase_totals: PurchaseTotals) -> PurchaseTotals:
        """What is left of a contact's purchases: added up anew, as a sum less a part is not exact."""
        left = PurchaseTotals()
        for position in purchase_totals.positions:
            element = self.storage.at(position)
            if element is not None and position != gone.position:
                left.add(element, element.body["totalPrice"])
        return left


def purchase_json(element: StoredElement) -> bytes:
    """A purchase as GET answers it."""
    text = element.json
    for trigger in (b"true", b"false"):
        text = text.replace(b',"%s":%s}' % (_TRIGGER.encode(), trigger), b"}")
    return text


def _key(purchase_id: str, behaviour: ApiBehaviour) -> str:
    if behaviour.purchase_id_match == "exact":
        return purchase_id
    return purchase_id.strip() if behaviour.purchase_id_match == "trimmed" else purchase_id.strip().casefold()
