"""The certificate of the public address: whether it is good, and for how long yet."""

from __future__ import annotations

import time

from pipeline.certificates import NotAccepted, end_of, place_of
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, ok, problem, warning

CERTIFICATE = "certificate"
#: Most are renewed 30 days before they end: one with fewer days was not.
WARN_DAYS, PROBLEM_DAYS = 14.0, 3.0
_DAY = 86_400


def examine(context: Context) -> list[Finding]:
    """Shake hands with the public address, where it is https."""
    place = place_of(context.settings.gateway.public_url)
    if place is None:
        return []
    host, port = place
    try:
        ends = end_of(host, port)
    except NotAccepted as error:
        said = f"that of {host} is not accepted: {error}"
        return [problem(CERTIFICATE, said, "renew it, with its whole chain: shops refuse to post there")]
    except OSError as error:
        return [
            problem(
                CERTIFICATE,
                f"{host} does not answer ({type(error).__name__})",
                "see what is said of the webhook",
            )
        ]
    return [judged(host, (ends - time.time()) / _DAY)]


def judged(host: str, days: float) -> Finding:
    """What so many days left mean."""
    said = f"that of {host} ends in {days:.0f} days"
    todo = "see why it was not renewed"
    if days < PROBLEM_DAYS:
        return problem(CERTIFICATE, said, todo)
    return warning(CERTIFICATE, said, todo) if days < WARN_DAYS else ok(CERTIFICATE, said)
