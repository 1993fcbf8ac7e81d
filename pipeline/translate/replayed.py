"""An event of the past once more, judged with its entity's memory: it never makes Connectif older. Pure.

The delivery was seen before, which says nothing here. Whatever was heard later of the same entity stands:
then the event changes nothing. The newest that is known of an entity is told as if it were new; whether that
is news to Connectif is for deliver to see.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.events import Lane, RawEvent
from pipeline.shops.base import Rejected, Translation
from pipeline.translate.emit import Again, Version, emit
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import Outcome, Result, accepted, meaning
from pipeline.translate.state import EntityState, Newest

#: The reason of an event that something later stands against.
OLDER = "replay_older"


def apply_again(
    event: RawEvent, source: EventPosition, state: EntityState, feed: Feed, again: Again
) -> Result:
    """Judge an event that is repeated, and bring the state up to date.

    Args:
        event: the event.
        source: where it lies in `shop.*`, not where it is repeated.
        state: the entity's; changed in place where anything is to be remembered.
        feed: its store.
        again: how it is told.
    """
    try:
        return _judged(replace(event, lane=Lane.BACKFILL), source, state, feed, again)
    except Rejected as rejection:
        return Result(Outcome.REJECTED, rejection.reason, rejection=rejection)


def _judged(event: RawEvent, source: EventPosition, state: EntityState, feed: Feed, again: Again) -> Result:
    # Told by this very event counts as told before.
    translation, meant = meaning(event, state, source.offset + 1, feed)
    if translation.version == 0 and not translation.drafts:
        return Result(Outcome.IGNORED, translation.ignored)
    deletes = feed.platform.topics.is_deletion(event.topic)
    version = _version(event, translation, source.offset, state, feed, deletes=deletes)
    if version is None:
        return Result(Outcome.IGNORED, OLDER)
    known = _remembered(state, translation.clock, Newest(version, source.offset, deletes, event.triggered_ms))
    said = emit(event, source, state, feed, meant, known, again)
    if not said.emissions:
        return Result(Outcome.IGNORED, translation.ignored, remember=True)
    return accepted(said)


def _version(
    event: RawEvent,
    translation: Translation,
    offset: int,
    state: EntityState,
    feed: Feed,
    *,
    deletes: bool,
) -> int | None:
    """The version that the event stands for; None where something later was heard of its entity."""
    version, newest = translation.version, state.newest.get(translation.clock)
    if version == 0:
        return None if _told_later(state, feed, offset) else version
    if newest is None or version > newest.version:
        return version
    if version < newest.version:
        # One without a clock of the shop's stands for its arrival; today's code may read a clock differently.
        timeless = version == event.received_ms and newest.offset < offset
        if not timeless and newest.offset != offset:
            return None
    overtaken = 0 < event.triggered_ms < newest.said
    stands = newest.deleted and not deletes
    later = newest.ties > 0 and _told_later(state, feed, offset)
    return None if overtaken or stands or later else newest.version


def _told_later(state: EntityState, feed: Feed, offset: int) -> bool:
    """Whether an account of the store's was told something of the entity by a later event."""
    return any(
        was.offset > offset for account in feed.own_accounts for was in state.emitted_to(account).values()
    )


def _remembered(state: EntityState, clock: str, mark: Newest) -> Version:
    """Bring the clock's mark up to date. Repeated, a version is not another one of its second."""
    newest = state.newest.get(clock)
    if mark.version == 0:
        return Version(0, 0, newer=True)
    if newest is None or mark.version > newest.version:
        state.newest[clock] = mark
        return Version(mark.version, 0, newer=True)
    return Version(mark.version, newest.ties, newer=False)


__all__ = ["OLDER", "apply_again"]
