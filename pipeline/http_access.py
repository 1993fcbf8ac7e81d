"""Who may read what a worker remembers: this machine, and elsewhere whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
from pydantic import SecretStr

#: The header that whoever asks for an action sends, in lower case: no web page can send it elsewhere.
ACTION = "x-pipeline-action"
#: A request with one of these came through a proxy: whoever sent it may be anywhere.
_PROXIED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})


def refusal(scope: MutableMapping[str, Any], token: SecretStr | None) -> tuple[int, bytes] | None:
    """Why a request is not answered, as status and JSON; None where it is.

    A caller on this machine needs no token, unless its request came through a proxy or a web page (which
    names another host than this machine): then it counts as one from elsewhere.

    Args:
        scope: of the request, as ASGI has it.
        token: the setting `http_token`.
    """
    headers: Mapping[bytes, bytes] = dict(scope.get("headers") or ())
    client = scope.get("client") or ("", 0)
    if _is_loopback(str(client[0])) and _names_loopback(headers) and not _PROXIED.intersection(headers):
        return None
    if token is None:
        return problem(403, "loopback_only", "only callers on this machine are answered; set http_token")
    if not given_token(headers):
        return problem(401, "token_missing", "send the header Authorization: Bearer <http_token>")
    if not has_token(headers, token):
        return problem(401, "token_wrong", "the token is not the worker's http_token")
    return None


def has_token(headers: Mapping[bytes, bytes], token: SecretStr | None) -> bool:
    """Whether a request carries the token, in its header `Authorization`; names are in lower case."""
    given = given_token(headers)
    # A process that does not need the token has an empty one in its place.
    return (
        token is not None and given != b"" and hmac.compare_digest(given, token.get_secret_value().encode())
    )


def given_token(headers: Mapping[bytes, bytes]) -> bytes:
    """The token of the header `Authorization`, right or wrong; empty where there is none."""
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    return given.strip() if scheme.lower() == b"bearer" else b""


def problem(status: int, error: str, detail: str, **more: object) -> tuple[int, bytes]:
    """An answer that says what is wrong: `error` is one of a bounded set of words."""
    return status, orjson.dumps({"error": error, "detail": detail, **more})


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback)


def _names_loopback(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the request was made to this machine by its address: a web page could name its own host."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or _is_loopback(name)
