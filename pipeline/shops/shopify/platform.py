"""Shopify as the rest of the program knows it: what a request is about, and which reader understands it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.shops.base import Arrival, Rejected, Translation, WebhookRequest, in_shop, noted
from pipeline.shops.platform import Ability, IdForm, PersonFields, Platform, TopicMeaning
from pipeline.shops.shopify.api import API
from pipeline.shops.shopify.consent import CONSENT
from pipeline.shops.shopify.consents import consent
from pipeline.shops.shopify.customers import customer, deleted_customer
from pipeline.shops.shopify.examination import EXAMINATION
from pipeline.shops.shopify.fields import perhaps_rounded
from pipeline.shops.shopify.orders import deleted_order, order
from pipeline.shops.shopify.probe import PROBE
from pipeline.shops.shopify.products import deleted_product, product
from pipeline.shops.shopify.pull import PULL
from pipeline.shops.shopify.registration import REGISTRATION
from pipeline.shops.shopify.settings import ShopifySettings, ShopifyStore
from pipeline.shops.shopify.topics import TOPICS, Path, family, named_by
from pipeline.shops.shopify.tracking import TRACKING
from pipeline.shops.values import body_hash, epoch_ms, instant, parse_json_object, signed_base64

#: Headers worth keeping with the event: what it is, and what support asks for.
_KEPT = (
    "x-shopify-topic",
    "x-shopify-sub-topic",
    "x-shopify-name",
    "x-shopify-shop-domain",
    "x-shopify-api-version",
    "x-shopify-webhook-id",
    "x-shopify-event-id",
    "x-shopify-triggered-at",
    "x-shopify-test",
    "x-shopify-order-id",
)
_FIRST_KEY = re.compile(rb'\s*\{\s*"id"\s*:\s*([1-9][0-9]{0,18})\s*[,}]')

Reader = Callable[[dict[str, Any], RawEvent, ShopifyStore], Translation]

_READERS: Mapping[tuple[Kind, TopicMeaning], Reader] = {
    (Kind.ORDER, TopicMeaning.STATE): order,
    (Kind.ORDER, TopicMeaning.DELETION): deleted_order,
    (Kind.CUSTOMER, TopicMeaning.STATE): customer,
    (Kind.CUSTOMER, TopicMeaning.DELETION): deleted_customer,
    (Kind.CUSTOMER, TopicMeaning.CONSENT): consent,
    (Kind.PRODUCT, TopicMeaning.STATE): product,
    (Kind.PRODUCT, TopicMeaning.DELETION): deleted_product,
}


def verify(secrets: Sequence[bytes], request: WebhookRequest, settings: ShopifySettings) -> bool:  # noqa: ARG001 - as `Platform` has it
    """base64(HMAC-SHA256) over the raw body, under the app's secret or the one it replaced."""
    return signed_base64(secrets, request.headers.get("x-shopify-hmac-sha256", ""), request.body)


def arrival(request: WebhookRequest) -> Arrival:
    """Topic and delivery from the headers, the entity from the body's first key where that is certain.

    The delivery key is the topic and the webhook id: the same on retries, and never shared by topics.
    """
    headers, body = request.headers, request.body
    name = headers.get("x-shopify-topic", "").strip().lower()
    topic = TOPICS.get(name)
    paths = () if topic is None else topic.paths
    entity = _first_id(body) if topic is None or not paths or topic.by_own_id else None
    if entity is None:
        entity = _parsed_entity(paths, body)
    if topic is None or not paths:
        kind, prefix = family(name)
        entity = f"{prefix}-{entity}"
    else:
        kind = topic.kind
    webhook = headers.get("x-shopify-webhook-id")
    return Arrival(
        kind=kind,
        entity=entity,
        topic=name,
        delivery=f"{name}:{webhook or body_hash(body)}",
        triggered_ms=_triggered(headers.get("x-shopify-triggered-at")),
        headers={name: headers[name] for name in _KEPT if name in headers},
    )


def translate(event: RawEvent, store: ShopifyStore) -> Translation:
    """What the event means; its topic says which reader knows."""
    if not event.topic:
        raise Rejected("missing_topic", detail="the header X-Shopify-Topic did not arrive")
    topic = TOPICS.get(event.topic)
    if topic is None or topic.reason:
        return Translation(0, ignored="unknown_topic" if topic is None else topic.reason)
    if event.headers.get("x-shopify-test") == "true" and not store.settings.accept_test_orders:
        return Translation(0, ignored="test_notification")
    notes: list[str] = []
    reader = _READERS[topic.kind, topic.meaning]
    found = noted(reader(parse_json_object(event.body, notes), event, store), notes)
    return in_shop(found, event.headers.get("x-shopify-shop-domain")) if store.settings.routes else found


def _first_id(body: bytes) -> str | None:
    """The body's first key, if it is the id and cannot be one that JavaScript rounded."""
    match = _FIRST_KEY.match(body)
    if match is None or perhaps_rounded(int(match[1])):
        return None
    return match[1].decode()


def _parsed_entity(paths: tuple[Path, ...], body: bytes) -> str:
    """The entity the whole body names; else the body's hash, so that nothing is lost for want of a name."""
    try:
        parsed = parse_json_object(body)
    except Rejected:
        return body_hash(body)
    return named_by(paths or (("id",),), parsed) or body_hash(body)


def _triggered(text: str | None) -> int:
    """Nanosecond ISO text -> epoch ms; 0 where the shop says nothing that can be read."""
    if not text:
        return 0
    try:
        return epoch_ms(instant(text, "x-shopify-triggered-at"))
    except Rejected:
        return 0


SHOPIFY = Platform(
    name="shopify",
    title="Shopify",
    settings=ShopifySettings,
    topics=TOPICS,
    webhooks_menu="*Settings > Notifications > Webhooks*, format JSON",
    signed_with='shown on that page: "your webhooks will be signed with ..."',
    product_page="https://{domain}/products/{id}",
    verify=verify,
    arrival=arrival,
    translate=translate,
    abilities=frozenset({Ability.RECEIVE, Ability.PULL, Ability.WRITE_BACK, Ability.REGISTER}),
    api=API,
    pull=PULL,
    consent=CONSENT,
    registration=REGISTRATION,
    examination=EXAMINATION,
    probe=PROBE,
    tracking=TRACKING,
    ids=IdForm.UNIQUE_NUMBER,
    order_numbers=("order_number", "name"),
    person=PersonFields(orders=(("orders_to_redact",), ("orders_requested",))),
)
