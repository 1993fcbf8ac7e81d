"""Magento as the rest of the program knows it, and which reader understands an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.records import Origin, RecordKind
from pipeline.shops.api import FETCHED, documents_of
from pipeline.shops.base import Draft, Rejected, Translation, noted
from pipeline.shops.magento.api import API, listed
from pipeline.shops.magento.consent import CONSENT
from pipeline.shops.magento.customers import customer, deleted_customer, subscriber
from pipeline.shops.magento.envelopes import Envelope, opened
from pipeline.shops.magento.examination import EXAMINATION
from pipeline.shops.magento.journal import JOURNAL
from pipeline.shops.magento.orders import order
from pipeline.shops.magento.probe import PROBE
from pipeline.shops.magento.products import deleted_product, product
from pipeline.shops.magento.pull import PULL
from pipeline.shops.magento.registration import REGISTRATION
from pipeline.shops.magento.settings import MagentoSettings, MagentoStore
from pipeline.shops.magento.topics import TOPICS
from pipeline.shops.magento.tracking import TRACKING
from pipeline.shops.magento.webhooks import NO_TOPIC, arrival, greeting, split, to_open, verify
from pipeline.shops.platform import Ability, PersonFields, Platform, TopicMeaning
from pipeline.shops.values import parse_json_object


def translate(event: RawEvent, store: MagentoStore) -> Translation:
    """What the event means; its topic says which reader knows.

    Raises:
        Rejected: the body cannot be used.
    """
    if event.topic.startswith(FETCHED):
        return _fetched(event, store)
    if event.topic == NO_TOPIC:
        raise Rejected(
            "missing_topic", detail="neither the body nor the address names the event (?topic=...)"
        )
    topic = TOPICS.get(event.topic)
    if topic is None or topic.kind is not event.kind:
        return Translation(version=0, ignored="unknown_topic")
    if topic.reason:
        return Translation(version=0, ignored=topic.reason)
    notes: list[str] = []
    envelope = opened(parse_json_object(event.body, notes))
    if topic.meaning is TopicMeaning.CONSENT:
        return noted(subscriber(dict(envelope.value), event, envelope.time, store), notes)
    if topic.meaning is TopicMeaning.DELETION:
        return noted(_deleted(envelope, event, store), notes)
    return _owned(noted(_document(dict(envelope.value), (), event, store), notes), envelope.value, event)


def _fetched(event: RawEvent, store: MagentoStore) -> Translation:
    """What the shop's API said about a notification.

    Nothing is said by a document that is not there: not yet, not for these credentials, or not in this view.

    Raises:
        Rejected: `several_documents`, and what the readers raise.
    """
    notes: list[str] = []
    answers = list(documents_of(event, notes).values())
    found = listed(answers[0]) if answers else []
    if not found:
        return Translation(version=0, ignored="not_found")
    if len(found) > 1:
        raise Rejected(
            "several_documents",
            "increment_id",
            "several have this number: give the event the field entity_id",
        )
    parts = [part for answer in answers[1:] for part in listed(answer)]
    return _owned(noted(_document(found[0], parts, event, store), notes), found[0], event)


def _document(
    body: dict[str, Any], parts: list[dict[str, Any]] | tuple[()], event: RawEvent, store: MagentoStore
) -> Translation:
    if event.kind is Kind.ORDER:
        return order(body, event, store)
    if event.kind is Kind.CUSTOMER:
        return customer(body, event, store)
    return product(body, parts, event, store)


def _deleted(envelope: Envelope, event: RawEvent, store: MagentoStore) -> Translation:
    if event.kind is Kind.CUSTOMER:
        return deleted_customer(event, store)
    return deleted_product(envelope.value, event, store)


def _owned(translation: Translation, body: Mapping[str, Any], event: RawEvent) -> Translation:
    """The drafts under the entity's own id, where the event knew it by its number or SKU alone."""
    own = body.get("entity_id") or body.get("id")
    if event.entity.isdigit() or not own:
        return translation
    drafts = tuple(
        draft._replace(owner=f"{event.kind}|{own}") if _is_of_entity(draft) and not draft.owner else draft
        for draft in translation.drafts
    )
    return translation._replace(drafts=drafts)


def _is_of_entity(draft: Draft) -> bool:
    return draft.kind is RecordKind.PURCHASE or draft.origin is Origin.CATALOGUE


MAGENTO = Platform(
    name="magento",
    title="Magento",
    settings=MagentoSettings,
    topics=TOPICS,
    webhooks_menu="*Adobe Developer Console > Events*; Open Source: [a module](docs/shops/magento.md)",
    signed_with="Adobe's two public keys, as files; Open Source: the secret you give the module",
    product_page="https://{domain}/catalog/product/view/id/{id}",
    verify=verify,
    arrival=arrival,
    translate=translate,
    greeting=greeting,
    split=split,
    to_open=to_open,
    methods=frozenset({"POST", "GET"}),
    abilities=frozenset({Ability.RECEIVE, Ability.FETCH, Ability.PULL, Ability.WRITE_BACK, Ability.REGISTER}),
    order_numbers=("increment_id",),
    person=PersonFields(roots=((), ("data",), ("data", "value"), ("event", "data", "value"))),
    consent=CONSENT,
    api=API,
    feed=JOURNAL,
    pull=PULL,
    registration=REGISTRATION,
    examination=EXAMINATION,
    probe=PROBE,
    tracking=TRACKING,
)
