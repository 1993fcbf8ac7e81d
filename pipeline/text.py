"""Times and texts as a person reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MINUTE = 60
#: What may be an e-mail address, in Connectif's messages or in a URL.
_ADDRESS = re.compile(r"[^\s\"'<>]+(?:@|%40)[^\s\"'<>]+", re.IGNORECASE)
#: The same where a bar parts it from what it stands beside, as in keys of messages.
_ADDRESS_IN_A_KEY = re.compile(r"[^\s\"'<>|@]+(?:@|%40)[^\s\"'<>|@]+", re.IGNORECASE)
#: What a formula begins with, and what spreadsheets skip before it.
_FORMULA = frozenset("=+-@\t\r＝＋－＠")  # noqa: RUF001 - the wide forms count, too
_BLANK = " \u00a0\ufeff\n"


#: Characters that move the cursor, change colours or turn the direction of writing, and halves of characters.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """A text that a terminal shows as it is: of control characters only line breaks and tabs are left."""
    return _UNPRINTABLE.sub("?", text)


def in_a_line(text: str) -> str:
    """The same without line breaks and tabs."""
    return printable(text).replace("\n", "?").replace("\t", "?")


def without_addresses(text: str) -> str:
    """A text for a log, where no part of an address may stand: Connectif may repeat the one it refuses."""
    return _ADDRESS.sub("(address)", text)


def masked_addresses(text: str) -> str:
    """A text with each e-mail address told apart from others by its first letters, and readable no more."""
    return _ADDRESS_IN_A_KEY.sub(_first_letters, text)


def _first_letters(found: re.Match[str]) -> str:
    local, _, domain = re.sub("%40", "@", found[0], flags=re.IGNORECASE).partition("@")
    return f"{local[:1]}…@{domain[:1]}…"


def span(seconds: float | None) -> str:
    """A time as a person says it: `2.5 s`, `12 min`, `3 h 21 min`, `1 d 4 h`; None is not known yet."""
    if seconds is None:
        return "not known yet"
    if seconds < 10:  # noqa: PLR2004 - tenths matter up to there
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / MINUTE)
    days, hours = minutes // 1_440, minutes // 60 % 24
    parts = [(days, "d"), (hours, "h"), (0 if days else minutes % 60, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def moment(wall: float) -> str:
    """A moment in the machine's time, with its offset."""
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")
    except (ValueError, OverflowError, OSError):  # anybody may write any number on a topic
        return f"{wall:.0f} s from 1970 on"


def figure(count: int) -> str:
    """A count in a table; nothing is a dot."""
    return f"{count:,}" if count else "·"


def in_a_cell(text: str | None) -> str | None:
    """A text that no spreadsheet takes for a formula: one that begins like it gets an apostrophe in front."""
    return f"'{text}" if text and text.lstrip(_BLANK)[:1] in _FORMULA else text
