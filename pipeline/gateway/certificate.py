"""The certificate of the public address, looked at every hour: shops cannot post once it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pipeline.certificates import NotAccepted, end_of, place_of
from pipeline.metrics import GATEWAY_CERTIFICATE_END, GATEWAY_CERTIFICATE_REFUSED

log = logging.getLogger(__name__)

EVERY = 3_600.0


class CertificateWatch:
    """Keeps two series up to date: when it ends, and whether it is refused.

    An address that does not answer changes neither: from inside its own network it often cannot be reached.

    Args:
        host: of the public address.
        port: of it.
        ask: when the certificate ends, as `end_of`; called in a thread.
    """

    def __init__(self, host: str, port: int, ask: Callable[[str, int], float] = end_of) -> None:
        self._host, self._port, self._ask = host, port, ask
        self._end = GATEWAY_CERTIFICATE_END.labels(host)
        self._refused = GATEWAY_CERTIFICATE_REFUSED.labels(host)
        self._said = ""

    async def keep(self) -> None:
        """Look at once and then every hour; never returns."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once."""
        try:
            end = await asyncio.to_thread(self._ask, self._host, self._port)
        except NotAccepted as error:
            self._refused.set(1)
            self._say(f"is refused: {error}; shops cannot post until it is renewed")
        except OSError as error:
            self._say(f"cannot be looked at: {type(error).__name__}")
        else:
            self._refused.set(0)
            self._end.set(end)
            self._said = ""

    def _say(self, what: str) -> None:
        if what != self._said:
            log.warning("the certificate of %s %s", self._host, what)
        self._said = what


def watch_of(public_url: str | None) -> CertificateWatch | None:
    """The watch of a public address; None where it has no certificate."""
    place = place_of(public_url)
    return None if place is None else CertificateWatch(*place)
