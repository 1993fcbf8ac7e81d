"""Event + memory of its entity -> verdict, records, new memory. Pure; nothing here knows of Kafka or time.

Three filters: a delivery seen before is a duplicate; a version older than the newest is stale; a record that
says what was last said of it is unchanged. Each compares only with marks made by earlier offsets.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from operator import attrgetter
from typing import NamedTuple

import orjson

from pipeline.events import Lane, RawEvent
from pipeline.records import Contact, CouponUse, Op, Origin, Product, Purchase, RecordKind, Source
from pipeline.shops.base import Draft, Rejected, ShopAdapter, StoreContext, Translation
from pipeline.shops.catalogue import hidden
from pipeline.translate.state import EntityState, Newest, Seen, Told, digest
from pipeline.translate.uses import Saying, uses_of

#: Milliseconds by which a shop's clock may be ahead of ours: a day, for one that takes local time for UTC.
AHEAD_MS = 86_400_000
#: Versions of one second that are told apart: the next second is a version of its own.
MOST_TIES = 999
#: Records remembered of one entity: an order of a thousand lines, edited often.
MAX_TOLD = 20_000


class Outcome(enum.StrEnum):
    """What became of an event. Every event ends in exactly one of these."""

    ACCEPTED = "accepted"  # its records were emitted, but for those that are unchanged
    DUPLICATE = "duplicate"  # this delivery was processed before
    STALE = "stale"  # a newer version of the entity was processed before
    IGNORED = "ignored"  # understood, and nothing follows from it
    REJECTED = "rejected"  # cannot be understood; it lies in dead letters


class Place(NamedTuple):
    """Where an event lies: `topic` without the prefix."""

    topic: str
    partition: int
    offset: int


class Emission(NamedTuple):
    """One record to be told: `value` is the JSON of a record of pipeline/records.py."""

    kind: RecordKind
    id: str
    notes: tuple[str, ...]
    value: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one event.

    Attributes:
        outcome: what became of it.
        reason: of an ignored or rejected event.
        emissions: what is to be told, in this order.
        unchanged: kinds of the records that were not emitted because they say nothing new.
        uses: what is new of the discount codes an order was made with.
        rejection: of a rejected event.
        remember: whether the entity's state is to be kept.
    """

    outcome: Outcome
    reason: str = ""
    emissions: tuple[Emission, ...] = ()
    unchanged: tuple[RecordKind, ...] = ()
    uses: tuple[CouponUse, ...] = ()
    rejection: Rejected | None = None
    remember: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """A store as the rules see it.

    Attributes:
        context: for its adapter.
        adapter: of its platform.
        account: where its records go.
        recent_deliveries: how many deliveries are remembered of each entity.
    """

    context: StoreContext
    adapter: ShopAdapter
    account: str
    recent_deliveries: int = 8


def apply(event: RawEvent, source: Place, state: EntityState, feed: Feed) -> Result:
    """Judge one event and bring the state up to date.

    Args:
        event: the event.
        source: its place; offsets of one entity's events come from one partition.
        state: the entity's; changed in place where anything is to be remembered.
        feed: its store.
    """
    delivery = digest(event.delivery.encode())
    before = next((seen for seen in state.seen if seen.delivery == delivery), None)
    if before is not None and before.offset < source.offset:
        return Result(Outcome.DUPLICATE)
    try:
        translation = feed.adapter.translate(event, feed.context)
    except Rejected as rejection:
        # Not remembered: corrected settings or code may make sense of the same delivery later.
        return Result(Outcome.REJECTED, rejection.reason, rejection=rejection)
    translation = _believed(translation, event.received_ms)
    if _too_old(translation, state, source.offset, feed.context.purchases_since):
        translation = replace(translation, drafts=(), ignored="too_old")
    if translation.version == 0 and not translation.drafts:
        # Not remembered either: such events are many (stock levels), and a repeat changes nothing.
        return Result(Outcome.IGNORED, translation.ignored)
    again_stale = before is not None and before.offset == source.offset and before.stale
    version = None if again_stale else _version(event, translation, state, source.offset)
    if before is None:
        state.seen.append(Seen(delivery, source.offset, version is None))
        state.seen.sort(key=_offset)  # read again, an event is not the most recent one
        del state.seen[: -feed.recent_deliveries]
    if version is None:
        return Result(Outcome.STALE, remember=True)
    known = _remember_version(state, translation, version, event, source.offset)
    return _emit(event, source, state, feed, translation, known)


