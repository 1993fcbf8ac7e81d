"""Standard Webhooks: HMAC-SHA256 over id, time and body, any of several signatures, and a time that is now.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence

from pipeline.shops.base import WebhookRequest
from pipeline.shops.values import any_equal

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"
_SECONDS = re.compile(r"[0-9]{1,12}")
#: Signatures of one request that are compared: senders that rotate a secret send two.
_MOST = 20
_LONGEST_ID = 500


def is_genuine(secrets: Sequence[bytes], request: WebhookRequest, tolerance_s: int) -> bool:
    """Whether one of the secrets signed this request, and not too long before or after it came.

    Every key is compared with every signature, so the time reveals nothing.
    """
    headers = request.headers
    message, sent = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not 0 < len(message) <= _LONGEST_ID or _SECONDS.fullmatch(sent) is None:
        return False
    if abs(request.received_ms - int(sent) * 1_000) > tolerance_s * 1_000:
        return False
    given = [
        one.removeprefix("v1,").encode("latin-1", "replace")
        for one in headers.get(SIGNATURE, "").split(" ", _MOST)[:_MOST]
        if one.startswith("v1,")
    ]
    signed = f"{message}.{sent}.".encode(errors="replace") + request.body
    expected = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys_of(secrets)]
    genuine = False
    for one in given:
        genuine |= any_equal(expected, one)
    return genuine


def keys_of(secrets: Sequence[bytes]) -> list[bytes]:
    """The keys of the secrets, never an empty one.

    With `whsec_` a secret is base64. Without it, it may be base64 as well, or senders use its characters.
    """
    keys = []
    for secret in secrets:
        written = secret.decode("latin-1")
        keys.append(_decoded(written.removeprefix(_PREFIX)))
        if not written.startswith(_PREFIX):
            keys.append(secret)
    return [key for key in keys if key]


def is_malformed(secret: str) -> bool:
    """Whether a secret says that it is base64, and is not."""
    return secret.startswith(_PREFIX) and not _decoded(secret.removeprefix(_PREFIX))


def _decoded(written: str) -> bytes:
    """The bytes of base64, also without its padding; none where it is not base64."""
    try:
        return base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
