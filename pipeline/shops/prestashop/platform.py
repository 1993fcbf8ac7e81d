"""PrestaShop as the rest of the program knows it, and which reader understands an event."""

from __future__ import annotations

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import FETCHED, documents_of
from pipeline.shops.base import Rejected, Translation, noted
from pipeline.shops.platform import Ability, Platform, TopicMeaning
from pipeline.shops.prestashop.api import API
from pipeline.shops.prestashop.lookups import hint_of_event, is_elsewhere
from pipeline.shops.prestashop.orders import deleted_order, order
from pipeline.shops.prestashop.people import customer, deleted_customer, subscriber
from pipeline.shops.prestashop.products import deleted_product, product
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.prestashop.topics import NO_TOPIC, TOPICS
from pipeline.shops.prestashop.webhooks import arrival, split, verify
from pipeline.shops.values import parse_json_object


def translate(event: RawEvent, store: PrestashopStore) -> Translation:
    """What the event means: modules' calls nothing by themselves, the documents they name all.

    Raises:
        Rejected: the body cannot be used.
    """
    if event.topic.startswith(FETCHED):
        return _fetched(event, store)
    if event.topic == NO_TOPIC:
        parse_json_object(event.body)
        raise Rejected("missing_topic", detail="nothing says what the call is about (?topic=order.updated)")
    topic = TOPICS.get(event.topic)
    if topic is None or topic.kind is not event.kind:
        return Translation(version=0, ignored="unknown_topic")
    if topic.meaning is TopicMeaning.PRIVACY:
        return Translation(version=0, ignored=topic.reason)
    if event.entity.startswith("unread-"):
        parse_json_object(event.body)
        raise Rejected("missing_field", "id", f"the call does not name the {event.kind} that it is about")
    if topic.meaning is TopicMeaning.DELETION:
        return _deleted(event, store)
    elsewhere = is_elsewhere(event.kind, hint_of_event(event), store.settings)
    return Translation(version=0, ignored="other_shop" if elsewhere else topic.reason)


def _fetched(event: RawEvent, store: PrestashopStore) -> Translation:
    notes: list[str] = []
    documents = documents_of(event, notes)
    if event.kind is Kind.ORDER:
        said = order(event, documents, store)
    elif event.kind is Kind.PRODUCT:
        said = product(event, documents, store)
    elif event.entity.isdigit():
        said = customer(event, documents, store)
    else:
        said = subscriber(event, documents, store)
    return noted(said, notes)


def _deleted(event: RawEvent, store: PrestashopStore) -> Translation:
    if is_elsewhere(event.kind, hint_of_event(event), store.settings):
        return Translation(version=0, ignored="other_shop")
    reader = {Kind.ORDER: deleted_order, Kind.CUSTOMER: deleted_customer, Kind.PRODUCT: deleted_product}
    return reader[event.kind](event, store)


PRESTASHOP: Platform[PrestashopSettings] = Platform(
    name="prestashop",
    title="PrestaShop",
    settings=PrestashopSettings,
    topics=TOPICS,
    webhooks_menu="a module that calls an address when something happens (docs/shops/prestashop.md)",
    signed_with="the module's secret: it signs with it, or repeats it in a header or as `?token=`",
    product_page="https://{domain}/index.php?controller=product&id_product={id}",
    verify=verify,
    arrival=arrival,
    translate=translate,
    split=split,
    abilities=frozenset({Ability.RECEIVE, Ability.FETCH}),
    order_numbers=("reference",),
    api=API,
)
