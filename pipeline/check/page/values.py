"""Texts of tags as the web client's JavaScript reads them, and what is wrong with how they are written."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

#: What JavaScript's `trim` and its number readers skip; Python's `strip` has another list.
_BLANK = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
#: Digits that go on behind a mark: what stands there belongs to the number.
_GOES_ON = re.compile(rf"[{_BLANK}.,'\u2019\u00b7\u066b\u066c_]*[0-9]")
_ONLY_ZEROS = re.compile(r"\.0*$")
#: More digits than this lose their last in JavaScript, too.
_EXACT_DIGITS = 15

Number = int | float


def trimmed(text: str) -> str:
    """As JavaScript's `trim`."""
    return text.strip(_BLANK)


def parse_float(text: str) -> float | None:
    """As JavaScript's `parseFloat`; None where it gives NaN or no finite number."""
    found = _DECIMAL.match(trimmed(text))
    number = float(found[0]) if found else math.nan
    return number if math.isfinite(number) else None


def parse_int(text: str) -> Number | None:
    """As JavaScript's `parseInt`; None where it gives NaN or no finite number."""
    found = _INTEGER.match(trimmed(text))
    if found is None:
        return None
    if len(found[0]) <= _EXACT_DIGITS:
        return int(found[0])
    number = float(found[0])
    return number if math.isfinite(number) else None


@dataclass(frozen=True, slots=True)
class Written:
    """How a number is written.

    Attributes:
        how: `plain`; `decorated`: read rightly, with something behind it; `cut`: the client stops within the
            number; `unreadable`: it reads none.
        more: what is behind it, or what stops it.
    """

    how: Literal["plain", "decorated", "cut", "unreadable"]
    more: str = ""


def decimal_written(text: str) -> Written:
    """How an amount is written."""
    if parse_float(text) is None:
        return Written("unreadable")
    return _behind(trimmed(text), _DECIMAL)


def integer_written(text: str) -> Written:
    """How a count is written; zeros behind a point change nothing."""
    if parse_int(text) is None:
        return Written("unreadable")
    text = trimmed(text)
    found = _INTEGER.match(text)
    rest = text[found.end() :] if found else ""
    if rest and _ONLY_ZEROS.match(rest):
        return Written("decorated", rest)
    return _behind(text, _INTEGER)


def _behind(text: str, number: re.Pattern[str]) -> Written:
    found = number.match(text)
    rest = text[found.end() :] if found else text
    if not rest:
        return Written("plain")
    return Written("cut" if _GOES_ON.match(rest) else "decorated", trimmed(rest)[:40])


def may_be_thousands(text: str) -> bool:
    """Whether a point may part thousands: `1.250`."""
    return re.fullmatch(r"[1-9][0-9]{0,2}\.[0-9]{3}", trimmed(text)) is not None


DateFault = Literal["not_iso", "no_zone", "no_time", "basic", "blank"]
_DATE = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:(?P<mark>[Tt]|[ \u00a0]+)(?P<time>[0-9]{2}:[0-9]{2}(?P<seconds>:[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
    r"(?P<zone>(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_BASIC = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})?(Z|[+-][0-9]{2,4})?")


def date_faults(text: str) -> tuple[DateFault, ...]:
    """What is wrong with a date that must be ISO 8601; nothing where it is right."""
    text = trimmed(text)
    if basic := _BASIC.fullmatch(text):
        year, month, day, hour, minute, second, _ = basic.groups()
        real = _is_real(f"{year}-{month}-{day}", f"{hour}:{minute}:{second or '00'}", "")
        return ("basic",) if real else ("not_iso",)
    found = _DATE.fullmatch(text)
    if found is None or not _is_real(found["day"], found["time"] or "", found["zone"] or ""):
        return ("not_iso",)
    faults: list[DateFault] = []
    if found["time"] is None:
        return ("no_time",)
    if found["mark"] not in {"T", "t"}:
        faults.append("blank")
    if found["zone"] is None:
        faults.append("no_zone")
    return tuple(faults)


def _is_real(day: str, time: str, zone: str) -> bool:
    """Whether calendar and clock have it; midnight may be written as 24:00."""
    clock = re.split(r"[.,]", time)[0] or "00:00"
    clock = re.sub(r"^24(:00){1,2}$", "00:00", clock)
    offset = re.sub("[^0-9]", "", zone)
    try:
        datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        return False
    return not offset or (int(offset[:2]) <= 14 and int(offset[2:] or 0) < 60)  # noqa: PLR2004 - hours, minutes


def is_unix_ms(text: str) -> bool:
    """Whether a text is a moment in Unix milliseconds, from 1973 on."""
    return re.fullmatch(r"[0-9]{12,13}", trimmed(text)) is not None


def is_unix_seconds(text: str) -> bool:
    """Whether a text is a moment in Unix seconds, which would be read as of January 1970."""
    return re.fullmatch(r"[0-9]{9,10}", trimmed(text)) is not None


UrlFault = Literal["relative", "scheme", "encoded", "broken", "unauthorised"]


def url_faults(text: str, domains: tuple[str, ...] = ()) -> tuple[UrlFault, ...]:
    """What is wrong with the address of a product's page, as Connectif wants it."""
    text = trimmed(text)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return ("broken",)
    faults: list[UrlFault] = []
    if not parts.scheme or text.startswith("//"):
        faults.append("relative")
    elif parts.scheme not in {"http", "https"}:
        return ("scheme",)
    elif not host:
        return ("broken",)
    elif not authorised(text, domains):
        faults.append("unauthorised")
    if re.search(r"%[0-9A-Fa-f]{2}", text):
        faults.append("encoded")
    return tuple(faults)


def authorised(url: str, domains: tuple[str, ...]) -> bool:
    """Whether an address is on one of the authorised domains; none listed: it is not known to be off them.

    Scheme and host must be the same, and the port where one is written; `*` stands for any part of a host.
    """
    return not domains or any(_is_on(url, domain) for domain in domains)


def _is_on(url: str, domain: str) -> bool:
    scheme, host, port = _origin(url)
    known_scheme, known, known_port = _origin(domain if "//" in domain else f"//{domain}")
    if known_scheme and known_scheme != scheme:
        return False
    if port != known_port and (known_port is not None or port not in {None, 80, 443}):
        return False
    if known.startswith("*."):
        return host == known[2:] or host.endswith(known[1:])
    if "*" in known:
        # One part after the other: patterns from outside are no regular expressions here.
        return _fits(host, known.split("*"))
    return bool(host) and host == known


def _fits(host: str, parts: list[str]) -> bool:
    if not (host.startswith(parts[0]) and host.endswith(parts[-1])):
        return False
    position = 0
    for part in parts:
        position = host.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return True


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(trimmed(url))
        port = parts.port
    except ValueError:
        return "", "", None
    is_usual = port == {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").rstrip("."), None if is_usual else port
