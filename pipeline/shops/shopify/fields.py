"""How Shopify writes ids, money and times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected
from pipeline.shops.values import epoch_ms, instant, money

_GID = re.compile(r"gid://shopify/\w+/([0-9]{1,20})")
_DIGITS = re.compile(r"[0-9]{1,20}")
_EMPTY: Mapping[str, Any] = {}
#: Above it a JavaScript number is no longer exact, and a body that passed through one may hold a rounded id.
_EXACT = 2**53


def mapping(value: object) -> Mapping[str, Any]:
    """The object, or an empty one where the body has none."""
    return value if isinstance(value, dict) else _EMPTY


def shop_id(value: object, gid: object = None) -> str | None:
    """An id as text, None where it is none; from `gid` where `value` is the same number rounded."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        match = _DIGITS.fullmatch(value) or _GID.fullmatch(value)
        value = int(match[match.lastindex or 0]) if match else None
    if not isinstance(value, int) or value <= 0:
        return None
    if perhaps_rounded(value):
        match = _GID.fullmatch(gid) if isinstance(gid, str) else None
        if match and float(match[1]) == float(value):
            return match[1]
    return str(value)


def perhaps_rounded(number: int) -> bool:
    """Whether JavaScript, asked to print this number, prints just this: only then can it have rounded it."""
    return number > _EXACT and int(Decimal(repr(float(number)))) == number


def own_id(body: Mapping[str, Any]) -> str:
    """The entity's own id.

    Raises:
        Rejected: `missing_field`.
    """
    found = shop_id(body.get("id"), body.get("admin_graphql_api_id"))
    if found is None:
        raise Rejected("missing_field", "id", "the body does not say which entity it is")
    return found


def amount(node: Mapping[str, Any], name: str, currency: str, path: str = "") -> Decimal | None:
    """The amount in the shop's money: `{name}_set.shop_money` before the plain field; None where neither is.

    Raises:
        Rejected: `invalid_money`; `currency_mismatch` where the amount is not in the order's own currency.
    """
    both = node.get(name + "_set")
    if isinstance(both, dict):
        shop_money = mapping(both.get("shop_money"))
        said = shop_money.get("amount")
        if said is not None:
            code = shop_money.get("currency_code")
            if code is not None and code != currency:
                raise Rejected("currency_mismatch", f"{path}{name}_set", "not in the order's own currency")
            return money(said, path + name)
    said = node.get(name)
    return None if said is None else money(said, path + name)


def said_ms(event: RawEvent) -> int:
    """When the shop says the event happened, else when it arrived."""
    return event.triggered_ms or event.received_ms


def version_of(body: Mapping[str, Any], event: RawEvent, zone: str) -> tuple[int, tuple[str, ...]]:
    """The entity's `updated_at` in epoch ms; without one the event's own time, and a note.

    Raises:
        Rejected: `invalid_date`.
    """
    updated = body.get("updated_at")
    if updated is None:
        return said_ms(event), ("updated_at_missing",)
    return epoch_ms(instant(updated, "updated_at", zone)), ()
