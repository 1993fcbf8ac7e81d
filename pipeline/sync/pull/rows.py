"""Rows of a page -> the events that are news, and what is remembered of each row. Pure.

Remembered are, by store, kind, id and topic, the last run that saw the row and a hash of what it said; an
entity that is gone has a row without a topic.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from pipeline.events import Kind, Lane, RawEvent
from pipeline.shops.pull import PulledRow
from pipeline.shops.values import body_hash

#: The header of an event that was pulled, with its run.
PULLED_BY = "pulled-by"
_DIGEST = 12
_ROW = struct.Struct(f">I{_DIGEST}s")
_NOTHING = bytes(_DIGEST)


class Seen(NamedTuple):
    """What is remembered of a row.

    Attributes:
        run: the number of the last run that saw it.
        digest: of what it said; zeros where only its id was read.
    """

    run: int
    digest: bytes

    def encode(self) -> bytes:
        """The row of the table."""
        return _ROW.pack(self.run, self.digest)

    @classmethod
    def decode(cls, row: bytes) -> Seen:
        """Read a row that `encode` wrote."""
        return cls(*_ROW.unpack(row))


class RowKey(NamedTuple):
    """Of a row of the table `pulled`."""

    kind: Kind
    entity: str
    topic: str

    def encode(self, store: str) -> bytes:
        """The key."""
        return f"{prefix(store, self.kind)}{self.topic}|{self.entity}".encode()

    @classmethod
    def decode(cls, key: bytes) -> RowKey:
        """Read a key that `encode` wrote."""
        _, kind, topic, entity = key.decode().split("|", 3)
        return cls(Kind(kind), entity, topic)


def prefix(store: str, kind: Kind) -> str:
    """What the keys of a store's rows of one kind begin with."""
    return f"{store}|{kind}|"


@dataclass(slots=True)
class Told:
    """What becomes of a page.

    Attributes:
        events: that are news, in the order of the rows.
        writes: keys of the table and their new rows; None: to be removed.
        unchanged: rows that say what was told before.
        deleted: events that say that an entity is gone.
        dropped: rows too large to be kept.
        newest_ms: when the last changed row was changed.
    """

    events: list[RawEvent] = field(default_factory=list)
    writes: dict[RowKey, Seen | None] = field(default_factory=dict)
    unchanged: int = 0
    deleted: int = 0
    dropped: int = 0
    newest_ms: int | None = None


class Source(NamedTuple):
    """Whose rows they are, and how their events are made.

    Attributes:
        store: its name.
        platform: of the store.
        kind: of the rows.
        run: the run's id.
        number: the run's.
        lane: of the events.
        now_ms: when the page came.
        max_bytes: of an event.
        resends: whether what was told before is told again.
        is_deletion: whether a topic says that an entity is gone.
        restored: the topic under which one that was gone is told again; "" for its own.
        headers: what the shop's webhooks say beside their bodies, of where they belong.
    """

    store: str
    platform: str
    kind: Kind
    run: str
    number: int
    lane: Lane
    now_ms: int
    max_bytes: int
    resends: bool = False
    is_deletion: Callable[[str], bool] = lambda _: False
    restored: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


def keys_of(rows: Sequence[PulledRow], kind: Kind) -> list[RowKey]:
    """What must be known of a page's rows: theirs, and whether their entities are gone."""
    own = [RowKey(kind, row.entity, row.topic) for row in rows]
    return list(dict.fromkeys([*own, *(RowKey(kind, row.entity, "") for row in rows)]))


def tell(rows: Sequence[PulledRow], known: Mapping[RowKey, Seen], source: Source) -> Told:
    """What becomes of a page's rows.

    Args:
        rows: of the page.
        known: what is remembered of `keys_of`.
        source: whose they are.
    """
    told = Told()
    seen = dict(known)
    for row in rows:
        if row.modified_ms is not None:
            told.newest_ms = max(told.newest_ms or 0, row.modified_ms)
        if source.is_deletion(row.topic):
            _delete(row, seen, told, source)
        else:
            _keep(row, seen, told, source)
    return told


