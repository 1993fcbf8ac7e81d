"""`POST /webhooks/{platform}/{store}`: check that a delivery is genuine, keep it, then say so.

Bare ASGI: this is the one hot route of the program. What the delivery means is not looked at here; a body
that is not JSON but rightly signed is kept, and the translate stage dead-letters it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Protocol
from urllib.parse import unquote_to_bytes

from pipeline import topics
from pipeline.config import Settings, StoreSettings
from pipeline.events import Kind, RawEvent
from pipeline.gateway import answers
from pipeline.gateway.answers import NO_STORE, Answer
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.protocol import respond
from pipeline.metrics import GATEWAY_BODY_BYTES, GATEWAY_HELD_BYTES, GATEWAY_REQUESTS, GATEWAY_SECONDS
from pipeline.observe import AsgiApp, Receive, Scope, Send
from pipeline.shops.base import ShopAdapter

#: A refusal is sent this long after the body was read, so that its time tells nothing of what was found.
REFUSAL_SECONDS = 0.1
_PREFIX = b"/webhooks/"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_PARTS = 2
_LENGTH_DIGITS = 15


class Keeper(Protocol):
    """What keeps messages: `pipeline.gateway.intake.Intake`."""

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        """Keep a message; the future raises `Overloaded` where that cannot be done now."""


class _Route:
    """What a path means; where it names no store of ours, the secret is one that nobody has."""

    __slots__ = ("_counters", "adapter", "body_bytes", "known", "secrets", "store")

    def __init__(self, store: str, adapter: ShopAdapter, keys: tuple[bytes, ...]) -> None:
        self.store = store
        self.adapter = adapter
        self.secrets = keys
        self.known = store != NO_STORE
        self.body_bytes = GATEWAY_BODY_BYTES.labels(store).inc
        self._counters = {outcome: GATEWAY_REQUESTS.labels(store, outcome) for outcome in answers.OUTCOMES}

    async def answer(self, scope: Scope, send: Send, answer: Answer) -> None:
        """Send an answer and count it."""
        self._counters[answer.outcome].inc()
        await respond(scope, send, answer)


class Gateway:
    """The ASGI application.

    Args:
        settings: stores and limits.
        adapters: the platforms, by name.
        keeper: where events go.
        observe: answers every path that is no webhook's.
        now: the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        adapters: Mapping[str, ShopAdapter],
        keeper: Keeper,
        observe: AsgiApp,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._adapters = adapters
        self._keeper = keeper
        self._observe = observe
        self._now = now
        self._max_body = settings.gateway.max_body_bytes
        self._max_held = settings.gateway.max_held_bytes
        self._held = 0
        GATEWAY_HELD_BYTES.set_function(lambda: self._held)
        self._topics = {kind: topics.full_name(settings, kind.topic) for kind in Kind}
        self._routes = {
            f"/webhooks/{store.platform}/{name}".encode(): self._route(name, store)
            for name, store in settings.stores.items()
        }
        self._strangers = {
            platform.encode(): _Route(NO_STORE, adapter, (secrets.token_bytes(32),))
            for platform, adapter in adapters.items()
        }
        self._nobody = next(iter(self._strangers.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["raw_path"]
        if not path.startswith(_PREFIX):
            await self._observe(scope, receive, send)
            return
        route = self._routes.get(path) or self._resolve(path)
        if route is None:
            await self._nobody.answer(scope, send, answers.NOT_FOUND)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = self._refuse_unread(scope["method"], headers) or await self._read(receive)
        if isinstance(body, bytes):
            try:
                await route.answer(scope, send, await self._keep(route, headers, body))
            finally:
                self._held -= len(body)
        elif body is not None:
            await route.answer(scope, send, body)

    def _route(self, name: str, store: StoreSettings) -> _Route:
        keys = tuple(secret.get_secret_value().encode() for secret in store.secrets)
        return _Route(name, self._adapters[store.platform], keys)

    def _resolve(self, path: bytes) -> _Route | None:
        """The route of a path not spelt as ours are; None where its shape is not a webhook's."""
        parts = path.removeprefix(_PREFIX).split(b"/")
        if len(parts) != _PARTS or not all(parts):
            return None
        platform, store = (unquote_to_bytes(part) for part in parts)
        if b"/" in platform or b"/" in store:
            return self._nobody
        known = self._routes.get(b"%s%s/%s" % (_PREFIX, platform, store))
        return known or self._strangers.get(platform, self._nobody)

    def _refuse_unread(self, method: str, headers: Mapping[str, str]) -> Answer | None:
        if method != "POST":
            return answers.METHOD
        if _media_type(headers) not in (_JSON, _FORM):
            return answers.MEDIA_TYPE
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _LENGTH_DIGITS or int(length) > self._max_body:
            return answers.TOO_LARGE
        return None

    async def _read(self, receive: Receive) -> bytes | Answer | None:
        """The body, counted as held; else the refusal, or None where the sender has gone."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                break
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            self._held += len(chunk)
            if size > self._max_body or self._held > self._max_held:
                break
            if not message.get("more_body", False):
                return b"".join(chunks)
        self._held -= size
        if message["type"] != "http.request":
            return None
        return answers.TOO_LARGE if size > self._max_body else answers.OVERLOADED

    async def _keep(self, route: _Route, headers: Mapping[str, str], body: bytes) -> Answer:
        read_at = perf_counter()
        if not body:
            return answers.EMPTY
        if _media_type(headers) == _FORM:
            if not route.adapter.is_ping(headers, body):
                return answers.MEDIA_TYPE
            return answers.PING if route.known else await _unauthorized(read_at)
        if not route.adapter.verify(route.secrets, headers, body) or not route.known:
            return await _unauthorized(read_at)
        try:
            stored = await self._keeper.submit(self._message(route, headers, body))
        except Overloaded:
            return answers.OVERLOADED
        route.body_bytes(len(body))
        GATEWAY_SECONDS.observe(perf_counter() - read_at)
        return answers.KEPT[stored]

    def _message(self, route: _Route, headers: Mapping[str, str], body: bytes) -> Message:
        arrival = route.adapter.arrival(headers, body)
        event = RawEvent(
            store=route.store,
            platform=route.adapter.platform,
            kind=arrival.kind,
            entity=arrival.entity,
            topic=arrival.topic,
            delivery=arrival.delivery,
            received_ms=int(self._now() * 1000),
            body=body,
            triggered_ms=arrival.triggered_ms,
            headers=arrival.headers,
        )
        return Message(self._topics[arrival.kind], event.key, body, event.to_kafka_headers())


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def _unauthorized(read_at: float) -> Answer:
    await asyncio.sleep(read_at + REFUSAL_SECONDS - perf_counter())
    return answers.UNAUTHORIZED
