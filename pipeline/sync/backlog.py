"""What of one shop is to be fetched, and which of it next: live before backfill, oldest first. Pure.

Notifications of one entity are answered by one look: they name what happened, the documents say what is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.events import Lane


class Notice(NamedTuple):
    """What is kept in memory of a notification; its event is in the table.

    Attributes:
        row: the key of its row.
        entity: `store|kind|id`.
        received_ms: when it came.
        lane: how urgent it is.
    """

    row: bytes
    entity: bytes
    received_ms: int
    lane: Lane


@dataclass(slots=True)
class Entity:
    """An entity that was notified of.

    Attributes:
        key: `store|kind|id`.
        notices: its notifications, oldest first.
        attempts: looks that failed.
        taken: whether it is being looked up.
        queued: whether it is in a queue.
    """

    key: bytes
    notices: list[Notice] = field(default_factory=list)
    attempts: int = 0
    taken: bool = False
    queued: bool = False

    @property
    def newest(self) -> Notice:
        """The notification that is looked up; it speaks for those before it."""
        return self.notices[-1]

    @property
    def lane(self) -> Lane:
        """`live` where one of them is."""
        live = any(notice.lane is Lane.LIVE for notice in self.notices)
        return Lane.LIVE if live else Lane.BACKFILL


class Backlog:
    """The entities of one store whose documents are to be fetched."""

    def __init__(self) -> None:
        self._entities: dict[bytes, Entity] = {}
        self._places: set[bytes] = set()
        self._ready: dict[Lane, dict[bytes, None]] = {Lane.LIVE: {}, Lane.BACKFILL: {}}
        self._later: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._entities.values())

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest notification came; None where there is none."""
        return min((entity.notices[0].received_ms for entity in self), default=None)

    def add(self, notice: Notice) -> bool:
        """A notification; whether it was not known yet."""
        if notice.row in self._places:
            return False
        self._places.add(notice.row)
        entity = self._entities.setdefault(notice.entity, Entity(notice.entity))
        entity.notices.append(notice)
        if not entity.taken:
            self._enqueue(entity)
        return True

    def take(self, now: float) -> Entity | None:
        """The next entity to look up; None where none is due."""
        while self._later and self._later[0][0] <= now:
            entity = self._entities.get(heapq.heappop(self._later)[1])
            if entity is not None and not entity.taken and not entity.queued:
                self._enqueue(entity)
        for queue in self._ready.values():
            if queue:
                key = next(iter(queue))
                del queue[key]
                entity = self._entities[key]
                entity.queued, entity.taken = False, True
                return entity
        return None

    def due(self) -> float | None:
        """When the next failed one is due; None where none waits."""
        return self._later[0][0] if self._later else None

    def settle(self, entity: Entity, answered: int) -> None:
        """The first so many notifications of an entity that was taken are answered."""
        for notice in entity.notices[:answered]:
            self._places.discard(notice.row)
        del entity.notices[:answered]
        entity.taken, entity.attempts = False, 0
        if entity.notices:
            self._enqueue(entity)
        else:
            del self._entities[entity.key]

    def put_back(self, entity: Entity, due: float, *, failed: bool = True) -> None:
        """An entity that was taken is to be looked up again, from `due` on."""
        entity.taken = False
        entity.attempts += failed
        heapq.heappush(self._later, (due, entity.key))

    def _enqueue(self, entity: Entity) -> None:
        for lane, queue in self._ready.items():
            if lane is not entity.lane:
                queue.pop(entity.key, None)
        self._ready[entity.lane].setdefault(entity.key)
        entity.queued = True
