"""/contacts: the older form by e-mail, the newer one, and by external id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, ApiResponse, json_response
from pipeline.sandbox.connectif.model.api_errors import Violation, not_found, unprocessable
from pipeline.sandbox.connectif.model.contacts import (
    MAX_EXTERNAL_ID,
    WRITABLE_BY,
    ContactKey,
    custom_field_type,
)
from pipeline.sandbox.connectif.model.field_types import is_email, violations


def get_by_email(request: ApiRequest) -> ApiResponse:
    """GET /contacts/email/{email} and /contacts/{email}."""
    return _get(request, "email", _email(request))


def get_by_external_id(request: ApiRequest) -> ApiResponse:
    """GET /contacts/external-id/{externalId}."""
    return _get(request, "external-id", _external_id(request))


def patch_by_email(request: ApiRequest) -> ApiResponse:
    """PATCH /contacts/email/{email} and /contacts/{email}."""
    return _patch(request, "email", _email(request))


def patch_by_external_id(request: ApiRequest) -> ApiResponse:
    """PATCH /contacts/external-id/{externalId}."""
    return _patch(request, "external-id", _external_id(request))


def delete_by_email(request: ApiRequest) -> ApiResponse:
    """DELETE /contacts/email/{email} and /contacts/{email}."""
    return _delete(request, "email", _email(request))


def delete_by_external_id(request: ApiRequest) -> ApiResponse:
    """DELETE /contacts/external-id/{externalId}."""
    return _delete(request, "external-id", _external_id(request))


def _email(request: ApiRequest) -> str:
    email = request.params["email"]
    if not is_email(email):
        raise unprocessable([Violation("email", "/email")])
    return email.lower() if request.behaviour.email_case == "lower" else email


def _external_id(request: ApiRequest) -> str:
    external_id = request.params["externalId"]
    if len(external_id) > MAX_EXTERNAL_ID:
        raise unprocessable([Violation("externalId", "/externalId")])
    return external_id


def _get(request: ApiRequest, by: ContactKey, key: str) -> ApiResponse:
    request.key = key
    element = request.account.data.contacts.find(by, key)
    if element is None:
        raise not_found("Contact")
    return json_response(request.account.data.contacts.to_json(element))


def _patch(request: ApiRequest, by: ContactKey, key: str) -> ApiResponse:
    changes = request.document()
    own = "_email" if by == "email" else "_externalId"
    if isinstance(changes.get(own), str) and _same_key(changes[own], key, request):
        del changes[own]
    changes = _checked(request, by, changes)
    element, created = request.account.data.contacts.patch(by, key, changes, request.now, request.behaviour)
    request.key = element.key
    if created:
        request.account.data.consume("entity-created")
    return request.stored(
        request.account.data.contacts.to_json(element),
        request.behaviour.patch_created_status if created else 200,
    )


def _checked(request: ApiRequest, by: ContactKey, changes: Mapping[str, Any]) -> dict[str, Any]:
    behaviour = request.behaviour
    known = dict(WRITABLE_BY[by])
    for name in changes:
        if name not in known and (definition := request.account.data.contact_fields.find(name)) is not None:
            known[name] = custom_field_type(definition)
    wrong = violations(
        changes,
        known,
        refuse_unknown=behaviour.unknown_contact_fields == "refuse",
        allow_null=behaviour.null_values == "clear",
    )
    if wrong:
        raise unprocessable(wrong)
    kept = {name: value for name, value in changes.items() if name in known}
    if behaviour.email_case == "lower" and isinstance(kept.get("_email"), str):
        kept["_email"] = kept["_email"].lower()
    return kept


def _delete(request: ApiRequest, by: ContactKey, key: str) -> ApiResponse:
    element = request.account.data.contacts.find(by, key)
    if element is not None:
        request.account.data.contacts.delete(element, request.now)
    elif request.behaviour.delete_absent_status == 404:  # noqa: PLR2004 - an HTTP status
        raise not_found("Contact")
    return NO_CONTENT


def _same_key(value: str, key: str, request: ApiRequest) -> bool:
    return value == key or (request.behaviour.email_case == "lower" and value.lower() == key)
