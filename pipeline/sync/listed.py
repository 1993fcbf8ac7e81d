"""An order as its shop lists it now -> what a reconciliation must know of it. Pure; nothing of persons."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from pipeline.events import Kind, Lane, RawEvent
from pipeline.shops.pull import PulledRow
from pipeline.shops.values import epoch_ms, instant
from pipeline.translate.alone import Meaning, read_alone
from pipeline.translate.feed import EventPosition, Feed

Text = Annotated[str, Field(max_length=1_000)]


class ListedOrder(NamedTuple):
    """One order of the shop's list, as today's settings read it.

    Attributes:
        entity: the shop's id of it.
        purchase_id: what Connectif knows it by; "" where the row does not say, as of one that is cancelled.
        placed_ms: when it was placed, epoch milliseconds; None where it does not say.
        total: of the purchase that it is; None where it is none.
        meaning: whether it is a purchase.
        reason: why it is none; "" where it is one.
        detail: field and words where it cannot be used.
        takes_back: whether it is not sold (any more): a purchase that Connectif has of it is to go.
        accounts: that it is for; none where it is no purchase.
    """

    entity: Text
    purchase_id: Text
    placed_ms: int | None
    total: Text | None
    meaning: Meaning
    reason: Text = ""
    detail: Text = ""
    takes_back: bool = False
    accounts: tuple[Text, ...] = ()


def listed_order(row: PulledRow, feed: Feed, now_ms: int) -> ListedOrder | None:
    """What a row says; None where it says that the order is gone.

    Args:
        row: complete.
        feed: its store.
        now_ms: epoch milliseconds.
    """
    if feed.platform.topics.is_deletion(row.topic):
        return None
    event = RawEvent(
        store=feed.context.name,
        platform=feed.platform.name,
        kind=Kind.ORDER,
        entity=row.entity,
        topic=row.topic,
        delivery="",
        received_ms=now_ms,
        body=row.body,
        lane=Lane.BACKFILL,
    )
    read = read_alone(event, EventPosition(Kind.ORDER.topic, 0, 0), feed)
    placed_ms = row.placed_ms if read.placed is None else epoch_ms(instant(read.placed, "placed"))
    purchase_id = read.purchase_ids[0] if read.purchase_ids else ""
    if not purchase_id and feed.context.settings.purchase_id == "id":
        purchase_id = feed.context.settings.id_prefix + row.entity
    return ListedOrder(
        row.entity,
        purchase_id,
        placed_ms,
        read.total,
        read.meaning,
        read.reason,
        read.detail,
        read.takes_back,
        read.accounts,
    )


__all__ = ["ListedOrder", "listed_order"]
