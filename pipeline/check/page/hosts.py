"""Which addresses a page may come from: those of the internet, and others only where that is said."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.errors import PipelineError
from pipeline.outgoing import is_near, is_public


class Refused(PipelineError):  # noqa: N818 - a decision
    """An address that is not fetched."""

    exit_code = 2


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in an address, is this machine."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


class Hosts(AbstractResolver):
    """Finds the addresses of hosts, and gives away only those that may be reached.

    The connection is made to an address that was judged, so a name cannot mean another one a moment later.
    """

    def __init__(self, *, loopback: bool, private: bool) -> None:
        self._loopback, self._private = loopback, private

    def require(self, host: str) -> None:
        """Refuse a host that is written as an address, which no resolver sees.

        Raises:
            Refused: it must not be reached.
        """
        if _is_literal(host) and not self._allowed(host.strip("[]")):
            raise self._refused(host)

    def _allowed(self, address: str) -> bool:
        near = self._private and is_near(address)
        return near or is_public(address) or (self._loopback and is_loopback(address))

    def _refused(self, host: str) -> Refused:
        return Refused(
            f"{host} is in a private network, which is not asked for a page",
            hint="if it is your own shop there, say --allow-private",
        )

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            Refused: it has some, none of which may be reached.
            OSError: it has none.
        """
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [(info[0], str(info[4][0])) for info in infos]
        allowed = [(kind, address) for kind, address in addresses if self._allowed(address)]
        if addresses and not allowed:
            raise self._refused(host)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, address in allowed
        ]

    async def close(self) -> None:
        """Nothing is open."""
