"""How WooCommerce writes values: ids, amounts, and pairs of local and UTC times."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected
from pipeline.shops.php import entries, identifier, is_no_date
from pipeline.shops.values import epoch_ms, instant, money, text


def own_id(body: dict[str, Any]) -> str:
    """The id of the entity the body describes.

    Raises:
        Rejected: `shop_api_error` where the shop sent its own API's error instead of the entity (its
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


def amount(value: object, field: str) -> Decimal:
    """An amount of money; WooCommerce rounds some nothings to `-0.00`.

    Raises:
        Rejected: `invalid_money`.
    """
    return money(value, field).copy_abs()


def language_of(body: dict[str, Any]) -> str | None:
    """The language, where a plugin says it: Polylang as `lang`, WPML in an order's meta data."""
    if found := text(body.get("lang"), 40):
        return found
    metas = (meta for meta in entries(body.get("meta_data")) or () if isinstance(meta, dict))
    return next((text(meta.get("value"), 40) for meta in metas if meta.get("key") == "wpml_language"), None)


def moment(body: dict[str, Any], name: str, zone: str, notes: list[str]) -> datetime | None:
    """When, from the pair `{name}_gmt` (UTC) and `{name}` (the shop's local time); None where neither is set.

    The local one is read with the store's time zone, and noted.

    Raises:
        Rejected: `invalid_date` where one is there and cannot be read.
    """
    if not is_no_date(value := body.get(f"{name}_gmt")):
        return instant(value, f"{name}_gmt")
    if not is_no_date(value := body.get(name)):
        notes.append("local_time_used")
        return instant(value, name, zone, notes)
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