def _delete(row: PulledRow, seen: dict[RowKey, Seen], told: Told, source: Source) -> None:
    gone = RowKey(source.kind, row.entity, "")
    if gone in seen and not source.resends:
        told.unchanged += 1
        return
    told.events.append(_event(row.entity, row.topic, row.body, source, again=f"{source.run}\n"))
    told.deleted += 1
    _write(gone, Seen(source.number, _NOTHING), seen, told)


def _keep(row: PulledRow, seen: dict[RowKey, Seen], told: Told, source: Source) -> None:
    key, gone = RowKey(source.kind, row.entity, row.topic), RowKey(source.kind, row.entity, "")
    if len(row.body) > source.max_bytes:
        told.dropped += 1
        return
    digest = hashlib.blake2b(row.body, digest_size=_DIGEST).digest()
    before, restored = seen.get(key), gone in seen
    same = before is not None and before.digest == digest and not restored
    if same and (not source.resends or (before is not None and before.run == source.number)):
        told.unchanged += 1
    else:
        topic = source.restored or row.topic if restored else row.topic
        again = f"{source.run}\n" if restored else ""
        told.events.append(_event(row.entity, topic, row.body, source, again=again))
    if before is None or before != Seen(source.number, digest):
        _write(key, Seen(source.number, digest), seen, told)
    if restored:
        told.writes[gone] = None
        del seen[gone]


def _write(key: RowKey, row: Seen, seen: dict[RowKey, Seen], told: Told) -> None:
    told.writes[key] = seen[key] = row


class Missing(NamedTuple):
    """What was not seen by a run.

    Attributes:
        rows: what is remembered of each entity that is missing.
        known: how many entities are remembered that are not known to be gone; the most under one topic.
    """

    rows: dict[str, dict[RowKey, Seen]]
    known: int


class MissingSearch:
    """Finds the entities that a run did not see, in two looks over all that is remembered of a kind.

    It holds those alone, and those that are gone: a shop may have a million that were seen.

    Args:
        number: of the run.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._gone: set[str] = set()
        self._unseen: dict[str, dict[RowKey, Seen]] = {}
        self._known: dict[str, int] = {}

    def first(self, key: RowKey, row: Seen) -> None:
        """The first look at a row."""
        if not key.topic:
            self._gone.add(key.entity)
        elif row.run < self._number:
            self._unseen.setdefault(key.entity, {})[key] = row

    def second(self, key: RowKey, row: Seen) -> None:
        """The second look, once the first has seen all."""
        if not key.topic or key.entity in self._gone:
            return
        self._known[key.topic] = self._known.get(key.topic, 0) + 1
        if row.run >= self._number:
            self._unseen.pop(key.entity, None)

    def found(self) -> Missing:
        """What both looks found."""
        missing = {one: rows for one, rows in self._unseen.items() if one not in self._gone}
        return Missing(missing, max(self._known.values(), default=0))


def gone(entity: str, rows: Mapping[RowKey, Seen], source: Source) -> dict[RowKey, Seen | None]:
    """What is written of an entity that was told to be gone."""
    removed: dict[RowKey, Seen | None] = dict.fromkeys(rows)
    return {**removed, RowKey(source.kind, entity, ""): Seen(source.number, _NOTHING)}


def deletion_event(entity: str, said: tuple[str, bytes], source: Source) -> RawEvent:
    """The event that says that an entity is gone."""
    topic, body = said
    return _event(entity, topic, body, source, again=f"{source.run}\n")


def _event(entity: str, topic: str, body: bytes, source: Source, *, again: str) -> RawEvent:
    """A row read again makes the same delivery; `again` tells statements apart that look the same."""
    said = f"{again}{topic}\n".encode()
    return RawEvent(
        store=source.store,
        platform=source.platform,
        kind=source.kind,
        entity=entity,
        topic=topic,
        delivery=f"pull-{body_hash(said + body)}",
        received_ms=source.now_ms,
        body=body,
        lane=source.lane,
        headers={**source.headers, PULLED_BY: source.run},
    )
