"""PrestaShop as the rest of the program knows it, and which reader understands an event."""

from __future__ import annotations

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import FETCHED, Documents, documents_of
from pipeline.shops.base import Rejected, Translation, noted
from pipeline.shops.platform import Ability, PersonFields, Platform
from pipeline.shops.prestashop.api import API, list_path, path_of
from pipeline.shops.prestashop.consent import CONSENT
from pipeline.shops.prestashop.documents import list_of, one_of, path_at
from pipeline.shops.prestashop.examination import EXAMINATION
from pipeline.shops.prestashop.orders import deleted_order, order, parts_of
from pipeline.shops.prestashop.people import customer, gone, subscriber
from pipeline.shops.prestashop.probe import PROBE
from pipeline.shops.prestashop.products import deleted_product, product
from pipeline.shops.prestashop.pull import PULL
from pipeline.shops.prestashop.settings import PrestashopSettings, PrestashopStore
from pipeline.shops.prestashop.topics import TOPICS
from pipeline.shops.prestashop.tracking import TRACKING
from pipeline.shops.prestashop.webhooks import NO_TOPIC, arrival, split, verify


def translate(event: RawEvent, store: PrestashopStore) -> Translation:
    """What the event means; its topic says which reader knows.

    Raises:
        Rejected: the body cannot be used.
    """
    if event.topic.startswith(FETCHED):
        notes: list[str] = []
        documents = documents_of(event, notes)
        return noted(_fetched(documents, event, store), notes)
    if event.topic == NO_TOPIC:
        raise Rejected("missing_topic", detail="neither body, header nor address names the event")
    topic = TOPICS.get(event.topic)
    if topic is None or topic.kind is not event.kind:
        return Translation(version=0, ignored="unknown_topic")
    if topic.reason:
        return Translation(version=0, ignored=topic.reason)
    if not event.entity.isdigit():
        raise Rejected("missing_field", "id", "the webhook does not say what was deleted")
    if event.kind is Kind.ORDER:
        return deleted_order(event, store)
    if event.kind is Kind.CUSTOMER:
        return gone(event.received_ms, store.settings)
    return deleted_product(event, store)


def _fetched(documents: Documents, event: RawEvent, store: PrestashopStore) -> Translation:
    """What the webservice said; a document that is not there says nothing."""
    if event.kind is Kind.CUSTOMER and not event.entity.isdigit():
        return subscriber(list_of(path_at(documents, list_path("customers")), "customers"), event, store)
    found = one_of(path_at(documents, path_of(f"{event.kind}s", event.entity)), str(event.kind))
    if found is None:
        return Translation(version=0, ignored="not_found")
    if event.kind is Kind.ORDER:
        return order(found, parts_of(found, documents), event, store)
    if event.kind is Kind.CUSTOMER:
        return customer(found, event, store)
    stock, special = (
        list_of(path_at(documents, list_path(name)), name) for name in ("stock_availables", "specific_prices")
    )
    return product(found, stock, special, event, store)


PRESTASHOP = Platform(
    name="prestashop",
    title="PrestaShop",
    settings=PrestashopSettings,
    topics=TOPICS,
    webhooks_menu="a module ([docs/shops/prestashop.md](docs/shops/prestashop.md))",
    signed_with="you choose it: in a header, or in the address the module is given",
    product_page="https://{domain}/index.php?controller=product&id_product={id}",
    verify=verify,
    arrival=arrival,
    translate=translate,
    split=split,
    abilities=frozenset({Ability.RECEIVE, Ability.FETCH, Ability.PULL, Ability.WRITE_BACK}),
    order_numbers=("reference", "data.reference", "order.reference"),
    person=PersonFields(
        customer=(("id_customer",), ("order", "id_customer")), roots=((), ("data",), ("data", "customer"))
    ),
    consent=CONSENT,
    api=API,
    pull=PULL,
    examination=EXAMINATION,
    probe=PROBE,
    tracking=TRACKING,
)
