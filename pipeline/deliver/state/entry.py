"""What Connectif does not have yet: one entry per key, and exactly one ending for every version.

An entry holds every version whose receipt has not been read back: the one to be sent, the one that came while
that was in flight, and those that were superseded. So a receipt that repeats after a crash finds nothing and
is not counted twice, and a receipt that was never written is still owed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import orjson

from pipeline.deliver.state.states import (
    ContactState,
    PurchaseState,
    State,
    merged,
    rank_of,
    state_from_json,
    state_of,
)
from pipeline.events import Lane
from pipeline.records import Origin, Outcome, PurchaseRecord, Receipt, Record, RecordBase, RecordKind

_LANES = (Lane.LIVE, Lane.RETRY, Lane.BACKFILL)
#: Format, what the entry holds, when it was accepted (epoch seconds), offset, length of the store's name.
_HEAD = struct.Struct(">BBIQB")
_FORMAT = 1
_CURRENT, _MORE, _RESEND = 4, 8, 16


@dataclass(frozen=True, slots=True)
class Stamp:
    """One accepted version of a record: what its receipt must say.

    `offset` is its offset in its `connectif.*` topic, which identifies it; `source` is topic, partition and
    offset of the raw event.
    """

    store: str
    version: int
    source: tuple[str, int, int]
    offset: int
    origin: Origin
    lane: Lane
    received_ms: int
    notes: tuple[str, ...] = ()
    owner: str = ""

    @classmethod
    def of(cls, record: RecordBase, offset: int) -> Stamp:
        """The stamp of a record read at `offset`."""
        source = record.source
        return cls(
            record.store,
            record.version,
            (source.topic, source.partition, source.offset),
            offset,
            record.origin,
            record.lane,
            record.received_ms,
            record.notes,
            record.owner,
        )

    @property
    def order(self) -> tuple[int, int, int]:
        """The greater of two versions goes on the receipt of both; the other is superseded."""
        return rank_of(self.origin), self.version, self.offset

    def to_json(self) -> list[Any]:
        return [
            self.store,
            self.version,
            self.source,
            self.offset,
            self.origin,
            self.lane,
            self.received_ms,
            self.notes,
            self.owner,
        ]

    @classmethod
    def from_json(cls, data: list[Any]) -> Stamp:
        store, version, source, offset, origin, lane, received_ms, notes, *owner = data
        return cls(
            store,
            version,
            tuple(source),
            offset,
            Origin(origin),
            Lane(lane),
            received_ms,
            tuple(notes),
            *owner,
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record to be sent: the versions merged into it, and the stamp for their receipt.

    `lane` is the most urgent of theirs, `accepted_ms` the earliest: merging never loses the position in the
    queue. `quiet`: the first of them came with a backfill, so it starts no workflows, though a live one may
    follow.
    `resend`: it is sent whatever was sent before.
    """

    stamp: Stamp
    state: State
    lane: Lane
    accepted_ms: int
    quiet: bool
    resend: bool = False

    @classmethod
    def of(cls, record: Record, offset: int, accepted_ms: int) -> Waiting:
        """A record read at `offset`."""
        runs = isinstance(record, PurchaseRecord) and record.run_workflows
        quiet = record.lane is Lane.BACKFILL and not runs
        stamp = Stamp.of(record, offset)
        return cls(stamp, state_of(record), record.lane, accepted_ms, quiet, record.resend)

    @property
    def erases(self) -> bool:
        """Whether an erasure is part of it."""
        return isinstance(self.state, ContactState | PurchaseState) and self.state.erased > 0

    def merge(self, other: Waiting) -> tuple[Waiting, Stamp]:
        """Both as one, and the stamp that is superseded by it."""
        # Only for products the catalogue's statement counts more than an order's, whatever its version.
        by_rank = self.state.kind is RecordKind.PRODUCT
        order = (lambda stamp: stamp.order) if by_rank else (lambda stamp: stamp.order[1:])
        loser, winner = sorted((self.stamp, other.stamp), key=order)
        lane = min(self.lane, other.lane, key=_LANES.index)
        accepted, quiet = min((self.accepted_ms, self.quiet), (other.accepted_ms, other.quiet))
        resend = self.resend or other.resend
        return Waiting(winner, merged(self.state, other.state), lane, accepted, quiet, resend), loser

    def to_json(self) -> list[Any]:
        said = [self.stamp.to_json(), self.state.to_json(), self.lane, self.accepted_ms, self.quiet]
        return [*said, True] if self.resend else said

    @classmethod
    def from_json(cls, kind: RecordKind, data: list[Any]) -> Waiting:
        stamp, state, lane, accepted_ms, *rest = data
        quiet = rest[0] if rest else lane == Lane.BACKFILL  # 0.1 did not store it
        resend = len(rest) > 1 and rest[1]
        return cls(
            Stamp.from_json(stamp), state_from_json(kind, state), Lane(lane), accepted_ms, quiet, resend
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """The table's value for one key.

    Attributes:
        current: what is to be sent, or is being sent; None while only superseded versions are left.
        next: what came while `current` was being sent.
        owed: superseded versions whose receipt has not been read back.
        refused: versions of orders under a purchase id that is another order's, whose receipt has not been
            read back: whole, for their dead letters.
    """

    current: Waiting | None = None
    next: Waiting | None = None
    owed: tuple[Stamp, ...] = ()
    refused: tuple[Waiting, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the key can be deleted from the table."""
        return self.current is None and not self.owed and not self.refused

    def stamps(self) -> tuple[Stamp, ...]:
        """Every version in it."""
        waiting = [part.stamp for part in (self.current, self.next) if part is not None]
        return (*waiting, *self.owed, *(part.stamp for part in self.refused))

    def accept(self, new: Waiting, *, busy: bool, refused: bool = False) -> tuple[Entry, tuple[Stamp, ...]]:
        """Add a new version.

        Args:
            new: the version; one that the entry has already changes nothing.
            busy: whether `current` is being sent: then it stays as it is and the new version waits.
            refused: whether it is not to be sent: then it is kept until its receipt is read back.

        Returns:
            The entry, and the versions that are superseded now.
        """
        if any(stamp.offset == new.stamp.offset for stamp in self.stamps()):
            return self, ()
        if refused:
            return replace(self, refused=(*self.refused, new)), ()
        if self.current is None:
            return replace(self, current=new), ()
        superseded: list[Stamp] = []
        rest = [part for part in (self.next,) if part is not None]
        if not busy:
            rest.insert(0, self.current)
        for part in rest:
            if new.erases and part.stamp.received_ms <= new.stamp.version:
                superseded.append(part.stamp)  # nothing of it is to be sent any more, nor kept
                continue
            new, loser = new.merge(part)
            superseded.append(loser)
        owed = (*self.owed, *superseded)
        if busy:
            return replace(self, next=new, owed=owed), tuple(superseded)
        return replace(self, current=new, next=None, owed=owed), tuple(superseded)

    def settle(self, receipt: Receipt) -> tuple[Entry, Stamp | None, Waiting | None]:
        """Remove the version that a receipt names.

        Returns:
            The entry; the version, or None where the receipt repeats an older one; and what was sent, where
            the receipt is that of the current record.
        """
        offset = receipt.record.offset
        if receipt.outcome is Outcome.SUPERSEDED:
            stamp = next((stamp for stamp in self.owed if stamp.offset == offset), None)
            owed = tuple(other for other in self.owed if other is not stamp)
            return replace(self, owed=owed), stamp, None
        refused = next((part for part in self.refused if part.stamp.offset == offset), None)
        if refused is not None:
            others = tuple(part for part in self.refused if part is not refused)
            return replace(self, refused=others), refused.stamp, None
        current = self.current
        if current is None or current.stamp.offset != offset:
            return self, None, None
        return replace(self, current=self.next, next=None), current.stamp, current

    def encode(self) -> bytes:
        """The table's value; begins with the head that `peek` reads."""
        current = self.current
        store = current.stamp.store.encode() if current else b""
        holds = _LANES.index(current.lane) | _CURRENT if current else 0
        if self.next or self.owed or self.refused:
            holds |= _MORE
        if current and current.resend:
            holds |= _RESEND
        accepted, offset = (current.accepted_ms // 1_000, current.stamp.offset) if current else (0, 0)
        parts = [part and part.to_json() for part in (current, self.next)]
        rest: list[Any] = [[stamp.to_json() for stamp in self.owed]]
        if self.refused:
            rest.append([part.to_json() for part in self.refused])
        body = orjson.dumps([*parts, *rest])
        return _HEAD.pack(_FORMAT, holds, accepted, offset, len(store)) + store + body

    @classmethod
    def decode(cls, kind: RecordKind, raw: bytes) -> Entry:
        """The entry `encode` wrote."""
        current, following, owed, *refused = orjson.loads(raw[_HEAD.size + raw[_HEAD.size - 1] :])
        return cls(
            current and Waiting.from_json(kind, current),
            following and Waiting.from_json(kind, following),
            tuple(Stamp.from_json(stamp) for stamp in owed),
            tuple(Waiting.from_json(kind, part) for part in (refused[0] if refused else ())),
        )


NOTHING = Entry()


@dataclass(frozen=True, slots=True)
class Peek:
    """What the index needs of an entry, without reading all of it.

    `more` says that there are versions besides the current one; `lane` is None where there is no current one.
    `offset` is the current version's, and so is `resend`.
    """

    lane: Lane | None
    accepted: int
    offset: int
    store: str
    more: bool
    resend: bool


def peek(raw: bytes) -> Peek:
    """Read the head of an encoded entry."""
    _, holds, accepted, offset, length = _HEAD.unpack_from(raw)
    lane = _LANES[holds & 3] if holds & _CURRENT else None
    store = raw[_HEAD.size : _HEAD.size + length].decode()
    return Peek(lane, accepted, offset, store, bool(holds & _MORE), bool(holds & _RESEND))
