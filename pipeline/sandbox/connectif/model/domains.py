"""Authorised domains: which web addresses an account takes products from."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class AuthorisedDomains:
    """The domains of one account, with or without a scheme; none listed: every address is taken."""

    def __init__(self, listed: Iterable[str]) -> None:
        self.listed = list(listed)
        self._origins = {_origin(domain if "//" in domain else f"//{domain}") for domain in self.listed}
        self._hosts = {host for _, host, _ in self._origins}

    def allow(self, url: str, match: Literal["host", "subdomain", "origin"]) -> bool:
        """Whether the address lies on one of them."""
        if not self.listed:
            return True
        scheme, host, port = _origin(url)
        if match == "host":
            return host in self._hosts
        if match == "subdomain":
            return any(host == known or host.endswith("." + known) for known in self._hosts)
        return any(
            host == known
            and (not known_scheme or known_scheme == scheme)
            and (known_port is None or known_port == port)
            for known_scheme, known, known_port in self._origins
        )


@functools.lru_cache(maxsize=10_000)
def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None
