"""PrestaShop's requests: who sent them, what must not be kept of them, and what they are about."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from pipeline.events import Kind
from pipeline.shops.base import Arrival, Rejected, WebhookRequest
from pipeline.shops.prestashop.hints import Hint, hint_of
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.prestashop.topics import NO_TOPIC, TOPICS
from pipeline.shops.values import body_hash, parse_json_object

#: Headers in which modules name what a call is about.
_TOPIC_HEADERS = ("x-prestashop-topic", "x-prestashop-event", "x-prestashop-hook", "x-webhook-topic")
_QUERY_LIMIT, _SIGNATURE_LIMIT = 2_000, 200
#: Fields of customers, orders and payments that open an account or pay for something. In JSON text, where a
#: quotation mark within a text has a backslash before it.
_SECRET = re.compile(
    rb'"(passwd|secure_key|reset_password_token|card_number|card_holder|card_expiration)"(\s*:\s*)'
    rb'"(?:[^"\\]|\\.)*"',
    re.DOTALL,
)
_WORDS = (b"passwd", b"secure_key", b"reset_password_token", b"card_")


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: PrestashopSettings) -> bool:
    """Whether one of the secrets signed the body, or is repeated in a header or as `?token=` in the address.

    Every secret is tried whatever the result, so the time reveals nothing.
    """
    signature = request.headers.get(settings.signature_header.lower())
    if signature is not None:
        given = (
            signature.strip().lower().removeprefix("sha256=")[:_SIGNATURE_LIMIT].encode("latin-1", "replace")
        )
        return _any_equal([hmac.digest(one, request.body, "sha256").hex().encode() for one in secrets], given)
    repeated = request.headers.get(settings.secret_header.lower()) or _asked(request.query, "token")
    return bool(repeated) and _any_equal(secrets, repeated.encode("latin-1", "replace"))


def _any_equal(expected: Sequence[bytes], given: bytes) -> bool:
    genuine = False
    for one in expected:
        genuine |= hmac.compare_digest(one, given)
    return genuine


def _asked(query: str, name: str) -> str:
    """A value of the address's query; "" where it has none, or too many."""
    try:
        return parse_qs(query[:_QUERY_LIMIT], max_num_fields=20).get(name, [""])[0]
    except ValueError:
        return ""


def without_secrets(body: bytes) -> bytes:
    """A JSON text without the values of passwords and keys; all else to the byte as it was."""
    if not any(word in body for word in _WORDS):
        return body
    return _SECRET.sub(rb'"\1"\2""', body)


def split(request: WebhookRequest) -> Sequence[WebhookRequest]:
    """The request as it is kept: modules send whole customers, with the hashes of their passwords."""
    return (request._replace(body=without_secrets(request.body)),)


def arrival(request: WebhookRequest) -> Arrival:
    """What a request is about. What names no entity is kept under a hash: translate says so.

    A call names only what happened, and none is repeated: the same again is news of its own.
    """
    hint = hint_in(request)
    topic = hint.topic or NO_TOPIC
    entity = hint.entity or (
        f"address-{_hashed(hint.email)}" if hint.email else f"unread-{body_hash(request.body)}"
    )
    kind = hint.kind if hint.topic else Kind.ORDER
    return Arrival(kind=kind, entity=entity, topic=topic, delivery=_delivery(topic, request))


def hint_in(request: WebhookRequest) -> Hint:
    """What the request names: in its body, else in a header, else in its address."""
    beside = next((named for name in _TOPIC_HEADERS if (named := request.headers.get(name))), "")
    return hint_of(said(request.body), beside or _asked(request.query, "topic"))


def said(body: bytes) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        return parse_json_object(body)
    except Rejected:
        return {}


def _hashed(address: str) -> str:
    return body_hash(address.strip().lower().encode(errors="replace"))


def _delivery(topic: str, request: WebhookRequest) -> str:
    digest = hashlib.blake2b(topic.encode(errors="replace") + b"\n", digest_size=16)
    if not TOPICS.is_deletion(topic):
        digest.update(b"%d\n" % request.received_ms)
    digest.update(request.body)
    return digest.hexdigest()
