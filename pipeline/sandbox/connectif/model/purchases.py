"""Purchases: created once, never changed, deleted one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.model.contacts import Bought, Contacts
from pipeline.sandbox.connectif.model.field_types import DATE_TIME, EMAIL, INTEGER, NUMBER, TEXT, Kind, moment
from pipeline.sandbox.connectif.model.products import COMMON
from pipeline.sandbox.connectif.model.storage import Entry, Shelf, id_maker
from pipeline.sandbox.connectif.simulation.behaviour import Switches

PURCHASE: dict[str, Kind] = {
    "purchaseId": Kind(lambda value: isinstance(value, str) and value.strip() != "", str),
    "contactEmail": EMAIL,
    "contactExternalId": TEXT,
    "cartId": TEXT,
    "purchaseDate": DATE_TIME,
    "totalPrice": NUMBER,
    "totalQuantity": INTEGER,
    "paymentMethod": TEXT,
    "products": Kind(lambda value: isinstance(value, list), str),
    "sourceType": TEXT,
    "sourceName": TEXT,
}
LINE: dict[str, Kind] = {**COMMON, "productId": TEXT, "quantity": INTEGER, "price": NUMBER}

_TRIGGER = "triggerPurchaseEvent"


class Purchases:
    """The purchases of one account, by the shop's ids."""

    def __init__(self, space: int, contacts: Contacts) -> None:
        self.shelf = Shelf(id_maker(space))
        self._contacts = contacts

    def ever(self, purchase_id: str, switches: Switches) -> Entry | None:
        """The purchase with that id, deleted or not."""
        return self.shelf.ever(_key(purchase_id, switches))

    def find(self, purchase_id: str, switches: Switches) -> Entry | None:
        """The purchase with that id, if it is there now."""
        return self.shelf.find(_key(purchase_id, switches))

    def create(
        self, body: Mapping[str, Any], contact: Entry, now: float, switches: Switches, *, trigger: bool
    ) -> Entry:
        """Store a purchase and give it to its contact; `trigger` is remembered for the ledger."""
        when = moment(body["purchaseDate"]) if "purchaseDate" in body else now
        document = {**body, "contactId": contact.id, _TRIGGER: trigger}
        entry = self.shelf.put(_key(body["purchaseId"], switches), document, now, when)
        self._contacts.bought.setdefault(contact.place, Bought()).add(entry, body["totalPrice"])
        return entry

    def delete(self, entry: Entry, now: float) -> None:
        """Delete a purchase; its contact has one less."""
        owner = self._contacts.shelf.by_id(entry.body["contactId"])
        if owner is not None:
            self._contacts.bought[owner.place] = self._without(entry, self._contacts.bought[owner.place])
        self.shelf.drop(entry, now)

    def _without(self, gone: Entry, bought: Bought) -> Bought:
        """What is left of a contact's purchases: added up anew, as a sum less a part is not exact."""
        left = Bought()
        for place in bought.places:
            entry = self.shelf.at(place)
            if entry is not None and place != gone.place:
                left.add(entry, entry.body["totalPrice"])
        return left


def shown(entry: Entry) -> bytes:
    """A purchase as GET answers it."""
    text = entry.json
    for trigger in (b"true", b"false"):
        text = text.replace(b',"%s":%s}' % (_TRIGGER.encode(), trigger), b"}")
    return text


def _key(purchase_id: str, switches: Switches) -> str:
    if switches.purchase_id_match == "exact":
        return purchase_id
    return purchase_id.strip() if switches.purchase_id_match == "trimmed" else purchase_id.strip().casefold()
