"""Every answer the gateway gives, as bytes made once."""

from __future__ import annotations

import http
from collections.abc import MutableMapping
from typing import Any

import orjson

from pipeline.gateway.message import Stored


class HttpAnswer:
    """One response.

    Args:
        outcome: the metric label.
        status: the HTTP status.
        body: sent as JSON, a text as it stands: no secrets, and nothing of a request but a greeting's text.
        headers: besides type and length.
    """

    __slots__ = ("_head", "_made_for", "_whole", "body", "outcome", "start")

    def __init__(self, outcome: str, status: int, body: dict[str, Any] | str, **headers: str) -> None:
        is_text = isinstance(body, str)
        media_type = b"text/plain; charset=utf-8" if is_text else b"application/json"
        content = body.encode() if isinstance(body, str) else orjson.dumps(body)
        extra = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.outcome = outcome
        self._made_for: list[tuple[bytes, bytes]] | None = None
        self._head = self._whole = b""
        self.start: MutableMapping[str, Any] = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", b"%d" % len(content)),
                *extra,
            ],
        }
        self.body: MutableMapping[str, Any] = {"type": "http.response.body", "body": content}

    def as_bytes(self, first_headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> bytes:
        """The whole response; rebuilt only when `first_headers` (the date) is another list."""
        if self._made_for is not first_headers:
            self._made_for = first_headers
            status = http.HTTPStatus(self.start["status"])
            headers = [b"%s: %s\r\n" % header for header in first_headers + self.start["headers"]]
            self._head = b"HTTP/1.1 %d %s\r\n%s" % (status, status.phrase.encode(), b"".join(headers))
            self._whole = self._head + b"\r\n" + self.body["body"]
        return self._whole if keep_alive else self._head + b"connection: close\r\n\r\n" + self.body["body"]


def _error(outcome: str, status: int, hint: str, **headers: str) -> HttpAnswer:
    return HttpAnswer(outcome, status, {"error": outcome, "hint": hint}, **headers)


#: The metric's label if no store of the settings is named.
NO_STORE = "-"
#: A refusal is sent this long after the body was read, so that its time does not reveal what was found.
REFUSAL_SECONDS = 0.1
#: `Retry-After` in seconds: by then Kafka may be back or the spool drained.
RETRY_AFTER = "10"

KEPT = {stored: HttpAnswer(stored.value, 200, {"ok": True}) for stored in Stored}
PING = HttpAnswer("ping", 200, {"ok": True})
#: Longest text that is repeated in an answer to a request that is not signed.
GREETING_LIMIT = 1_000
NOT_FOUND = _error("not_found", 404, "webhooks go to /webhooks/{platform}/{store}")
METHOD = _error("method_not_allowed", 405, "webhooks are sent with POST", allow="POST")
MEDIA_TYPE = _error("unsupported_media_type", 415, "choose JSON as the webhook's format")
ENCODING = _error(
    "unsupported_content_encoding",
    415,
    "send the body as it is signed, not compressed",
    accept_encoding="identity",
)
BAD_REQUEST = _error("bad_request", 400, "this is not a request of HTTP/1.1")
TOO_LARGE = _error("body_too_large", 413, "the body exceeds gateway.max_body_bytes")
HEADERS = _error("headers_too_large", 431, "send fewer or smaller headers")
SLOW = _error("request_timeout", 408, "send the whole request without pauses")
UNAUTHORIZED = _error(
    "unauthorized", 401, "compare the URL's platform and store, and the webhook's secret, with the settings"
)
STORE_REFUSED = _error(
    "store_refused",
    503,
    "the store's settings cannot be used: correct them, and send it again",
    retry_after=RETRY_AFTER,
)
OVERLOADED = _error("overloaded", 503, "nothing was kept; send it again", retry_after=RETRY_AFTER)


def greeting(text: str) -> HttpAnswer:
    """The answer to a platform's test of the address; `text` is what it expects, "" if any 200 is enough."""
    if not text:
        return PING
    return HttpAnswer(PING.outcome, 200, text[:GREETING_LIMIT], x_content_type_options="nosniff")


#: Every value of the metric's label.
OUTCOMES = tuple(
    answer.outcome
    for answer in (
        *KEPT.values(),
        PING,
        NOT_FOUND,
        METHOD,
        MEDIA_TYPE,
        ENCODING,
        BAD_REQUEST,
        TOO_LARGE,
        HEADERS,
        SLOW,
        UNAUTHORIZED,
        STORE_REFUSED,
        OVERLOADED,
    )
)
