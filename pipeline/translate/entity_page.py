"""What is remembered of one entity, as JSON values for whoever asks a worker for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.engine.foreign import JUNK
from pipeline.events import Kind
from pipeline.translate.state import EntityState, NewerFormatError

ENTITY_PAGE = "/state/entity"
#: Characters of an id that is asked for; records shown of one entity, the most recent ones.
LONGEST, MOST = 1_000, 200


@dataclass(frozen=True, slots=True)
class AskedEntity:
    """The entity that a question names."""

    store: str
    kind: Kind
    id: str

    @property
    def key(self) -> bytes:
        """Its key in the table, and that of its events."""
        return f"{self.store}|{self.kind}|{self.id}".encode()


def asked_entity(query: Mapping[str, str]) -> AskedEntity | None:
    """The entity of a query; None where it names none."""
    store, kind, entity = (query.get(name, "") for name in ("store", "kind", "id"))
    if not (store and entity) or kind not in set(Kind) or max(len(store), len(entity)) > LONGEST:
        return None
    return AskedEntity(store, Kind(kind), entity)


def remembered_entity(
    asked: AskedEntity, row: bytes | None, *, partition: int, next_offset: int, held: str
) -> dict[str, Any]:
    """The answer.

    Args:
        asked: which one.
        row: of the table `entities`.
        partition: of the entity's topic, where its events are.
        next_offset: the first event of the partition that is not dealt with yet.
        held: why the partition is held; empty where it is not.
    """
    said: dict[str, Any] = {
        "store": asked.store,
        "kind": asked.kind.value,
        "id": asked.id,
        "topic": asked.kind.topic,
        "partition": partition,
        "next_offset": next_offset,
        "held": held,
        "known": row is not None,
        "readable": True,
        "newest": [],
        "deliveries": [],
        "emitted": [],
        "emitted_in_all": 0,
    }
    if row is None:
        return said
    try:
        state = EntityState.decode(row)
    except (*JUNK, NewerFormatError):
        return said | {"readable": False}
    emitted: list[dict[str, Any]] = [
        {"account": account, "kind": kind.value, "id": record_id, "digest": was.digest, "offset": was.offset}
        for account, records in state.emitted.items()
        for (kind, record_id), was in records.items()
    ]
    emitted.sort(key=lambda record: -record["offset"])
    return said | {
        "newest": [
            {
                "clock": clock,
                "version": mark.version,
                "offset": mark.offset,
                "deleted": mark.deleted,
                "said_ms": mark.said,
                "ties": mark.ties,
            }
            for clock, mark in state.newest.items()
        ],
        "deliveries": [
            {"digest": seen.delivery, "offset": seen.offset, "stale": seen.stale} for seen in state.seen
        ],
        "emitted": emitted[:MOST],
        "emitted_in_all": len(emitted),
    }
