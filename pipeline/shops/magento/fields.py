"""How Magento writes values: ids in two types, UTC without an offset, custom attributes as pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected
from pipeline.shops.lenient import part
from pipeline.shops.php import decorations, identifier, is_no_date
from pipeline.shops.values import epoch_ms, instant

#: The custom attributes that are read.
_ATTRIBUTES = (
    "url_key",
    "image",
    "description",
    "short_description",
    "special_price",
    "special_from_date",
    "special_to_date",
)


def own_id(body: Mapping[str, Any], *names: str) -> str:
    """The id of the entity that a document describes.

    Raises:
        Rejected: `shop_api_error` where it is an error of the shop's API; `missing_field`, `invalid_id`.
    """
    for name in names:
        found = identifier(body.get(name), name)
        if found is not None:
            return found
    if isinstance(body.get("message"), str):
        raise Rejected("shop_api_error", "message", "the shop sent an error of its API instead of a document")
    raise Rejected("missing_field", names[0], "the document does not say which it is")


def moment(body: Mapping[str, Any], name: str) -> datetime | None:
    """When, in UTC: Magento's API writes it so, whatever the shop's own zone; None where it does not say.

    Raises:
        Rejected: `invalid_date`.
    """
    value = body.get(name)
    if is_no_date(value):
        return None
    return instant(value, name)


def version_of(body: Mapping[str, Any], event: RawEvent, notes: list[str]) -> int:
    """The entity's clock in epoch ms: when it was last changed, else made, else when it arrived.

    Raises:
        Rejected: `invalid_date`.
    """
    for name in ("updated_at", "created_at"):
        found = moment(body, name)
        if found is not None:
            return epoch_ms(found)
    notes.append("version_from_arrival")
    return event.received_ms


def attributes(body: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The custom attributes by their codes; some senders write a mapping, or put them beside the others."""
    beside = {code: body[code] for code in _ATTRIBUTES if code in body}
    given = body.get("custom_attributes")
    if isinstance(given, dict) and "attribute_code" not in given and not any(key.isdigit() for key in given):
        return beside | given
    listed = decorations(dict(body), "custom_attributes", notes)
    return beside | {
        code: one.get("value") for one in listed if isinstance(code := one.get("attribute_code"), str)
    }


def extension(body: Mapping[str, Any], notes: list[str]) -> Mapping[str, Any]:
    """The extension attributes; nothing where they are in a form that nobody expects, noted."""
    return part(body, "extension_attributes", notes)


def flag(value: object) -> bool | None:
    """A boolean in any of PHP's forms; None for what is none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | str) and re.fullmatch(r"\s*(?:0|1|true|false)\s*", str(value), re.IGNORECASE):
        return str(value).strip().lower() in {"1", "true"}
    return None
