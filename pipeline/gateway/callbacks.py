"""Connectif's newsletter callbacks: `/callbacks/{store}/{token}/subscribed`, `unsubscribed` and `bounced`.

Connectif signs nothing, so that the address holds a secret; and it does not send again by itself, so what is
answered 2xx is in Kafka or in the spool, as with webhooks. A callback lies in `sync.consents`, for the worker
that owns the shop's API. No network address is kept: only whether there was one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from pipeline.config import Settings, StoreSettings
from pipeline.gateway import answers
from pipeline.gateway.answers import NO_STORE, HttpAnswer
from pipeline.gateway.message import Message, Overloaded
from pipeline.gateway.webhooks import EventSink, Webhooks
from pipeline.kafka import topics
from pipeline.logs import Sparingly
from pipeline.metrics import GATEWAY_CALLBACKS
from pipeline.observe import Receive, Scope, Send
from pipeline.shops.base import Rejected
from pipeline.shops.callbacks import BOUNCED, SUBSCRIBED, UNSUBSCRIBED, callback_event
from pipeline.shops.values import any_equal, email, parse_json_object

log = logging.getLogger(__name__)

PREFIX = b"/callbacks/"
#: The method of each callback.
METHODS: Mapping[str, str] = {SUBSCRIBED: "GET", UNSUBSCRIBED: "GET", BOUNCED: "POST"}
#: Bytes of a body; a bounce's are about a thousand. A GET has none.
MAX_BODY = 64 * 1024
#: Between two lines about callbacks of one store that are refused.
QUIET_SECONDS = 60.0
_PARTS, _MOST_FIELDS, _MOST_TOKEN = 3, 20, 200
_BOUNCES = frozenset({"hard", "soft", "other"})

METHOD = {
    method: HttpAnswer(
        "method_not_allowed",
        405,
        {"error": "method_not_allowed", "hint": f"this callback is sent with {method}"},
        allow=method,
    )
    for method in ("GET", "POST")
}
NOT_FOUND = HttpAnswer(
    "not_found",
    404,
    {
        "error": "not_found",
        "hint": "callbacks go to /callbacks/{store}/{token}/subscribed, unsubscribed, bounced",
    },
)
UNAUTHORIZED = HttpAnswer(
    "unauthorized",
    401,
    {"error": "unauthorized", "hint": "compare the address's store and token with callback_tokens"},
)
UNREADABLE = HttpAnswer(
    "unreadable", 400, {"error": "unreadable", "hint": "name one person: email, as an address"}
)


class _Path(NamedTuple):
    store: str
    token: bytes
    what: str


class _Store(NamedTuple):
    name: str
    platform: str
    tokens: tuple[bytes, ...]
    accounts: tuple[str, ...] = ()

    def account_of(self, token: bytes) -> str:
        """Whose callbacks have a token, where the store feeds several accounts; each is compared."""
        same = [any_equal((one,), token) for one in self.tokens]
        return next((account for account, is_it in zip(self.accounts, same, strict=True) if is_it), "")


class Callbacks:
    """The application for paths that begin with `PREFIX`.

    Args:
        settings: the stores.
        keeper: where callbacks go.
        webhooks: counts what is held in memory.
        now: the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        keeper: EventSink,
        webhooks: Webhooks,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stores = {name: _store(name, store) for name, store in settings.stores.items()}
        self._left_out = frozenset(settings.refused_stores)
        self._nobody = _Store(NO_STORE, "", (secrets.token_bytes(32),))
        self._keeper = keeper
        self._webhooks = webhooks
        self._now = now
        self._topic = topics.full_name(settings, topics.SYNC_CONSENTS_TOPIC)
        self._refused = Sparingly(QUIET_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = _path_of(scope["raw_path"])
        if path is None:
            answer: HttpAnswer | None = NOT_FOUND
            store, what = self._nobody, "-"
        else:
            store, what = self._stores.get(path.store, self._nobody), path.what
            answer = await self._answer(store, path, scope, receive)
        if answer is not None:
            GATEWAY_CALLBACKS.labels(store.name, what, answer.outcome).inc()
            await send(answer.start)
            await send(answer.body)

    async def _answer(self, store: _Store, path: _Path, scope: Scope, receive: Receive) -> HttpAnswer | None:
        refusal = self._refuse_unread(path, scope["method"])
        body = refusal or await self._read(receive)
        if not isinstance(body, bytes):
            return body
        began = asyncio.get_running_loop().time()
        # The store without tokens is asked as well, so that its time does not tell it from others.
        if not any_equal(store.tokens or self._nobody.tokens, path.token) or store is self._nobody:
            self._say(store.name, "unauthorized", "their token is none of its callback_tokens")
            await asyncio.sleep(began + answers.REFUSAL_SECONDS - asyncio.get_running_loop().time())
            return UNAUTHORIZED
        try:
            message = self._message(store, path, scope["query_string"].decode("latin-1"), body)
        except Rejected:
            self._say(store.name, "unreadable", "they name no address of a person, or several")
            return UNREADABLE
        try:
            return answers.KEPT[await self._keeper.submit(message)]
        except Overloaded:
            return answers.OVERLOADED

    def _refuse_unread(self, path: _Path, given: str) -> HttpAnswer | None:
        method = METHODS[path.what]
        if given != method:
            return METHOD[method]
        if path.store in self._left_out:
            self._say(path.store, "store_refused", "its settings cannot be used")
            return answers.STORE_REFUSED
        return None

    def _message(self, store: _Store, path: _Path, query: str, body: bytes) -> Message:
        """What is kept of a callback.

        Raises:
            Rejected: it names no person.
        """
        bounce, what = "", path.what
        account = store.account_of(path.token) if store.accounts else ""
        if what == BOUNCED:
            said = parse_json_object(body)
            address, kind = said.get("entityEmail"), said.get("bounceTypeId")
            bounce, in_person = (kind if isinstance(kind, str) and kind in _BOUNCES else "other"), False
        else:
            address, in_person = _said_of(query)
        if not isinstance(address, str):
            raise Rejected("invalid_email", "email", "none is named")
        received_ms = int(self._now() * 1_000)
        event = callback_event(
            store.name,
            store.platform,
            what,
            email(address),
            received_ms,
            in_person,
            bounce=bounce,
            account=account,
        )
        return Message(self._topic, event.key, event.body, event.to_kafka_headers())

    async def _read(self, receive: Receive) -> bytes | HttpAnswer | None:
        """The body, counted as held while it comes; else the refusal, or None where the sender is gone."""
        held, pieces, route = 0, list[bytes](), self._webhooks.nobody
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                piece = message.get("body", b"")
                pieces.append(piece)
                held += len(piece)
                self._webhooks.hold(route, len(piece))
                if held > MAX_BODY:
                    return answers.TOO_LARGE
                if self._webhooks.overloaded(route, held):
                    return answers.OVERLOADED
                if not message.get("more_body", False):
                    return b"".join(pieces)
        finally:
            self._webhooks.hold(route, -held)

    def _say(self, store: str, outcome: str, why: str) -> None:
        """Nothing of the request is in it: its address holds a token, and its query a person."""
        count = self._refused.happened((store, outcome)) if store != NO_STORE else 0
        if count:
            log.warning(
                "store %s: %d callbacks of Connectif were refused, %s; it lists them as failed and does not "
                "send them again: docs/newsletter.md",
                store,
                count,
                why,
                extra={"event": f"callback.{outcome}"},
            )


def _store(name: str, store: StoreSettings) -> _Store:
    known = [
        (account, token.get_secret_value().encode())
        for account, tokens in store.callbacks.items()
        for token in tokens
    ]
    accounts = tuple(account for account, _ in known) if len(store.accounts) > 1 else ()
    return _Store(name, store.platform, tuple(token for _, token in known), accounts)


def _path_of(raw: bytes) -> _Path | None:
    """What a path names; None where its shape is not a callback's."""
    parts = raw.partition(b"?")[0].removeprefix(PREFIX).split(b"/")
    if len(parts) != _PARTS:
        return None
    store, token, what = (unquote_to_bytes(part).decode("latin-1") for part in parts)
    if not store or not token or what not in METHODS or len(token) > _MOST_TOKEN:
        return None
    return _Path(store, token.encode("latin-1"), what)


def _said_of(query: str) -> tuple[str, bool]:
    """The address, and whether a network address stands beside it, as it does if the person acts.

    A `+` in an address is one, also where the sender did not encode it: no address has a space.

    Raises:
        Rejected: `invalid_email`: there is none, or there are several.
    """
    try:
        pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Rejected("invalid_email", "email", "too many parameters") from None
    addresses = [value for name, value in pairs if name == "email"]
    if len(addresses) != 1:
        raise Rejected("invalid_email", "email", "none, or several")
    return addresses[0], any(name == "ip" and value.strip() for name, value in pairs)
