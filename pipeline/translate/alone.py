"""What one event says by itself, as if nothing had been told before. Pure; nothing is told."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import orjson

from pipeline.events import RawEvent
from pipeline.records import RecordKind
from pipeline.shops.base import Rejected
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import Outcome, apply, meaning
from pipeline.translate.state import EntityState


class Meaning(enum.StrEnum):
    """What an order's event comes to, by today's settings."""

    TELLS = "tells"
    IGNORED = "ignored"
    REJECTED = "rejected"


class Read(NamedTuple):
    """What one event says of an order.

    Attributes:
        entity: the order's id, as the shop has it.
        meaning: what it comes to.
        reason: why it is ignored or rejected.
        detail: field and words of a rejection.
        placed: when the order was placed, as records write it.
        total: of the purchase.
        purchase_ids: that it speaks of.
        accounts: whom it tells of one.
        takes_back: whether it says that a purchase, if there is one, is to go.
    """

    entity: str
    meaning: Meaning
    reason: str
    detail: str
    placed: str | None
    total: str | None
    purchase_ids: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    takes_back: bool = False


def read_alone(event: RawEvent, place: EventPosition, feed: Feed) -> Read:
    """What an order's event says by itself.

    Args:
        event: the event.
        place: where it lies.
        feed: its store.
    """
    try:
        drafts = meaning(event, EntityState(), place.offset, feed)[0].drafts
        result = apply(event, place, EntityState(), feed)
    except Rejected as rejected:
        return refused(event.entity, rejected)
    purchases = [draft for draft in drafts if draft.kind is RecordKind.PURCHASE]
    ids = tuple(draft.id for draft in purchases if draft.id)
    if result.outcome is Outcome.REJECTED:
        detail = _detail(result.rejection) if result.rejection is not None else ""
        return Read(event.entity, Meaning.REJECTED, result.reason, detail, None, None, ids)
    told = [
        (one.account, said)
        for one in result.emissions
        if one.kind is RecordKind.PURCHASE and (said := orjson.loads(one.value).get("body"))
    ]
    if not told:
        takes_back = any(draft.body is None for draft in purchases)
        return Read(event.entity, Meaning.IGNORED, result.reason, "", None, None, ids, takes_back=takes_back)
    body: dict[str, Any] = told[0][1]
    accounts = tuple(account for account, _ in told)
    total = str(body["total_price"])
    return Read(event.entity, Meaning.TELLS, "", "", body.get("purchase_date"), total, ids, accounts)


def refused(entity: str, rejected: Rejected) -> Read:
    """What an event says that cannot be used."""
    return Read(entity, Meaning.REJECTED, rejected.reason, _detail(rejected), None, None, ())


def _detail(rejected: Rejected) -> str:
    return ": ".join(filter(None, (rejected.field, rejected.detail)))[:300]


__all__ = ["Meaning", "Read", "read_alone", "refused"]
