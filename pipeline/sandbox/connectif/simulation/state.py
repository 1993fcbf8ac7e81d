"""What all accounts of a sandbox share: time, chance, switches, and who may do what."""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.sandbox.connectif.simulation.behaviour import Switches
from pipeline.sandbox.connectif.simulation.clock import Clock
from pipeline.sandbox.connectif.simulation.faults import Faults

if TYPE_CHECKING:
    from pipeline.sandbox.connectif.http.account import Account

#: The API's minute.
WINDOW_SECONDS = 60.0


class World:
    """Clock, seeded randomness, switches and faults.

    Args:
        clock: where time comes from.
        speed: what durations of the API are divided by.
        switches: as the sandbox starts.
        seed: the same seed gives the same ids and the same chance.
        calls_kept: calls remembered one by one, per account.
    """

    def __init__(
        self, clock: Clock, speed: float, switches: Switches, seed: int, calls_kept: int = 200_000
    ) -> None:
        self.clock = clock
        self.speed = speed
        self.seed = seed
        self.calls_kept = calls_kept
        self._first_switches = switches
        self.reset()

    def reset(self) -> None:
        """Back to how it started; the clock goes on."""
        self.switches = self._first_switches
        self.random = random.Random(self.seed)  # noqa: S311 - repeatable chance is the point
        self.faults = Faults(self.random)
        self.file_secret = self.random.randbytes(32)

    def now(self) -> float:
        """Epoch seconds."""
        return self.clock.now()

    def scaled(self, seconds: float) -> float:
        """The API's seconds -> seconds on the clock."""
        return seconds / self.speed

    @property
    def window(self) -> float:
        """Seconds of the limit's minute."""
        return self.scaled(WINDOW_SECONDS)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: the account it opens and what it may do there; no scopes named: everything."""

    header: bytes
    account: Account
    scopes: frozenset[str] | None


class Keyring:
    """Finds the key of an Authorization header, in a time that does not depend on how much of it is right."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._keys: dict[bytes, Key] = {}

    def add(self, api_key: str, account: Account, scopes: frozenset[str] | None = None) -> None:
        """Let `api_key` open the account. The whole string counts: a key need not have a colon."""
        header = b"apiKey " + api_key.encode()
        self._keys[self._digest(header)] = Key(header, account, scopes)

    def find(self, header: bytes) -> Key | None:
        """The key, compared as a whole."""
        key = self._keys.get(self._digest(header))
        return key if key is not None and hmac.compare_digest(key.header, header) else None

    def _digest(self, header: bytes) -> bytes:
        return hashlib.blake2b(header, key=self._salt, digest_size=16).digest()
