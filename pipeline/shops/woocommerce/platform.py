"""WooCommerce as the rest of the program knows it, and which reader understands an event."""

from __future__ import annotations

from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.shops.base import Rejected, Translation, in_shop, noted
from pipeline.shops.platform import Ability, IdForm, Platform
from pipeline.shops.values import parse_json_object
from pipeline.shops.woocommerce.api import API
from pipeline.shops.woocommerce.consent import CONSENT
from pipeline.shops.woocommerce.customers import customer, deleted_customer
from pipeline.shops.woocommerce.examination import EXAMINATION
from pipeline.shops.woocommerce.orders import deleted_order, order
from pipeline.shops.woocommerce.probe import PROBE
from pipeline.shops.woocommerce.products import deleted_product, product
from pipeline.shops.woocommerce.pull import PULL
from pipeline.shops.woocommerce.registration import REGISTRATION
from pipeline.shops.woocommerce.settings import WooCommerceSettings, WooCommerceStore
from pipeline.shops.woocommerce.topics import TOPICS
from pipeline.shops.woocommerce.webhooks import NO_TOPIC, arrival, greeting, verify


def translate(event: RawEvent, store: WooCommerceStore) -> Translation:
    """What the event means; its kind and topic say which reader knows.

    Raises:
        Rejected: the body cannot be used.
    """
    if event.topic == NO_TOPIC:
        raise Rejected("missing_topic", detail="the header X-WC-Webhook-Topic did not arrive")
    topic = TOPICS.get(event.topic)
    if topic is not None and topic.reason:
        return Translation(version=0, ignored=topic.reason)
    if topic is None or topic.kind is not event.kind:
        return Translation(version=0, ignored="unknown_topic")
    notes: list[str] = []
    found = noted(_meaning(parse_json_object(event.body, notes), event, store), notes)
    if not store.settings.routes:
        return found
    source = event.headers.get("x-wc-webhook-source", "")
    return in_shop(found, source.partition("://")[2].strip("/"))


def _meaning(body: dict[str, Any], event: RawEvent, store: WooCommerceStore) -> Translation:
    deleted = TOPICS.is_deletion(event.topic)
    if event.kind is Kind.ORDER:
        return deleted_order(body, event, store) if deleted else order(body, event, store)
    if event.kind is Kind.CUSTOMER:
        return deleted_customer(event, store) if deleted else customer(body, event, store)
    return deleted_product(body, event, store) if deleted else product(body, event, store)


WOOCOMMERCE: Platform[WooCommerceSettings] = Platform(
    name="woocommerce",
    title="WooCommerce",
    settings=WooCommerceSettings,
    topics=TOPICS,
    webhooks_menu="*WooCommerce > Settings > Advanced > Webhooks*, API version *WP REST API v3*",
    signed_with="you choose it, one for all webhooks of the store",
    product_page="https://{domain}/?p={id}",
    verify=verify,
    arrival=arrival,
    translate=translate,
    greeting=greeting,
    abilities=frozenset({Ability.RECEIVE, Ability.PULL, Ability.WRITE_BACK, Ability.REGISTER}),
    api=API,
    pull=PULL,
    consent=CONSENT,
    registration=REGISTRATION,
    examination=EXAMINATION,
    probe=PROBE,
    ids=IdForm.NUMBER,
    order_numbers=("number",),
)
