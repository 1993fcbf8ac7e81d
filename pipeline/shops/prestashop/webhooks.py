"""The requests of PrestaShop's modules: who sent them, and what they name.

Most modules sign nothing and repeat a secret: in a header, or, where they can only be given an address, in
that.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from pipeline.events import Kind
from pipeline.shops.api import without
from pipeline.shops.base import Arrival, Rejected, WebhookRequest
from pipeline.shops.platform import delivery_by_content
from pipeline.shops.prestashop.hooks import NEWSLETTER, topic_of_hook
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.shops.prestashop.topics import TOPICS
from pipeline.shops.values import any_equal, body_hash, email_text, parse_json_object

#: What is kept neither of modules' bodies nor of the webservice's: customers have the hash of a password.
WITHHELD = ("passwd", "secure_key", "reset_password_token", "ip_registration_newsletter")
#: Stands where nothing says what a request is about.
NO_TOPIC = "none"
_SIGNATURE = "x-prestashop-signature"
_REPEATED = "x-webhook-token"
_IN_ADDRESS = "token"
_DONE = {"add": "created", "create": "created", "update": "updated", "delete": "deleted", "remove": "deleted"}
_KEPT = ("x-prestashop-topic", "x-prestashop-source", "user-agent")
_LONGEST = 2_000
_HEADER_LIMIT = 300
_TOPIC_LIMIT = 200
_NUMBER = re.compile(r"0*[1-9][0-9]{0,18}", re.ASCII)


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: PrestashopSettings) -> bool:  # noqa: ARG001 - as `Platform` has it
    """Whether a secret signed the body, in hex, or the request repeats one.

    Every secret is tried whatever the result, so the time reveals nothing.
    """
    headers = request.headers
    if _SIGNATURE in headers:
        given = (
            headers[_SIGNATURE]
            .strip()
            .lower()
            .removeprefix("sha256=")[:_LONGEST]
            .encode("latin-1", "replace")
        )
        return any_equal(
            [hmac.new(secret, request.body, "sha256").hexdigest().encode() for secret in secrets], given
        )
    repeated = _repeated(request)
    return bool(repeated) and any_equal(secrets, repeated)


def _repeated(request: WebhookRequest) -> bytes:
    """The secret that the request repeats; nothing where there is none."""
    headers = request.headers
    scheme, _, credentials = headers.get("authorization", "").strip()[:_LONGEST].partition(" ")
    if token := headers.get(_REPEATED, "").strip():
        return token[:_LONGEST].encode("latin-1", "replace")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1", "replace")
    if scheme.lower() == "basic":
        return _password(credentials)
    return _asked(request.query, _IN_ADDRESS).encode("utf-8", "replace")


def _password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


def _asked(query: str, name: str) -> str:
    """A value of the address's query; "" where it has none, or too many."""
    try:
        return parse_qs(query[:_LONGEST], max_num_fields=50).get(name, [""])[0].strip()
    except ValueError:
        return ""


def split(request: WebhookRequest) -> Sequence[WebhookRequest]:
    """The request as it is kept, once its signature was checked: without passwords and keys."""
    return (request._replace(body=without(request.body, WITHHELD)),)


def arrival(request: WebhookRequest) -> Arrival:
    """What a request names. Without an entity it is kept under a hash, and holds up no entity's events.

    Two announcements may be the same to the byte and each be news: the moment tells them apart.
    """
    try:
        body = parse_json_object(request.body)
    except Rejected:
        body = {}
    topic = _topic(body, request)
    row = TOPICS.get(topic)
    kind = Kind.ORDER if row is None else row.kind
    delivery = delivery_by_content(topic, row, request)
    entity = None if row is None else _entity(named_in(body), row.ids, kind)
    if entity is None and topic == NEWSLETTER and (address := address_in(body)) is not None:
        entity = f"address-{body_hash(address.lower().encode(errors='replace'))}"
    return Arrival(
        kind=kind,
        entity=entity or f"unread-{body_hash(delivery.encode())}",
        topic=topic,
        delivery=delivery,
        headers={name: request.headers[name][:_HEADER_LIMIT] for name in _KEPT if name in request.headers},
    )


def named_in(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that name the entity: the module's `data`, or all of the body."""
    data = body.get("data")
    return data if isinstance(data, dict) else body


def address_in(body: Mapping[str, Any]) -> str | None:
    """The address that a call of the newsletter's form names."""
    return email_text(named_in(body).get("email")) or email_text(body.get("email"))


def _topic(body: Mapping[str, Any], request: WebhookRequest) -> str:
    """The body's own word, else the header's or the address's; `Order` and `add` are `order.created`.

    A header may say more of the same (`order.refunded`). That something was deleted the body says itself,
    where it says anything: nobody signs a header.
    """
    entity, action, said = (body.get(key) for key in ("entity", "action", "topic"))
    own = said.strip() if isinstance(said, str) else ""
    hooks = (said, action, *(body.get(key) for key in ("hook", "event")))
    hook = next((found for one in hooks if isinstance(one, str) and (found := topic_of_hook(one))), "")
    if hook:
        return hook
    if not own and isinstance(entity, str) and isinstance(action, str):
        done = action.strip().lower()
        own = f"{entity.strip().lower()}.{_DONE.get(done, done)}"
    beside = request.headers.get("x-prestashop-topic", "").strip() or _asked(request.query, "topic")
    beside = topic_of_hook(beside) or beside
    refines = beside.partition(".")[0] == own.partition(".")[0] and not (
        TOPICS.is_deletion(beside) or TOPICS.is_deletion(own)
    )
    found = beside if not own or (refines and not isinstance(said, str)) else own
    return found[:_TOPIC_LIMIT] or NO_TOPIC


def _entity(value: Mapping[str, Any], ids: tuple[str, ...], kind: Kind) -> str | None:
    inner = value.get(str(kind))
    for parent in (value, inner if isinstance(inner, dict) else {}):
        for name in ids:
            found = parent.get(name)
            if isinstance(found, bool) or not isinstance(found, int | str):
                continue
            if _NUMBER.fullmatch(str(found)):
                return str(found).lstrip("0")
    return None
