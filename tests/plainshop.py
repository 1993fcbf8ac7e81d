"""A shop platform without a shop: bodies that say outright what they mean. For tests of the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import orjson

from pipeline.events import Kind, Lane, RawEvent
from pipeline.records import Contact, Op, Origin, Product, Purchase, RecordKind
from pipeline.shops.base import ENTITY_CLOCK, Draft, Rejected, StoreContext, Translation
from pipeline.shops.platform import AnyPlatform, TopicTable
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.shops.shopify import SHOPIFY
from pipeline.translate.rules import Feed
from tests.settings_trees import store_tree


def _translate(event: RawEvent, store: StoreContext) -> Translation:  # noqa: ARG001 - as `Platform` has it
    """What the body says outright."""
    said = orjson.loads(event.body)
    if "rejected" in said:
        raise Rejected(said["rejected"], "field", "because")
    if "bug" in said:
        raise RuntimeError(said["bug"])
    return Translation(
        said["version"],
        tuple(_draft(*draft) for draft in said.get("drafts", ())),
        said.get("ignored", "nothing_to_tell"),
        said.get("clock", ENTITY_CLOCK),
    )


def _draft(  # noqa: PLR0917 - as the bodies list them
    kind: str,
    record_id: str | None,
    content: str | None,
    op: str = "upsert",
    if_emitted: bool = False,
    coupons: Sequence[str] = (),
) -> Draft:
    record_kind = RecordKind(kind)
    body: Contact | Product | Purchase | None = None
    if record_id is not None and content is not None:
        if record_kind is RecordKind.CONTACT:
            body = Contact(email=record_id, name=content)
        elif record_kind is RecordKind.PRODUCT:
            body = Product(product_id=record_id, name=content)
        else:
            body = Purchase(
                purchase_id=record_id,
                contact_email="a@b.example",
                cart_id=content,
                purchase_date="2026-01-01T00:00:00Z",
                total_price="1.00",
                total_quantity=1,
            )
    return Draft(
        record_kind, record_id, Origin.ORDER, body, Op(op), if_emitted=if_emitted, coupons=tuple(coupons)
    )


def event(
    said: Mapping[str, Any],
    *,
    entity: str = "7",
    delivery: str = "d1",
    kind: Kind = Kind.ORDER,
    topic: str = "orders/updated",
    store: str = "plain",
    received_ms: int = 1_000,
    triggered_ms: int = 0,
    lane: Lane = Lane.LIVE,
) -> RawEvent:
    """An event of the plain shop."""
    return RawEvent(
        store=store,
        platform="shopify",
        kind=kind,
        entity=entity,
        topic=topic,
        delivery=delivery,
        received_ms=received_ms,
        triggered_ms=triggered_ms,
        body=orjson.dumps(said),
        lane=lane,
    )


#: Its bodies are translations: `{"version": 3, "drafts": [["purchase", "7", "x"]]}`. A draft is kind, id (or
#: null), content, and if need be op, `if_emitted` and codes; content null retracts. All platforms' topics are
#: its own.
PLAIN_SHOP: AnyPlatform = replace(
    SHOPIFY,
    topics=TopicTable([row for platform in PLATFORMS.values() for row in platform.topics.rows]),
    translate=_translate,
)


def feed(*, recent_deliveries: int = 8, purchases_since: date | None = None) -> Feed:
    """The plain shop's only store."""
    settings = StoreSettings.model_validate(store_tree(domain="plain.example"))
    context = PLAIN_SHOP.store("plain", settings, purchases_since=purchases_since)
    return Feed(context, PLAIN_SHOP, "acme", recent_deliveries)
