"""WooCommerce's requests: who signed them, the hello of a new webhook, and what they are about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from pipeline.events import Kind
from pipeline.shops.base import Arrival, Rejected, WebhookRequest
from pipeline.shops.settings import StoreSettings
from pipeline.shops.values import parse_json_object, signed_base64

#: Stands where a delivery came without its topic.
NO_TOPIC = "none"
_SIGNATURE = "x-wc-webhook-signature"
_GREETING = re.compile(rb"webhook_id=[0-9]{1,20}")
#: WooCommerce writes the id first and without spaces; anything else is parsed.
_LEADING_ID = re.compile(rb'\{"id":([1-9][0-9]{0,19})[,}]')
_KINDS = {"order": Kind.ORDER, "customer": Kind.CUSTOMER, "product": Kind.PRODUCT}
_KEPT = (
    "x-wc-webhook-source",
    "x-wc-webhook-topic",
    "x-wc-webhook-resource",
    "x-wc-webhook-event",
    "x-wc-webhook-id",
    "x-wc-webhook-delivery-id",
    "user-agent",
)
_ESCAPES = re.compile(
    rb"&(?:(?P<amp>amp|#0*38|#[xX]0*26)|(?P<lt>lt|#0*60)|(?P<gt>gt|#0*62)"
    rb"|(?P<quot>quot|#0*34|#[xX]0*22)|(?P<apos>#0*39|#[xX]0*27));"
)
_UNESCAPED = {"amp": b"&", "lt": b"<", "gt": b">", "quot": b'"', "apos": b"'"}
_TOPIC_LIMIT = 100
_HEADER_LIMIT = 300


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: StoreSettings) -> bool:  # noqa: ARG001 - as `Platform` has it
    """Whether a secret signed the body, as it stands or as WordPress unescapes it before it signs."""
    signature = request.headers.get(_SIGNATURE, "").strip()
    if not signature:
        return False
    keys = [*secrets, *(unescaped(secret) for secret in secrets if b"&" in secret)]
    return signed_base64(keys, signature, request.body)


def unescaped(secret: bytes) -> bytes:
    """`wp_specialchars_decode(secret, ENT_QUOTES)`: five characters' escapes, once over."""
    return _ESCAPES.sub(lambda found: _UNESCAPED[str(found.lastgroup)], secret)


def greeting(request: WebhookRequest) -> str | None:
    """The form-encoded, unsigned `webhook_id=<n>` sent when a webhook is switched on; any 200 will do."""
    is_greeting = (
        request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")
        and _SIGNATURE not in request.headers
        and _GREETING.fullmatch(request.body) is not None
    )
    return "" if is_greeting else None


def arrival(request: WebhookRequest) -> Arrival:
    """What a request is about.

    Orders, customers and products are keyed by the id in the body; a variation by its own id, which it
    shares with no product. Everything else (`action.*`, coupons, bodies without an id) is keyed by a hash,
    so that it can never hold up an entity's own events.
    """
    headers, body = request.headers, request.body
    topic = headers.get("x-wc-webhook-topic", "")[:_TOPIC_LIMIT]
    delivery = _delivery(headers, topic, body)
    kind = _KINDS.get(topic.partition(".")[0])
    entity = _entity(body) if kind is not None else None
    return Arrival(
        kind=kind or Kind.ORDER,
        entity=entity or f"unread-{delivery}",
        topic=topic or NO_TOPIC,
        delivery=delivery,
        headers={name: headers[name][:_HEADER_LIMIT] for name in _KEPT if name in headers},
    )


def _delivery(headers: Mapping[str, str], topic: str, body: bytes) -> str:
    """The delivery's identity: webhook, topic, delivery id and raw body.

    WooCommerce never repeats a delivery, builds the body when it sends it, and leaves `date_modified` as it
    was at many changes: an order edited and edited back is three events, the last with the first one's body.
    `X-WC-Webhook-Delivery-ID` is new for each attempt, but counts seconds, so that two events of one second
    share it: it alone never decides that two bodies are the same.
    """
    parts = [headers.get("x-wc-webhook-id", ""), topic, headers.get("x-wc-webhook-delivery-id", "")]
    digest = hashlib.blake2b("\n".join(parts).encode(errors="replace") + b"\n", digest_size=16)
    digest.update(body)
    return digest.hexdigest()


def _entity(body: bytes) -> str | None:
    found = _LEADING_ID.match(body)
    if found is not None:
        return found.group(1).decode()
    try:
        own = parse_json_object(body).get("id")
    except Rejected:
        return None
    if isinstance(own, bool) or not isinstance(own, int | str):
        return None
    return str(own) if re.fullmatch(r"[1-9][0-9]{0,19}", str(own)) else None
