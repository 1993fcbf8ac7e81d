"""How VTEX writes values: amounts in hundredths, moments to 100 ns, addresses behind aliases."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline.shops.base import Rejected
from pipeline.shops.values import email_text, instant, money, text

#: An address that no one can read: VTEX's conversation tracker knows whose it is.
_HARD = re.compile(r"[0-9a-f]{20,}@ct\.[a-z0-9.-]+", re.IGNORECASE)
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
    if not value:
        raise Rejected("missing_field", field, "the document does not say it")
    return instant(value, field)


def is_alias(address: str) -> bool:
    """Whether nobody's address can be read from it."""
    return _HARD.fullmatch(address) is not None


def readable(value: object) -> str | None:
    """The address that a text holds, if it holds one: an alias never is one."""
    given = email_text(value)
    if given is None or is_alias(given):
        return None
    cut = _SOFT.sub("", given)
    return None if _TRACKER.search(cut) else cut


def flag(value: object) -> bool | None:
    """Yes or no in the forms in which triggers and documents write them; None for silence."""
    if isinstance(value, bool):
        return value
    said = (text(value, 10) or "").casefold()
    return True if said in _TRUE else False if said in _FALSE else None


def mapping(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """An object; empty where there is none, or something else."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def objects(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list; none where there is none, or something else."""
    value = parent.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
