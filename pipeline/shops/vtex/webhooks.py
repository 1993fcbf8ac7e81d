"""VTEX's requests: who sent them, the ping of a new hook, and what they are about.

Nothing is signed: the secret stands in a header that the hook is configured with, or, where a sender knows no
headers (triggers, broadcaster), as `?token=` in the address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from pipeline.events import Kind
from pipeline.shops.base import Arrival, Rejected, WebhookRequest
from pipeline.shops.platform import delivery_by_content
from pipeline.shops.values import any_equal, body_hash, parse_json_object, text
from pipeline.shops.vtex.settings import VtexSettings
from pipeline.shops.vtex.topics import CATALOGUE, CLIENT, FEED, HOOK, NO_TOPIC, TOPICS

_PING = re.compile(rb'\s*\{\s*"hookConfig"\s*:\s*"ping"\s*\}\s*')
#: As VTEX writes ids of orders, documents and products; anything else is kept under a hash.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Fields of a client's document: merchants write the bodies of triggers themselves.
_OF_CLIENTS = frozenset({"email", "isNewsletterOptIn", "userId"})
#: What says when it happened, so that the same body again is a repeat.
_MOMENTS = ("CurrentChange", "currentChange", "eventId", "DateModified", "updatedIn")
_STATE_LIMIT, _QUERY_LIMIT = 60, 2_000


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: VtexSettings) -> bool:
    """Whether a request has one of the secrets, and names no other account than the store's."""
    given = request.headers.get(settings.secret_header.lower()) or _token(request.query)
    genuine = any_equal(secrets, given.encode("latin-1", "replace"))
    return genuine and bool(given) and _account(request.body) in {None, settings.vtex_account}


def _token(query: str) -> str:
    try:
        found = parse_qs(query[:_QUERY_LIMIT], max_num_fields=20).get("token", [""])
    except ValueError:
        return ""
    return found[0]


def _account(body: bytes) -> str | None:
    """The account that the body names; None where it names none."""
    said = _object(body)
    origin = said.get("Origin")
    named = origin.get("Account") if isinstance(origin, dict) else said.get("An")
    return text(named, 100)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return parse_json_object(body)
    except Rejected:
        return {}


def greeting(request: WebhookRequest) -> str | None:
    """The ping with which VTEX tries an address when the hook is configured; any 200 will do."""
    return "" if _PING.fullmatch(request.body) is not None else None


def arrival(request: WebhookRequest) -> Arrival:
    """What a request is about: an order's hook or feed item, a client's document, or an article."""
    said = _object(request.body)
    kind, topic, entity = _about(said)
    # Merchants write triggers' bodies themselves: without a moment, the same again is news.
    row = None if any(said.get(name) for name in _MOMENTS) else TOPICS.get(topic)
    delivery = body_hash(request.body) if row is None else delivery_by_content(topic, row, request)
    if entity is None:
        kind, topic, entity = Kind.ORDER, NO_TOPIC, f"unread-{delivery}"
    return Arrival(kind=kind, entity=entity, topic=topic, delivery=delivery)


def _about(said: Mapping[str, Any]) -> tuple[Kind, str, str | None]:
    if "OrderId" in said:
        return Kind.ORDER, HOOK + _state(said.get("State")), _id(said["OrderId"])
    if "orderId" in said:
        return Kind.ORDER, FEED + _state(said.get("state")), _id(said["orderId"])
    if "IdSku" in said:
        return Kind.PRODUCT, CATALOGUE, _id(said.get("ProductId"))
    if not _OF_CLIENTS.isdisjoint(said):
        return Kind.CUSTOMER, CLIENT, _id(said.get("id"))
    return Kind.ORDER, NO_TOPIC, None


def _state(value: object) -> str:
    """The state that a notification tells of; history when it is read, and kept for the log."""
    return text(value, _STATE_LIMIT) or "none"


def _id(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value) if _ID.fullmatch(str(value)) else None
