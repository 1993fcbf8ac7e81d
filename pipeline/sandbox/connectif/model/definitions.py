"""What is defined rather than sent: contact fields, custom integrations, custom event types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.connectif.model.api_errors import ApiError, Violation, unprocessable
from pipeline.sandbox.connectif.model.field_types import BOOLEAN, TEXT, FieldType, iso, one_of, violations
from pipeline.sandbox.connectif.model.ids import MakeId

MAX_CONTACT_FIELDS = 140
MAX_OPTIONS = 120
MAX_ID_LENGTH = 150
TYPES = ("text", "email", "phone", "integer", "decimal", "date", "checkbox", "radio", "boolean")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_\-\[\](){}]*")
_LIST = FieldType(lambda value: isinstance(value, list), str)
_ANY = FieldType(lambda _: True, str)

_FIELD: dict[str, FieldType] = {
    "id": FieldType(lambda value: isinstance(value, str) and _good_id(value), str),
    "name": TEXT,
    "type": one_of(*TYPES),
    "required": BOOLEAN,
    "defaultCountryCode": TEXT,
    "options": _LIST,
}
_CONTACT_FIELD = {
    **_FIELD,
    **dict.fromkeys(("defaultValue", "maxLength", "minValue", "maxValue", "minDate", "maxDate"), _ANY),
}
_EVENT_FIELD = {**_FIELD, "isPrimaryKey": BOOLEAN, "jsonPointerPath": TEXT}
#: Ways of receiving by which an event must name its contact.
_KEYED = ("webhook", "api")
_EVENT_TYPE: dict[str, FieldType] = {
    "alias": TEXT,
    "category": one_of("send", "receive"),
    "fields": _LIST,
    "name": TEXT,
    "receiveType": TEXT,
    "icon": TEXT,
    "webhookUrl": TEXT,
    "webhookHeaders": _LIST,
}
_INTEGRATION: dict[str, FieldType] = {
    "name": TEXT,
    "description": TEXT,
    "color": TEXT,
    "eventsEnabled": BOOLEAN,
    "imageUri": FieldType(lambda value: value is None or isinstance(value, str), str),
}


class Definitions:
    """Documents of one kind, by their ids."""

    def __init__(self, make_id: MakeId) -> None:
        self._make_id = make_id
        self._documents: dict[str, dict[str, Any]] = {}
        self._made = 0

    def add(self, document: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Store a document; one that brings no id gets one."""
        self._made += 1
        made_id = document.get("id") or self._make_id(self._made, now, 1)
        stored = {**document, "id": made_id, "createdAt": iso(now), "updatedAt": iso(now)}
        self._documents[made_id] = stored
        return stored

    def change(self, document: dict[str, Any], changes: Mapping[str, Any], now: float) -> None:
        """Set fields of a stored document."""
        document.update(changes, updatedAt=iso(now))

    def find(self, document_id: str) -> dict[str, Any] | None:
        """The document with that id."""
        return self._documents.get(document_id)

    def delete(self, document_id: str) -> bool:
        """Delete it; False where there is none."""
        return self._documents.pop(document_id, None) is not None

    def all(self) -> list[dict[str, Any]]:
        """Every document, the oldest first."""
        return list(self._documents.values())


def check_contact_field(body: Mapping[str, Any], known: Definitions) -> None:
    """Refuse a contact field that cannot be defined.

    Raises:
        ApiError: 422 or, for an id in use, 409.
    """
    wrong = violations(body, _CONTACT_FIELD, required=("id", "type"))
    if not wrong:
        wrong = [*_type_violations(body, ""), *_default_violations(body)]
    if not wrong and len(known.all()) >= MAX_CONTACT_FIELDS:
        wrong = [Violation("id", "/id", f"At most {MAX_CONTACT_FIELDS} fields can be defined")]
    if wrong:
        raise unprocessable(wrong)
    if known.find(body["id"]) is not None:
        raise ApiError(409, f"Contact field {body['id']} already exists.")


def check_event_type(body: Mapping[str, Any], known: Definitions) -> None:
    """Refuse a custom event type that cannot be defined; raises as above."""
    wrong = violations(body, _EVENT_TYPE, required=("category", "name", "fields"), allow_null=True)
    if wrong:
        raise unprocessable(wrong)
    for position, field in enumerate(body["fields"]):
        at = f"/fields/{position}"
        if not isinstance(field, dict):
            wrong.append(Violation(str(position), at))
            continue
        found = violations(field, _EVENT_FIELD, required=("id", "name", "type"), at=at)
        wrong += found or _type_violations(field, at)
        if field.get("isPrimaryKey") and field.get("type") != "email":
            wrong.append(Violation("isPrimaryKey", f"{at}/isPrimaryKey", "The primary key must be an email"))
    keys = [field for field in body["fields"] if isinstance(field, dict) and field.get("isPrimaryKey")]
    receives = body["category"] == "receive"
    needs_key = receives and body.get("receiveType") in _KEYED
    if len(keys) > 1 or (needs_key and not keys):
        wrong.append(Violation("fields", "/fields", "One field is the primary key"))
    if receives != bool(body.get("alias")):
        wrong.append(Violation("alias", "/alias", "Required to receive, not allowed to send"))
    if wrong:
        raise unprocessable(wrong)
    if receives and any(other.get("alias") == body["alias"] for other in known.all()):
        raise ApiError(409, f"Custom event type {body['alias']} already exists.")


def check_integration(body: Mapping[str, Any], *, whole: bool) -> None:
    """Refuse a custom integration; raises as above."""
    required = ("name",) if whole else ()
    if wrong := violations(body, _INTEGRATION, required=required, allow_null=True):
        raise unprocessable(wrong)


def _good_id(value: str) -> bool:
    return value != "id" and len(value) <= MAX_ID_LENGTH and _ID.fullmatch(value) is not None


def _type_violations(body: Mapping[str, Any], at: str) -> list[Violation]:
    if body["type"] == "phone" and not body.get("defaultCountryCode"):
        return [Violation("defaultCountryCode", f"{at}/defaultCountryCode", "Value is required")]
    if body["type"] not in ("radio", "checkbox"):
        return []
    options = body.get("options") or []
    good = 0 < len(options) <= MAX_OPTIONS and all(
        isinstance(option, dict)
        and isinstance(option.get("id"), str)
        and 0 < len(option["id"]) <= MAX_ID_LENGTH
        and isinstance(option.get("label"), str)
        for option in options
    )
    return [] if good else [Violation("options", f"{at}/options")]


def _default_violations(body: Mapping[str, Any]) -> list[Violation]:
    if body.get("required") and body.get("defaultValue") is None:
        return [Violation("defaultValue", "/defaultValue", "A required field needs one")]
    return []
