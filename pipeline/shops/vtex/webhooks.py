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
from pipeline.shops.values import any_equal, body_hash, instant, parse_json_object, text
from pipeline.shops.vtex.settings import VtexSettings
from pipeline.shops.vtex.topics import CATALOGUE, CLIENT, FEED, HOOK, NO_TOPIC, TOPICS

_PING = re.compile(rb'\s*\{\s*"hookConfig"\s*:\s*"ping"\s*\}\s*')
#: As VTEX writes ids of orders, documents and products; anything else is kept under a hash.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Fields of a client's document: merchants write the bodies of triggers themselves.
_OF_CLIENTS = frozenset({"email", "isNewsletterOptIn", "userId"})
#: When an order changed before, and when it came to be as told; not every hook has the second.
_MOMENTS = ("LastChange", "CurrentChange")
#: What says when it happened, so that the same body again is a repeat.
_WHEN = ("CurrentChange", "currentChange", "eventId", "DateModified", "updatedIn")
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
    if entity is None:
        unread = body_hash(request.body)
        return Arrival(kind=Kind.ORDER, entity=f"unread-{unread}", topic=NO_TOPIC, delivery=unread)
    change = _change(said) if kind is Kind.ORDER else None
    return Arrival(kind=kind, entity=entity, topic=topic, delivery=change or _delivery(said, topic, request))


def _delivery(said: Mapping[str, Any], topic: str, request: WebhookRequest) -> str:
    """Merchants write triggers' bodies themselves: without a moment, the same again is news."""
    row = None if any(said.get(name) for name in _WHEN) else TOPICS.get(topic)
    return body_hash(request.body) if row is None else delivery_by_content(topic, row, request)


def _change(said: Mapping[str, Any]) -> str | None:
    """The change that a notification of an order tells of, however hook and feed write it.

    None where it does not say when: then only the same body is the same notification.
    """
    feed = "OrderId" not in said
    moments = [_moment(said.get(name[0].lower() + name[1:] if feed else name)) for name in _MOMENTS]
    if moments[-1] is None:
        return None
    names = ("orderId", "state", "domain") if feed else ("OrderId", "State", "Domain")
    told = [*(text(said.get(name), 200) or "" for name in names), *(moment or "" for moment in moments)]
    return body_hash("\n".join(["change", *told]).encode(errors="replace"))


def _moment(value: object) -> str | None:
    try:
        return instant(value, "moment").isoformat()
    except Rejected:
        return None


def _about(said: Mapping[str, Any]) -> tuple[Kind, str, str | None]:
    if "OrderId" in said:
        return Kind.ORDER, HOOK + _state(said.get("State")), readable_id(said["OrderId"])
    if "orderId" in said:
        return Kind.ORDER, FEED + _state(said.get("state")), readable_id(said["orderId"])
    if "IdSku" in said:
        return Kind.PRODUCT, CATALOGUE, readable_id(said.get("ProductId"))
    if not _OF_CLIENTS.isdisjoint(said):
        return Kind.CUSTOMER, CLIENT, readable_id(said.get("id"))
    return Kind.ORDER, NO_TOPIC, None


def _state(value: object) -> str:
    """The state that a notification tells of; history when it is read, and kept for the log."""
    return text(value, _STATE_LIMIT) or "none"


def readable_id(value: object) -> str | None:
    """An id as VTEX writes them; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value) if _ID.fullmatch(str(value)) else None
