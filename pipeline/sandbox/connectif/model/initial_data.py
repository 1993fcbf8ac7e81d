"""What Connectif holds before the first call: stored by the rules of its API, without a call being made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.sandbox.connectif.model.account_data import AccountData
from pipeline.sandbox.connectif.model.api_errors import Violation, unprocessable
from pipeline.sandbox.connectif.model.contacts import UNSUBSCRIPTION_FIELDS, WRITABLE_BY, custom_field_type
from pipeline.sandbox.connectif.model.field_types import (
    DATE_TIME,
    TEXT,
    FieldType,
    is_email,
    split_commas,
    to_utc,
    violations,
)
from pipeline.sandbox.connectif.model.products import PRODUCT

_CONTACT: dict[str, FieldType] = {
    **WRITABLE_BY["email"],
    "_emailLastUnsubscribedDate": DATE_TIME,
    "_emailLastUnsubscribedIp": TEXT,
    "_emailBouncedReason": TEXT,
}
Documents = dict[str, dict[str, Any]]


class InitialData(BaseModel):
    """Contacts by e-mail address and products by the shop's id; those that are there are changed.

    A contact may be given what the API only reads: `_emailLastUnsubscribedDate`, `_emailLastUnsubscribedIp`,
    `_emailBouncedReason`. One that is unsubscribed and says no date left when it was stored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    contacts: Documents = {}
    products: Documents = {}


def load_initial_data(initial: InitialData, data: AccountData, now: float) -> dict[str, Any]:
    """Store the data and say how much it was; it consumes no activities and counts as no calls.

    Raises:
        ApiError: 422 that names each wrong field, and nothing is stored.
    """
    behaviour = data.simulation.behaviour
    lower = behaviour.email_case == "lower"
    contacts = {email.lower() if lower else email: fields for email, fields in initial.contacts.items()}
    wrong = [*_contact_violations(contacts, data), *_product_violations(initial.products, data)]
    if wrong:
        raise unprocessable(wrong)
    for email, fields in contacts.items():
        changes = dict(fields)
        if (left := changes.get(UNSUBSCRIPTION_FIELDS[0])) is not None:
            changes[UNSUBSCRIPTION_FIELDS[0]] = to_utc(left)
        data.contacts.patch("email", email, changes, now, behaviour)
    for product_id, fields in initial.products.items():
        data.products.patch(product_id, fields, now)
    return {"account": data.name, "contacts": len(contacts), "products": len(initial.products)}


def _contact_violations(contacts: Documents, data: AccountData) -> list[Violation]:
    known = dict(_CONTACT)
    known |= {str(field["id"]): custom_field_type(field) for field in data.contact_fields.all()}
    wrong: list[Violation] = []
    owners: dict[str, str] = {}
    for email, fields in contacts.items():
        at = f"/contacts/{email}"
        if not is_email(email):
            wrong.append(Violation(email, at))
        wrong += violations(fields, known, refuse_unknown=True, at=at)
        external_id = fields.get("_externalId")
        if isinstance(external_id, str) and not _may_have(data, email, external_id, owners):
            wrong.append(Violation("_externalId", f"{at}/_externalId", "Value is not unique"))
    return wrong


def _may_have(data: AccountData, email: str, external_id: str, owners: dict[str, str]) -> bool:
    """Whether no other contact has the external id, stored or in the initial data."""
    holder = data.contacts.find("external-id", external_id)
    return owners.setdefault(external_id, email) == email and (holder is None or holder.key == email)


def _product_violations(products: Mapping[str, Mapping[str, Any]], data: AccountData) -> list[Violation]:
    behaviour = data.simulation.behaviour
    wrong: list[Violation] = []
    for product_id, fields in products.items():
        at = f"/products/{product_id}"
        known = data.products.storage.find(product_id) is not None
        required = () if known else split_commas(behaviour.product_required)
        found = violations(fields, PRODUCT, required=required, refuse_unknown=True, at=at)
        url = fields.get("productDetailUrl")
        if not found and url is not None and not data.products.domains.allow(url, behaviour.domain_match):
            found = [Violation("productDetailUrl", f"{at}/productDetailUrl", "Domain is not authorised")]
        wrong += found
    return wrong
