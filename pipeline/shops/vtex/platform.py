"""VTEX as the rest of the program knows it, and which reader understands an event."""

from __future__ import annotations

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import FETCHED, ShopApi, documents_of
from pipeline.shops.base import Translation, noted
from pipeline.shops.platform import Ability, PersonFields, Platform
from pipeline.shops.values import parse_json_object
from pipeline.shops.vtex import lookups
from pipeline.shops.vtex.clients import client
from pipeline.shops.vtex.consent import CONSENT
from pipeline.shops.vtex.examination import EXAMINATION
from pipeline.shops.vtex.feed import FEED
from pipeline.shops.vtex.orders import order
from pipeline.shops.vtex.probe import PROBE
from pipeline.shops.vtex.products import product
from pipeline.shops.vtex.pull import PULL
from pipeline.shops.vtex.registration import REGISTRATION
from pipeline.shops.vtex.settings import VtexSettings, VtexStore
from pipeline.shops.vtex.topics import NO_TOPIC, TOPICS
from pipeline.shops.vtex.tracking import TRACKING
from pipeline.shops.vtex.webhooks import arrival, greeting, verify


def translate(event: RawEvent, store: VtexStore) -> Translation:
    """What the event means: notifications nothing by themselves, their documents all.

    Raises:
        Rejected: the body cannot be used.
    """
    if event.topic == NO_TOPIC:
        parse_json_object(event.body)
        return Translation(version=0, ignored="unknown_topic")
    if not event.topic.startswith(FETCHED):
        topic = TOPICS.get(event.topic)
        known = topic is not None and topic.kind is event.kind
        return Translation(version=0, ignored=topic.reason if known and topic else "unknown_topic")
    notes: list[str] = []
    documents = documents_of(event, notes)
    reader = {Kind.ORDER: order, Kind.CUSTOMER: client, Kind.PRODUCT: product}[event.kind]
    return noted(reader(event, documents, store), notes)


VTEX: Platform[VtexSettings] = Platform(
    name="vtex",
    title="VTEX",
    settings=VtexSettings,
    topics=TOPICS,
    webhooks_menu="`POST /api/orders/hook/config` (orders), *Master Data > Triggers* (clients), the app "
    "*Broadcaster* (catalogue)",
    signed_with="a long random text that you choose: a header of the hook, `?token=` of the others",
    product_page="https://{domain}/{sku}/p",
    verify=verify,
    arrival=arrival,
    translate=translate,
    greeting=greeting,
    abilities=frozenset({Ability.RECEIVE, Ability.FETCH, Ability.PULL, Ability.WRITE_BACK, Ability.REGISTER}),
    order_numbers=("sequence",),
    person=PersonFields(customer=(("clientProfileData", "userProfileId"),), anywhere=True),
    consent=CONSENT,
    api=ShopApi(
        base_url=lookups.base_url,
        authorise=lookups.authorise,
        limit=lookups.limit,
        needs=lookups.needs,
        fetched_topic=lookups.fetched_topic,
        scopes=(
            'OMS "View order" and "List Orders"',
            'Dynamic Storage "Read only documents"',
            'Catalog "Product management", "SKUs" (read)',
            "Pricing and Logistics (read)",
        ),
    ),
    feed=FEED,
    pull=PULL,
    registration=REGISTRATION,
    examination=EXAMINATION,
    probe=PROBE,
    tracking=TRACKING,
)
