"""Values as shops write them -> values Connectif can hold. Each either converts exactly or says why not."""

from __future__ import annotations

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from pipeline.shops.base import Rejected

#: Connectif and the shops deal in 2..4 decimals; anything near these bounds is a broken body.
MAX_MONEY = Decimal("1e12")
_ZERO = Decimal(0)
#: No shop writes longer numbers; what is computed from them has twice their digits.
MAX_NUMBER = 100
_NUMERIC = (str, int, float, Decimal)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST = datetime(2100, 1, 1, tzinfo=UTC)


def signed_base64(secrets: Sequence[bytes], signature: str, body: bytes) -> bool:
    """Whether `signature` is base64(HMAC-SHA256(body)) under one of the secrets.

    Every secret is tried whatever the result, so the time reveals nothing.
    """
    expected = [b2a_base64(hmac.digest(secret, body, "sha256"), newline=False) for secret in secrets]
    return any_equal(expected, signature.encode("latin-1", "replace"))


def any_equal(expected: Sequence[bytes], given: bytes) -> bool:
    """Whether `given` is one of those expected; every one is compared, so the time reveals nothing."""
    genuine = False
    for one in expected:
        genuine |= hmac.compare_digest(one, given)
    return genuine


def body_hash(body: bytes) -> str:
    """The fallback delivery id: equal bodies are one delivery."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


#: Half of a surrogate pair as an escape of JSON text, where each backslash begins an escape.
_FIRST_HALF = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_SECOND_HALF = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_FIRST_HALF, _SECOND_HALF, _FIRST_HALF, _SECOND_HALF), re.DOTALL)
#: A surrogate pair as bytes, each half as a character of its own; and half of one.
_PAIR_IN_BYTES = re.compile(rb"\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])")
_HALF_IN_BYTES = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT = "\ufffd".encode()
#: So many are read as what they mean: each takes a microsecond.
_MAX_PAIRS = 100_000


def parse_json(body: bytes, notes: list[str] | None = None) -> object:
    """What the bytes say as JSON.

    Half a surrogate pair, which shops that cut texts in the middle of an emoji send, and other bytes that are
    no character become U+FFFD.

    Args:
        body: the bytes as they came.
        notes: where given, `broken_text` is added to it if a character was replaced.

    Raises:
        Rejected: `invalid_json`.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        value = _parsed_with_replacements(body, error)
        if notes is not None:
            notes.append("broken_text")
        return value


def parse_json_object(body: bytes, notes: list[str] | None = None) -> dict[str, Any]:
    """The body as a JSON object; see `parse_json`.

    Raises:
        Rejected: `invalid_json`.
    """
    value = parse_json(body, notes)
    if not isinstance(value, dict):
        raise Rejected("invalid_json", detail=f"the body is a {type(value).__name__}, not an object")
    return value


def _parsed_with_replacements(body: bytes, error: orjson.JSONDecodeError) -> object:
    """What the body says once its broken characters are replaced; `error` is what it is refused for else."""
    # Without escaped backslashes, every backslash begins an escape.
    written = _whole_characters(body).replace(rb"\\", rb"\u005c")
    mended = _HALF.sub(rb"\\ufffd", written)
    if mended != body:
        try:
            return orjson.loads(mended)
        except orjson.JSONDecodeError:
            pass
    raise Rejected("invalid_json", detail=f"{error.msg} at byte {error.pos}") from None


def _whole_characters(body: bytes) -> bytes:
    """UTF-8 without halves of surrogate pairs and without bytes that are no character.

    Python's own ways to the same take a microsecond for each.
    """
    if b"\xed" in body:
        body = _HALF_IN_BYTES.sub(_REPLACEMENT, _PAIR_IN_BYTES.sub(_character, body, _MAX_PAIRS))
    return body.decode("utf-8", "replace").encode()


def _character(pair: re.Match[bytes]) -> bytes:
    """The character that a surrogate pair means."""
    one, two, three, four = (byte[0] & 0x3F for byte in pair.groups())
    return chr(0x10000 + ((one & 0xF) << 16 | two << 10 | (three & 0xF) << 6 | four)).encode()


def money(value: object, field: str) -> Decimal:
    """A price or total as Decimal, whatever JSON type carries it; never by float arithmetic.

    Raises:
        Rejected: `invalid_money` for anything that is not a finite, non-negative, plausible amount.
    """
    if type(value) is str:
        written = value
    elif isinstance(value, bool) or not isinstance(value, _NUMERIC):
        raise Rejected("invalid_money", field, f"a {type(value).__name__} is not an amount")
    else:
        written = str(value)
    if "_" in written or len(written) > MAX_NUMBER:  # Python's notation of numbers, no shop's
        raise Rejected("invalid_money", field, "not a number")
    try:
        amount = Decimal(written)
    except InvalidOperation:
        raise Rejected("invalid_money", field, "not a number") from None
    if not amount.is_finite() or not _ZERO <= amount <= MAX_MONEY:
        raise Rejected("invalid_money", field, "negative, not finite or implausibly large")
    return amount


