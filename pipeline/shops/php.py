"""Values as shops written in PHP send them: arrays that are lists or objects, several kinds of nothing."""

from __future__ import annotations

from typing import Any

from pipeline.shops.base import Rejected
from pipeline.shops.catalogue import plain_text
from pipeline.shops.values import web_address

_ID_DIGITS = 20
#: What PHP writes where there is nothing.
NOTHING: tuple[object, ...] = (None, False, "", [])
#: How MySQL writes the date of nothing, and what PHP makes of it when it computes with it.
_NO_DATE = ("0000-00-00", "-0001-11-30")


def has_amount(value: object) -> bool:
    """Whether an amount is said: a zero, which equals `False` in Python, is one."""
    return value not in NOTHING or (value is not False and value == 0)


def is_no_date(value: object) -> bool:
    """Whether it says that there is no date."""
    return value in NOTHING or (
        isinstance(value, str) and value.strip().startswith((*_NO_DATE, "0001-01-01"))
    )


def mapping(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """An object that the record rests on; empty where there is none.

    Raises:
        Rejected: `invalid_field`.
    """
    value = parent.get(key)
    if isinstance(value, dict):
        return value
    if value in NOTHING:
        return {}
    raise Rejected("invalid_field", key, f"a {type(value).__name__} where an object belongs")


def entries(value: object) -> list[Any] | None:
    """What a list of a body holds; None where it is no list in any of PHP's forms.

    All lists are read by this. PHP writes a list with a gap, or with keys of its own, as an object, whose
    values are the list; and a list of nothing as `[]`, `false` or `""`. An object instead of a list of
    objects is one entry.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        inside = list(value.values())
        is_list = all(key.isdigit() for key in value) or all(isinstance(one, dict) for one in inside)
        return inside if is_list else [value]
    return [] if value in NOTHING else None


def objects(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects that the record rests on, without entries of nothing.

    Raises:
        Rejected: `invalid_field`.
    """
    value = parent.get(key)
    found = entries(value)
    if found is None:
        raise Rejected("invalid_field", key, f"a {type(value).__name__} where a list belongs")
    for item in found:
        if not isinstance(item, dict):
            return _without_nothings(found, key)
    return found


def _without_nothings(found: list[Any], key: str) -> list[dict[str, Any]]:
    kept = [item for item in found if item not in NOTHING]
    for item in kept:
        if not isinstance(item, dict):
            raise Rejected("invalid_field", key, f"a {type(item).__name__} in a list of objects")
    return kept


def each_once(listed: list[dict[str, Any]], key: str, notes: list[str]) -> list[dict[str, Any]]:
    """The lines of an order without those that stand there under the id of an earlier one; noted.

    Args:
        listed: the lines.
        key: the field that holds a line's id.
        notes: `line_repeated` is added where one was left out.
    """
    if len(listed) == 1:
        return listed
    first: dict[str, dict[str, Any]] = {}
    for index, line in enumerate(listed):
        first.setdefault(readable_id(line.get(key)) or f"line {index}", line)
    if len(first) < len(listed):
        notes.append("line_repeated")
    return list(first.values())


def decorations(parent: dict[str, Any], key: str, notes: list[str], name: str = "") -> list[dict[str, Any]]:
    """A list of objects that the record does not rest on: what of it cannot be read is left out.

    Args:
        parent: the object that holds it.
        key: its field.
        notes: `{name}_unreadable` is added where something was left out.
        name: what the note calls it; else `key`.
    """
    value = parent.get(key)
    if not value:
        return []
    if isinstance(value, list) and all(type(one) is dict for one in value):
        return value
    found = entries(value)
    kept = [one for one in found or () if isinstance(one, dict)]
    if found is None or (len(kept) < len(found) and not all(_is_empty(one) for one in found)):
        notes.append(f"{name or key}_unreadable")
    return kept


def _is_empty(one: object) -> bool:
    return isinstance(one, dict) or one in NOTHING


def picture(value: object, notes: list[str]) -> str | None:
    """The address of the first picture, from objects with `src`, or from addresses instead of these."""
    if not value:
        return None
    found = [value] if isinstance(value, dict) and "src" in value else entries(value)
    given = False
    for one in [value] if found is None else found:
        said = one.get("src", one or None) if isinstance(one, dict) else one
        if address := web_address(said):
            return address
        given = given or said not in NOTHING
    if given:
        notes.append("image_unreadable")
    return None


def identifier(value: object, field: str) -> str | None:
    """An id as text; None for 0, "", null and the like, which is how PHP says that there is none.

    Raises:
        Rejected: `invalid_id`.
    """
    if not value:
        return None
    if type(value) is int and value > 0:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _ID_DIGITS:
        return value.lstrip("0") or None
    raise Rejected("invalid_id", field, "not a positive whole number")


def readable_id(value: object) -> str | None:
    """As `identifier`, with None for what cannot be read."""
    try:
        return identifier(value, "")
    except Rejected:
        return None


def prose(value: object, notes: list[str]) -> str | None:
    """An HTML fragment as one paragraph of text; noted where it was cut, or is no text."""
    if not isinstance(value, str):
        if value not in NOTHING:
            notes.append("description_unreadable")
        return None
    found, cut = plain_text(value)
    notes.extend(cut)
    return found
