"""The network under the client: httpx's requests and responses, carried by aiohttp.

httpx's own transport takes about 0.5 ms of the processor for a call, aiohttp 0.1 ms: with a budget for each
of hundreds of accounts that decides how many of them one worker can serve. docs/adr/0012 says why no
package does it.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
from yarl import URL

from pipeline.connectif.bodies import ANSWER_MAX_BYTES, TooLargeError, gather, unpack
from pipeline.outgoing import ALLOW_PRIVATE, Judged, PrivateAddressError, proxy_of

#: What is sent is what the request says, and nothing that aiohttp would add.
_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

#: Seconds an idle connection is kept: servers close theirs after 5 or more, and a call that meets the closing
#: has no answer.
KEPT_OPEN = 4.0


#: Seconds in which a connection is made, whatever the whole exchange may take.
CONNECT_SECONDS = 20.0


#: Bytes of one header line. Of these a hundred come at most.
LINE_MAX_BYTES = 32_768


#: From where an error's message repeats what came.
_QUOTED = re.compile(r"[:'\"(<]")


class CertificateError(httpx.ConnectError):
    """The server's certificate does not prove that it is the requested host."""


class UnknownHostError(httpx.ConnectError):
    """The host's name has no address."""


class PrivateHostError(UnknownHostError):
    """The host's name leads to a private address, which the settings do not allow."""


class _Connector(aiohttp.TCPConnector):
    """Never reuses a connection on which unrequested data came.

    It would be taken for the answer to the next request, and each answer after it for that of the one behind.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        if key in self._conns:
            for _ in range(2):  # turns of the loop, in which it reads what has come by now
                await asyncio.sleep(0)
        for connection, _ in self._conns.get(key, ()):
            if connection.should_close:
                connection.close()
        return await super()._get(key, traces)


class Network(httpx.AsyncBaseTransport):
    """Connections to one host, opened when there is a request and kept until `aclose`.

    Each request is sent once: no redirect is followed, nothing is retried, no cookie kept. The time-out of a
    request's `read` is that of the whole exchange. Responses are bounded, and come unpacked.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its response.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError: there was no connection, so nothing
                was sent; `CertificateError`, `UnknownHostError` and `PrivateHostError` say why.
            httpx.ReadTimeout: no response in time.
            httpx.DecodingError: it cannot be unpacked; `TooLargeError`: it is larger than an answer may be.
            httpx.RemoteProtocolError: the connection broke, or what came was no response.
        """
        session = self._session or self._open(
            request.url, private=request.extensions.get(ALLOW_PRIVATE, False)
        )
        seconds = request.extensions.get("timeout", {}).get("read")
        try:
            async with session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                timeout=_timeout(seconds),
                allow_redirects=False,
            ) as answer:
                content, headers = await _content(answer), answer.raw_headers
                encoding = answer.headers.get("Content-Encoding")
                if encoding is not None:
                    content = unpack(content, encoding, ANSWER_MAX_BYTES)
                    headers = tuple(pair for pair in headers if pair[0].lower() != b"content-encoding")
                return httpx.Response(answer.status, headers=headers, content=content, request=request)
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx.ConnectTimeout(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout("no response in time", request=request) from error
        except aiohttp.ClientConnectorError as error:
            cause = getattr(error, "os_error", None)  # aiohttp's errors about certificates may have none
            said = str(cause if isinstance(cause, PrivateAddressError) else error)
            raise _unconnected(error)(said, request=request) from error
        except aiohttp.ClientHttpProxyError as error:
            raise httpx.ProxyError(f"the proxy answers {error.status}", request=request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx.RemoteProtocolError(_unquoted(error), request=request) from error

    async def aclose(self) -> None:
        """Close the connections; the next request opens others."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self, url: httpx.URL, *, private: bool) -> aiohttp.ClientSession:
        proxy = proxy_of(url.scheme, url.host)
        # A proxy's own name is looked up here, and leads to a private address mostly.
        resolver = Judged(private=private) if proxy is None else None
        session = self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=KEPT_OPEN, ssl=_tls(), resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ADDED,
            auto_decompress=False,  # it sets no bound
            max_line_size=LINE_MAX_BYTES,
            max_field_size=LINE_MAX_BYTES,
            proxy=proxy,
        )
        # It would repeat a DELETE or GET whose connection broke: a call that the budget does not know of.
        session._retry_connection = False  # noqa: SLF001 - tests/unit/test_connectif_network.py holds it
        return session


@functools.lru_cache(64)
def _timeout(seconds: float | None) -> aiohttp.ClientTimeout:
    connecting = None if seconds is None else min(seconds, CONNECT_SECONDS)
    return aiohttp.ClientTimeout(total=seconds, sock_connect=connecting)


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    length = answer.content_length
    if length is None:
        return await gather(_parts(answer.content), ANSWER_MAX_BYTES)
    if length > ANSWER_MAX_BYTES:
        raise TooLargeError(f"an answer of more than {ANSWER_MAX_BYTES:,} bytes")
    return await answer.read()


async def _parts(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while part := await stream.readany():
        yield part


def _unquoted(error: Exception) -> str:
    """What went wrong with what came, without what came: in pieces, it may be anything that was sent."""
    words = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return _QUOTED.split(words, 1)[0].strip()


def _unconnected(error: aiohttp.ClientConnectorError) -> type[httpx.TransportError]:
    match error:
        case aiohttp.ClientConnectorDNSError(os_error=PrivateAddressError()):
            return PrivateHostError
        case aiohttp.ClientConnectorDNSError():
            return UnknownHostError
        case aiohttp.ClientSSLError():
            return CertificateError
        case aiohttp.ClientProxyConnectionError():
            return httpx.ProxyError
    return httpx.ConnectError


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all accounts: each reads a hundred certificates, which takes longer than a call."""
    return httpx.create_ssl_context()