_offset = attrgetter("offset")


def _is_shared(draft: Draft, record_id: str, event: RawEvent, feed: Feed) -> bool:
    """Whether another entity's event may have changed the record since this one's said the same.

    Then only deliver knows whether it is news; that costs no call.
    """
    if draft.kind is RecordKind.CONTACT:
        return draft.origin is Origin.CUSTOMER
    if draft.kind is not RecordKind.PRODUCT or draft.origin is not Origin.CATALOGUE:
        return False
    by_variant = feed.context.settings.product_id != "product"
    return by_variant or (draft.op in {Op.PATCH, Op.HIDE} and record_id != event.entity)


def _believed(translation: Translation, received_ms: int) -> Translation:
    """Moments far in the future as if they were the arrival: believed, one makes all true ones stale."""
    latest = received_ms + AHEAD_MS
    drafts = tuple(_of_today(draft, latest, received_ms) for draft in translation.drafts)
    if translation.version <= latest:
        return translation if drafts == translation.drafts else replace(translation, drafts=drafts)
    noted = tuple(replace(draft, notes=(*draft.notes, "clock_ahead")) for draft in drafts)
    return replace(translation, version=received_ms, drafts=noted)


def _of_today(draft: Draft, latest: int, received_ms: int) -> Draft:
    body = draft.body
    if not isinstance(body, Contact) or body.newsletter_ms is None or body.newsletter_ms <= latest:
        return draft
    return replace(
        draft,
        body=body.model_copy(update={"newsletter_ms": received_ms}),
        notes=(*draft.notes, "consent_clock_ahead"),
    )


def _too_old(translation: Translation, state: EntityState, offset: int, since: date | None) -> bool:
    """Whether an order was placed before the account's purchases begin, and was never told of."""
    if since is None:
        return False
    bodies = [draft.body for draft in translation.drafts if isinstance(draft.body, Purchase)]
    known = any(kind is RecordKind.PURCHASE and was.offset < offset for (kind, _), was in state.told.items())
    first = since.isoformat()
    return not known and any((body.purchase_date or first)[: len(first)] < first for body in bodies)


def is_deletion(topic: str) -> bool:
    """Whether the shop says that the entity is gone (`orders/delete`, `order.deleted`)."""
    return topic.endswith(("/delete", ".deleted"))


def _version(event: RawEvent, translation: Translation, state: EntityState, offset: int) -> int | None:
    """The version the event stands for; None where a newer one was processed before it."""
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
        stands = newest.deleted and not is_deletion(event.topic)
        return None if overtaken or stands else version
    if version == event.received_ms and event.lane is Lane.LIVE:
        # The event has no clock of the shop's; the shop's runs ahead of ours, and the arrival decides.
        return newest.version
    return None


def _remember_version(
    state: EntityState, translation: Translation, version: int, event: RawEvent, offset: int
) -> _Version:
    """Bring the mark up to date."""
    newest, ties = state.newest.get(translation.clock), 0
    deleted = is_deletion(event.topic)
    newer = newest is None or version > newest.version
    if version == 0:
        return _Version(version, ties, newer)
    if newest is None or newer:
        state.newest[translation.clock] = Newest(version, offset, deleted, event.triggered_ms)
    elif version == newest.version and newest.offset != offset:
        ties = min(newest.ties + 1, MOST_TIES)
        # The mark stays with the first offset that made it: what lies between must find it when read again.
        state.newest[translation.clock] = newest._replace(
            deleted=newest.deleted or deleted, said=max(newest.said, event.triggered_ms), ties=ties
        )
    return _Version(version, ties, newer)


class _Version(NamedTuple):
    """Which version an event stands for.

    Attributes:
        shop: by the shop's clock; 0 where it has none.
        ties: how many of the same came before.
        newer: whether none of the same came before.
    """

    shop: int
    ties: int
    newer: bool


