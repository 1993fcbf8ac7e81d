"""Sending an answer, and the ways of sending none."""

from __future__ import annotations

import asyncio
import functools
from email.utils import formatdate

from pipeline.observe import Receive, Scope, Send
from pipeline.sandbox.connectif.http.responses import Answer, Header
from pipeline.sandbox.connectif.simulation.clock import Clock

#: The ASGI extension by which a server lets the app break the connection: a function without arguments.
ABORT = "pipeline.abort"
_CHUNK = 65_536


class DroppedError(Exception):
    """The connection ends without an answer. A server that cannot break it gets this exception."""


async def send_answer(
    send: Send,
    answer: Answer,
    now: float,
    headers: tuple[Header, ...] = (),
    *,
    put: tuple[Header, ...] = (),
) -> None:
    """Send an answer whole, or in chunks where it is a file, dated `now`.

    Headers to `put` stand in place of all others of their names.
    """
    sent = [(b"date", _date(int(now))), *headers, *answer.headers]
    if answer.body or answer.file is not None:
        sent.append((b"content-type", answer.content_type))
    if answer.file is None and answer.status != 204:  # noqa: PLR2004 - has no body, so no length
        sent.append((b"content-length", b"%d" % len(answer.body)))
    replaced = {name.lower() for name, _ in put}
    sent = [*(header for header in sent if header[0].lower() not in replaced), *put]
    await send({"type": "http.response.start", "status": answer.status, "headers": sent})
    if answer.file is not None:
        with answer.file as file:
            while chunk := file.read(_CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                # A client that has gone takes chunks without a pause: others are to have their turn.
                await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": answer.body})


async def hang(scope: Scope, receive: Receive, clock: Clock, seconds: float) -> None:
    """Say nothing for `seconds` or until the client has gone, then break the connection.

    Raises:
        DroppedError: always.
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
    raise DroppedError


@functools.lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
