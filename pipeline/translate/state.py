"""What is remembered of one entity (an order, a customer, a product of one store), and by which offset.

A mark counts only for events after the offset that made it. Read again after a crash, an event finds its own
marks and those of later events, and is treated as it was the first time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from pipeline.errors import PipelineError
from pipeline.records import RecordKind
from pipeline.shops.base import CONSENT_CLOCK, ENTITY_CLOCK

#: One letter in the encoding; the order is part of the format.
_CLOCKS = (ENTITY_CLOCK, CONSENT_CLOCK)
_KINDS = {RecordKind.CONTACT: "c", RecordKind.PRODUCT: "p", RecordKind.PURCHASE: "u", RecordKind.COUPON: "k"}
_LETTERS = {letter: kind for kind, letter in _KINDS.items()}
#: 1 had no `said` and `ties`; 1 and 2 did not say to which account records were emitted.
_FORMAT = 3
#: Of rows that have flags; all others are written as before, for releases that do not know them.
_FORMAT_WITH_FLAGS = 4
_NEWER = range(_FORMAT_WITH_FLAGS + 1, _FORMAT_WITH_FLAGS + 5)
#: The account of records emitted before accounts were remembered: the store's account at the next event.
_ANY_ACCOUNT = ""

#: Record kind and id -> what was last emitted of it.
EmittedMarks = dict[tuple[RecordKind, str], "EmittedMark"]


class NewerFormatError(PipelineError):
    """A row of a newer release: it must not count as absent, or duplicates would be emitted."""


class Newest(NamedTuple):
    """The newest version seen on one of the entity's clocks.

    Attributes:
        version: of the shop's clock, often of whole seconds.
        offset: the first that made it.
        deleted: whether it is a deletion.
        said: the latest moment at which the shop sent it (epoch ms); 0 if it does not say.
        ties: how many others with the same version came after the first.
    """

    version: int
    offset: int
    deleted: bool
    said: int = 0
    ties: int = 0


class EmittedMark(NamedTuple):
    """What was last emitted of one record."""

    digest: str
    offset: int


class Address(NamedTuple):
    """The contact of a customer: its id, the time of its last event (epoch ms), and that event's offset."""

    id: str
    since: int
    offset: int


class SeenFlag(NamedTuple):
    """A flag of consent that a shop was seen to have, where it keeps no time of it.

    Attributes:
        subscribed: what it says.
        since_ms: since when that is known, epoch ms; 0 for a refusal that was there at the first look.
        offset: of the event that said so first.
    """

    subscribed: bool
    since_ms: int
    offset: int


class SeenDelivery(NamedTuple):
    """A delivery that was processed; `stale` where it came too late, so that it does so again."""

    delivery: str
    offset: int
    stale: bool


@dataclass(slots=True)
class EntityState:
    """The memory of one entity; empty for one never seen.

    Attributes:
        newest: by clock.
        emitted: by account, then by record kind and id, whatever was ever emitted for this entity.
        seen: the most recent deliveries, oldest first.
        address: of a customer.
        flags: of a customer, the changes of a flag of consent that has no time, oldest first.
    """

    newest: dict[str, Newest] = field(default_factory=dict)
    emitted: dict[str, EmittedMarks] = field(default_factory=dict)
    seen: list[SeenDelivery] = field(default_factory=list)
    address: Address | None = None
    flags: list[SeenFlag] = field(default_factory=list)

    def emitted_to(self, account: str) -> EmittedMarks:
        """What was emitted for an account; to be changed in place."""
        emitted = self.emitted.get(account)
        if emitted is None:
            emitted = self.emitted[account] = self.emitted.pop(_ANY_ACCOUNT, {})
        return emitted

    def copy(self) -> EntityState:
        """One that can be changed without changing this one."""
        emitted = {account: dict(records) for account, records in self.emitted.items()}
        return EntityState(dict(self.newest), emitted, list(self.seen), self.address, list(self.flags))

    def without_person(self) -> EntityState:
        """What is kept of the entity once its person is erased: versions, and hashes of deliveries.

        No contact and no code; the ids of purchases stay, so that a cancellation can take one back. A late
        copy of an event of before is a duplicate or stale, and does not bring the person back.
        """
        emitted = {
            account: {
                key: mark
                for key, mark in records.items()
                if key[0] not in {RecordKind.CONTACT, RecordKind.COUPON}
            }
            for account, records in self.emitted.items()
        }
        return EntityState(dict(self.newest), emitted, list(self.seen))

    def encode(self) -> bytes:
        """The bytes of the table: JSON without names, 100 to 400 bytes."""
        newest: list[object] = []
        for clock, mark in self.newest.items():
            newest += (_CLOCKS.index(clock), *mark[:2], int(mark.deleted), *mark[3:])
        emitted: list[object] = []
        for account, records in self.emitted.items():
            flat: list[object] = []
            for (kind, record_id), was in records.items():
                flat += (_KINDS[kind], record_id, was.digest, was.offset)
            emitted += (account, flat)
        seen: list[object] = []
        for delivery, offset, stale in self.seen:
            seen += (delivery, offset, int(stale))
        parts: list[object] = [_FORMAT, newest, emitted, seen]
        if self.flags:  # a release that does not know them must not take the row for one without them
            parts[0] = _FORMAT_WITH_FLAGS
            parts += [self.address and list(self.address), [list(flag) for flag in self.flags]]
        elif self.address is not None:
            parts.append(list(self.address))
        return orjson.dumps(parts)

    @classmethod
    def decode(cls, raw: bytes) -> EntityState:
        """The state `encode` wrote.

        Raises:
            NewerFormatError: written by a newer release.
            ValueError, TypeError, LookupError: no state at all.
        """
        form, newest, emitted, seen, *rest = orjson.loads(raw)
        if form in _NEWER:
            raise NewerFormatError(
                f"an entity's state has the format {form}, which a newer release writes",
                hint="go back to that release",
            )
        if form not in (1, 2, _FORMAT, _FORMAT_WITH_FLAGS):
            raise ValueError(f"an entity's state has the unknown format {form}")
        if form < _FORMAT:
            emitted = [_ANY_ACCOUNT, emitted] if emitted else []
        size = 4 if form == 1 else 6
        by_size, by_three = range(0, len(newest), size), range(0, len(seen), 3)
        return cls(
            newest={
                _CLOCKS[newest[i]]: Newest(
                    newest[i + 1], newest[i + 2], bool(newest[i + 3]), *newest[i + 4 : i + size]
                )
                for i in by_size
            },
            emitted={emitted[i]: _records(emitted[i + 1]) for i in range(0, len(emitted), 2)},
            seen=[SeenDelivery(seen[i], seen[i + 1], bool(seen[i + 2])) for i in by_three],
            address=Address(*rest[0]) if rest and rest[0] else None,
            flags=[SeenFlag(bool(said), since, offset) for said, since, offset in (rest[1:] or [()])[0]],
        )


def _records(flat: list[Any]) -> EmittedMarks:
    return {
        (_LETTERS[flat[i]], flat[i + 1]): EmittedMark(flat[i + 2], flat[i + 3])
        for i in range(0, len(flat), 4)
    }


def digest(data: bytes) -> str:
    """Twelve characters for any bytes: deliveries and records are compared within one entity only."""
    return hashlib.blake2b(data, digest_size=6).hexdigest()
