"""Event + memory of its entity -> verdict, records, new memory. Pure; nothing here knows of Kafka or time.

Three filters: a delivery seen before is a duplicate; a version older than the newest is stale; a record that
says what was last said of it is unchanged. Each compares only with marks made by earlier offsets.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pipeline.events import Lane, RawEvent
from pipeline.records import (
    Contact,
    ContactRecord,
    Op,
    Product,
    ProductRecord,
    PurchaseRecord,
    Record,
    RecordKind,
    Source,
)
from pipeline.shops.base import Draft, Rejected, ShopAdapter, StoreContext, Translation
from pipeline.shops.catalogue import hidden
from pipeline.translate.state import EntityState, Newest, Seen, Told, digest

_RECORDS: dict[RecordKind, Callable[..., Record]] = {
    RecordKind.CONTACT: ContactRecord,
    RecordKind.PRODUCT: ProductRecord,
    RecordKind.PURCHASE: PurchaseRecord,
}


class Outcome(enum.StrEnum):
    """What became of an event. Every event ends in exactly one of these."""

    ACCEPTED = "accepted"  # its records were emitted, but for those that are unchanged
    DUPLICATE = "duplicate"  # this delivery was processed before
    STALE = "stale"  # a newer version of the entity was processed before
    IGNORED = "ignored"  # understood, and nothing follows from it
    REJECTED = "rejected"  # cannot be understood; it lies in dead letters


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one event.

    Attributes:
        outcome: what became of it.
        reason: of an ignored or rejected event.
        records: to be emitted, in this order.
        unchanged: kinds of the records that were not emitted because they say nothing new.
        rejection: of a rejected event.
        remember: whether the entity's state is to be kept.
    """

    outcome: Outcome
    reason: str = ""
    records: tuple[Record, ...] = ()
    unchanged: tuple[RecordKind, ...] = ()
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


def apply(event: RawEvent, source: Source, state: EntityState, feed: Feed) -> Result:
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
    if translation.version == 0 and not translation.drafts:
        # Not remembered either: such events are many (stock levels), and a repeat changes nothing.
        return Result(Outcome.IGNORED, translation.ignored)
    again_stale = before is not None and before.offset == source.offset and before.stale
    version = None if again_stale else _version(event, translation, state, source.offset)
    if before is None:
        state.seen.append(Seen(delivery, source.offset, version is None))
        del state.seen[: -feed.recent_deliveries]
    if version is None:
        return Result(Outcome.STALE, remember=True)
    _remember_version(state, translation, version, event, source.offset)
    return _emit(event, source, state, feed, translation, version=version)


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
        # Clocks of one second: the later arrival counts. But a deletion stands until something newer.
        return None if newest.deleted and not is_deletion(event.topic) else version
    if version == event.received_ms and event.lane is Lane.LIVE:
        # The event has no clock of the shop's; the shop's runs ahead of ours, and the arrival decides.
        return newest.version
    return None


def _remember_version(
    state: EntityState, translation: Translation, version: int, event: RawEvent, offset: int
) -> None:
    newest = state.newest.get(translation.clock)
    if version != 0 and (newest is None or version > newest.version or newest.offset < offset):
        state.newest[translation.clock] = Newest(version, offset, is_deletion(event.topic))


def _emit(
    event: RawEvent,
    source: Source,
    state: EntityState,
    feed: Feed,
    translation: Translation,
    *,
    version: int,
) -> Result:
    records: list[Record] = []
    unchanged: list[RecordKind] = []
    for draft in translation.drafts:
        for named in _named(draft, state, source.offset):
            told = _digest(named)
            key = (named.kind, named.id)
            was = state.told.get(key)
            if was is not None and was.offset < source.offset and was.digest == told:
                unchanged.append(named.kind)
                continue
            state.told[key] = Told(told, source.offset)
            records.append(_record(named, event, source, feed, version=version))
    if not records and not unchanged:
        return Result(Outcome.IGNORED, translation.ignored, remember=True)
    return Result(Outcome.ACCEPTED, records=tuple(records), unchanged=tuple(unchanged), remember=True)


@dataclass(frozen=True, slots=True)
class _Named:
    """A draft with its id."""

    kind: RecordKind
    id: str
    draft: Draft


def _named(draft: Draft, state: EntityState, offset: int) -> Iterator[_Named]:
    """The draft under its id, or under every id this entity's records had; none where it does not apply."""
    if draft.id is not None:
        told = state.told.get((draft.kind, draft.id))
        if not draft.if_emitted or (told is not None and told.offset <= offset):
            yield _Named(draft.kind, draft.id, draft)
        return
    known = [
        record_id
        for (kind, record_id), told in state.told.items()
        if kind is draft.kind and told.offset <= offset
    ]
    for record_id in known:
        yield _Named(draft.kind, record_id, replace(draft, id=record_id, body=_smallest(draft, record_id)))


def _smallest(draft: Draft, record_id: str) -> Contact | Product | None:
    """The body of a record of which only the id is known."""
    if draft.kind is RecordKind.CONTACT:
        return Contact(email=record_id) if "@" in record_id else Contact(email="", external_id=record_id)
    if draft.kind is RecordKind.PRODUCT:
        return hidden(record_id) if draft.op is Op.HIDE else Product(product_id=record_id)
    return None


def _digest(named: _Named) -> str:
    """Of all that the record says, when a consent was given included: a repeated consent is news."""
    draft = named.draft
    body = b"" if draft.body is None else draft.body.__pydantic_serializer__.to_json(draft.body)
    return digest(f"{draft.op}|{draft.origin}|".encode() + body)


def _record(named: _Named, event: RawEvent, source: Source, feed: Feed, *, version: int) -> Record:
    draft = named.draft
    return _RECORDS[named.kind](
        account=feed.account,
        store=event.store,
        id=named.id,
        version=version or event.triggered_ms or event.received_ms,
        source=source,
        origin=draft.origin,
        op=draft.op,
        lane=event.lane,
        received_ms=event.received_ms,
        notes=draft.notes,
        body=draft.body,
    )
