"""Event + state of its entity -> outcome, records, new state. Pure: no Kafka, no clock.

Three filters: a delivery seen before is a duplicate; a version older than the newest is stale; a record that
equals the last one of it is unchanged. Each compares only with marks made by earlier offsets.
"""

from __future__ import annotations

import enum
from operator import attrgetter
from typing import NamedTuple

from pipeline.events import Lane, RawEvent
from pipeline.records import Contact, CouponUse, Purchase, RecordKind
from pipeline.shops.api import IGNORED as FETCHED_LATER
from pipeline.shops.base import MAX_RECORDS, Draft, Rejected, StoreContext, Translation
from pipeline.shops.callbacks import CALLBACK, heard
from pipeline.shops.ids import prefixed
from pipeline.translate.deliveries import digest_of, with_reuse_noted
from pipeline.translate.emit import Emission, Emitted, Version, emit
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.routing import Addressed, addressed, called_back
from pipeline.translate.state import EntityState, Newest, SeenDelivery

#: Milliseconds by which a shop's clock may be ahead of ours: a day, for one that takes local time for UTC.
AHEAD_MS = 86_400_000
#: Room for what Kafka adds to a message.
MESSAGE_OVERHEAD = 4_096
#: Deliver keeps two versions of a record in one message, and adds to each: a message has room for three.
ROOM = 3
#: Most versions of one second that are kept apart: the next second is a version of its own.
MOST_TIES = 999


class Outcome(enum.StrEnum):
    """What became of an event. Every event ends in exactly one of these."""

    ACCEPTED = "accepted"  # its records were emitted, but for those that are unchanged
    DUPLICATE = "duplicate"  # this delivery was processed before
    STALE = "stale"  # a newer version of the entity was processed before
    IGNORED = "ignored"  # understood, and makes no record
    REJECTED = "rejected"  # cannot be understood; it becomes a dead letter


class Result(NamedTuple):
    """The result for one event.

    Attributes:
        outcome: what became of it.
        reason: of an ignored or rejected event.
        emissions: the records, in this order.
        unchanged: kinds of the records that were not emitted because they say nothing new.
        uses: what is new of the discount codes an order was made with.
        rejection: of a rejected event.
        remember: whether the entity's state is to be kept.
        moved_from: the account that had the entity before, if no account of the store ever had it.
        unchanged_in: the account of each of `unchanged`.
    """

    outcome: Outcome
    reason: str = ""
    emissions: tuple[Emission, ...] = ()
    unchanged: tuple[RecordKind, ...] = ()
    uses: tuple[CouponUse, ...] = ()
    rejection: Rejected | None = None
    remember: bool = False
    moved_from: str = ""
    unchanged_in: tuple[str, ...] = ()


def apply(event: RawEvent, source: EventPosition, state: EntityState, feed: Feed) -> Result:
    """Process one event and bring the state up to date.

    Args:
        event: the event.
        source: its position; an entity's events come from one partition.
        state: the entity's; changed in place where anything is to be remembered.
        feed: its store.
    """
    try:
        return _judged(event, source, state, feed)
    except Rejected as refused:
        # Not remembered: corrected settings or code may make sense of the same delivery later.
        return Result(Outcome.REJECTED, refused.reason, rejection=refused)


def _judged(event: RawEvent, source: EventPosition, state: EntityState, feed: Feed) -> Result:
    delivery = digest_of(event, feed.platform)
    before = next((seen for seen in state.seen if seen.delivery == delivery), None)
    if before is not None and before.offset < source.offset:
        return Result(Outcome.DUPLICATE)
    translation, meant = meaning(event, state, source.offset, feed)
    if translation.version == 0 and not translation.drafts:
        # Not remembered either: such events are many (stock levels), and a repeat changes nothing. But what
        # only names a document is fetched for once.
        remember = translation.ignored == FETCHED_LATER and before is None
        if remember:
            _remember_delivery(state, SeenDelivery(delivery, source.offset, stale=False), feed)
        return Result(Outcome.IGNORED, translation.ignored, remember=remember)
    again_stale = before is not None and before.offset == source.offset and before.stale
    deletes = feed.platform.topics.is_deletion(event.topic)
    version = None if again_stale else _version(event, translation, state, source.offset, deletes=deletes)
    if before is None:
        _remember_delivery(state, SeenDelivery(delivery, source.offset, version is None), feed)
    if version is None:
        return Result(Outcome.STALE, remember=True)
    mark = Newest(version, source.offset, deletes, event.triggered_ms)
    known = _remember_version(state, translation.clock, mark)
    meant = with_reuse_noted(meant, delivery, feed.platform, state, source.offset)
    said = emit(event, source, state, feed, meant, known)
    if not said.emissions and not said.unchanged:
        return Result(Outcome.IGNORED, translation.ignored, remember=True)
    return accepted(said)


def _remember_delivery(state: EntityState, seen: SeenDelivery, feed: Feed) -> None:
    state.seen.append(seen)
    state.seen.sort(key=_offset)  # read again, an event is not the most recent one
    del state.seen[: -feed.recent_deliveries]


