"""API keys: which account a key opens, and what it may do there."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from pipeline.sandbox.connectif.http.account import SimulatedAccount


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: the account it opens and what it may do there; no scopes named: everything."""

    header: bytes
    account: SimulatedAccount
    scopes: frozenset[str] | None


class ApiKeys:
    """Finds the key of an Authorization header, in a time that does not depend on how much of it is right."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._keys: dict[bytes, ApiKey] = {}

    def add(self, api_key: str, account: SimulatedAccount, scopes: frozenset[str] | None = None) -> None:
        """Let `api_key` open the account. The whole string counts: a key need not have a colon."""
        header = b"apiKey " + api_key.encode()
        self._keys[self._digest(header)] = ApiKey(header, account, scopes)

    def find(self, header: bytes) -> ApiKey | None:
        """The key, compared as a whole."""
        key = self._keys.get(self._digest(header))
        return key if key is not None and hmac.compare_digest(key.header, header) else None

    def _digest(self, header: bytes) -> bytes:
        return hashlib.blake2b(header, key=self._salt, digest_size=16).digest()
