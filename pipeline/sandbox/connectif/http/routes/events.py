"""/custom-events, /custom-event-types, /custom-integrations."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import NO_CONTENT, ApiResponse, json_response
from pipeline.sandbox.connectif.model.api_errors import (
    ApiError,
    Violation,
    coded_error,
    not_found,
    unprocessable,
)
from pipeline.sandbox.connectif.model.contacts import custom_field_type
from pipeline.sandbox.connectif.model.definitions import check_event_type, check_integration
from pipeline.sandbox.connectif.model.field_types import violations


def create_by_alias(request: ApiRequest) -> ApiResponse:
    """POST /custom-events/alias/{alias}."""
    alias = request.params["alias"]
    types = request.account.data.event_types.all()
    return _create(request, next((one for one in types if one.get("alias") == alias), None))


def create_by_id(request: ApiRequest) -> ApiResponse:
    """POST /custom-events/id/{id}."""
    return _create(request, request.account.data.event_types.find(request.connectif_id()))


def _create(request: ApiRequest, event_type: dict[str, Any] | None) -> ApiResponse:
    """Strict: only the fields of the definition, each of its kind."""
    create_contact = request.flag("createContact", default=False)
    if len(request.body) > request.behaviour.custom_event_max_bytes:
        raise ApiError(413, f"Maximum allowed size is {request.behaviour.custom_event_max_bytes} bytes.")
    fields = event_type["fields"] if event_type is not None and event_type["category"] == "receive" else ()
    primary = next((field["id"] for field in fields if field.get("isPrimaryKey")), None)
    if primary is None:
        # Events without a contact are not sent by this route, but by the browser for example.
        raise not_found("Custom event type")
    body = request.document()
    known = {field["id"]: custom_field_type(field) for field in fields}
    required = {primary, *(field["id"] for field in fields if field.get("required"))}
    if wrong := violations(body, known, required=sorted(required), refuse_unknown=True):
        raise unprocessable(wrong)
    account = request.account
    email = body[primary].lower() if request.behaviour.email_case == "lower" else body[primary]
    if account.data.contacts.find("email", email) is None:
        if not create_contact:
            raise coded_error("E0501", "Contact does not exist.")
        account.data.contacts.patch("email", email, {}, request.now, request.behaviour)
        account.data.consume("entity-created")
    account.data.check_allowance()
    account.data.consume("custom-event")
    number = account.data.activities["custom-event"]
    return json_response({"id": account.data.make_event_id(number, request.now, 1)}, 201)


def list_types(request: ApiRequest) -> ApiResponse:
    """GET /custom-event-types/, of one integration too."""
    integration = request.params.get("integration")
    types = request.account.data.event_types.all()
    wanted = [one for one in types if integration is None or one.get("integrationId") == integration]
    return json_response(request.page(wanted, "/custom-event-types/"))


def create_type(request: ApiRequest) -> ApiResponse:
    """POST /custom-event-types/ and /custom-integrations/{integration}/custom-event-types/."""
    body = request.document()
    integration = request.params.get("integration")
    if integration is not None and request.account.data.integrations.find(integration) is None:
        raise not_found("Custom integration")
    check_event_type(body, request.account.data.event_types)
    extra = {} if integration is None else {"integrationId": integration}
    return json_response(request.account.data.event_types.add({**body, **extra}, request.now), 201)


def get_type(request: ApiRequest) -> ApiResponse:
    """GET /custom-event-types/{id}."""
    found = request.account.data.event_types.find(request.connectif_id())
    if found is None:
        raise not_found("Custom event type")
    return json_response(found)


def delete_type(request: ApiRequest) -> ApiResponse:
    """DELETE /custom-event-types/{id}."""
    if not request.account.data.event_types.delete(request.connectif_id()):
        raise not_found("Custom event type")
    return NO_CONTENT


def list_integrations(request: ApiRequest) -> ApiResponse:
    """GET /custom-integrations/."""
    return json_response(request.page(request.account.data.integrations.all(), "/custom-integrations/"))


def create_integration(request: ApiRequest) -> ApiResponse:
    """POST /custom-integrations/."""
    body = request.document()
    check_integration(body, whole=True)
    return json_response(request.account.data.integrations.add(body, request.now), 201)


def get_integration(request: ApiRequest) -> ApiResponse:
    """GET /custom-integrations/{id}."""
    return json_response(_integration(request))


def patch_integration(request: ApiRequest) -> ApiResponse:
    """PATCH /custom-integrations/{id}."""
    changes = request.document()
    found = _integration(request)
    check_integration(changes, whole=False)
    if "id" in changes:
        raise unprocessable([Violation("id", "/id")])
    request.account.data.integrations.change(found, changes, request.now)
    return json_response(found)


def delete_integration(request: ApiRequest) -> ApiResponse:
    """DELETE /custom-integrations/{id}."""
    request.account.data.integrations.delete(_integration(request)["id"])
    return NO_CONTENT


def _integration(request: ApiRequest) -> dict[str, Any]:
    found = request.account.data.integrations.find(request.connectif_id())
    if found is None:
        raise not_found("Custom integration")
    return found
