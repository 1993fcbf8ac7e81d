"""Fields that no record rests on: what cannot be read of them is left out, and noted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pipeline.shops.catalogue import plain_name
from pipeline.shops.values import text

_EMPTY: Mapping[str, Any] = {}
_MARKUP_LIMIT = 4_000
_ISO_DAY = len("1990-02-28")
#: What databases write where there is no day.
_NO_DAY = ("0000-", "0001-", "-0001-")


def part(node: Mapping[str, Any], key: str, notes: list[str]) -> Mapping[str, Any]:
    """An object; empty, and noted, where it is something else."""
    value = node.get(key)
    if isinstance(value, dict):
        return value
    if value:
        notes.append(f"{key}_unreadable")
    return _EMPTY


def parts(node: Mapping[str, Any], key: str, notes: list[str]) -> list[dict[str, Any]]:
    """A list of objects: nothing is skipped, what else is no object is left out and noted."""
    value = node.get(key)
    if not value:
        return []
    if not isinstance(value, list):
        notes.append(f"{key}_unreadable")
        return []
    found = [one for one in value if isinstance(one, dict)]
    if len(found) != len(value) and any(one and not isinstance(one, dict) for one in value):
        notes.append(f"{key}_unreadable")
    return found


def decoration(node: Mapping[str, Any], key: str, notes: list[str], limit: int = 200) -> str | None:
    """A text; in a form that is none it is left out and noted."""
    value = node.get(key)
    if value and (value is True or isinstance(value, (dict, list))):
        notes.append(f"{key}_unreadable")
    return text(value, limit)


def plain(node: Mapping[str, Any], key: str, notes: list[str], limit: int = 2_000) -> str | None:
    """A name without its markup: shops store `Tom &amp; Jerry`, `&lt;Variable&gt;` and `Mug <sup>2</sup>`.

    Noted where tags were taken out, and where it is no text.
    """
    found = decoration(node, key, notes, _MARKUP_LIMIT)
    if found is None or ("&" not in found and "<" not in found):
        return found[:limit] if found else None
    name, marked_up = plain_name(found)
    if marked_up:
        notes.append("markup_removed")
    return name[:limit] if name else None


def birthdate(node: Mapping[str, Any], key: str, notes: list[str]) -> str | None:
    """A day of birth, yyyy-mm-dd; what is no day of the calendar is left out and noted."""
    written = node.get(key)
    if not written or str(written).startswith(_NO_DAY):
        return None
    try:
        return date.fromisoformat(str(text(written))[:_ISO_DAY]).isoformat()
    except ValueError:
        notes.append("birthdate_unreadable")
        return None
