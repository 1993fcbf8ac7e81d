"""/contacts: the older form by e-mail, the newer one, and by external id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.http.request import Call
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, Answer, Violation, absent, ok, unprocessable
from pipeline.sandbox.connectif.model.contacts import MAX_EXTERNAL_ID, WRITABLE_BY, By, custom_kind
from pipeline.sandbox.connectif.model.field_types import is_email, violations


def get_by_email(call: Call) -> Answer:
    """GET /contacts/email/{email} and /contacts/{email}."""
    return _get(call, "email", _email(call))


def get_by_external_id(call: Call) -> Answer:
    """GET /contacts/external-id/{externalId}."""
    return _get(call, "external-id", _external_id(call))


def patch_by_email(call: Call) -> Answer:
    """PATCH /contacts/email/{email} and /contacts/{email}."""
    return _patch(call, "email", _email(call))


def patch_by_external_id(call: Call) -> Answer:
    """PATCH /contacts/external-id/{externalId}."""
    return _patch(call, "external-id", _external_id(call))


def delete_by_email(call: Call) -> Answer:
    """DELETE /contacts/email/{email} and /contacts/{email}."""
    return _delete(call, "email", _email(call))


def delete_by_external_id(call: Call) -> Answer:
    """DELETE /contacts/external-id/{externalId}."""
    return _delete(call, "external-id", _external_id(call))


def _email(call: Call) -> str:
    email = call.params["email"]
    if not is_email(email):
        raise unprocessable([Violation("email", "/email")])
    return email.lower() if call.switches.email_case == "lower" else email


def _external_id(call: Call) -> str:
    external_id = call.params["externalId"]
    if len(external_id) > MAX_EXTERNAL_ID:
        raise unprocessable([Violation("externalId", "/externalId")])
    return external_id


def _get(call: Call, by: By, key: str) -> Answer:
    call.key = key
    entry = call.account.contacts.find(by, key)
    if entry is None:
        raise absent("Contact")
    return ok(call.account.contacts.shown(entry))


def _patch(call: Call, by: By, key: str) -> Answer:
    changes = call.document()
    own = "_email" if by == "email" else "_externalId"
    if isinstance(changes.get(own), str) and _same_key(changes[own], key, call):
        del changes[own]
    changes = _checked(call, by, changes)
    entry, created = call.account.contacts.patch(by, key, changes, call.now, call.switches)
    call.key = entry.key
    if created:
        call.account.consume("entity-created")
    return call.stored(
        call.account.contacts.shown(entry), call.switches.patch_created_status if created else 200
    )


def _checked(call: Call, by: By, changes: Mapping[str, Any]) -> dict[str, Any]:
    switches = call.switches
    known = dict(WRITABLE_BY[by])
    for name in changes:
        if name not in known and (definition := call.account.contact_fields.find(name)) is not None:
            known[name] = custom_kind(definition)
    wrong = violations(
        changes,
        known,
        refuse_unknown=switches.unknown_contact_fields == "refuse",
        allow_null=switches.null_values == "clear",
    )
    if wrong:
        raise unprocessable(wrong)
    kept = {name: value for name, value in changes.items() if name in known}
    if switches.email_case == "lower" and isinstance(kept.get("_email"), str):
        kept["_email"] = kept["_email"].lower()
    return kept


def _delete(call: Call, by: By, key: str) -> Answer:
    entry = call.account.contacts.find(by, key)
    if entry is not None:
        call.account.contacts.delete(entry, call.now)
    elif call.switches.delete_absent_status == 404:  # noqa: PLR2004 - an HTTP status
        raise absent("Contact")
    return NO_CONTENT


def _same_key(value: str, key: str, call: Call) -> bool:
    return value == key or (call.switches.email_case == "lower" and value.lower() == key)
