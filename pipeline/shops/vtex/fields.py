"""How VTEX writes values: amounts in hundredths, moments to 100 ns, addresses behind aliases."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline.shops import lenient
from pipeline.shops.base import Rejected
from pipeline.shops.countries import two_letters
from pipeline.shops.php import is_no_date
from pipeline.shops.values import email_text, instant, money, text

#: An address that no one can read: VTEX's conversation tracker knows whose it is.
_HARD = re.compile(
    r"(?:[0-9a-f]{20,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@ct\.[a-z0-9.-]+", re.IGNORECASE
)
#: An address with its alias behind it, which alone is cut: the address itself may hold dashes.
_SOFT = re.compile(r"-[0-9]+b?\.ct\.[a-z0-9.-]+$", re.IGNORECASE)
_TRACKER = re.compile(r"[@.]ct\.vtex\.", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


def amount(value: object, field: str, divisor: int) -> Decimal:
    """An amount of an order, which VTEX writes in hundredths.

    Raises:
        Rejected: `invalid_money`.
    """
    return money(value, field) / divisor


def moment(value: object, field: str) -> datetime:
    """A moment, which VTEX writes with seven decimals.

    Raises:
        Rejected: `missing_field`, `invalid_date`.
    """
    if is_no_date(value):
        raise Rejected("missing_field", field, "the document does not say it")
    return instant(value, field)


def is_alias(address: str) -> bool:
    """Whether it is an alias of the tracker's from which nobody's address can be read."""
    if _HARD.fullmatch(address) is not None:
        return True
    return _TRACKER.search(_SOFT.sub("", address)) is not None


def readable(value: object) -> str | None:
    """The address that a text holds, if it holds one: an alias never is one."""
    given = email_text(value)
    return None if given is None or is_alias(given) else _SOFT.sub("", given)


def flag(value: object) -> bool | None:
    """Yes or no in the forms in which triggers and documents write them; None for silence."""
    if isinstance(value, bool):
        return value
    said = (text(value, 10) or "").casefold()
    return True if said in _TRUE else False if said in _FALSE else None


def whole(value: object) -> int | None:
    """A count, as a number or a text; None for what is none."""
    said = text(value, 20)
    return int(said) if said is not None and re.fullmatch(r"[0-9]{1,9}", said, re.ASCII) else None


def phones(number: object, *countries: object) -> tuple[tuple[str, str | None], ...]:
    """A phone with the first country that is said; VTEX writes countries with three letters."""
    said = text(number, 60)
    country = next((code for one in countries if (code := two_letters(text(one, 60)))), None)
    return () if said is None else ((said, country),)


def plain(node: dict[str, Any], key: str, notes: list[str], limit: int = 2_000) -> str | None:
    """A name without its markup and escapes; notes are in small letters, VTEX's fields are not."""
    plainly = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()
    return lenient.plain({plainly: node.get(key)}, plainly, notes, limit)


def mapping(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """An object; empty where there is none, or something else."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def objects(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list; none where there is none, or something else."""
    value = parent.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
