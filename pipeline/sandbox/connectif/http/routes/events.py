"""/custom-events, /custom-event-types, /custom-integrations."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.connectif.http.request import Call
from pipeline.sandbox.connectif.http.responses import (
    NO_CONTENT,
    Answer,
    Violation,
    absent,
    custom,
    ok,
    refuse,
    unprocessable,
)
from pipeline.sandbox.connectif.model.contacts import custom_kind
from pipeline.sandbox.connectif.model.definitions import check_event_type, check_integration
from pipeline.sandbox.connectif.model.field_types import violations


def create_by_alias(call: Call) -> Answer:
    """POST /custom-events/alias/{alias}."""
    alias = call.params["alias"]
    types = call.account.event_types.all()
    return _create(call, next((one for one in types if one.get("alias") == alias), None))


def create_by_id(call: Call) -> Answer:
    """POST /custom-events/id/{id}."""
    return _create(call, call.account.event_types.find(call.connectif_id()))


def _create(call: Call, event_type: dict[str, Any] | None) -> Answer:
    """Strict: only the fields of the definition, each of its kind."""
    create_contact = call.flag("createContact", default=False)
    if len(call.body) > call.switches.custom_event_max_bytes:
        raise refuse(413, f"Maximum allowed size is {call.switches.custom_event_max_bytes} bytes.")
    fields = event_type["fields"] if event_type is not None and event_type["category"] == "receive" else ()
    primary = next((field["id"] for field in fields if field.get("isPrimaryKey")), None)
    if primary is None:
        # What tells of no contact comes another way, such as from the browser.
        raise absent("Custom event type")
    body = call.document()
    known = {field["id"]: custom_kind(field) for field in fields}
    required = {primary, *(field["id"] for field in fields if field.get("required"))}
    if wrong := violations(body, known, required=sorted(required), refuse_unknown=True):
        raise unprocessable(wrong)
    account = call.account
    email = body[primary].lower() if call.switches.email_case == "lower" else body[primary]
    if account.contacts.find("email", email) is None:
        if not create_contact:
            raise custom("E0501", "Contact does not exist.")
        account.contacts.patch("email", email, {}, call.now, call.switches)
        account.consume("entity-created")
    account.check_allowance()
    account.consume("custom-event")
    number = account.activities["custom-event"]
    return ok({"id": account.event_id(number, call.now, 1)}, 201)


def list_types(call: Call) -> Answer:
    """GET /custom-event-types/, of one integration too."""
    integration = call.params.get("integration")
    types = call.account.event_types.all()
    wanted = [one for one in types if integration is None or one.get("integrationId") == integration]
    return ok(call.page(wanted, "/custom-event-types/"))


def create_type(call: Call) -> Answer:
    """POST /custom-event-types/ and /custom-integrations/{integration}/custom-event-types/."""
    body = call.document()
    integration = call.params.get("integration")
    if integration is not None and call.account.integrations.find(integration) is None:
        raise absent("Custom integration")
    check_event_type(body, call.account.event_types)
    extra = {} if integration is None else {"integrationId": integration}
    return ok(call.account.event_types.add({**body, **extra}, call.now), 201)


def get_type(call: Call) -> Answer:
    """GET /custom-event-types/{id}."""
    found = call.account.event_types.find(call.connectif_id())
    if found is None:
        raise absent("Custom event type")
    return ok(found)


def delete_type(call: Call) -> Answer:
    """DELETE /custom-event-types/{id}."""
    if not call.account.event_types.drop(call.connectif_id()):
        raise absent("Custom event type")
    return NO_CONTENT


def list_integrations(call: Call) -> Answer:
    """GET /custom-integrations/."""
    return ok(call.page(call.account.integrations.all(), "/custom-integrations/"))


def create_integration(call: Call) -> Answer:
    """POST /custom-integrations/."""
    body = call.document()
    check_integration(body, whole=True)
    return ok(call.account.integrations.add(body, call.now), 201)


def get_integration(call: Call) -> Answer:
    """GET /custom-integrations/{id}."""
    return ok(_integration(call))


def patch_integration(call: Call) -> Answer:
    """PATCH /custom-integrations/{id}."""
    changes = call.document()
    found = _integration(call)
    check_integration(changes, whole=False)
    if "id" in changes:
        raise unprocessable([Violation("id", "/id")])
    call.account.integrations.change(found, changes, call.now)
    return ok(found)


def delete_integration(call: Call) -> Answer:
    """DELETE /custom-integrations/{id}."""
    call.account.integrations.drop(_integration(call)["id"])
    return NO_CONTENT


def _integration(call: Call) -> dict[str, Any]:
    found = call.account.integrations.find(call.connectif_id())
    if found is None:
        raise absent("Custom integration")
    return found
