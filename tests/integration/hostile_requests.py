"""Requests that no shop sends, as bytes, and what a gateway answers to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.integration.serving import PATH, Served, read_answer, status
from tests.webhooks import http, shopify


def offering(request: bytes, *offer: bytes) -> bytes:
    """The same request with an offer to speak something else."""
    head, _, body = request.partition(b"\r\n\r\n")
    return b"\r\n".join([head, *offer]) + b"\r\n\r\n" + body


H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__")


async def answers_until_closed(gateway: Served, *pieces: bytes) -> list[int]:
    """The statuses of all answers until the gateway closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    found: list[int] = []
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):  # it may close before all is sent
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                found.append(status(await read_answer(reader)))
    writer.close()
    return found


@contextlib.asynccontextmanager
async def half_closed(gateway: Served, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which this was sent, and nothing more will be."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    writer.write_eof()
    async with asyncio.timeout(20):
        yield reader
    writer.close()


def chunked(body: bytes, *trailers: bytes, **headers: str) -> bytes:
    """A delivery in chunks, with trailers."""
    request = http(PATH, {**shopify(body), **headers}, b"")
    head = request.replace(b"content-length: 0", b"transfer-encoding: chunked")
    lines = b"".join(trailer + b"\r\n" for trailer in trailers)
    return head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, lines)
