"""What Connectif must hold in the end, worked out from what was said alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.records import (
    ContactRecord,
    Op,
    Origin,
    ProductRecord,
    PurchaseRecord,
)
from tests.simulation.consents import Checked, check_consent


def check_state(environment: Checked, account: str = "acme") -> None:
    """Compare the sandbox with what was said; asserts that nothing is missing, twice or old."""
    said = [record for record in environment.said if record.account == account]
    _check_purchases(environment, account, [r for r in said if isinstance(r, PurchaseRecord)])
    contacts = [record for record in said if isinstance(record, ContactRecord)]
    _check_contacts(environment.holds("contacts", account), contacts)
    check_consent(environment, account, contacts)
    _check_products(environment.holds("products", account), [r for r in said if isinstance(r, ProductRecord)])


def _same_keys(held: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    missing, unwanted = sorted(wanted.keys() - held.keys()), sorted(held.keys() - wanted.keys())
    assert (missing, unwanted) == ([], []), f"missing: {missing}; should not be there: {unwanted}"


def _check_purchases(environment: Checked, account: str, said: list[PurchaseRecord]) -> None:
    held, made = environment.holds("purchases", account), environment.made("purchases", account)
    newest = {record.id: record for record in said}
    versions = Counter(record.id for record in said)
    wanted = {key: record.body for key, record in newest.items() if record.body is not None}
    _same_keys(held, wanted)
    for key, body in wanted.items():
        assert held[key]["totalPrice"] == float(body.total_price), key
        assert held[key]["contactEmail"] == body.contact_email
        assert [line["productId"] for line in held[key]["products"]] == [x.product_id for x in body.lines]
    for key, count in made.items():
        assert count == 1 or versions[key] > 1, f"{key} was made {count} times for one version"


def _check_contacts(held: dict[str, dict[str, Any]], said: list[ContactRecord]) -> None:
    names: dict[str, str | None] = {}
    for record in said:
        if record.op is Op.RETRACT:
            names.pop(record.id, None)
            continue
        names[record.id] = record.body.name or names.get(record.id)
    _same_keys(held, names)
    for key, name in names.items():
        assert held[key].get("_name") == name, key


def _check_products(held: dict[str, dict[str, Any]], said: list[ProductRecord]) -> None:
    own: dict[str, dict[str, Any]] = {}
    stubs: dict[str, dict[str, Any]] = {}
    for record in said:
        given = record.body.model_dump(exclude_none=True)
        if record.origin is Origin.ORDER:
            stubs.setdefault(record.id, given)
        elif record.op is Op.UPSERT:
            own[record.id] = own.get(record.id, {}) | given
        elif record.id in own:
            own[record.id] |= given
    wanted = stubs | own
    _same_keys(held, wanted)
    for key, fields in wanted.items():
        assert (key, held[key]["name"]) == (key, fields["name"])
        assert (key, held[key]["unitPrice"]) == (key, float(fields["unit_price"]))
        assert (key, held[key]["isBlacklisted"]) == (key, fields["is_blacklisted"])
