"""What a contact record tells Connectif of a newsletter. Pure."""

from __future__ import annotations

import orjson

from pipeline.shops.callbacks import SUBSCRIBED, UNSUBSCRIBED, Statement

_SAYS = b'"newsletter":"'


def told_in(record: bytes) -> Statement | None:
    """The statement in a contact record's JSON; None where it has none, no address, or is Connectif's own."""
    if _SAYS not in record:
        return None
    said = orjson.loads(record)
    body = said["body"] or {}
    state, address = body.get("newsletter"), body.get("email")
    if said.get("heard") or not address or state not in {SUBSCRIBED, UNSUBSCRIBED}:
        return None
    at_ms = body.get("newsletter_ms", said["version"])
    # A shop's clock ahead of ours does not make it newer than what is said after it.
    return Statement(address, state, min(at_ms, said["received_ms"]))
