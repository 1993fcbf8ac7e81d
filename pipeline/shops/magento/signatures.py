"""Who sent a request: Adobe by its RSA keys, a module by HMAC, others by a secret that they repeat.

Adobe signs each request with two keys, so that one can be exchanged: one valid signature is enough. The
store's `secrets` hold what fits: the text of a public key is only ever that, and never the secret of an HMAC,
for everybody can read it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.shops.values import any_equal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_PEM = "-----BEGIN "
#: Digits that Adobe's keys have; smaller ones can be broken, larger ones only take time.
_KEY_BITS = range(2_048, 8_193)
_ADOBE = ("x-adobe-digital-signature-1", "x-adobe-digital-signature-2")
_MODULE = "x-magento-signature"
#: Where modules put a secret that they repeat; in `Authorization` as a bearer's token or a password.
_REPEATED = "x-webhook-token"
_LONGEST = 2_000


def is_public_key(secret: str) -> bool:
    """Whether the text is a key in PEM form, whatever key."""
    return secret.lstrip().startswith(_PEM)


@lru_cache(maxsize=256)
def readable_key(pem: str) -> RSAPublicKey | None:
    """The RSA key in the text; None where there is none, or one that no one should trust."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - start fast
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem.strip().encode())
    except Exception:  # noqa: BLE001 - the library raises errors of several kinds for what is no key
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size in _KEY_BITS else None


def is_from_adobe(headers: Mapping[str, str]) -> bool:
    """Whether the request says that Adobe signed it."""
    return any(name in headers for name in _ADOBE)


def signed_by_adobe(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the two signatures is one of the body by a key of the store's."""
    found = [key for text in map(_text, secrets) if is_public_key(text) and (key := readable_key(text))]
    given = [signature for name in _ADOBE if (signature := _decoded(headers.get(name, "")))]
    return any(_verifies(key, signature, body) for signature in given for key in found)


def signed_by_module(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the shared secrets made the HMAC, in hex, or is itself what the request repeats.

    Every secret is tried whatever the result, so the time reveals nothing.
    """
    shared = [secret for secret in secrets if not is_public_key(_text(secret))]
    if _MODULE in headers:
        given = headers[_MODULE].strip().lower()[:_LONGEST].encode("latin-1", "replace")
        expected = [hmac.new(secret, body, "sha256").hexdigest().encode() for secret in shared]
        return any_equal(expected, given)
    repeated = _repeated(headers)
    return bool(repeated) and any_equal(shared, repeated)


def _repeated(headers: Mapping[str, str]) -> bytes:
    """The secret that the request repeats; nothing where there is none."""
    if token := headers.get(_REPEATED, "").strip():
        return token[:_LONGEST].encode("latin-1", "replace")
    scheme, _, credentials = headers.get("authorization", "").strip()[:_LONGEST].partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1", "replace")
    if scheme.lower() == "basic":
        return _decoded(credentials).partition(b":")[2]
    return b""


def _verifies(key: RSAPublicKey, signature: bytes, body: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - start fast
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    """Base64 as it should be, else nothing."""
    if len(text) > _LONGEST or not re.fullmatch(r"\s*[A-Za-z0-9+/]*={0,2}\s*", text):
        return b""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return b""


def _text(secret: bytes) -> str:
    return secret.decode("utf-8", "replace")
