"""Deliveries as they are remembered of an entity: known when repeated, noted when an id is reused. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.events import RawEvent
from pipeline.shops.platform import AnyPlatform
from pipeline.translate.routing import Addressed
from pipeline.translate.state import EntityState, digest

#: Noted where a sender gave the id of another message to this one.
REUSED = "delivery_id_reused"
_HALF = 6


def digest_of(event: RawEvent, platform: AnyPlatform) -> str:
    """What is remembered of a delivery; its first half is of the sender's id alone, where there is one."""
    whole = digest(event.delivery.encode())
    if platform.message_id is None:
        return whole
    return digest(platform.message_id(event.delivery).encode())[:_HALF] + whole[:_HALF]


def with_reuse_noted(
    meant: Sequence[Addressed], delivery: str, platform: AnyPlatform, state: EntityState, offset: int
) -> list[Addressed]:
    """The drafts, with a note where an earlier delivery had the same id and said something else."""
    is_reused = platform.message_id is not None and any(
        seen.offset < offset and seen.delivery != delivery and seen.delivery[:_HALF] == delivery[:_HALF]
        for seen in state.seen
    )
    if not is_reused:
        return list(meant)
    return [
        one._replace(drafts=tuple(draft._replace(notes=(*draft.notes, REUSED)) for draft in one.drafts))
        for one in meant
    ]
