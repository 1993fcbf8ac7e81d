"""Which addresses a page may come from: those of the internet, and others only where that is said."""

from __future__ import annotations

import ipaddress

from pipeline.errors import PipelineError
from pipeline.outgoing import Judged, is_address, is_near, is_public


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


class Hosts(Judged):
    """Finds the addresses of hosts, and gives away only those that a page may come from.

    Args:
        loopback: whether it may come from this machine.
        private: whether it may come from a private network.
    """

    def __init__(self, *, loopback: bool, private: bool) -> None:
        super().__init__(private=private)
        self._loopback = loopback

    def require(self, host: str) -> None:
        """Refuse a host that is written as an address, which no resolver sees.

        Raises:
            Refused: it must not be reached.
        """
        address = host.strip("[]")
        if is_address(address) and not self.allows(host, address):
            raise self.refused(host)

    def allows(self, host: str, address: str) -> bool:  # noqa: ARG002 - no name says that it is private
        """Whether a page may come from an address."""
        near = self._private and is_near(address)
        return near or is_public(address) or (self._loopback and is_loopback(address))

    def refused(self, host: str) -> Refused:
        """What is raised where none may be reached."""
        return Refused(
            f"{host} is in a private network, which is not asked for a page",
            hint="if it is your own shop there, say --allow-private",
        )
