"""The fast path for the usual delivery: from the parser to Kafka and back without a task, in one write.

ASGI under uvicorn has a task, an event, a scope and two writes for each request: a quarter of all that a
delivery costs (benchmarks/RESULTS.md). So a POST of JSON that declares its length, one at a time on its
connection, is answered from here; all else goes through uvicorn to `pipeline.gateway.app`. The checks and the
answers are the same objects.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.config_stages import GatewaySettings
from pipeline.gateway import answers
from pipeline.gateway.answers import HttpAnswer
from pipeline.gateway.headers import decoded
from pipeline.gateway.message import Overloaded, Stored
from pipeline.gateway.protocol import LimitedProtocol
from pipeline.gateway.webhooks import PREFIX, Route, Webhooks


class _NoEvent:
    """uvicorn wakes the task of a request; there is none."""

    def set(self) -> None:
        pass


class _Delivery:
    """Replaces uvicorn's request-response cycle, with the fields that uvicorn reads."""

    __slots__ = (
        "began",
        "disconnected",
        "headers",
        "keep_alive",
        "message_event",
        "more_body",
        "pieces",
        "response_complete",
        "response_started",
        "route",
        "size",
    )

    def __init__(self, route: Route, headers: dict[str, str], keep_alive: bool) -> None:
        self.route = route
        self.headers = headers
        self.keep_alive = keep_alive
        self.pieces: list[bytes] = []
        self.size = 0
        self.more_body = True
        self.disconnected = self.response_started = self.response_complete = False
        self.message_event = _NO_EVENT
        self.began = 0.0


_NO_EVENT = _NoEvent()


class FastPathProtocol(LimitedProtocol):
    """The limited protocol with the fast path. A subclass sets `webhooks`: `fast_path_protocol`."""

    webhooks: Webhooks
    #: uvicorn's request-response cycle, or a `_Delivery`.
    cycle: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ready: _Delivery | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        super().data_received(data)
        delivery, self._ready = self._ready, None
        if delivery is not None:
            # Not from within the parser: it would take an error of this program for a bad request.
            self._take(delivery)

    def start_request(self) -> None:
        """The headers are there and within their limits."""
        delivery = self._delivery()
        if delivery is None:
            super().start_request()
        else:
            self.cycle = delivery

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        delivery = self.cycle
        if type(delivery) is not _Delivery:
            super().on_body(body)
            return
        self._beside_body -= len(body)
        if delivery.response_complete:
            return  # refused already
        delivery.pieces.append(body)
        delivery.size += len(body)
        self.webhooks.hold(delivery.route, len(body))
        if self.webhooks.overloaded(delivery.route, delivery.size):
            self._answer(delivery, answers.OVERLOADED)

    def on_message_complete(self) -> None:
        """The request's last byte."""
        super().on_message_complete()
        delivery = self.cycle
        if type(delivery) is _Delivery and not delivery.response_complete:
            self._ready = delivery

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has disconnected; a complete request is kept all the same."""
        delivery = self.cycle
        if type(delivery) is _Delivery and delivery.more_body:
            self._release(delivery)
        super().connection_lost(exc)

    def _delivery(self) -> _Delivery | None:
        """The request as a delivery; None where it is not the usual one."""
        path = self.url
        if (
            not path.startswith(PREFIX)
            or b"?" in path
            or self.parser.get_method() != b"POST"
            or (self.cycle is not None and not self.cycle.response_complete)
        ):
            return None
        route = self.webhooks.route(path)
        headers = decoded(self.headers)
        if (
            route is None
            or "content-length" not in headers
            or "expect" in headers
            or self.webhooks.refuse_unread(route, "POST", headers)
        ):
            return None
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        return _Delivery(route, headers, keep_alive)

    def _take(self, delivery: _Delivery) -> None:
        delivery.began = self.loop.time()
        try:
            kept = self.webhooks.keep(delivery.route, delivery.headers, b"".join(delivery.pieces))
        except Exception:
            self._answer(delivery, answers.OVERLOADED)
            raise
        if not isinstance(kept, HttpAnswer):
            kept.add_done_callback(lambda future: self._settled(delivery, future))
        elif kept is answers.UNAUTHORIZED:
            self.loop.call_at(delivery.began + answers.REFUSAL_SECONDS, self._answer, delivery, kept)
        else:
            self._answer(delivery, kept)

    def _settled(self, delivery: _Delivery, future: asyncio.Future[Stored]) -> None:
        try:
            answer = answers.KEPT[future.result()]
        except Overloaded:
            answer = answers.OVERLOADED
        else:
            delivery.route.count_kept(delivery.size, self.loop.time() - delivery.began)
        self._answer(delivery, answer)

    def _answer(self, delivery: _Delivery, answer: HttpAnswer) -> None:
        delivery.route.count(answer)
        self._release(delivery)
        delivery.response_started = delivery.response_complete = True
        if delivery.disconnected or self.transport.is_closing():
            return
        self.transport.write(
            answer.as_bytes(self.server_state.default_headers, keep_alive=delivery.keep_alive)
        )
        if not delivery.keep_alive or self.flow.write_paused:
            self.transport.close()
        self.on_response_complete()

    def _release(self, delivery: _Delivery) -> None:
        self.webhooks.hold(delivery.route, -delivery.size)
        delivery.pieces, delivery.size = [], 0


def fast_path_protocol(
    settings: GatewaySettings, checks: Webhooks, most: int = LimitedProtocol.max_connections
) -> type[HttpToolsProtocol]:
    """The protocol for these settings and checks, and `most` connections; uvicorn makes one for each."""

    class Configured(FastPathProtocol):
        limits = settings
        webhooks = checks
        max_connections = most

    return Configured
