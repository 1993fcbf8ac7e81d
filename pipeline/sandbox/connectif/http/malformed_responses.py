"""Malformed responses: not Connectif's, but of a proxy in front of it or of another server instead of it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import orjson

from pipeline.sandbox.connectif.http.request import ApiRequest
from pipeline.sandbox.connectif.http.responses import HTML, ApiResponse, title_of
from pipeline.sandbox.connectif.model.api_errors import Violation
from pipeline.sandbox.connectif.model.encoding import dump_json
from pipeline.sandbox.connectif.simulation.faults import FaultRule

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = b"x" * 1_000_000
_GZIP = 31
#: Characters of the request that are repeated.
_ECHOED = 20_000


def html_page(status: int) -> ApiResponse:
    """A web page that says the status and no more."""
    return ApiResponse(
        status, f"<html><body><h1>{status} {title_of(status)}</h1></body></html>\n".encode(), HTML
    )


def _page(rule: FaultRule, _: ApiRequest) -> ApiResponse:
    return html_page(rule.status)


def _reply(rule: FaultRule, _: ApiRequest) -> ApiResponse:
    return ApiResponse(rule.status, rule.body.encode(), rule.content_type.encode("latin-1"))


def _huge(rule: FaultRule, _: ApiRequest) -> ApiResponse:
    return ApiResponse(rule.status, file=io.BufferedReader(_Stream(_error(rule))))


def _bomb(rule: FaultRule, _: ApiRequest) -> ApiResponse:
    file = io.BufferedReader(_Stream(_gzipped(_error(rule))))
    return ApiResponse(rule.status, headers=((b"content-encoding", b"gzip"),), file=file)


def _echo(rule: FaultRule, request: ApiRequest) -> ApiResponse:
    """An HttpError that repeats what was sent: path, query, body or form; a 422 names each field's value."""
    parts = [
        *request.params.values(),
        request.query_string.decode("latin-1"),
        request.body.decode("utf-8", "replace"),
    ]
    if request.form is not None:
        parts += request.form.texts.values()
        if request.form.file is not None:
            parts.append(request.form.file.file.read(_ECHOED).decode("utf-8", "replace"))
            request.form.file.file.seek(0)
    detail = f"Not accepted: {'; '.join(text for text in parts if text)}"[:_ECHOED]
    error = {"status": rule.status, "title": title_of(rule.status), "detail": detail}
    if rule.status == 422:  # noqa: PLR2004 - an HTTP status
        error["validationErrors"] = [violation._asdict() for violation in _violations(request.body)]
    return ApiResponse(rule.status, dump_json(error))


def _violations(body: bytes) -> list[Violation]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(fields, dict):
        return []
    return [Violation(name, f"/{name}", f"{value} is not valid"[:_ECHOED]) for name, value in fields.items()]


#: Effects that answer instead of Connectif, once the request has been read.
REPLACEMENTS: dict[str, Callable[[FaultRule, ApiRequest], ApiResponse]] = {
    "page": _page,
    "reply": _reply,
    "huge_body": _huge,
    "bomb": _bomb,
    "echo": _echo,
}


def _error(rule: FaultRule) -> Iterator[bytes]:
    """An HttpError whose detail makes it `size` bytes long, in parts."""
    head = dump_json({"status": rule.status, "title": title_of(rule.status), "detail": ""})[:-2]
    yield head
    left = rule.size - len(head) - 2
    while left > 0:
        yield _BLOCK[:left]
        left -= len(_BLOCK)
    yield b'"}'


def _gzipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(wbits=_GZIP)
    for part in parts:
        if compressed := compressor.compress(part):
            yield compressed
    yield compressor.flush()


class _Stream(io.RawIOBase):
    """A file made as it is read: nothing of it lies in memory or on disk."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        wanted = memoryview(buffer)
        if not self._left:
            self._left = next(self._parts, b"")
        count = min(len(wanted), len(self._left))
        wanted[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
