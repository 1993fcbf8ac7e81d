"""Cells of others' files -> ids, amounts, moments. Pure; what cannot be read is None, never a guess."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

#: Longest id that is taken for one; shops' have some twenty characters.
ID_MAX = 200
#: No order costs more, and no cell of an amount is longer.
_MONEY_MAX, _MONEY_CHARS = Decimal(10) ** 12, 40
#: Money with three digits after the separator; elsewhere three digits are thousands.
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
#: What a spreadsheet makes of a long number: its last digits are gone.
_ROUNDED = re.compile(r"\d([.,]\d+)?[eE]\+\d+")
#: `="1234"` and `'1234` are how files keep a spreadsheet from rounding an id.
_GUARDED = re.compile(r'=?"([^"]*)"|\'(.*)')
_WHOLE = re.compile(r"(\d+)\.0+")
_NUMBER = re.compile(r"[-+]?\d[\d.,'\u2019\s]*")
_SPACED_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)|\s+UTC$|\s+(?=Z$)")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


def identifier(cell: str) -> str | None:
    """An id as the shop wrote it; None where there is none, or a spreadsheet rounded it."""
    if cell.isascii() and cell.isalnum() and len(cell) <= ID_MAX:
        return cell  # nearly all are so, and there may be a million
    text = unicodedata.normalize("NFC", cell).strip().strip("\ufeff")
    guarded = _GUARDED.fullmatch(text)
    if guarded is not None:
        text = (guarded[1] if guarded[1] is not None else guarded[2]).strip()
    whole = _WHOLE.fullmatch(text)
    text = whole[1] if whole is not None else text
    if not text or len(text) > ID_MAX or not text.isprintable() or "@" in text or _ROUNDED.fullmatch(text):
        return None  # an address is no id: the wrong column was named
    return text


def money(cell: str, currency: str = "", decimal: str | None = None) -> Decimal | None:
    """An amount, with or without a currency's sign and separators of thousands.

    Args:
        cell: the text.
        currency: of the amount, if it is known: some have three decimals.
        decimal: the decimal separator, `,` or `.`; None: it is told from the number.
    """
    text = cell.strip()
    if not text or len(text) > _MONEY_CHARS:
        return None
    negative = text.startswith("(") and text.endswith(")")
    found = _NUMBER.findall(text.replace("\u2212", "-"))
    if len(found) != 1:
        return None
    digits = re.sub(r"['\u2019\s]", "", found[0]).rstrip(".,")
    mark = decimal if decimal is not None else _decimal_mark(digits, currency)
    for other in {".", ","} - {mark}:
        digits = digits.replace(other, "")
    if mark and digits.count(mark) > 1:
        return None
    try:
        amount = Decimal(digits.replace(",", "."))
    except InvalidOperation:
        return None
    amount = -amount if negative else amount
    return amount if abs(amount) < _MONEY_MAX else None


def _decimal_mark(digits: str, currency: str) -> str:
    """Which of the separators begins the decimals; empty: none does."""
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return ""
    mark = digits[last]
    if {".", ","} <= set(digits):
        return mark
    if digits.count(mark) > 1:
        return ""
    three = len(digits) - last - 1 == 3  # noqa: PLR2004 - a group of thousands
    return "" if three and currency.upper() not in _THREE_DECIMALS else mark


def moment_ms(cell: str, zone: ZoneInfo, form: str | None = None) -> int | None:
    """A moment in epoch milliseconds.

    Args:
        cell: the text: ISO 8601 in any of its common spellings, or as `form` says.
        zone: of moments without an offset.
        form: as `datetime.strptime` takes it; None: ISO 8601.
    """
    text = cell.strip()
    try:
        if form is not None:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is given below
        else:
            utc = text.endswith("UTC")
            found = datetime.fromisoformat(_SPACED_OFFSET.sub("", text).replace("/", "-"))
            found = found.replace(tzinfo=UTC) if utc else found
        found = found if found.tzinfo is not None else found.replace(tzinfo=zone)
        return int(found.timestamp() * 1_000) if found < _LATEST else None
    except (ValueError, OverflowError):
        return None


def name_of_column(text: str) -> str:
    """A heading as headings are compared: small letters and digits, without accents."""
    plain = unicodedata.normalize("NFKD", text.replace("#", " number ").replace("ß", "ss")).casefold()
    return "".join(filter(str.isalnum, plain))
