"""How Shopify writes ids, money and times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected
from pipeline.shops.values import MAX_NUMBER, epoch_ms, instant, money, text

_GID = re.compile(r"gid://shopify/\w+/([0-9]{1,20})")
ORDER, CUSTOMER, PRODUCT = "gid://shopify/Order/", "gid://shopify/Customer/", "gid://shopify/Product/"
_DIGITS = re.compile(r"[0-9]{1,20}")
_EMPTY: Mapping[str, Any] = {}
#: From it on a JavaScript number may not be exact, and a body that passed through one may hold a rounded id.
_EXACT = 2**53
_SEVENTEEN_DIGITS = 10**17


def mapping(value: object) -> Mapping[str, Any]:
    """The object, or an empty one where the body has none."""
    return value if isinstance(value, dict) else _EMPTY


def readable(node: Mapping[str, Any], key: str, limit: int, notes: list[str]) -> str | None:
    """A text that only decorates a record; what is no text is left out and noted."""
    value = node.get(key)
    if value is None or isinstance(value, str):
        return text(value, limit) if value else None
    found = text(value, limit)
    if found is None and value:
        notes.append(f"{key}_unreadable")
    return found


def texts(listed: Sequence[object], key: str, limit: int, notes: list[str]) -> tuple[str, ...]:
    """The texts of a list that only decorates a record, each once; what is no text is left out and noted."""
    found: dict[str, None] = {}
    for one in listed:
        said = text(one, limit)
        if said is not None:
            found[said] = None
        elif one and not isinstance(one, str):
            notes.append(f"{key}_unreadable")
    return tuple(found)


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
    if number >= _SEVENTEEN_DIGITS and number % 10:
        return False  # it prints seventeen digits at most, and zeros after them
    return number >= _EXACT and int(Decimal(repr(float(number)))) == number


def own_id(body: Mapping[str, Any], kind: str) -> str:
    """The entity's own id; `kind` is how global ids of its kind begin: `ORDER`, `CUSTOMER` or `PRODUCT`.

    Raises:
        Rejected: `missing_field`; `topic_contradicts_body` where the body says that it is of another kind.
    """
    gid = body.get("admin_graphql_api_id")
    found = shop_id(body.get("id"), gid)
    if found is None:
        raise Rejected("missing_field", "id", "the body does not say which entity it is")
    if isinstance(gid, str) and not gid.startswith(kind) and _GID.fullmatch(gid):
        raise contradicted("admin_graphql_api_id", f"not one that begins with {kind}")
    return found


def contradicted(field: str, detail: str) -> Rejected:
    """The rejection of a body under a topic it was not sent with: the signature covers only the body."""
    return Rejected("topic_contradicts_body", field, detail)


def require_bare(body: Mapping[str, Any], *known: str) -> None:
    """A deletion's body holds the id, and beside it only the fields named; others may stand there empty.

    Raises:
        Rejected: `topic_contradicts_body`: a living entity's body, sent again under a deletion's topic,
            must not delete it.
    """
    for key, value in body.items():
        if value and key not in {"id", "admin_graphql_api_id", *known}:
            raise contradicted(key[:60], "a deletion's body holds no more than the id")


def number(value: object) -> Decimal | None:
    """The number, written as one or as text; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    written = str(value)
    if len(written) > MAX_NUMBER:
        return None
    try:
        found = Decimal(written)
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def amount(node: Mapping[str, Any], name: str, currency: str, path: str = "") -> Decimal | None:
    """The amount in the shop's money: `{name}_set.shop_money` before the plain field; None where neither is.

    `currency` is the order's own; empty where it says none.

    Raises:
        Rejected: `invalid_money`; `currency_mismatch` where the amount is not in the order's own currency.
    """
    both = node.get(name + "_set")
    if isinstance(both, dict):
        shop_money = mapping(both.get("shop_money"))
        said = shop_money.get("amount")
        if said is not None:
            code = shop_money.get("currency_code")
            if code is not None and currency and str(code).upper() != currency:
                raise Rejected("currency_mismatch", f"{path}{name}_set", "not in the order's own currency")
            return money(said, path + name)
    said = node.get(name)
    return None if said is None else money(said, path + name)


def said_ms(event: RawEvent) -> int:
    """When the shop says the event happened, else when it arrived: the header is not signed, so not later."""
    return min(event.triggered_ms or event.received_ms, event.received_ms)


def version_of(body: Mapping[str, Any], event: RawEvent, zone: str) -> tuple[int, tuple[str, ...]]:
    """The entity's `updated_at` in epoch ms; without one the event's own time, and a note.

    Raises:
        Rejected: `invalid_date`.
    """
    updated = body.get("updated_at")
    if updated is None:
        return said_ms(event), ("updated_at_missing",)
    notes: list[str] = []
    return epoch_ms(instant(updated, "updated_at", zone, notes)), tuple(notes)
