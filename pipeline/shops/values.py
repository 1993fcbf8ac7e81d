"""Values as shops write them -> values Connectif can hold. Each either converts exactly or says why not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from pipeline.shops.base import Rejected

#: Connectif and the shops deal in 2..4 decimals; anything near these bounds is a broken body.
MAX_MONEY = Decimal("1e12")
_NUMERIC = (str, int, float, Decimal)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_NEWEST = datetime(2100, 1, 1, tzinfo=UTC)


def signed_base64(secrets: Sequence[bytes], signature: str, body: bytes) -> bool:
    """Whether `signature` is base64(HMAC-SHA256(body)) under one of the secrets.

    Every secret is tried whatever the result, so the time tells nothing.
    """
    given = signature.encode("latin-1", "replace")
    genuine = False
    for secret in secrets:
        expected = base64.b64encode(hmac.digest(secret, body, "sha256"))
        genuine |= hmac.compare_digest(expected, given)
    return genuine


def body_hash(body: bytes) -> str:
    """The fallback delivery id: equal bodies are one delivery."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def parse_json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Rejected: `invalid_json`.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Rejected("invalid_json", detail=f"{error.msg} at byte {error.pos}") from None
    if not isinstance(value, dict):
        raise Rejected("invalid_json", detail=f"the body is a {type(value).__name__}, not an object")
    return value


def money(value: object, field: str) -> Decimal:
    """A price or total as Decimal, whatever JSON type carries it; never by way of float arithmetic.

    Raises:
        Rejected: `invalid_money` for anything that is not a finite, non-negative, plausible amount.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMERIC):
        raise Rejected("invalid_money", field, f"a {type(value).__name__} is not an amount")
    written = str(value)
    if "_" in written:  # Python's own way to write numbers, no shop's
        raise Rejected("invalid_money", field, "not a number")
    try:
        amount = Decimal(written)
    except InvalidOperation:
        raise Rejected("invalid_money", field, "not a number") from None
    if not amount.is_finite() or amount < 0 or amount > MAX_MONEY:
        raise Rejected("invalid_money", field, "negative, not finite or implausibly large")
    return amount


def instant(value: object, field: str, zone: str = "UTC") -> datetime:
    """A moment in UTC from ISO 8601 text; text without an offset is local time in `zone`.

    Raises:
        Rejected: `invalid_date` for anything else, and for years no shop can mean.
    """
    if not isinstance(value, str):
        raise Rejected("invalid_date", field, f"a {type(value).__name__} is not a date")
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected("invalid_date", field, "not an ISO 8601 date") from None
    if not _OLDEST <= moment <= _NEWEST:
        raise Rejected("invalid_date", field, f"the year {moment.year} is not plausible")
    return moment


def epoch_ms(moment: datetime) -> int:
    """Whole milliseconds since the epoch, by integer arithmetic."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def iso(moment: datetime) -> str:
    """The form Connectif takes: `2024-09-13T10:49:31Z`, with milliseconds only where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


#: Addresses of this form are certainly possible; checking all the others takes the library 40 us.
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]{1,60}(?:-[a-z0-9]{1,2})?\.)+(?:com|net|org|[a-z]{2})"
)
_MAX_EMAIL = 254


@lru_cache(maxsize=65_536)
def email(value: str, field: str = "email") -> str:
    """An e-mail address as identity: trimmed, lower case, and possible.

    Raises:
        Rejected: `invalid_email`.
    """
    plain = value.strip().lower()
    if _PLAIN_EMAIL.fullmatch(plain) and len(plain) <= _MAX_EMAIL:
        return plain
    try:
        checked = validate_email(value.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Rejected("invalid_email", field, "no such address can exist") from None
    return checked.normalized.lower()


@lru_cache(maxsize=65_536)
def phone(value: str, country: str | None) -> str | None:
    """A phone number in E.164, read with the country of its address; None where it cannot be one."""
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    # Possible within its area only: without the area code nobody reaches it from elsewhere.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_NO_TEXT = (bool, dict, list)
_MAX_ADDRESS = 2_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def text(value: object, limit: int = 2_000) -> str | None:
    """Trimmed text without control characters, or None where there is none; numbers become text."""
    if value is None or isinstance(value, _NO_TEXT):
        return None
    cleaned = str(value)
    if not cleaned.isprintable():
        cleaned = _CONTROL.sub("", cleaned)
    return cleaned.strip()[:limit] or None


def email_text(value: object) -> str | None:
    """An e-mail address as the shop wrote it, trimmed, or None where there is none.

    Nothing is taken out of it, as `text` does: what remained could be another person's.
    """
    if value is None or isinstance(value, _NO_TEXT):
        return None
    return str(value).strip()[:_MAX_ADDRESS] or None
