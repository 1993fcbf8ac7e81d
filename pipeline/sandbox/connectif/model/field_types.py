"""Types of fields, and whether the fields of a JSON body are of theirs."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.sandbox.connectif.model.api_errors import Violation

_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]]{1,64}@(?=.{1,253}$)[^@\s._,-][^@\s_,]*\.[^@\s._,]{2,}")
_PHONE = re.compile(r"\+[1-9][0-9 ]{4,18}")
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_PERCENT = 100
_STARS = 5


class FieldType(NamedTuple):
    """A kind of value: whether a JSON value is one, and how a CSV cell is read (or a ValueError)."""

    check: Callable[[Any], bool]
    read: Callable[[str], Any]


def is_email(value: Any) -> bool:
    """Whether it can be an e-mail address."""
    return isinstance(value, str) and _EMAIL.fullmatch(value) is not None


def is_object_id(value: str) -> bool:
    """Whether it can be an id of Connectif's."""
    return _OBJECT_ID.fullmatch(value) is not None


def parse_timestamp(text: str) -> float:
    """ISO 8601 -> epoch seconds; without a zone it is UTC.

    Raises:
        ValueError: it is neither a date nor a time.
    """
    value = datetime.fromisoformat(text)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def iso(at: float) -> str:
    """Epoch seconds -> ISO 8601 as the API writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_utc(text: str) -> str:
    """ISO 8601, with any offset or none -> the same moment as the API writes it.

    Raises:
        ValueError: it is no moment, or one that cannot be written.
    """
    try:
        return iso(parse_timestamp(text))
    except OverflowError:
        raise ValueError("not a moment that can be written") from None


def _is_timestamp(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        # Near year 1 and year 9999 an offset can lead out of what can be written again.
        to_utc(value)
    except ValueError:
        return False
    return True


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_integer(value: Any) -> bool:
    return type(value) is int  # a boolean is an int to isinstance


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_url(value: Any) -> bool:
    """Whether it is a web address with a host; it need not be percent-encoded."""
    return isinstance(value, str) and _is_web_address(value)


@functools.lru_cache(maxsize=10_000)
def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _read_integer(cell: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", cell):
        raise ValueError(cell)
    return int(cell)


def _read_leading_integer(cell: str) -> int:
    """Contacts' integers begin with 1 to 9, so 0 is none."""
    if not re.fullmatch(r"[1-9][0-9]*", cell):
        raise ValueError(cell)
    return int(cell)


def _read_number(cell: str) -> float:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell):
        raise ValueError(cell)
    value = float(cell)
    return int(value) if value.is_integer() else value


def _read_boolean(cell: str) -> bool:
    if cell not in ("true", "false"):
        raise ValueError(cell)
    return cell == "true"


def _read_date(cell: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
        raise ValueError(cell)
    return date.fromisoformat(cell).isoformat()


def _read_list(cell: str) -> list[str]:
    return [item for item in cell.split("|") if item]


TEXT = FieldType(_is_text, str)
URL = FieldType(is_url, str)
URL_OR_EMPTY = FieldType(lambda value: value == "" or is_url(value), str)
EMAIL = FieldType(is_email, str)
PHONE = FieldType(lambda value: _is_text(value) and _PHONE.fullmatch(value) is not None, str)
NUMBER = FieldType(_is_number, _read_number)
PERCENT = FieldType(lambda value: _is_number(value) and 0 <= value <= _PERCENT, _read_number)
RATING = FieldType(lambda value: _is_number(value) and 0 <= value <= _STARS, _read_number)
INTEGER = FieldType(_is_integer, _read_integer)
CONTACT_INTEGER = FieldType(_is_integer, _read_leading_integer)
BOOLEAN = FieldType(lambda value: isinstance(value, bool), _read_boolean)
TEXTS = FieldType(_is_texts, _read_list)
DATE_TIME = FieldType(_is_timestamp, str)
DATE = FieldType(_is_timestamp, _read_date)


def one_of(*values: str) -> FieldType:
    """One of the texts."""
    return FieldType(lambda value: isinstance(value, str) and value in values, str)


@functools.lru_cache
def split_commas(listed: str) -> tuple[str, ...]:
    """A list in a text, with commas."""
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def violations(
    body: Mapping[str, Any],
    known: Mapping[str, FieldType],
    *,
    required: Collection[str] = (),
    refuse_unknown: bool = False,
    allow_null: bool = False,
    at: str = "",
) -> list[Violation]:
    """What is wrong with the fields of `body`; `at` is its JSON pointer."""
    wrong = [
        Violation(name, f"{at}/{name}", "Value is required") for name in required if body.get(name) is None
    ]
    for name, value in body.items():
        field_type = known.get(name)
        if field_type is None:
            if refuse_unknown:
                wrong.append(Violation(name, f"{at}/{name}", "Field is not known"))
        elif value is None:
            if not allow_null and name not in required:
                wrong.append(Violation(name, f"{at}/{name}"))
        elif not field_type.check(value):
            wrong.append(Violation(name, f"{at}/{name}"))
    return wrong
