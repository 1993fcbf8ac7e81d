"""A page from a file or over HTTP, bounded in size, time and redirects."""

from __future__ import annotations

import asyncio
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from pipeline.check.page.hosts import Hosts, Refused, is_loopback
from pipeline.errors import PipelineError

#: Bytes of a page, unpacked; of one header line; seconds for all of it; redirects that are followed.
PAGE_MAX = 16 << 20
_LINE_MAX = 32_768
SECONDS = 30.0
REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_AGENT = "Mozilla/5.0 (compatible; shop-connectif-pipeline check page)"


class Unreadable(PipelineError):  # noqa: N818 - a fact
    """There is no page to judge."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page: its bytes, its header and the address it came from in the end."""

    body: bytes
    content_type: str = ""
    url: str = ""
    redirects: int = 0


def is_url(text: str) -> bool:
    """Whether a word of the command line is meant as a web address."""
    return "://" in text


def of_file(path: Path) -> Fetched:
    """A saved page.

    Raises:
        Unreadable: there is none, or it is too large.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable(f"{path} is no file", hint="name a page saved as HTML, or its address")
        with path.open("rb") as file:
            body = file.read(PAGE_MAX + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no name of a file"
        raise Unreadable(
            f"{path} cannot be read: {said}",
            hint="name a page saved as HTML, or its address with https://",
        ) from error
    if len(body) > PAGE_MAX:
        raise _too_large(str(path))
    return Fetched(body)


def of_url(address: str, *, private: bool = False, most: int = PAGE_MAX, seconds: float = SECONDS) -> Fetched:
    """A page over HTTP. This machine is asked only where the address itself names it.

    Args:
        address: of the page.
        private: hosts in private networks may be asked.
        most: bytes of the page.
        seconds: for all of it.

    Raises:
        Refused: an address that is not asked.
        Unreadable: no page came.
    """
    url = _usable(address)
    hosts = Hosts(loopback=is_loopback(url.host or ""), private=private)
    try:
        return asyncio.run(_fetch(url, hosts, most, seconds))
    except Refused:
        raise
    except TimeoutError as error:
        hint = "try again, or save the page and name the file"
        raise Unreadable(f"no page within {seconds:g} s from {_shown(url)}", hint=hint) from error
    except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
        raise Unreadable(f"no page came from {_shown(url)}: {_why(error)}", hint=_reach()) from error


def _why(error: BaseException) -> str:
    """Without the address, whose query may say who ordered."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name has no address"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "it cannot be reached"
    return type(error).__name__


def _reach() -> str:
    return "see whether a browser gets it; or save the page as HTML and name the file"


def _usable(address: str) -> URL:
    try:
        url = URL(address)
        usable = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise Unreadable(
            "the address cannot be used: it must begin with https:// or http://, and name a host",
            hint="for example https://acme.example/product; a saved page is named without ://",
        )
    return url


def _shown(url: URL) -> str:
    return str(url.with_user(None).with_query(None).with_fragment(None))


def _too_large(what: str) -> Unreadable:
    return Unreadable(
        f"{what} is larger than {PAGE_MAX >> 20} MB", hint="no browser's page is; look what it is"
    )


async def _fetch(url: URL, hosts: Hosts, most: int, seconds: float) -> Fetched:
    headers = {"User-Agent": _AGENT, "Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}
    connector = aiohttp.TCPConnector(resolver=hosts, limit=1, use_dns_cache=False, force_close=True)
    async with (
        asyncio.timeout(seconds),
        aiohttp.ClientSession(
            connector=connector, headers=headers, auto_decompress=False, max_line_size=_LINE_MAX,
            max_field_size=_LINE_MAX, cookie_jar=aiohttp.CookieJar(unsafe=True),
        ) as session,
    ):  # fmt: skip
        for redirects in range(REDIRECTS + 1):
            hosts.require(url.host or "")
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS and "Location" in answer.headers:
                    url = _next(url, answer.headers["Location"])
                    continue
                if answer.status != _OK:
                    raise Unreadable(f"{_shown(url)} answers {answer.status}", hint=_reach())
                body = await _body(answer, most, _shown(url))
                return Fetched(
                    body, answer.headers.get("Content-Type", ""), str(url.with_user(None)), redirects
                )
    raise Unreadable(f"more than {REDIRECTS} redirects, the last to {_shown(url)}", hint=_reach())


def _next(url: URL, location: str) -> URL:
    try:
        further = url.join(URL(location))
        usable = further.scheme in {"http", "https"} and bool(further.host)
    except ValueError:
        usable = False
    if not usable:
        raise Unreadable(f"{_shown(url)} redirects to what is no web address", hint=_reach())
    return further


async def _body(answer: aiohttp.ClientResponse, most: int, what: str) -> bytes:
    """The body, unpacked; of a packed one no more is unpacked than is taken."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise Unreadable(f"{what} comes packed as {coding[:40]}, which was not asked for", hint=_reach())
    unpack = None if coding in {"", "identity"} else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        body += chunk if unpack is None else unpack.decompress(chunk, most + 1 - len(body))
        if len(body) > most:
            raise _too_large(what)
    return bytes(body)
