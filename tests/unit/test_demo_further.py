"""The demo's shops of further platforms: genuine webhooks, and documents that mean what they state."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from pipeline.demo import demo_settings, traffic
from pipeline.demo.expectations import OrderStatement
from pipeline.demo.further import ACCESS
from pipeline.demo.shop_history import Delivery
from pipeline.demo.shops import EVERY, FURTHER
from pipeline.events import RawEvent
from pipeline.records import Op, Purchase
from pipeline.sandbox.shops.shop import ShopSettings
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.translate.feed import Feed
from tests.simulation.case_api import CaseApi, looked_up
from tests.simulation.cases import Fetched

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1_000)


@pytest.fixture(scope="module", name="made")
def _made() -> traffic.Traffic:
    return traffic.make(3_000, 7, NOW)


@pytest.fixture(scope="module", name="stores")
def _stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoreSettings]:
    return demo_settings.write(tmp_path_factory.mktemp("demo"), 60)[1].stores


def request(delivery: Delivery) -> WebhookRequest:
    return WebhookRequest({name.lower(): value for name, value in delivery.headers}, delivery.body, NOW_MS)


def read(delivery: Delivery, store: StoreSettings, made: traffic.Traffic) -> RawEvent:
    """The event that records are made of: the webhook's, or that of the documents that it names."""
    platform = PLATFORMS[delivery.platform]
    event = raw_event(delivery.shop, platform, request(delivery))
    listed = made.documents.get(delivery.shop, {})
    api = CaseApi([Fetched(request=path, body=body) for path, body in listed.items()])
    feed = Feed(platform.store(delivery.shop, store, currency="EUR"), platform, delivery.shop)
    return looked_up(event, feed, api, "shop.orders/0/0", NOW_MS) or event


def test_the_same_seed_makes_the_same_webhooks_and_documents(made: traffic.Traffic) -> None:
    assert traffic.make(3_000, 7, NOW) == made
    assert {shop.platform for shop in EVERY} == set(PLATFORMS)
    assert {one.shop for one in made.further} == {shop.name for shop in FURTHER}
    assert made.live == len(traffic.mixed(made.beside, made.posted)) == len(made.posted) + len(made.beside)


def test_each_is_genuine_and_an_order(made: traffic.Traffic, stores: dict[str, StoreSettings]) -> None:
    for one in made.further:
        platform, store = PLATFORMS[one.platform], stores[one.shop]
        secrets = [secret.get_secret_value().encode() for secret in store.secrets]
        assert platform.verify(secrets, request(one), store)
        assert not platform.verify([b"another"], request(one), store)
        assert raw_event(one.shop, platform, request(one)).kind == one.kind == "order"


def test_each_order_means_what_it_states(made: traffic.Traffic, stores: dict[str, StoreSettings]) -> None:
    sold, other = Counter[str](), Counter[str]()
    for one in made.further:
        platform, store = PLATFORMS[one.platform], stores[one.shop]
        context = platform.store(one.shop, store, currency="EUR")
        drafts = platform.translate(read(one, store, made), context).drafts
        found = [draft.body for draft in drafts if isinstance(draft.body, Purchase) and draft.op is Op.UPSERT]
        [said] = one.statements
        assert isinstance(said, OrderStatement)
        assert len(found) == said.sold
        (sold if said.sold else other)[one.platform] += 1
        for bought in found:
            assert (bought.purchase_id, bought.contact_email) == (said.order, said.buyer)
            assert (bought.total_price, bought.total_quantity) == (said.total, said.units)
            assert datetime.fromisoformat(bought.purchase_date) == said.placed
            assert {line.product_id for line in bought.lines} == said.articles
    assert sold.keys() == other.keys() == {shop.platform for shop in FURTHER}


def test_the_sandbox_understands_how_each_shop_lets_requests_in(made: traffic.Traffic) -> None:
    assert (
        {shop.name for shop in FURTHER if shop.platform in ACCESS} == set(made.lists) >= set(made.documents)
    )
    for access in ACCESS.values():
        assert ShopSettings.model_validate({"access": access}).access.scheme == access["scheme"]
