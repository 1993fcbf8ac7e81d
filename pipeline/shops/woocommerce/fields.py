"""How WooCommerce writes values: PHP arrays, HTML-escaped text, and pairs of local and UTC times."""

from __future__ import annotations

import html
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected
from pipeline.shops.catalogue import plain_text
from pipeline.shops.values import epoch_ms, instant, money, text

#: `html.unescape` raises on a numeric entity of more than 4,300 digits: nothing longer reaches it.
_UNESCAPE_LIMIT = 4_000
_ID_DIGITS = 20
_NOTHING: tuple[object, ...] = (None, False, "", [])


def mapping(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """An object of the body. PHP writes nothing as `[]`, `false` or `""`; absent and null are empty too.

    Raises:
        Rejected: `invalid_field`.
    """
    value = parent.get(key)
    if isinstance(value, dict):
        return value
    if value in _NOTHING:
        return {}
    raise Rejected("invalid_field", key, f"a {type(value).__name__} where an object belongs")


def objects(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects. PHP writes a list with a gap as an object: its values are the list.

    Raises:
        Rejected: `invalid_field`.
    """
    value = parent.get(key)
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        if value in _NOTHING:
            return []
        raise Rejected("invalid_field", key, f"a {type(value).__name__} where a list belongs")
    for item in value:
        if not isinstance(item, dict):
            raise Rejected("invalid_field", key, f"a {type(item).__name__} in a list of objects")
    return value


def identifier(value: object, field: str) -> str | None:
    """An id as text; None for 0, "", null, which is how WooCommerce says there is none.

    Raises:
        Rejected: `invalid_id`.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    if value is None or value == "" or (value == 0 and value is not False):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _ID_DIGITS:
        return value.lstrip("0") or None
    raise Rejected("invalid_id", field, "not a positive whole number")


def own_id(body: dict[str, Any]) -> str:
    """The id of the entity the body describes.

    Raises:
        Rejected: `shop_api_error` where the shop sent its own API's error in place of the entity (its
            webhook belongs to a user who may not read it, or the entity is gone); `missing_field`.
    """
    own = identifier(body.get("id"), "id")
    if own is not None:
        return own
    if isinstance(body.get("code"), str) and "message" in body:
        code = re.sub(r"[^a-z0-9_]", "", body["code"].lower())[:80]
        raise Rejected(
            "shop_api_error", "code", f"the shop sent the error {code}: check the user its webhook belongs to"
        )
    raise Rejected("missing_field", "id", "no id: the webhook's API version must be WP REST API v3")


def plain(value: object, limit: int = 2_000) -> str | None:
    """Text without HTML escapes: shops store `Tom &amp; Jerry` and `&lt;Variable&gt;`."""
    found = text(value, _UNESCAPE_LIMIT)
    if found is None or "&" not in found:
        return found[:limit] if found else None
    return text(html.unescape(found), limit)


def prose(value: object, notes: list[str]) -> str | None:
    """An HTML fragment as one paragraph of text; noted where it was cut."""
    if not isinstance(value, str):
        return None
    found, cut = plain_text(value)
    notes.extend(cut)
    return found


def amount(value: object, field: str) -> Decimal:
    """An amount of money; WooCommerce rounds some nothings to `-0.00`.

    Raises:
        Rejected: `invalid_money`.
    """
    return abs(money(value, field))


def web_address(value: object) -> str | None:
    """An absolute http(s) address, or None."""
    found = text(value)
    return found if found and found.startswith(("https://", "http://")) else None


def moment(body: dict[str, Any], name: str, zone: str, notes: list[str]) -> datetime | None:
    """When, from the pair `{name}_gmt` (UTC) and `{name}` (the shop's local time); None where neither is set.

    The local one is read with the store's time zone, and noted.

    Raises:
        Rejected: `invalid_date` where one is there and cannot be read.
    """
    if value := body.get(f"{name}_gmt"):
        return instant(value, f"{name}_gmt")
    if value := body.get(name):
        notes.append("local_time_used")
        return instant(value, name, zone)
    return None


def version_of(body: dict[str, Any], event: RawEvent, zone: str, notes: list[str]) -> int:
    """The entity's clock in epoch ms: when it was last modified, else created, else when it arrived.

    What was restored arrives after its deletion, which has no clock but its arrival, though it may have been
    modified before: deliveries wait in the shop's queue. It is at least as new as it arrived.
    """
    for name in ("date_modified", "date_created"):
        found = moment(body, name, zone, notes)
        if found is not None:
            at = epoch_ms(found)
            return max(at, event.received_ms) if event.topic.endswith(".restored") else at
    notes.append("version_from_arrival")
    return event.received_ms
