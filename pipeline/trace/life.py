"""The life of one entity: what was received, what was made of it, how that ended, what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from pipeline.events import Kind
from pipeline.records import RecordKind

#: Events, records, receipts and dead letters kept of one entity, the most recent ones; the rest is counted.
MOST = 1_000


class EntityKey(NamedTuple):
    """An order, customer or product of one store."""

    store: str
    kind: Kind
    id: str

    @property
    def message_key(self) -> bytes:
        """The key of its events."""
        return f"{self.store}|{self.kind}|{self.id}".encode()


class Place(NamedTuple):
    """Where a message lies; `topic` without the prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """One delivery of the shop.

    Attributes:
        place: of the event.
        at_ms: when Kafka had it.
        received_ms: when the gateway had it; 0 where the message does not say.
        topic: the shop's own name of it.
        delivery: the shop's id of it.
        lane: as it came.
        version: by the shop's clock, as today's rules read it; None where they make no record of it.
        outcome: today's verdict: one of `Outcome`, or `held` where the settings lack the store.
        reason: of an ignored, rejected or held event.
        detail: of a rejected one, in words.
        emits: `account|kind|id` of the records that today's rules would emit.
        unchanged: kinds of the records that would say nothing new.
        bytes: of its body.
        waiting: translate has not come to it yet.
        trace: id of its trace; "" where it has none.
    """

    place: Place
    at_ms: int
    received_ms: int
    topic: str
    delivery: str
    lane: str
    outcome: str
    reason: str = ""
    detail: str = ""
    version: int | None = None
    emits: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    bytes: int = 0
    waiting: bool = False
    trace: str = ""


@dataclass(frozen=True, slots=True)
class TracedRecord:
    """One record that was emitted; `source` is the offset of its event."""

    place: Place
    at_ms: int
    account: str
    kind: RecordKind
    id: str
    version: int
    op: str
    lane: str
    source: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TracedReceipt:
    """How one version of a record ended; `record` is its offset in its `connectif.*` topic."""

    place: Place
    at_ms: int
    account: str
    kind: RecordKind
    id: str
    version: int
    record: int
    source: int
    outcome: str
    reason: str
    detail: str
    status: int | None
    calls: int
    fingerprint: str
    lane: str
    seconds: float
    repaired: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TracedLetter:
    """A dead letter; `of` is where the message lies that could not be used."""

    place: Place
    at_ms: int
    stage: str
    of: Place
    reason: str
    field: str
    detail: str
    account: str


@dataclass(slots=True)
class EntityLife:
    """All that was found of one entity.

    Attributes:
        key: which.
        whole: whether its events were read from the beginning of its partition, and nothing is gone.
        memory: what translate remembers of it; None where it was not asked or did not answer.
        now: what deliver says of its records, by `account|kind|id`.
        sources: offsets of all its events.
        accounts: that were told of it, or would be.
        silent: why a worker did not answer, by stage.
        left_out: how many more there are of what is cut to `MOST`.
    """

    key: EntityKey
    events: list[TracedEvent] = field(default_factory=list)
    records: list[TracedRecord] = field(default_factory=list)
    receipts: list[TracedReceipt] = field(default_factory=list)
    letters: list[TracedLetter] = field(default_factory=list)
    whole: bool = True
    memory: Mapping[str, Any] | None = None
    now: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: set[int] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    silent: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def empty(self) -> bool:
        """Whether nothing is known of it."""
        known = self.memory is not None and self.memory.get("known")
        pending = any(said.get("pending") or said.get("last_sent") for said in self.now.values())
        return not (self.events or self.letters or known or pending)

    def add(self, found: TracedEvent | TracedRecord | TracedReceipt | TracedLetter) -> None:
        """Keep what was found, or count it where there is enough."""
        of_type: dict[type, list[Any]] = {
            TracedEvent: self.events,
            TracedRecord: self.records,
            TracedReceipt: self.receipts,
            TracedLetter: self.letters,
        }
        rows = of_type[type(found)]
        rows.append(found)
        if len(rows) > MOST:
            del rows[0]
            self.left_out[type(found).__name__.removeprefix("Traced").lower()] += 1

    def mark_waiting(self) -> None:
        """Mark the events that translate has not come to, by what it says of their partition."""
        reached = int((self.memory or {}).get("next_offset", 0))
        followed = {record.source for record in self.records} | {letter.of.offset for letter in self.letters}
        if self.memory is not None:
            self.events = [
                replace(event, waiting=event.place.offset >= reached and event.place.offset not in followed)
                for event in self.events
            ]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values, personal data as it is."""
        return {
            "store": self.key.store,
            "kind": self.key.kind.value,
            "id": self.key.id,
            "whole": self.whole,
            "events": [_row(event) for event in self.events],
            "records": [_row(record) for record in self.records],
            "receipts": [_row(receipt) for receipt in self.receipts],
            "dead_letters": [_row(letter) for letter in self.letters],
            "left_out": dict(self.left_out),
            "memory": self.memory,
            "now": list(self.now.values()),
            "silent": dict(self.silent),
        }


def record_name(account: str, kind: str, record_id: str) -> str:
    """A record's name within a life."""
    return f"{account}|{kind}|{record_id}"


def _row(found: TracedEvent | TracedRecord | TracedReceipt | TracedLetter) -> dict[str, Any]:
    row = asdict(found)
    for name in ("place", "of"):
        if name in row:
            row[name] = row[name] if isinstance(row[name], dict) else Place(*row[name])._asdict()
    return row
