"""Which addresses may be asked: those of the internet, and private ones only where the settings name them.

A name is looked up once, its addresses are judged, and the connection is made to one of those: a name server
that answers otherwise a moment later changes nothing (docs/adr/0025).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.request import getproxies, proxy_bypass

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.config_values import is_private

#: Of a request: `allow_private` of the account's or store's settings.
ALLOW_PRIVATE = "allow_private"
_NEAR = [
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
        *("::1/128", "fc00::/7"),
    )
]
_OF_CLOUDS = {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateAddressError(OSError):
    """A name of the internet leads to no address of the internet."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} leads to a private address, which is not asked; if that is meant: allow_private"
        )


def is_public(text: str) -> bool:
    """Whether an address is one of the internet, also where it is written into another."""
    found = _read(text)
    return found is not None and found.is_global and not found.is_multicast


def is_near(text: str) -> bool:
    """Whether it is an address of a private network or of this machine; no link-local one is.

    There, and at a few addresses beside, clouds answer with the machine's own credentials: nothing allows it.
    """
    found = _read(text)
    return found is not None and found not in _OF_CLOUDS and any(found in network for network in _NEAR)


def is_address(text: str) -> bool:
    """Whether a host is written as an address, which no resolver sees."""
    return _read(text) is not None


def _read(text: str) -> Address | None:
    """An address, or the one that is written into it."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None,))[0]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        return inner or address
    return address


class Judged(AbstractResolver):
    """Finds the addresses of hosts, and gives away those that may be asked.

    Args:
        private: whether a host may lie in a private network, though its name does not say so.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private

    def allows(self, host: str, address: str) -> bool:
        """Whether an address of a host may be asked."""
        return is_public(address) or ((self._private or is_private(host)) and is_near(address))

    def refused(self, host: str) -> Exception:
        """What is raised where none may be."""
        return PrivateAddressError(host)

    async def addresses(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[socket.AddressFamily, str]]:
        """The addresses of a host that may be asked.

        Raises:
            OSError: it has none at all.
            Exception: `refused`, where none may be asked.
        """
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        found: list[tuple[socket.AddressFamily, str]] = [(info[0], str(info[4][0])) for info in infos]
        allowed = [one for one in found if self.allows(host, one[1])]
        if found and not allowed:
            raise self.refused(host)
        return allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The same as aiohttp asks for it."""
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, address in await self.addresses(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def looked_up(host: str, port: int, *, private: bool) -> list[tuple[socket.AddressFamily, str]]:
    """The addresses of a host that may be asked; see `Judged`.

    Raises:
        PrivateAddressError: it has none that may be asked.
        OSError: it has none at all.
    """
    return await Judged(private=private).addresses(host, port)


def proxy_of(scheme: str, host: str) -> str | None:
    """The proxy of the environment that requests to a host go through; it looks names up itself."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


class PublicOnly(httpx.AsyncBaseTransport):
    """Sends requests to hosts of the internet alone, for addresses that somebody else named.

    Numbers instead of names are the caller's to judge: no name server has a part in them.
    """

    def __init__(self) -> None:
        self._network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Look the host up, and send the request to what was found, with its certificate checked by name.

        Raises:
            httpx.ConnectError: the host has no address that may be asked.
        """
        host = request.url.host
        if is_address(host):
            return await self._network.handle_async_request(request)
        try:
            found = await looked_up(host, request.url.port or 443, private=False)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        # The header Host names the host already; the request itself stays as the client has it.
        sent = httpx.Request(
            request.method,
            request.url.copy_with(host=found[0][1]),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._network.handle_async_request(sent)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._network.aclose()
