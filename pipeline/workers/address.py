"""Where a worker's HTTP side is: it says so in its Kafka client id, which its consumer group shows to all.

So nothing has to be configured and nothing gets out of date: who is in the group, and with which partitions,
is what Kafka itself goes by.
"""

from __future__ import annotations

import ipaddress
import re

_CLIENT_ID = re.compile(r"(?P<name>[^@]*)@(?P<host>\[[0-9a-fA-F:.]+\]|[0-9.]+):(?P<port>[0-9]{1,5})")


def client_id(name: str, host: str, port: int) -> str:
    """The client id of a worker whose HTTP side listens on `host`, an address, and `port`."""
    return f"{name}@{bracketed(host)}:{port}"


def url_of(client: str, seen_host: str) -> str | None:
    """The HTTP side of the worker with this client id; None where it says of none.

    Args:
        client: its client id.
        seen_host: where it connects to Kafka from: right for a worker that listens on all its addresses.
    """
    found = _CLIENT_ID.fullmatch(client)
    if found is None:
        return None
    host = found["host"].strip("[]")
    try:
        if ipaddress.ip_address(host).is_unspecified:
            host = str(ipaddress.ip_address(seen_host))
    except ValueError:
        return None
    return f"http://{bracketed(host)}:{found['port']}"


def bracketed(host: str) -> str:
    """A host as URLs have it."""
    return f"[{host}]" if ":" in host else host
