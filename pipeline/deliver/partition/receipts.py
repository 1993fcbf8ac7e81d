"""The messages written when a record ends: its receipt and, if Connectif refused it, its dead letter."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.deliver.state.contact import consent_of, statement_of
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import Stamp, Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.states import ContactState, CouponState, ProductState, PurchaseState
from pipeline.events import Lane
from pipeline.kafka import deadletters
from pipeline.records import (
    Contact,
    ContactRecord,
    Coupon,
    CouponRecord,
    Op,
    Product,
    ProductRecord,
    Purchase,
    PurchaseRecord,
    Receipt,
    Record,
    Source,
)


@dataclass(frozen=True, slots=True)
class AccountPartition:
    """An account and its partition of the `connectif.*` topics."""

    account: str
    partition: int


def receipt_of(
    account_partition: AccountPartition, key: Key, stamp: Stamp, ending: Ending, at_ms: int
) -> Receipt:
    """The receipt of one version."""
    topic, partition, offset = stamp.source
    return Receipt(
        account=account_partition.account,
        store=stamp.store,
        kind=key.kind,
        id=key.id,
        version=stamp.version,
        source=Source(topic=topic, partition=partition, offset=offset),
        record=Source(topic=key.kind.topic, partition=account_partition.partition, offset=stamp.offset),
        outcome=ending.outcome,
        reason=ending.reason,
        detail=ending.detail,
        status=ending.status,
        calls=ending.calls,
        fingerprint=ending.fingerprint,
        repaired=tuple(str(repaired) for repaired in ending.repaired),
        lane=stamp.lane,
        notes=(*stamp.notes, *ending.notes),
        withdrawn_ms=ending.withdrawn_ms,
        unsubscribing_ms=ending.unsubscribing_ms,
        received_ms=stamp.received_ms,
        at_ms=at_ms,
    )


def record_of(account: str, key: Key, waiting: Waiting) -> Record:
    """The record as it would have been sent, with all versions merged: what a redrive sends again."""
    stamp, state = waiting.stamp, waiting.state
    common = {
        "account": account,
        "store": stamp.store,
        "id": key.id,
        "version": stamp.version,
        "source": dict(zip(("topic", "partition", "offset"), stamp.source, strict=True)),
        "origin": stamp.origin,
        "lane": stamp.lane,
        "received_ms": stamp.received_ms,
        "notes": stamp.notes,
        "owner": stamp.owner,
    }
    match state:
        case ContactState():
            gone = state.owners.retracted and not state.live_fields
            op = (Op.ERASE if state.erased else Op.RETRACT) if gone else Op.UPSERT
            contact = _contact(key.id, state)
            return ContactRecord.model_validate({**common, "op": op, "body": contact})
        case ProductState():
            product = Product.model_validate({"product_id": key.id, **state.fields})
            return ProductRecord.model_validate({**common, "op": state.op, "body": product})
        case PurchaseState(body=None):
            return PurchaseRecord.model_validate({**common, "op": Op.RETRACT, "body": None})
        case PurchaseState(body=body, claim=claim):
            purchase = Purchase.model_validate(body)
            # Sent again in another lane, history still starts no workflows.
            said = {
                "trigger": claim.trigger and not waiting.quiet,
                "run_workflows": stamp.lane is Lane.BACKFILL and not waiting.quiet,
            }
            return PurchaseRecord.model_validate({**common, "body": purchase, **said})
        case CouponState(coupon_set_id=coupon_set, code=code):
            return CouponRecord.model_validate(
                {**common, "body": Coupon(coupon_set_id=coupon_set, code=code)}
            )


def dead_headers(
    account_partition: AccountPartition, key: Key, stamp: Stamp, ending: Ending, at_ms: int
) -> list[tuple[str, bytes]]:
    """The headers of a dead letter."""
    return deadletters.dead_headers(
        reason=ending.reason,
        detail=ending.detail,
        store=stamp.store,
        account=account_partition.account,
        stage="deliver",
        topic=key.kind.topic,
        partition=account_partition.partition,
        offset=stamp.offset,
        at_ms=at_ms,
    )


def _contact(record_id: str, state: ContactState) -> Contact:
    values = {name: value for name, (_, _, value) in state.live_fields.items()}
    custom = {name.removeprefix("custom."): values.pop(name) for name in list(values) if "." in name}
    said = statement_of(consent_of(state.consent, state.owners))
    if said is not None:
        values["newsletter"] = "unsubscribed" if said[2] else "subscribed"
    if not state.by_email:
        values["external_id"] = record_id
    return Contact.model_validate(
        {
            **values,
            "email": record_id if state.by_email else "",
            "newsletter_ms": None if said is None else said[1],
            "custom": custom,
        }
    )
