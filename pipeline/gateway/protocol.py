"""HTTP/1.1 under uvicorn, with limits on what one connection may cost: headers, requests, and time."""

from __future__ import annotations

import asyncio
from itertools import chain, islice
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.config_stages import GatewaySettings
from pipeline.gateway import answers
from pipeline.gateway.answers import HttpAnswer
from pipeline.metrics import GATEWAY_REQUESTS
from pipeline.observe import Receive, Scope, Send

#: A shop sends about 20 headers, proxies add some.
MAX_HEADERS = 200
MAX_HEADER_BYTES = 65_536
#: Nearly all requests have no more of them; those with more have, together, this part of the bytes held.
USUAL_HEADER_BYTES = 8_192
HEADERS_PART = 4
#: Headers are read to their end, so that the sender gets its answer; but not without end.
HARD_LIMIT_BYTES = 2_000_000
#: Bytes read before another connection is read: libuv would read 8 MB of one before.
TURN_BYTES = 64_000
#: Requests that wait behind the one that is answered, at most; shops send none.
MAX_PIPELINED = 16
#: With so many connections, an idle one is closed for a new one.
_LOOKED_AT = 100
_OF_THE_OFFER = (b"upgrade", b"connection", b"http2-settings")


async def _refuse_headers(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
    _count(answers.HEADERS)
    await send(answers.HEADERS.start)
    await send(answers.HEADERS.body)


def _count(answer: HttpAnswer) -> None:
    GATEWAY_REQUESTS.labels(answers.NO_STORE, answer.outcome).inc()


class _NoMore(Exception):  # noqa: N818 - it stops the parser
    """Nothing more of this connection is read."""


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, with limits. `enforce_timeouts` must be called once a second.

    A subclass sets `limits`, and `max_connections` where there is such a limit.
    """

    limits: GatewaySettings
    max_connections = 1_000_000
    #: Of all connections: bytes of half-read requests that are not body.
    headers_held: ClassVar[int] = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shop_app = self.app
        self.headers = []
        self._seconds = self._write_seconds = 0
        self._has_begun = self._in_headers = False
        self._headers_dropped = False
        self._upgrading = False
        #: Nothing more is read: complete requests are answered, then `_last_word` is sent, and it is closed.
        self._deaf = False
        self._last_word: HttpAnswer | None = None
        #: Bytes of this request that are not body: headers, framing, trailers.
        self._beside_body = self._counted = 0

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

    @property
    def can_give_way(self) -> bool:
        """Whether it may be closed for another: idle, or silent for a second since it was opened."""
        return self.is_idle or (not self._has_begun and self._seconds > 1)

    @property
    def _is_half_read(self) -> bool:
        """Whether a request that has no answer yet has begun and is not whole."""
        cycle = self.cycle
        return self._in_headers or (cycle is not None and cycle.more_body and not cycle.response_started)

    def enforce_timeouts(self) -> None:
        """Close the connection where it waited too long for its peer."""
        if self.transport.get_write_buffer_size():
            self._write_seconds += 1
            if self._write_seconds > self.limits.write_timeout:
                self.transport.abort()
            return
        self._write_seconds = 0
        if self.is_answering:
            return
        self._seconds += 1
        if self.is_idle:
            if self._seconds > self.limits.idle_timeout:
                self.transport.close()
        elif self._seconds > self.limits.read_timeout:
            self._end_with(answers.SLOW if self._is_half_read else None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One more, if there is room or one that nothing comes from can make it."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            others = (c for c in islice(self.connections, _LOOKED_AT) if c is not self)
            other = next((c for c in others if isinstance(c, LimitedProtocol) and c.can_give_way), None)
            if other is None:
                self._end_with(answers.OVERLOADED)
            else:
                other.transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._deaf:
            return
        self._beside_body += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self._deaf:
                self._end_with(answers.BAD_REQUEST)
        if self._beside_body > MAX_HEADER_BYTES or (self.headers and len(self.headers) > MAX_HEADERS):
            self._drop_headers()
        if self._beside_body != self._counted:
            self._count_headers(self._beside_body)
        if len(data) >= TURN_BYTES and not self.flow.read_paused and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read on, unless reading is paused."""
        if not self.flow.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing of it is held any more."""
        self._count_headers(0)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends no more, but it may still read: what came whole is answered."""
        if not self._deaf:
            self._end_with(answers.BAD_REQUEST if self._is_half_read else None)
        return True

    def on_message_begin(self) -> None:
        """A request's first byte."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._end_with(answers.OVERLOADED)
        if self._deaf:
            raise _NoMore
        self.url = b""
        self.headers = []
        self._seconds = 0
        self._has_begun = self._in_headers = True
        self._headers_dropped = self._upgrading = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. A trailer behind the body never replaces a header."""
        if self._in_headers:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The request can be answered."""
        self._in_headers = False
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        too_many = self._headers_dropped or len(self.headers) > MAX_HEADERS
        # What has come so far, with the beginning of the body, bounds the headers; usually that is enough.
        if not too_many and self._beside_body > MAX_HEADER_BYTES:
            too_many = sum(map(len, chain.from_iterable(self.headers))) > MAX_HEADER_BYTES
        if too_many:
            self.app = _refuse_headers
            self._start_asgi()
            self.app = self._shop_app
        else:
            self.start_request()

    def start_request(self) -> None:
        """The headers are there and within their limits."""
        self._start_asgi()

    def _start_asgi(self) -> None:
        """Hand it to uvicorn; the scope is made only now."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers = self.scope["headers"] = headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        if self.expect_100_continue:
            # A peer that is refused may send the body or leave it out: what follows is ambiguous.
            headers.append((b"connection", b"close"))
        super().on_headers_complete()
        if self.expect_100_continue:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request's last byte."""
        if self._upgrading:
            return
        self._beside_body = 0
        self._seconds = 0
        super().on_message_complete()
        if not self.cycle.keep_alive:
            self._deaf = True

    def on_response_complete(self) -> None:
        """The answer is written. `enforce_timeouts` closes idle connections: a request sets no timer."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._deaf:
            self._say_last()
        else:
            self.flow.resume_reading()

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Only HTTP/1.1 is spoken: a request that offers an upgrade is read again without the offer.

        The parser takes what follows such a head for another protocol's: its body would be read as a request.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT" or self._headers_dropped or len(self.headers) > MAX_HEADERS:
            self._end_with(answers.METHOD if method == b"CONNECT" else answers.HEADERS)
            return
        kept = [header for header in self.headers if header[0] not in _OF_THE_OFFER]
        lines = [b"%s %s HTTP/%s" % (method, self.url, version), b"connection: close"]
        lines += [b"%s: %s" % header for header in kept]
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n" + rest)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._deaf:
                self._end_with(answers.BAD_REQUEST)

    def _drop_headers(self) -> None:
        """Too many or long headers, a body in tiny chunks, or endless trailers: keep none of it in memory."""
        if self._in_headers:
            self._headers_dropped = True
            self.headers.clear()
        elif len(self.headers) > MAX_HEADERS:  # refused
            self.headers.clear()
        if self._beside_body > HARD_LIMIT_BYTES:
            self._end_with(answers.HEADERS if self._in_headers else None)

    def _count_headers(self, size: int) -> None:
        """So many bytes beside the body are held; where all are too many together, long ones are refused."""
        kind = type(self)
        kind.headers_held += size - self._counted
        self._counted = size
        most = self.limits.max_held_bytes // HEADERS_PART
        if size > USUAL_HEADER_BYTES and kind.headers_held > most and not self._deaf:
            self._end_with(answers.OVERLOADED if self._is_half_read else None)

    def _end_with(self, last_word: HttpAnswer | None) -> None:
        """Read no more; answer the complete requests, in order, then send the last answer and close."""
        self._deaf = True
        self._last_word = last_word
        outstanding = self.is_answering
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            outstanding = True
            if self.cycle.more_body:  # it stands behind the others, and is not whole
                self.pipeline.popleft()
        if not outstanding:
            self._say_last()

    def _say_last(self) -> None:
        answer, self._last_word = self._last_word, None
        if self.transport.is_closing():
            return
        if answer is not None:
            _count(answer)
            self.transport.write(answer.as_bytes(self.server_state.default_headers, keep_alive=False))
        self.transport.close()
