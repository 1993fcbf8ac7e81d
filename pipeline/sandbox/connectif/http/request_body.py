"""Multipart bodies as they come in, chunked or not: counted, and never held in memory whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pipeline.observe import Receive
from pipeline.sandbox.connectif.http.request import MultipartForm
from pipeline.sandbox.connectif.model.api_errors import ApiError

#: Boundaries and texts around the file.
_OVERHEAD = 1_000_000
#: What is still read of a refused body, so that its sender gets to read the answer.
_DRAIN_LIMIT = 200_000_000


class _TooLarge(MultiPartException):
    pass


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it comes; ends early where the client goes away."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield body


async def drain(receive: Receive) -> None:
    """Read a body to its end and forget it."""
    size = 0
    async for chunk in chunks(receive):
        size += len(chunk)
        if size > _DRAIN_LIMIT:
            return


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        parts = [body]
    else:
        parts, size = [body], len(body)
        async for chunk in chunks(receive):
            size += len(chunk)
            if size <= max_bytes:
                parts.append(chunk)
        if size > max_bytes:
            raise ApiError(413, f"Resource is too big. Maximum allowed size is {max_bytes} bytes.")
    whole = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(whole) > max_bytes:
        raise ApiError(413, f"Resource is too big. Maximum allowed size is {max_bytes} bytes.")
    return whole


async def read_form(receive: Receive, content_type: bytes, max_bytes: int) -> MultipartForm:
    """Texts and file of a multipart body.

    Raises:
        ApiError: 413 by the bytes counted, 400 for a body that is not what it says.
    """
    size = 0

    async def counted() -> AsyncGenerator[bytes, None]:
        nonlocal size
        async for chunk in chunks(receive):
            size += len(chunk)
            if size > max_bytes + _OVERHEAD:
                raise _TooLarge("")
            yield chunk
        yield b""

    headers = Headers(raw=[(b"content-type", content_type)])
    too_large = ApiError(413, f"Resource is too big. Maximum allowed size is {max_bytes} bytes.")
    try:
        data = await MultiPartParser(headers, counted()).parse()
    except _TooLarge:
        await drain(receive)
        raise too_large from None
    except (MultiPartException, KeyError):
        # No boundary is a KeyError of the parser's.
        await drain(receive)
        raise ApiError(400, "The body is not valid multipart/form-data.") from None
    texts = {name: value for name, value in data.multi_items() if isinstance(value, str)}
    files = {name: value for name, value in data.multi_items() if isinstance(value, UploadFile)}
    upload = files.pop("file", None)
    for other in files.values():
        await other.close()
    if upload is not None and (upload.size or 0) > max_bytes:
        await upload.close()
        raise too_large
    return MultipartForm(texts, upload)
