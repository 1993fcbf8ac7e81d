"""Whose statement of one store is brought to the shop next: withdrawals first, oldest first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import orjson

from pipeline.events import RawEvent
from pipeline.kafka.fetches import FetchRequest
from pipeline.shops.callbacks import Statement, statement_of
from pipeline.sync.row import decode, encode


class Row(NamedTuple):
    """A row of the table `consents`: the newest statement of a person that is not settled yet.

    Attributes:
        place: of its message in `sync.consents`.
        event: the callback.
        said: what it says.
    """

    place: str
    event: RawEvent
    said: Statement

    def encode(self) -> bytes:
        """The row."""
        return encode(FetchRequest(self.place, self.event))

    @classmethod
    def decode(cls, row: bytes) -> Row:
        """Read a row that `encode` wrote.

        Raises:
            ValueError: it says nothing of a newsletter.
        """
        request = decode(row)
        said = statement_of(request.event)
        if said is None:
            raise ValueError("a row without a statement")
        return cls(request.place, request.event, said)


@dataclass(slots=True)
class Waiting:
    """What is kept in memory of a row.

    Attributes:
        key: of the row.
        withdraws: whether it is a withdrawal.
        at_ms: when it was said.
        due: when it may be tried, seconds since the epoch.
        attempts: tries that failed.
        taken: whether it is being tried.
    """

    key: bytes
    withdraws: bool
    at_ms: int
    due: float = 0.0
    attempts: int = 0
    taken: bool = False


class WaitingStatements:
    """The statements of one store."""

    def __init__(self) -> None:
        self._all: dict[bytes, Waiting] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest was said; None where none waits."""
        return min((one.at_ms for one in self._all.values()), default=None)

    def add(self, key: bytes, said: Statement) -> None:
        """A statement; it takes the place of an older one of the person."""
        before = self._all.get(key)
        taken = before is not None and before.taken
        self._all[key] = Waiting(key, said.rank[1], said.at_ms, taken=taken)

    def take(self, now: float) -> Waiting | None:
        """The next one that is due; None where none is."""
        ready = [one for one in self._all.values() if not one.taken and one.due <= now]
        found = min(ready, key=lambda one: (not one.withdraws, one.at_ms), default=None)
        if found is not None:
            found.taken = True
        return found

    def due(self) -> float | None:
        """When the next one is due; None where none waits."""
        return min((one.due for one in self._all.values() if not one.taken), default=None)

    def settle(self, taken: Waiting) -> None:
        """One that was taken is done; a newer one of the person, which came meanwhile, is not."""
        if self._all.get(taken.key) is taken:
            del self._all[taken.key]
        else:
            self._put_back_newer(taken.key)

    def put_back(self, taken: Waiting, due: float, *, failed: bool = True) -> None:
        """One that was taken is to be tried again, from `due` on."""
        taken.taken = False
        taken.attempts += failed
        taken.due = due
        self._put_back_newer(taken.key)

    def _put_back_newer(self, key: bytes) -> None:
        newer = self._all.get(key)
        if newer is not None:
            newer.taken = False


def newer_of(row: bytes | None, new: Row) -> bytes:
    """The row of a person once another statement came: the one that counts."""
    if row is None:
        return new.encode()
    try:
        known = Row.decode(row)
    except (ValueError, KeyError, orjson.JSONDecodeError):
        return new.encode()
    return row if known.said.rank > new.said.rank else new.encode()
