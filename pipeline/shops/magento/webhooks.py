"""Magento's requests: who sent them, the handshakes of a new registration, and what they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import orjson

from pipeline.events import Kind
from pipeline.shops.base import Arrival, Rejected, WebhookRequest
from pipeline.shops.magento.envelopes import Envelope, looks_like, named, opened
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.magento.signatures import is_from_adobe, signed_by_adobe, signed_by_module
from pipeline.shops.magento.topics import TOPICS
from pipeline.shops.platform import delivery_by_content
from pipeline.shops.values import body_hash, parse_json_object, text

#: Stands where nothing says what a request is about.
NO_TOPIC = "none"
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{1,200}")
_CONFIRMATION = re.compile(rb'\s*\{\s*"validationUrl"\s*:\s*"([!#-~]{1,1000})"\s*\}\s*')
_LONGEST_GREETING = 2_000
#: Where Adobe confirms registrations; any sender may name another address.
_ADOBES_OWN = re.compile(r"https://(?:[a-z0-9-]{1,60}\.){1,3}adobe\.io/[A-Za-z0-9/._~?&=%-]{0,500}")
_KEPT = (
    "x-adobe-event-id",
    "x-adobe-event-code",
    "x-adobe-provider",
    "x-adobe-delivery-id",
    "x-adobe-retry-count",
    "x-adobe-public-key1-path",
    "x-adobe-public-key2-path",
    "user-agent",
)
_HEADER_LIMIT = 300
_TOPIC_LIMIT = 200


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: MagentoSettings) -> bool:
    """Whether Adobe sent it for this store's own registration, or a module that has one of the secrets.

    Adobe's keys sign the events of all its customers; the client id in the signed body tells ours.
    """
    if not is_from_adobe(request.headers):
        return signed_by_module(secrets, request.headers, request.body)
    client = settings.events_client_id
    if client is None or not signed_by_adobe(secrets, request.headers, request.body):
        return False
    return all(_recipient(one) == client for one in _events(request.body))


def greeting(request: WebhookRequest) -> str | None:
    """The two handshakes of a new registration at Adobe: a challenge to repeat, or an address to open.

    The address comes only where the challenge was not answered; `to_open` gives it to a person.
    """
    if request.method == "GET":
        challenge = _asked(request.query, "challenge")
        return challenge if _CHALLENGE.fullmatch(challenge) else None
    return "" if _confirmation(request.body) is not None else None


def to_open(request: WebhookRequest) -> str | None:
    """The address that confirms a registration, where it is Adobe's own."""
    found = _confirmation(request.body)
    return found if found is not None and _ADOBES_OWN.fullmatch(found) else None


def _confirmation(body: bytes) -> str | None:
    found = _CONFIRMATION.fullmatch(body) if len(body) < _LONGEST_GREETING else None
    return None if found is None else found[1].decode()


def split(request: WebhookRequest) -> Sequence[WebhookRequest]:
    """The events of Adobe's batches, which are lists; every other request is one."""
    if request.body.lstrip()[:1] != b"[":
        return (request,)
    events = _listed(request.body)
    if events is None:
        return (request,)
    headers = {name: value for name, value in request.headers.items() if name != "x-adobe-event-id"}
    return [request._replace(headers=headers, body=orjson.dumps(one)) for one in events]


def arrival(request: WebhookRequest) -> Arrival:
    """What a request is about.

    The name of the event is in the body where the sender writes one; else in the address it was given
    (`?topic=sales.order.updated`), else it follows from what the document looks like. Everything that names
    no entity is kept under a hash, so that it can never hold up an entity's own events.
    """
    body = request.body
    try:
        envelope = opened(parse_json_object(body))
    except Rejected:
        envelope = Envelope("", {})
    topic = envelope.topic or _asked_topic(request.query) or looks_like(envelope.value) or NO_TOPIC
    row = TOPICS.get(topic)
    event_id = envelope.event_id or (request.headers.get("x-adobe-event-id") or "")[:100]
    entity = None if row is None else _entity(envelope.value, row.ids, row.kind)
    delivery = f"{topic}:{event_id}" if event_id else delivery_by_content(topic, row, request)
    return Arrival(
        kind=Kind.ORDER if row is None else row.kind,
        entity=entity or f"unread-{body_hash(delivery.encode(errors='replace'))}",
        topic=topic,
        delivery=delivery,
        headers={name: request.headers[name][:_HEADER_LIMIT] for name in _KEPT if name in request.headers},
    )


def _asked_topic(query: str) -> str:
    """The name in the address; it is the operator's own, as they wrote it into the shop."""
    return _asked(query, "topic").strip()[:_TOPIC_LIMIT]


def _asked(query: str, name: str) -> str:
    """A value of the address's query; "" where it has none, or too many."""
    try:
        return parse_qs(query[:_LONGEST_GREETING], max_num_fields=50).get(name, [""])[0]
    except ValueError:
        return ""


def _entity(value: Mapping[str, Any], ids: tuple[str, ...], kind: Kind) -> str | None:
    """The entity's id; without one, its number, SKU or subscription under a prefix that keeps them apart."""
    if own := named(value, ids):
        return own
    fallback = {
        Kind.ORDER: ("number", ("increment_id", "real_order_id", "order_increment_id")),
        Kind.PRODUCT: ("sku", ("sku",)),
        Kind.CUSTOMER: ("subscriber", ("subscriber_id",)),
    }
    prefix, fields = fallback[kind]
    found = next((said for field in fields if (said := text(value.get(field), 200))), None)
    return f"{prefix}-{found}" if found else None


def _events(body: bytes) -> Sequence[object]:
    """The events of a request: of a batch all, else the one; one without a recipient where it is no JSON."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            found = parse_json_object(body)
        except Rejected:
            return (None,)
    return found or (None,) if isinstance(found, list) else (found,)


def _listed(body: bytes) -> Sequence[object] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, list) else None


def _recipient(event: object) -> object:
    if not isinstance(event, dict):
        return None
    return event.get("recipientclientid") or event.get("recipient_client_id")
