"""Files that Connectif names by their addresses: on any host, and fetched without our API key."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from typing import BinaryIO

import httpx

from pipeline.config_values import MAX_PORT
from pipeline.connectif.answers import Answer, AnswerKind, Cause, no_answer
from pipeline.connectif.bodies import TooLargeError, gather, unpack
from pipeline.outgoing import PublicOnly, is_public, proxy_of

#: Redirects that are followed.
HOPS = 3
#: Characters of an address, at most; signed ones are long.
ADDRESS_MAX = 8_000


class _RefusedError(Exception):
    """An address that is not asked."""


async def download(
    url: str, *, transport: httpx.AsyncBaseTransport | None, seconds: float, most: int, local: bool
) -> tuple[Answer, bytes]:
    """A file; never raises, whatever the address and its content.

    Args:
        url: by which Connectif names it.
        transport: where requests go; None is the network.
        seconds: until it is given up.
        most: bytes it may have.
        local: whether it may lie on this machine, and be fetched without TLS: a sandbox's.
    """
    try:
        async with _client(url, transport, seconds) as plain, asyncio.timeout(seconds):
            return await _fetch(plain, url, most, local=local)
    except TooLargeError:
        return Answer(AnswerKind.INVALID, detail="the file is too large", cause=Cause.TOO_LARGE), b""
    except _RefusedError as error:
        return Answer(AnswerKind.INVALID, detail=str(error), cause=Cause.FOREIGN), b""
    except Exception as error:  # noqa: BLE001 - an address can cause any error
        # Without its text, which may hold the address and its signature.
        return replace(no_answer(error), detail=type(error).__name__), b""


async def download_to(
    file: BinaryIO,
    url: str,
    *,
    transport: httpx.AsyncBaseTransport | None,
    seconds: float,
    most: int,
    local: bool,
) -> Answer:
    """A file into another, without holding it in memory.

    Args:
        file: is written at its position; of an answer that is not good, a part may be there.
        url: by which Connectif names it.
        transport: where requests go; None is the network.
        seconds: until it is given up.
        most: bytes it may have.
        local: as of `download`.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        async with _client(url, transport, seconds) as plain, asyncio.timeout(seconds):
            return await _stream(plain, file, url, most, local=local)
    except TooLargeError:
        return Answer(AnswerKind.INVALID, detail="the file is too large", cause=Cause.TOO_LARGE)
    except _RefusedError as error:
        return Answer(AnswerKind.INVALID, detail=str(error), cause=Cause.FOREIGN)
    except OSError as error:
        if not isinstance(error, TimeoutError) and error.strerror:
            raise
        return replace(no_answer(error), detail=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - an address can cause any error
        return replace(no_answer(error), detail=type(error).__name__)


def _client(url: str, transport: httpx.AsyncBaseTransport | None, seconds: float) -> httpx.AsyncClient:
    """A client whose names lead into no private network; a proxy of the environment looks them up itself."""
    parsed = httpx.URL(url if len(url) <= ADDRESS_MAX else "")
    if transport is None and proxy_of(parsed.scheme, parsed.host) is None:
        transport = PublicOnly()
    return httpx.AsyncClient(transport=transport, timeout=seconds)


async def _stream(plain: httpx.AsyncClient, file: BinaryIO, url: str, most: int, *, local: bool) -> Answer:
    for _ in range(HOPS + 1):
        request = plain.build_request(
            "GET", _allowed(url, local=local), headers={"Accept-Encoding": "identity"}
        )
        response = await plain.send(request, stream=True)
        try:
            if response.next_request is not None:
                url = str(response.next_request.url)
                continue
            if not response.is_success:
                return Answer(AnswerKind.UNAVAILABLE, response.status_code)
            written = 0
            async for part in response.aiter_bytes():
                written += len(part)
                if written > most:
                    raise TooLargeError("a file of too many bytes")
                file.write(part)
        finally:
            await response.aclose()
        return Answer(AnswerKind.OK, response.status_code)
    raise _RefusedError("too many redirects")


async def _fetch(plain: httpx.AsyncClient, url: str, most: int, *, local: bool) -> tuple[Answer, bytes]:
    for _ in range(HOPS + 1):
        request = plain.build_request(
            "GET", _allowed(url, local=local), headers={"Accept-Encoding": "gzip, deflate"}
        )
        response = await plain.send(request, stream=True)
        # One without a stream is whole already, and unpacked.
        encoding = "" if response.is_closed else response.headers.get("content-encoding", "")
        try:
            if response.next_request is not None:
                url = str(response.next_request.url)
                continue
            if not response.is_success:
                return Answer(AnswerKind.UNAVAILABLE, response.status_code), b""
            raw = response.content if response.is_closed else await gather(response.aiter_raw(), most)
        finally:
            await response.aclose()
        return Answer(AnswerKind.OK, response.status_code), unpack(raw, encoding, most)
    raise _RefusedError("too many redirects")


def _allowed(url: str, *, local: bool) -> httpx.URL:
    """The address, if it may be fetched: by https, and not in a private network."""
    parsed = httpx.URL(url if len(url) <= ADDRESS_MAX else "")
    try:
        address = ipaddress.ip_address(parsed.host)
    except ValueError:
        address = None
    ours = parsed.host == "localhost" or parsed.host.endswith(".localhost")
    if ours or (address is not None and address.is_loopback):
        if local:
            return parsed
        raise _RefusedError("the file would lie on this machine")
    usable = parsed.scheme == "https" and parsed.host and (parsed.port or 1) <= MAX_PORT
    if not usable or (address is not None and not is_public(parsed.host)):
        raise _RefusedError("the file's address is not a public one with https")
    return parsed