def meaning(
    event: RawEvent, state: EntityState, offset: int, feed: Feed
) -> tuple[Translation, list[Addressed]]:
    """What an event means, in all and for each account of its store; nothing where it is too old for all.

    Args:
        event: the event.
        state: its entity's.
        offset: what was emitted by earlier ones counts as known.
        feed: its store.

    Raises:
        Rejected: it cannot be used, or fits none of the accounts.
    """

    def translate(context: StoreContext) -> Translation:
        own = event.topic.startswith(CALLBACK)
        read = heard(event) if own else feed.platform.translate(event, context)
        said = believed(read, event.received_ms)
        return prefixed(said, context.settings.id_prefix)

    translation = translate(feed.context)
    own = event.topic.startswith(CALLBACK)
    listed = called_back(translation, feed, event) if own else addressed(translation, feed, translate)
    meant = [one._replace(drafts=()) if too_old(one, state, offset, feed) else one for one in listed]
    if translation.drafts and not any(one.drafts for one in meant):
        translation = translation._replace(drafts=(), ignored="too_old")
    return translation, meant


def accepted(said: Emitted) -> Result:
    """The result of an event that says something."""
    return Result(
        Outcome.ACCEPTED,
        emissions=said.emissions,
        unchanged=said.unchanged,
        uses=said.uses,
        remember=True,
        moved_from=said.moved_from,
        unchanged_in=said.unchanged_in,
    )


def bounded(result: Result, max_bytes: int) -> Result:
    """The result, or a rejection where an event makes more records, or larger ones, than can be kept.

    Args:
        result: of `apply`.
        max_bytes: of a record; `max_record_bytes`.
    """
    if len(result.emissions) > MAX_RECORDS:
        return rejection(Rejected("too_many_records", detail=f"more than {MAX_RECORDS} of one event"))
    if any(len(emitted.value) + 2 * len(emitted.id) > max_bytes for emitted in result.emissions):
        return rejection(Rejected("record_too_large", detail=f"a record is larger than {max_bytes:,} bytes"))
    return result


def max_record_bytes(max_message_bytes: int) -> int:
    """How large a record may be where Kafka takes messages of so many bytes."""
    return (max_message_bytes - MESSAGE_OVERHEAD) // ROOM


def rejection(rejected: Rejected) -> Result:
    """The verdict on an event that cannot be used."""
    return Result(Outcome.REJECTED, rejected.reason, rejection=rejected)


_offset = attrgetter("offset")


def believed(translation: Translation, received_ms: int) -> Translation:
    """Replace moments far in the future by the arrival: otherwise one makes all true ones stale."""
    latest = received_ms + AHEAD_MS
    drafts = tuple(_of_today(draft, latest, received_ms) for draft in translation.drafts)
    if translation.version <= latest:
        return translation if drafts == translation.drafts else translation._replace(drafts=drafts)
    noted = tuple(draft._replace(notes=(*draft.notes, "clock_ahead")) for draft in drafts)
    return translation._replace(version=received_ms, drafts=noted)


def _of_today(draft: Draft, latest: int, received_ms: int) -> Draft:
    body = draft.body
    if draft.said_ms > latest:
        draft = draft._replace(said_ms=received_ms, notes=(*draft.notes, "clock_ahead"))
    if not isinstance(body, Contact) or body.newsletter_ms is None or body.newsletter_ms <= latest:
        return draft
    return draft._replace(
        body=body.model_copy(update={"newsletter_ms": received_ms}),
        notes=(*draft.notes, "consent_clock_ahead"),
    )


def too_old(meant: Addressed, state: EntityState, offset: int, feed: Feed) -> bool:
    """Whether an order was placed before the account's purchases begin, and was never emitted to it."""
    since = feed.context_of(meant.account).purchases_since
    if since is None:
        return False
    bodies = [draft.body for draft in meant.drafts if isinstance(draft.body, Purchase)]
    emitted = state.emitted_to(meant.account)
    known = any(kind is RecordKind.PURCHASE and was.offset < offset for (kind, _), was in emitted.items())
    first = since.isoformat()
    return not known and any((body.purchase_date or first)[: len(first)] < first for body in bodies)


def _version(
    event: RawEvent, translation: Translation, state: EntityState, offset: int, *, deletes: bool
) -> int | None:
    """The version of the event's records; None if a newer one was processed before it."""
    version = translation.version
    newest = state.newest.get(translation.clock)
    if version == 0 or newest is None or version > newest.version:
        return version
    if newest.offset >= offset:
        return newest.version if newest.offset == offset else version
    if version == newest.version:
        # Clocks of one second: the later said counts, and else the later arrival. But a deletion stands
        # until something newer.
        overtaken = 0 < event.triggered_ms < newest.said
        stands = newest.deleted and not deletes
        return None if overtaken or stands else version
    if version == event.received_ms and event.lane is Lane.LIVE:
        # The event has no clock of the shop's; the shop's runs ahead of ours, and the arrival decides.
        return newest.version
    return None


def _remember_version(state: EntityState, clock: str, mark: Newest) -> Version:
    """Bring the clock's mark up to date with the event's own."""
    newest, ties = state.newest.get(clock), 0
    newer = newest is None or mark.version > newest.version
    if mark.version == 0:
        return Version(mark.version, ties, newer)
    if newest is None or newer:
        state.newest[clock] = mark
    elif mark.version == newest.version and newest.offset != mark.offset:
        ties = min(newest.ties + 1, MOST_TIES)
        # The mark stays with the first offset that made it: what lies between must find it when read again.
        state.newest[clock] = newest._replace(
            deleted=newest.deleted or mark.deleted, said=max(newest.said, mark.said), ties=ties
        )
    return Version(mark.version, ties, newer)


__all__ = [
    "Emission",
    "EventPosition",
    "Feed",
    "Outcome",
    "Result",
    "accepted",
    "apply",
    "believed",
    "bounded",
    "max_record_bytes",
    "meaning",
    "rejection",
]
