"""The envelopes documents come in: Adobe's CloudEvents, the modules' `data`, and none at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.shops.magento.topics import PLAIN_CUSTOMER, PLAIN_ORDER, PLAIN_PRODUCT
from pipeline.shops.values import text

#: What Adobe writes before the name of an event in Commerce.
PREFIX = "com.adobe.commerce."
_TOPIC_LIMIT = 200
_NAMES = ("type", "event", "topic")
_LOOKS: tuple[tuple[str, frozenset[str]], ...] = (
    (PLAIN_ORDER, frozenset({"increment_id", "items", "state", "status"})),
    (PLAIN_PRODUCT, frozenset({"sku", "type_id"})),
    (PLAIN_CUSTOMER, frozenset({"email", "website_id"})),
)


class Envelope(NamedTuple):
    """What a request holds.

    Attributes:
        topic: the event's name, without Adobe's prefix; "" where the body has none.
        value: the document, or the fields that name one.
        event_id: Adobe's id of the event, the same on each attempt; "" where there is none.
        time: when Adobe says that it happened; None where it does not.
    """

    topic: str
    value: Mapping[str, Any]
    event_id: str = ""
    time: object = None


def opened(body: Mapping[str, Any]) -> Envelope:
    """The body without its envelope. Whatever cannot be read is an empty value."""
    wrapped = body.get("event")
    if isinstance(wrapped, dict) and "data" in wrapped:  # as Adobe's runtime hands events to an action
        body = wrapped
    topic = next((name for key in _NAMES if (name := _name(body.get(key)))), "")
    data = body.get("data")
    event_id = text(body.get("eventid") or body.get("event_id"), 100) or ""
    if not isinstance(data, dict):
        return Envelope(topic, body if "data" not in body else {}, event_id, body.get("time"))
    value = data.get("value")
    return Envelope(topic, value if isinstance(value, dict) else data, event_id, body.get("time"))


def _name(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value.strip().removeprefix(PREFIX)[:_TOPIC_LIMIT]


def looks_like(value: Mapping[str, Any]) -> str:
    """The name for a document that comes without one; "" where it looks like none."""
    if "order_id" in value:  # an invoice, shipment or credit memo
        return ""
    return next((name for name, fields in _LOOKS if fields <= value.keys()), "")


def named(value: Mapping[str, Any], fields: tuple[str, ...]) -> str | None:
    """The id that the first of these fields holds: a whole number above zero, in whatever type."""
    for field in fields:
        found = value.get(field)
        if isinstance(found, bool) or not isinstance(found, int | str):
            continue
        if re.fullmatch(r"0*[1-9][0-9]{0,18}", str(found), re.ASCII):
            return str(found).lstrip("0")
    return None
