"""The certificate of the public address: whether it is good, and for how long yet."""

from __future__ import annotations

import socket
import ssl
import time
from urllib.parse import urlsplit

from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, ok, problem, warning

CERTIFICATE = "certificate"
#: Seconds to connect and to shake hands.
ASK_SECONDS = 5.0
#: Most are renewed 30 days before they end: one with fewer days was not.
WARN_DAYS, PROBLEM_DAYS = 14.0, 3.0
_DAY = 86_400


def examine(context: Context) -> list[Finding]:
    """Shake hands with the public address, where it is https."""
    place = urlsplit(context.settings.gateway.public_url or "")
    if place.scheme != "https" or not place.hostname:
        return []
    try:
        ends = _end_of(place.hostname, place.port or 443)
    except ssl.SSLCertVerificationError as error:
        said = f"that of {place.hostname} is not accepted: {error.verify_message}"
        return [problem(CERTIFICATE, said, "renew it, with its whole chain: shops refuse to post there")]
    except OSError as error:
        return [
            problem(
                CERTIFICATE,
                f"{place.hostname} does not answer ({type(error).__name__})",
                "see what is said of the webhook",
            )
        ]
    return [judged(place.hostname, (ends - time.time()) / _DAY)]


def judged(host: str, days: float) -> Finding:
    """What so many days left mean."""
    said = f"that of {host} ends in {days:.0f} days"
    todo = "see why it was not renewed"
    if days < PROBLEM_DAYS:
        return problem(CERTIFICATE, said, todo)
    return warning(CERTIFICATE, said, todo) if days < WARN_DAYS else ok(CERTIFICATE, said)


def _end_of(host: str, port: int) -> float:
    """When it ends, epoch seconds."""
    trusting = ssl.create_default_context()
    with (
        socket.create_connection((host, port), ASK_SECONDS) as plain,
        trusting.wrap_socket(plain, server_hostname=host) as safe,
    ):
        found = safe.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(found["notAfter"])))
