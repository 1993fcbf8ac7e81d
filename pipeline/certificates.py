"""When the certificate of an address ends, asked as a shop would: with a handshake that checks it."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from pipeline.errors import PipelineError

#: Seconds to connect and to shake hands.
ASK_SECONDS = 5.0


class NotAccepted(PipelineError):  # noqa: N818 - a fact, not a defect
    """A certificate that no shop accepts: it has ended, is another host's, or nobody vouches for it."""


def place_of(url: str | None) -> tuple[str, int] | None:
    """Host and port of an address that has a certificate; None for another."""
    place = urlsplit(url or "")
    if place.scheme != "https" or not place.hostname:
        return None
    return place.hostname, place.port or 443


def end_of(host: str, port: int, trusting: ssl.SSLContext | None = None) -> float:
    """When it ends, in epoch seconds. Blocks for some seconds at most.

    Args:
        host: as shops write it.
        port: of it.
        trusting: whom to trust; left out, whom this machine trusts.

    Raises:
        NotAccepted: it is refused, with the reason.
        OSError: the address does not answer, or not with TLS.
    """
    context = trusting or ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), ASK_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as safe,
        ):
            found = safe.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise NotAccepted(error.verify_message) from error
    return float(ssl.cert_time_to_seconds(str(found["notAfter"])))
