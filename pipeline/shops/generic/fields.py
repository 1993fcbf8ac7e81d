"""How the values of our contract are read: strictly where a record rests on them, else as far as possible."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops import lenient, values
from pipeline.shops.base import Rejected
from pipeline.shops.catalogue import MAX_NAMES, plain_text
from pipeline.shops.php import entries
from pipeline.shops.values import MAX_NUMBER, epoch_ms, instant, money

#: Integers are exact in floating point up to it.
_EXACT = 2**53
_MAX_ID = 200
_CODE = re.compile(r"[A-Z]{3}")
#: Second 60, which clocks show when a second is put in.
_LEAP = re.compile(r"(.*[0-9]{2}:?[0-9]{2}:?)60((?:[.,][0-9]+)? ?(?:Z|[+-][0-9:]+))")
_SECOND = timedelta(seconds=1)
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def identifier(value: object, field: str) -> str | None:
    """An id as text, whether it came as text or as a number; None where there is none.

    `1001`, `"1001"` and `1001.0` are one id, `"01001"` is another.

    Raises:
        Rejected: `invalid_id`, also for numbers that are too large to be exact.
    """
    if value is None or value == "":
        return None
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    written = value.strip() if isinstance(value, str) else ""
    if not written or len(written) > _MAX_ID or not written.isprintable():
        raise Rejected("invalid_id", field, f"not a text of 1 to {_MAX_ID} characters, nor a whole number")
    return written


def readable_id(value: object) -> str | None:
    """As `identifier`, with None for what cannot be read."""
    try:
        return identifier(value, "")
    except Rejected:
        return None


def own_id(data: Mapping[str, Any]) -> str:
    """The id of the entity that the document describes.

    Raises:
        Rejected: `missing_field`, `invalid_id`.
    """
    own = identifier(data.get("id"), "data.id")
    if own is None:
        raise Rejected("missing_field", "data.id", "the document does not say which entity it is")
    return own


def moment(value: object, field: str) -> datetime:
    """A moment in UTC from ISO 8601 text with an offset.

    Raises:
        Rejected: `invalid_date`, also for a local time: nobody knows where its clock hangs.
    """
    if not isinstance(value, str):
        raise Rejected("invalid_date", field, "not a text such as 2024-05-06T10:15:00+02:00")
    written = value.strip()[:MAX_NUMBER].replace("z", "Z")
    leap = _LEAP.fullmatch(written)
    if leap is not None:
        written = f"{leap[1]}59{leap[2]}"
    try:
        has_offset = datetime.fromisoformat(written).tzinfo is not None
    except ValueError:
        has_offset = True  # what is wrong with it, `instant` says
    if not has_offset:
        raise Rejected(
            "invalid_date", field, "a time without an offset; send one, such as 2024-05-06T10:15:00+02:00"
        )
    found = instant(written, field)
    return found if leap is None else found + _SECOND


def version_of(data: Mapping[str, Any], event: RawEvent, notes: list[str]) -> int:
    """When the entity changed last, epoch ms: as the document says, else the envelope, else its arrival.

    Raises:
        Rejected: `invalid_date`.
    """
    updated = data.get("updated_at")
    if updated is not None:
        return epoch_ms(moment(updated, "data.updated_at"))
    notes.append("updated_at_missing")
    return said_ms(event)


def as_list(value: object) -> object:
    """What a list holds, also as PHP writes one with a gap, or one thing instead of a list of one."""
    return entries(value) if value and isinstance(value, dict) else value


def parts(node: Mapping[str, Any], key: str, notes: list[str]) -> list[dict[str, Any]]:
    """A list of objects, in PHP's forms, too; what else is none is left out and noted."""
    return lenient.parts({key: as_list(node.get(key))}, key, notes)


def said_ms(event: RawEvent) -> int:
    """When the shop says that it happened (the envelope's `timestamp`), else when it arrived."""
    return event.triggered_ms or event.received_ms


def amount(value: object, field: str) -> Decimal:
    """An amount of money, exactly as it is written; floating point writes some nothings as `-0.0`.

    Raises:
        Rejected: `invalid_money`.
    """
    return money(value, field).copy_abs()


def number(value: object) -> Decimal | None:
    """The number, written as one or as text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    written = str(value)
    if len(written) > MAX_NUMBER or "_" in written:
        return None
    try:
        found = Decimal(written)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def currency_code(value: object) -> str | None:
    """The three letters of a currency, in upper case; None for a symbol and everything else."""
    written = value.strip().upper() if isinstance(value, str) else ""
    return written if _CODE.fullmatch(written) else None


def flag(value: object) -> bool | None:
    """A boolean, also as languages without one write it; None for what is none."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()[:5] if isinstance(value, str | int) else ""
    return True if word in _YES else False if word in _NO else None


def word(value: object) -> str:
    """A word of a closed list, in lower case; "" where there is none."""
    return value.strip().lower()[:60].replace(" ", "_").replace("-", "_") if isinstance(value, str) else ""


def plain(node: Mapping[str, Any], key: str, notes: list[str], limit: int = 500) -> str | None:
    """A name; tags are taken out of it and noted, escapes are read once."""
    return lenient.plain(node, key, notes, limit)


def prose(node: Mapping[str, Any], key: str, notes: list[str]) -> str | None:
    """A description as one paragraph of text."""
    value = node.get(key)
    if not isinstance(value, str):
        if value:
            notes.append(f"{key}_unreadable")
        return None
    found, cut = plain_text(value)
    notes.extend(cut)
    return found


def web_address(node: Mapping[str, Any], key: str, notes: list[str]) -> str | None:
    """An absolute http(s) address; what is none is left out and noted."""
    found = values.web_address(node.get(key))
    if found is None and node.get(key):
        notes.append(f"{key}_unreadable")
    return found


def names(node: Mapping[str, Any], key: str, notes: list[str]) -> tuple[str, ...]:
    """The texts of a list, or the names of its objects, each once; what is neither is left out and noted."""
    value = node.get(key)
    listed: Sequence[object] = value if isinstance(value, list) else ([value] if value else ())
    if len(listed) > MAX_NAMES:
        notes.append(f"{key}_cut")
        listed = listed[:MAX_NAMES]
    found: dict[str, None] = {}
    for one in listed:
        said = plain(one if isinstance(one, dict) else {"name": one}, "name", [], 300)
        if said is not None:
            found[said] = None
        elif one:
            notes.append(f"{key}_unreadable")
    return tuple(found)


def first_name(node: Mapping[str, Any], key: str, notes: list[str]) -> str | None:
    """A text, or the name of an object: a brand."""
    value = node.get(key)
    return plain(value, "name", notes, 300) if isinstance(value, dict) else plain(node, key, notes, 300)