def instant(value: object, field: str, zone: str = "UTC", notes: list[str] | None = None) -> datetime:
    """A moment in UTC from ISO 8601 text; text without an offset is local time in `zone`.

    Twice a year a local hour exists twice, or never: then it is the earlier of the two moments it can mean,
    and `local_hour_unclear` is added to `notes` where these are given.

    Raises:
        Rejected: `invalid_date` for anything else, and for years no shop can mean.
    """
    if not isinstance(value, str):
        raise Rejected("invalid_date", field, f"a {type(value).__name__} is not a date")
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is None and zone == "UTC":
            moment = moment.replace(tzinfo=UTC)
        elif moment.tzinfo is None:
            moment = _local(moment, ZoneInfo(zone), notes)
        else:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Rejected("invalid_date", field, "not an ISO 8601 date") from None
    if not _OLDEST <= moment <= _NEWEST:
        raise Rejected("invalid_date", field, f"the year {moment.year} is not plausible")
    return moment


def _local(moment: datetime, zone: ZoneInfo, notes: list[str] | None) -> datetime:
    """The earlier of the moments at which the clocks of a zone show this time, or would if never set."""
    one, other = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if one != other and notes is not None:
        notes.append("local_hour_unclear")
    return min(one, other)


def epoch_ms(moment: datetime) -> int:
    """Whole milliseconds since the epoch, by integer arithmetic."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def iso(moment: datetime) -> str:
    """The form Connectif takes: `2024-09-13T10:49:31Z`, with milliseconds only where there are any."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds" if moment.microsecond else "seconds") + "Z"


#: Addresses of this form are certainly possible; checking all the others takes the library 40 us.
_PLAIN_EMAIL = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]{1,60}(?:-[a-z0-9]{1,2})?\.)+(?:com|net|org|[a-z]{2})"
)
_MAX_EMAIL, _MAX_LOCAL = 254, 64


@lru_cache(maxsize=65_536)
def email(value: str, field: str = "email") -> str:
    """An e-mail address as identity: trimmed, lower case, and possible.

    Raises:
        Rejected: `invalid_email`.
    """
    plain = value.strip().lower()
    if _PLAIN_EMAIL.fullmatch(plain) and len(plain) <= _MAX_EMAIL:
        return plain
    found = _checked_email(value.strip()) or _with_odd_dots(value.strip())
    if found is None:
        raise Rejected("invalid_email", field, "no such address can exist")
    return found


def _checked_email(value: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - start fast

    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        return None


def _with_odd_dots(value: str) -> str | None:
    """The address where only its dots are against the standard, else None.

    Carriers gave out `a..b@docomo.ne.jp` and `a.@docomo.ne.jp`, and mail reaches them.
    """
    local, _, domain = value.rpartition("@")
    regular = re.sub(r"\.+", ".", local).strip(".")
    if regular == local or len(local) > _MAX_LOCAL or len(value) > _MAX_EMAIL:
        return None
    checked = _checked_email(f"{regular}@{domain}")
    return None if checked is None else f"{local.lower()}@{checked.rpartition('@')[2]}"


def belongs_to_nobody(address: str | None) -> bool:
    """Whether the address is one that a shop writes instead of an erased person's.

    The top-level domain `.invalid` is reserved and never anybody's: WordPress writes `deleted@site.invalid`.
    """
    return address is not None and address.strip().rstrip(".").lower().endswith((".invalid", "@invalid"))


@lru_cache(maxsize=65_536)
def phone(value: str, country: str | None) -> str | None:
    """A phone number in E.164, read with the country of its address; None where it is none in use there."""
    import phonenumbers  # noqa: PLC0415 - start fast

    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    # By the plan of its country: neither `0000000000` nor one without its area code is valid.
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


_NO_TEXT = (bool, dict, list)
_MAX_ADDRESS = 2_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def text(value: object, limit: int = 2_000) -> str | None:
    """Trimmed text without control characters, or None where there is none; numbers become text."""
    if type(value) is str:
        cleaned = value
    elif value is None or isinstance(value, _NO_TEXT):
        return None
    else:
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


def web_address(value: object) -> str | None:
    """An absolute http(s) address, or None."""
    found = text(value)
    return found if found and found.startswith(("https://", "http://")) else None
