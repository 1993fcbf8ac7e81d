"""Links to files: they open without the API key, for a while."""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import parse_qs, quote

from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.responses import ApiResponse, RawResponseError
from pipeline.sandbox.connectif.model.api_errors import ApiError

PREFIX = "_files"


class FileLink(NamedTuple):
    """What a link leads to."""

    account: str
    kind: str
    owner_id: str
    name: str


def make_link(account: SimulatedAccount, link: FileLink, base_url: str, now: float, *, expired: bool) -> str:
    """A fresh link; no two are the same."""
    simulation = account.simulation
    life = 0.0 if expired else simulation.scaled(simulation.behaviour.file_minutes * 60)
    expires = str(int((now + life) * 1_000))
    nonce = simulation.random.randbytes(8).hex()
    path = "/".join(quote(part, safe="") for part in (PREFIX, *link))
    signature = _sign(account, link, expires, nonce)
    return f"{base_url}/{path}?expires={expires}&nonce={nonce}&signature={signature}"


def check_link(account: SimulatedAccount, link: FileLink, query: bytes, now: float) -> None:
    """Refuse a link that is not the sandbox's or has expired.

    Raises:
        ApiError: 403, in the form of a file store.
    """
    values = {name: items[-1] for name, items in parse_qs(query.decode("latin-1")).items()}
    expires, nonce = values.get("expires", ""), values.get("nonce", "")
    signature = _sign(account, link, expires, nonce)
    if not hmac.compare_digest(signature, values.get("signature", "").encode("ascii", "replace").decode()):
        raise denied("SignatureDoesNotMatch", "The signature does not match.")
    if now * 1_000 >= int(expires):
        raise denied("AccessDenied", "Request has expired")


def denied(code: str, message: str) -> ApiError:
    """A 403 as file stores answer it."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return RawResponseError(ApiResponse(403, body.encode(), b"application/xml"))


def _sign(account: SimulatedAccount, link: FileLink, expires: str, nonce: str) -> str:
    text = "\n".join((*link, expires, nonce))
    return hmac.new(account.simulation.file_secret, text.encode(), hashlib.sha256).hexdigest()
