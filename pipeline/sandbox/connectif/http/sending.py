"""Sending a response, and dropping a connection without one."""

from __future__ import annotations

import asyncio
import functools
from email.utils import formatdate

from pipeline.observe import Receive, Scope, Send
from pipeline.sandbox.connectif.http.responses import ApiResponse, Header
from pipeline.sandbox.connectif.simulation.clock import Clock

#: The ASGI extension by which a server lets the app break the connection: a function without arguments.
ABORT = "pipeline.abort"
_CHUNK = 65_536


class ConnectionDroppedError(Exception):
    """The connection ends without a response. A server that cannot break it gets this exception."""


async def send_response(
    send: Send,
    response: ApiResponse,
    now: float,
    headers: tuple[Header, ...] = (),
    *,
    override: tuple[Header, ...] = (),
) -> None:
    """Send a response whole, or in chunks where it is a file, dated `now`.

    Headers of `override` replace all others of their names.
    """
    sent = [(b"date", _date(int(now))), *headers, *response.headers]
    if response.body or response.file is not None:
        sent.append((b"content-type", response.content_type))
    if response.file is None and response.status != 204:  # noqa: PLR2004 - has no body, so no length
        sent.append((b"content-length", b"%d" % len(response.body)))
    replaced = {name.lower() for name, _ in override}
    sent = [*(header for header in sent if header[0].lower() not in replaced), *override]
    await send({"type": "http.response.start", "status": response.status, "headers": sent})
    if response.file is not None:
        with response.file as file:
            while chunk := file.read(_CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                # A client that has gone takes chunks without a pause: others are to have their turn.
                await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": response.body})


async def hang(scope: Scope, receive: Receive, clock: Clock, seconds: float) -> None:
    """Say nothing for `seconds` or until the client has gone, then break the connection.

    Raises:
        ConnectionDroppedError: always.
    """
    if seconds:
        waits = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(_gone(receive))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is not None:
        abort()
        await _gone(receive)
    raise ConnectionDroppedError


@functools.lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
