"""What Connectif holds before the first call: stored by the rules of its API, without a call being made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.responses import Violation, unprocessable
from pipeline.sandbox.connectif.model.contacts import LEFT, WRITABLE_BY, custom_kind
from pipeline.sandbox.connectif.model.field_types import (
    DATE_TIME,
    TEXT,
    Kind,
    is_email,
    names,
    utc,
    violations,
)
from pipeline.sandbox.connectif.model.products import PRODUCT

_CONTACT: dict[str, Kind] = {
    **WRITABLE_BY["email"],
    "_emailLastUnsubscribedDate": DATE_TIME,
    "_emailLastUnsubscribedIp": TEXT,
    "_emailBouncedReason": TEXT,
}
Documents = dict[str, dict[str, Any]]


class Seed(BaseModel):
    """Contacts by e-mail address and products by the shop's id; those that are there are changed.

    A contact may be given what the API only reads: `_emailLastUnsubscribedDate`, `_emailLastUnsubscribedIp`,
    `_emailBouncedReason`. One that is unsubscribed and says no date left when it was seeded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    contacts: Documents = {}
    products: Documents = {}


def plant(seed: Seed, account: Account, now: float) -> dict[str, Any]:
    """Store a seed and say what it came to; it consumes no activities and counts as no calls.

    Raises:
        Refusal: 422 that names each wrong field, and nothing is stored.
    """
    switches = account.world.switches
    lower = switches.email_case == "lower"
    contacts = {email.lower() if lower else email: fields for email, fields in seed.contacts.items()}
    wrong = [*_contact_violations(contacts, account), *_product_violations(seed.products, account)]
    if wrong:
        raise unprocessable(wrong)
    for email, fields in contacts.items():
        changes = dict(fields)
        if (left := changes.get(LEFT[0])) is not None:
            changes[LEFT[0]] = utc(left)
        account.contacts.patch("email", email, changes, now, switches)
    for product_id, fields in seed.products.items():
        account.products.patch(product_id, fields, now)
    return {"account": account.name, "contacts": len(contacts), "products": len(seed.products)}


def _contact_violations(contacts: Documents, account: Account) -> list[Violation]:
    known = dict(_CONTACT)
    known |= {str(field["id"]): custom_kind(field) for field in account.contact_fields.all()}
    wrong: list[Violation] = []
    owners: dict[str, str] = {}
    for email, fields in contacts.items():
        at = f"/contacts/{email}"
        if not is_email(email):
            wrong.append(Violation(email, at))
        wrong += violations(fields, known, refuse_unknown=True, at=at)
        external_id = fields.get("_externalId")
        if isinstance(external_id, str) and not _may_have(account, email, external_id, owners):
            wrong.append(Violation("_externalId", f"{at}/_externalId", "Value is not unique"))
    return wrong


def _may_have(account: Account, email: str, external_id: str, owners: dict[str, str]) -> bool:
    """Whether nobody else has the external id, neither among those stored nor in the seed."""
    holder = account.contacts.find("external-id", external_id)
    return owners.setdefault(external_id, email) == email and (holder is None or holder.key == email)


def _product_violations(products: Mapping[str, Mapping[str, Any]], account: Account) -> list[Violation]:
    switches = account.world.switches
    wrong: list[Violation] = []
    for product_id, fields in products.items():
        at = f"/products/{product_id}"
        known = account.products.shelf.find(product_id) is not None
        required = () if known else names(switches.product_required)
        found = violations(fields, PRODUCT, required=required, refuse_unknown=True, at=at)
        url = fields.get("productDetailUrl")
        if not found and url is not None and not account.products.domains.allow(url, switches.domain_match):
            found = [Violation("productDetailUrl", f"{at}/productDetailUrl", "Domain is not authorised")]
        wrong += found
    return wrong
