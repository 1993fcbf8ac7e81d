"""What a record would change in Connectif, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.records import Op, RecordKind

#: Stands for a value that is not known: no record that `connectif.*` still holds says it.
NOT_HELD = "not held any more"
#: Stands for a value about a person.
MASKED = "***"
#: Of a contact, what tells nothing of a person by itself.
_NOT_PERSONAL = frozenset({"newsletter", "newsletter_ms"})
_PERSONAL = frozenset({"contact_email", "contact_external_id"})


class Change(NamedTuple):
    """One field; `before` and `after` are JSON values, None where there is none."""

    account: str
    kind: str
    id: str
    field: str
    before: Any
    after: Any


def changes(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], *, personal: bool
) -> Iterator[Change]:
    """What differs between two records of one id, as they lie on `connectif.*`.

    Args:
        before: the last that was told; None where it is not known.
        after: what would be told.
        personal: whether values about people are shown.
    """
    whose = str(after["account"]), str(after["kind"]), str(after["id"])
    old, new = None if before is None else _fields(before), _fields(after)
    for name in sorted({*new, *(old or ())}):
        was = NOT_HELD if old is None else old.get(name)
        if was == new.get(name):
            continue
        # A field left out says nothing, but in a purchase, which is replaced as a whole.
        if name not in new and after["kind"] != RecordKind.PURCHASE:
            continue
        hidden = not personal and _is_personal(after["kind"], name)
        yield Change(*whose, name, _shown(was, hidden=hidden), _shown(new.get(name), hidden=hidden))


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's fields; one that is taken back has the field `op` alone."""
    body = record.get("body")
    if record.get("op") == Op.RETRACT or not isinstance(body, dict):
        return {"op": "retract"}
    fields = {name: value for name, value in body.items() if name != "custom" and value not in (None, [], {})}
    custom = body.get("custom") or {}
    return fields | {f"custom.{name}": value for name, value in custom.items()}


def _is_personal(kind: str, name: str) -> bool:
    return name in _PERSONAL or (kind == RecordKind.CONTACT and name not in {*_NOT_PERSONAL, "op"})


def _shown(value: Any, *, hidden: bool) -> Any:
    return MASKED if hidden and value not in (None, NOT_HELD) else value


__all__ = ["MASKED", "NOT_HELD", "Change", "changes"]
