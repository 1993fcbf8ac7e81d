"""What the gateway asks of a delivery: is it for us, is it genuine, may it be kept now.

Its meaning is not examined here; a body that is not JSON but rightly signed is kept, and the translate
stage dead-letters it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol
from urllib.parse import unquote_to_bytes

from pipeline.config import Settings, StoreSettings
from pipeline.events import TRACE, Kind
from pipeline.gateway import answers
from pipeline.gateway.answers import NO_STORE, HttpAnswer
from pipeline.gateway.message import TIMES_WHAT_IS_FREE, Message, Stored
from pipeline.kafka import topics
from pipeline.logs import Sparingly
from pipeline.metrics import (
    GATEWAY_BODY_BYTES,
    GATEWAY_HELD_BYTES,
    GATEWAY_LAST_EVENT,
    GATEWAY_REQUESTS,
    GATEWAY_SECONDS,
)
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.probe import is_unkept
from pipeline.tracing import Span, Tracer

log = logging.getLogger(__name__)

PREFIX = b"/webhooks/"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_NOT_ENCODED = ("identity", "")
_PARTS = 2
_LENGTH_DIGITS = 15


class EventSink(Protocol):
    """What keeps messages: `pipeline.gateway.intake.Intake`."""

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        """Keep a message; the future raises `Overloaded` where that cannot be done now."""


class Route:
    """What a path names; if that is no store of the settings, the secret is a random one.

    Args:
        store: its name, else `NO_STORE`.
        platform: whose path it is; None if the path names no platform that any store has, or if the store's
            settings cannot be used.
        settings: the store's; of a path without a store, any store's of its platform.
        keys: its secrets.
    """

    __slots__ = (
        "_body_bytes",
        "_counters",
        "_secrets",
        "_settings",
        "held",
        "known",
        "last_kept",
        "platform",
        "store",
    )

    def __init__(
        self,
        store: str,
        platform: AnyPlatform | None,
        settings: StoreSettings | None = None,
        keys: tuple[bytes, ...] = (),
    ) -> None:
        self.store = store
        self.platform = platform
        self._settings = settings
        self._secrets = keys
        self.known = store != NO_STORE
        #: Bytes of its bodies in memory.
        self.held = 0
        #: When its last event was kept, epoch seconds; 0: never.
        self.last_kept = 0.0
        self._body_bytes = GATEWAY_BODY_BYTES.labels(store)
        self._counters = {outcome: GATEWAY_REQUESTS.labels(store, outcome) for outcome in answers.OUTCOMES}

    def is_genuine(self, request: WebhookRequest) -> bool:
        """Whether its shop sent it."""
        platform = self.platform
        return platform is not None and platform.verify(self._secrets, request, self._settings) and self.known

    def count(self, answer: HttpAnswer) -> None:
        """Count an answer."""
        self._counters[answer.outcome].inc()

    def count_kept(self, size: int, seconds: float) -> None:
        """Count a body that was kept."""
        self.last_kept = time.time()
        self._body_bytes.inc(size)
        GATEWAY_SECONDS.observe(seconds)


#: Between two lines about a store's webhooks whose signature does not fit.
UNSIGNED_SECONDS = 60.0
#: Nearly all bodies are no larger than this,
SMALL_BYTES = 64 * 1024
#: and larger ones have only this share of the bytes held.
LARGE_SHARE = 0.75

#: Documents of one request that are kept each as an event; a request of more is one event, for dead letters.
MAX_DOCUMENTS = 1_000


class Webhooks:
    """The checks, in the order a request is read; the caller sends the answers.

    Args:
        settings: stores and limits.
        platforms: the platforms, by name.
        keeper: where events go.
        now: the wall clock, in seconds since the epoch.
        tracer: begins the trace of each delivery; None: deliveries have none.

    Attributes:
        held: bytes of bodies in memory; readers add and subtract what they hold, here and at the route.
        routes: of the stores of the settings, by name.
        max_body: the largest body taken.
        nobody: the route of paths that name no platform that any store has.
    """

    def __init__(
        self,
        settings: Settings,
        platforms: Mapping[str, AnyPlatform],
        keeper: EventSink,
        now: Callable[[], float] = time.time,
        tracer: Tracer | None = None,
    ) -> None:
        self._platforms = platforms
        self._tracer = tracer
        self._keeper = keeper
        self._unsigned = Sparingly(UNSIGNED_SECONDS)
        self._to_open = Sparingly(UNSIGNED_SECONDS)
        self._now = now
        self.held = 0
        self.max_body = settings.gateway.max_body_bytes
        self._max_held = settings.gateway.max_held_bytes
        self._topics = {kind: topics.full_name(settings, kind.topic) for kind in Kind}
        self._routes = {
            b"%s%s/%s" % (PREFIX, store.platform.encode(), name.encode()): self._route(name, store)
            for name, store in settings.stores.items()
        }
        self._strangers = {
            store.platform.encode(): self._route(NO_STORE, store, (secrets.token_bytes(32),))
            for store in settings.stores.values()
        }
        self.nobody = Route(NO_STORE, None)
        self._refused = {name.encode(): Route(name, None) for name in settings.refused_stores}
        self.routes = {route.store: route for route in self._routes.values()}
        for name, route in self.routes.items():
            GATEWAY_LAST_EVENT.labels(name).set_function(partial(getattr, route, "last_kept"))
        self._shared = len(self.routes) > 1
        GATEWAY_HELD_BYTES.set_function(lambda: self.held)

    def overloaded(self, route: Route, size: int) -> bool:
        """Whether a body of which so many bytes have come is to be refused: the large ones first.

        Many large bodies that never end, signed or not, leave room for those of usual size; and
        what comes to one store's path leaves room for the others.
        """
        free = self._max_held * (1.0 if size <= SMALL_BYTES else LARGE_SHARE) - self.held
        return free < 0 or (self._shared and route.held - size > TIMES_WHAT_IS_FREE * free)

    def hold(self, route: Route, size: int) -> None:
        """Count bytes that are held from now on, or, where `size` is negative, are not any more."""
        self.held += size
        route.held += size

    def route(self, path: bytes) -> Route | None:
        """What a raw path beginning with `PREFIX` means; None where its shape is not a webhook's."""
        return self._routes.get(path) or self._resolve(path)

    def refuse_unread(self, route: Route, method: str, headers: Mapping[str, str]) -> HttpAnswer | None:
        """The refusal a request earns before its body is read, if any."""
        if route.known and route.platform is None:
            return answers.STORE_REFUSED
        if method != "POST":
            others = () if route.platform is None else route.platform.methods
            return None if method in others else answers.METHOD
        if _media_type(headers) not in (_JSON, _FORM):
            return answers.MEDIA_TYPE
        if "content-encoding" in headers and headers["content-encoding"].strip().lower() not in _NOT_ENCODED:
            return answers.ENCODING
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _LENGTH_DIGITS or int(length) > self.max_body:
            return answers.TOO_LARGE
        return None

    def keep(
        self, route: Route, headers: Mapping[str, str], body: bytes, query: str = "", method: str = "POST"
    ) -> HttpAnswer | asyncio.Future[Stored]:
        """Check a whole request, and keep what it says; else the answer.

        `answers.UNAUTHORIZED` must be sent `answers.REFUSAL_SECONDS` after the call.
        """
        request = WebhookRequest(headers, body, int(self._now() * 1000), query, method)
        platform = route.platform
        greeted = None if platform is None or platform.greeting is None else self._greet(route, request)
        if greeted is not None:
            return greeted
        if method != "POST":
            return answers.METHOD
        if _media_type(headers) == _FORM:
            return answers.MEDIA_TYPE
        if platform is None or not route.is_genuine(request):
            if route.known:
                self._say_unsigned(route.store)
            return answers.UNAUTHORIZED
        if is_unkept(body):
            return answers.PING
        documents = (request,) if platform.split is None else platform.split(request)
        if len(documents) > MAX_DOCUMENTS:
            documents = (request,)
        tracer, store = self._tracer, route.store
        if tracer is None:
            kept = [self._keeper.submit(self._message(store, platform, one)) for one in documents]
        else:
            kept = [self._traced(tracer, store, platform, one) for one in documents]
        return kept[0] if len(kept) == 1 else all_kept(kept)

    def _say_unsigned(self, store: str) -> None:
        """The shop's own webhooks may be among them: they are not sent for ever."""
        count = self._unsigned.happened(store)
        if count:
            log.warning(
                "store %s: %d webhooks were answered 401, their signature fits none of its secrets: compare "
                "them with the shop's webhook settings, or somebody else sends",
                store,
                count,
            )

    def _greet(self, route: Route, request: WebhookRequest) -> HttpAnswer | None:
        """The answer to a request without an event; None where it is none of these.

        Only a person confirms a webhook by an address that came without a signature.
        """
        platform = route.platform
        said = None if platform is None or platform.greeting is None else platform.greeting(request)
        if said is None or platform is None:
            return None
        if not route.known:
            return answers.UNAUTHORIZED
        address = None if platform.to_open is None else platform.to_open(request)
        if address is not None and self._to_open.happened(route.store):
            log.warning(
                "store %s: to confirm its new webhook, open within five minutes: %s", route.store, address
            )
        return answers.greeting(said)

    def _traced(
        self, tracer: Tracer, store: str, platform: AnyPlatform, request: WebhookRequest
    ) -> asyncio.Future[Stored]:
        """Keep an event with its trace context; its span is over once it is kept."""
        own, parent = tracer.begin(request.headers.get(TRACE))
        message = self._message(store, platform, request)
        message.headers.append((TRACE, own.written().encode()))
        if not tracer.exports:
            return self._keeper.submit(message)
        kept, began = self._keeper.submit(message), time.time_ns()

        def over(done: asyncio.Future[Stored]) -> None:
            failed = done.cancelled() or done.exception() is not None
            said = {"store": store, "platform": platform.name, "topic": message.topic}
            if not failed:
                said["kept"] = done.result().value
            tracer.ended(Span("receive", own, parent, began, time.time_ns(), said, failed))

        kept.add_done_callback(over)
        return kept

    def _message(self, store: str, platform: AnyPlatform, request: WebhookRequest) -> Message:
        event = raw_event(store, platform, request)
        return Message(self._topics[event.kind], event.key, request.body, event.to_kafka_headers())

    def _resolve(self, path: bytes) -> Route | None:
        """The route of a path in an unusual spelling."""
        parts = path.removeprefix(PREFIX).split(b"/")
        if len(parts) != _PARTS or not all(parts):
            return None
        platform, store = (unquote_to_bytes(part) for part in parts)
        if b"/" in platform or b"/" in store:
            return self.nobody
        known = self._routes.get(b"%s%s/%s" % (PREFIX, platform, store)) or self._refused.get(store)
        return known or self._strangers.get(platform, self.nobody)

    def _route(self, name: str, store: StoreSettings, keys: tuple[bytes, ...] = ()) -> Route:
        keys = keys or tuple(secret.get_secret_value().encode() for secret in store.secrets)
        return Route(name, self._platforms[store.platform], store, keys)


def all_kept(futures: list[asyncio.Future[Stored]]) -> asyncio.Future[Stored]:
    """Done when all are: in the spool where one of them is; it raises what the first of them raises.

    Where one could not be kept the shop sends all of them again, and those that were are duplicates then.
    """
    whole: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
    waiting = len(futures)

    def one_done(future: asyncio.Future[Stored]) -> None:
        nonlocal waiting
        waiting -= 1
        if future.cancelled():
            whole.cancel()
            return
        error = future.exception()
        if whole.done():
            return
        if error is not None:
            whole.set_exception(error)
        elif not waiting:
            spooled = any(one.result() is Stored.SPOOL for one in futures)
            whole.set_result(Stored.SPOOL if spooled else Stored.KAFKA)

    for future in futures:
        future.add_done_callback(one_done)
    if not futures:  # an empty batch holds no event that could be lost
        whole.set_result(Stored.KAFKA)
    return whole


def _media_type(headers: Mapping[str, str]) -> str:
    given = headers.get("content-type", "")
    return given if given == _JSON else given.partition(";")[0].strip().lower()
