"""How each platform's documents and requests say their language, shop and currency."""

from __future__ import annotations

import pytest

from pipeline.shops.base import Audience
from pipeline.shops.registry import PLATFORMS
from tests.contract.platform_events import meaning
from tests.platforms import IN_TESTS
from tests.shop_bodies import Person, Sale, Sent
from tests.unit.routing import Shop, said


@pytest.mark.parametrize(("platform", "field"), [("shopify", "customer_locale"), ("woocommerce", "lang")])
def test_other_platforms_orders_say_their_language_and_currency(platform: str, field: str) -> None:
    topic, document, *_ = IN_TESTS[platform].bodies.order(Sale())
    shop = Shop([{"language": "es", "currency": "EUR", "account": "es"}], platform)
    assert {one[0] for one in said(shop.hear(Sent(topic, document | {field: "es"})))} == {"es"}
    assert shop.hear(Sent(topic, document | {field: "fr"})).reason == "no_account"


@pytest.mark.parametrize("name", ["prestashop", "magento"])
def test_documents_with_ids_of_languages_say_them_by_the_stores_table(name: str) -> None:
    platform, bodies = PLATFORMS[name], IN_TESTS[name].bodies
    sold = meaning(platform, bodies.order(Sale()), languages={"1": "es"})
    assert {draft.audience.languages for draft in sold.drafts} == {("es",)}
    assert {draft.audience.shops for draft in sold.drafts} == {("1",)}
    assert {draft.audience.currencies[:1] for draft in sold.drafts} == {("EUR",)}
    [person] = meaning(platform, bodies.customer(Person()), languages={"1": "es"}).drafts
    assert (person.audience.languages, person.audience.shops) == (("es",), ("1",))


def test_vtexs_documents_say_their_language_currency_and_sales_channel() -> None:
    platform = PLATFORMS["vtex"]
    bodies = IN_TESTS["vtex"].bodies
    sold = meaning(platform, bodies.order(Sale()))
    assert {draft.audience for draft in sold.drafts} == {Audience(("es-es",), ("1",), ("EUR",))}
    [client] = meaning(platform, bodies.customer(Person())).drafts
    assert client.audience.languages == ("es-es",)


@pytest.mark.parametrize(
    ("platform", "header", "value"),
    [
        ("shopify", "x-shopify-shop-domain", "acme.example"),
        ("woocommerce", "x-wc-webhook-source", "https://acme.example/"),
    ],
)
def test_other_platforms_requests_say_their_shop(platform: str, header: str, value: str) -> None:
    sent = IN_TESTS[platform].bodies.order(Sale())
    shop = Shop([{"shop": "acme.example", "account": "es"}], platform)
    assert said(shop.hear(sent, headers={header: value}))
    other = Shop([{"shop": "2", "account": "es"}], platform)
    assert other.hear(sent, headers={header: value}).reason == "no_account"