def _emit(  # noqa: PLR0917 - positional: once per event
    event: RawEvent,
    source: Place,
    state: EntityState,
    feed: Feed,
    translation: Translation,
    version: _Version,
) -> Result:
    emissions: list[Emission] = []
    unchanged: list[RecordKind] = []
    uses: list[CouponUse] = []
    head = _head(event, source, feed.account, version)
    for draft, record_id in _named(translation.drafts, state, source.offset):
        if draft.kind is RecordKind.PURCHASE:
            saying = Saying(
                feed.account,
                event.store,
                record_id,
                _clock(event, version),
                Source(**source._asdict()),
                event.received_ms,
            )
            uses += uses_of(draft, saying, state)
        what, body = _what(draft.kind, draft.origin, draft.op), b"null"
        if draft.body is not None:
            body = draft.body.__pydantic_serializer__.to_json(draft.body, exclude_none=True)
        # With the moment of a consent, which Connectif is not told: repeated, it is news to a tie-break.
        told = digest(what + body)
        key = (draft.kind, record_id)
        was = state.told.get(key)
        same = was is not None and was.offset < source.offset and was.digest == told
        if same and not (version.newer and _is_shared(draft, record_id, event, feed)):
            unchanged.append(draft.kind)
            continue
        state.told[key] = Told(told, source.offset)
        notes = orjson.dumps(draft.notes) if draft.notes else b"[]"
        value = b'%b%b"id":%b,"notes":%b,"body":%b}' % (head, what, orjson.dumps(record_id), notes, body)
        emissions.append(Emission(draft.kind, record_id, draft.notes, value))
    if len(state.told) > MAX_TOLD:
        newest = sorted(state.told.items(), key=lambda item: item[1].offset)[-MAX_TOLD:]
        state.told = dict(newest)
    if not emissions and not unchanged:
        return Result(Outcome.IGNORED, translation.ignored, remember=True)
    return Result(
        Outcome.ACCEPTED,
        emissions=tuple(emissions),
        unchanged=tuple(unchanged),
        uses=tuple(uses),
        remember=True,
    )


def _named(drafts: Iterable[Draft], state: EntityState, offset: int) -> Iterator[tuple[Draft, str]]:
    """Each draft under its id, or under every id this entity's records had; without those not to be told."""
    for draft in drafts:
        if draft.id is not None:
            told = state.told.get((draft.kind, draft.id)) if draft.if_emitted else None
            if not draft.if_emitted or (told is not None and told.offset <= offset):
                yield draft, draft.id
            continue
        known = [
            record_id
            for (kind, record_id), told in state.told.items()
            if kind is draft.kind and told.offset <= offset
        ]
        for record_id in known:
            yield replace(draft, body=_smallest(draft, record_id)), record_id


def _smallest(draft: Draft, record_id: str) -> Contact | Product | None:
    """The body of a record of which only the id is known."""
    if draft.kind is RecordKind.CONTACT:
        return Contact(email=record_id) if "@" in record_id else Contact(email="", external_id=record_id)
    if draft.kind is RecordKind.PRODUCT:
        return hidden(record_id) if draft.op is Op.HIDE else Product(product_id=record_id)
    return None


# A record of pipeline/records.py is put together from pieces of JSON: what is the same for all records of an
# event, what is the same for all of a sort, and its body, which was checked when it was made.


def _head(event: RawEvent, source: Place, account: str, version: _Version) -> bytes:
    same = {
        "account": account,
        "store": event.store,
        "version": _clock(event, version),
        "source": {"topic": source.topic, "partition": source.partition, "offset": source.offset},
        "lane": event.lane,
        "received_ms": event.received_ms,
    }
    return orjson.dumps(same)[:-1]


def _clock(event: RawEvent, version: _Version) -> int:
    """The version that stands on what an event says: of what has none, when it was said.

    The shop's clocks are of whole seconds: what it says twice in one is told apart by milliseconds.
    """
    return version.shop + version.ties if version.shop else event.triggered_ms or event.received_ms


@cache
def _what(kind: RecordKind, origin: Origin, op: Op) -> bytes:
    return f',"kind":"{kind}","origin":"{origin}","op":"{op}",'.encode()
