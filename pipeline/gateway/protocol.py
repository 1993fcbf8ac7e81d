"""HTTP/1.1 under uvicorn, with limits on what one connection may cost: headers, and time."""

from __future__ import annotations

from itertools import chain
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.config import GatewaySettings
from pipeline.gateway import answers
from pipeline.gateway.answers import Answer
from pipeline.metrics import GATEWAY_REQUESTS
from pipeline.observe import Receive, Scope, Send

#: A shop sends about 20 headers, proxies add some.
MAX_HEADERS = 200
MAX_HEADER_BYTES = 65_536
#: Headers are read to their end, so that the sender gets its answer; but not without end.
HARD_LIMIT_BYTES = 2_000_000


async def _refuse_headers(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
    _count(answers.HEADERS)
    await send(answers.HEADERS.start)
    await send(answers.HEADERS.body)


def _count(answer: Answer) -> None:
    GATEWAY_REQUESTS.labels(answers.NO_STORE, answer.outcome).inc()


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, with limits. `sweep` must be called once a second.

    A subclass sets `limits`.
    """

    limits: GatewaySettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shop_app = self.app
        self._seconds = 0
        self._in_headers = False
        self._headers_dropped = False
        #: Bytes of this request that are not body: headers, framing, trailers.
        self._beside_body = 0

    @property
    def is_answering(self) -> bool:
        """Whether a whole request waits for our answer."""
        cycle = self.cycle
        return cycle is not None and not cycle.more_body and not cycle.response_complete

    @property
    def is_idle(self) -> bool:
        """Whether nothing of another request has come since the last answer."""
        cycle = self.cycle
        return cycle is not None and cycle.response_complete and not self._in_headers

    def sweep(self) -> None:
        """Close the connection where it waited too long for its peer."""
        if self.is_answering:
            return
        self._seconds += 1
        if self.is_idle:
            if self._seconds > self.limits.idle_timeout:
                self._give_up(None)
        elif self._seconds > self.limits.read_timeout:
            half_read = self._in_headers or (self.cycle is not None and not self.cycle.response_started)
            self._give_up(answers.SLOW if half_read else None)

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MAX_HEADER_BYTES or (self.headers and len(self.headers) > MAX_HEADERS):
            self._drop_headers()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._seconds = 0
        self._in_headers = True
        self._headers_dropped = False

    def on_headers_complete(self) -> None:
        """The request can be answered."""
        self._in_headers = False
        too_many = self._headers_dropped or len(self.headers) > MAX_HEADERS
        # What has come so far, with the beginning of the body, bounds the headers; usually that is enough.
        if not too_many and self._beside_body > MAX_HEADER_BYTES:
            too_many = sum(map(len, chain.from_iterable(self.headers))) > MAX_HEADER_BYTES
        if too_many:
            self.app = _refuse_headers
            super().on_headers_complete()
            self.app = self._shop_app
        else:
            self.start_request()

    def start_request(self) -> None:
        """The headers are there and within their limits."""
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request's last byte."""
        self._beside_body = 0
        self._seconds = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written. `sweep` closes idle connections, so no timer is set for each request."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _drop_headers(self) -> None:
        """Too many or too long, or a body in crumbs, or endless trailers: hold none of it in memory."""
        if self._in_headers:
            self._headers_dropped = True
            self.headers.clear()
        elif len(self.headers) > MAX_HEADERS:
            self.headers.clear()
        if self._beside_body > HARD_LIMIT_BYTES:
            self._give_up(answers.HEADERS if self._in_headers else None)

    def _give_up(self, answer: Answer | None) -> None:
        if self.transport.is_closing():
            return
        if answer is not None:
            _count(answer)
            self.transport.write(answer.as_bytes(self.server_state.default_headers, keep_alive=False))
        self.transport.close()
