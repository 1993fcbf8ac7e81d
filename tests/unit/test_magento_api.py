"""Magento's API: what is asked about a notification, and the three ways to be let in."""

from __future__ import annotations

import base64
import hmac
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote

import pytest
from pydantic import SecretStr

from pipeline.shops.api import ApiRequest, Document, Moment
from pipeline.shops.magento.api import API, needs
from pipeline.shops.magento.settings import MagentoSettings
from pipeline.shops.registry import PLATFORMS
from tests.magento import adobe, arrived, read, store
from tests.platforms import settings_of

SAVED = "observer.catalog_product_save_commit_after"
TOKEN_SECRET = "of the token's"
INTEGRATION = {
    "access_token": SecretStr("token"),
    "consumer_key": SecretStr("key"),
    "consumer_secret": SecretStr("secret"),
    "access_token_secret": SecretStr(TOKEN_SECRET),
}
CLOUD = {
    "access_token": None,
    "api_url": "https://na1.api.commerce.adobe.com/tenant",
    "ims_client_id": "client",
    "ims_client_secret": SecretStr("hush"),
    "ims_organisation": "ORG@AdobeOrg",
    "store_code": "es",
}


def settings(**changes: Any) -> MagentoSettings:
    own = settings_of("magento", domain="shop.example/es", **changes)
    assert isinstance(own, MagentoSettings)
    return own


def document(path: str, body: Any, status: int = 200) -> dict[str, Document]:
    return {path: Document(path, status, body)}


def test_nothing_is_asked_of_a_document_or_a_deletion() -> None:
    for event in (
        arrived({"data": read("rest-customer-storefront.json")}),
        arrived(adobe("observer.customer_delete_commit_after", {"entity_id": 7})),
        arrived(adobe("observer.sales_order_save_commit_after", {})),
        arrived(adobe("observer.customer_save_commit_after", {"email": "a@mail.example"})),
        arrived(adobe("nobody.knows", {"entity_id": 7})),
        arrived(b"no JSON", "topic=order"),
    ):
        assert needs(event, {}, store()) == ()


def test_an_answer_is_all_that_an_order_and_a_customer_need() -> None:
    event = arrived(adobe("observer.sales_order_save_commit_after", {"entity_id": 7}))
    [path] = needs(event, {}, store())
    for status in (200, 404):
        assert needs(event, document(path, {"entity_id": 7}, status), store()) == ()


def test_a_sku_is_encoded_and_a_products_view_is_the_stores() -> None:
    event = arrived(adobe(SAVED, {"entity_id": 7, "sku": "bla/koe ñ"}))
    assert needs(event, {}, store(store_code="es")) == ("/rest/es/V1/products/bla%2Fkoe%20%C3%B1",)


def test_the_variants_of_a_product_without_a_price_are_asked_in_portions_once() -> None:
    event = arrived(adobe(SAVED, {"entity_id": 7, "sku": "T"}))
    [path] = needs(event, {}, store())
    parent = {"sku": "T", "status": 1, "type_id": "configurable"}
    parent |= {"extension_attributes": {"configurable_product_links": list(range(1, 121))}}
    found = document(path, parent)
    asked = needs(event, found, store())
    sizes = [len(parse_qs(one.partition("?")[2])[f"{_FILTER}[value]"][0].split(",")) for one in asked]
    assert sizes == [50, 50, 20]
    assert all(len(one) < 2_000 for one in asked)
    for one in asked:
        found |= document(one, {"items": [], "total_count": 0})
    assert needs(event, found, store()) == []
    for changes in ({"price": 9}, {"status": 2}, {"type_id": "simple"}, {"type_id": ["?"]}):
        assert needs(event, document(path, parent | changes), store()) == []


_FILTER = "searchCriteria[filterGroups][0][filters][0]"


def test_the_members_of_a_group_and_the_choices_of_a_bundle_are_asked_by_sku() -> None:
    event = arrived(adobe(SAVED, {"entity_id": 7, "sku": "T"}))
    [path] = needs(event, {}, store())
    links = [
        {"link_type": "associated", "linked_product_sku": "a b"},
        {"link_type": "related", "linked_product_sku": "c"},
    ]
    group = {"status": 1, "type_id": "grouped", "product_links": links}
    [asked] = needs(event, document(path, group), store())
    assert parse_qs(asked.partition("?")[2])[f"{_FILTER}[value]"] == ["a b"]
    options = {
        "bundle_product_options": [
            {"product_links": [{"sku": "a"}, {"sku": "b"}]},
            {"product_links": [{"sku": "a"}]},
        ]
    }
    bundle = {"status": 1, "type_id": "bundle", "extension_attributes": options}
    [asked] = needs(event, document(path, bundle), store())
    assert parse_qs(asked.partition("?")[2])[f"{_FILTER}[value]"] == ["a,b"]


def test_an_integration_is_let_in_by_its_token() -> None:
    plain = settings(access_token=SecretStr("token"))
    assert API.base_url(plain) == "https://shop.example"
    assert API.base_url(settings(api_url="https://admin.shop.example/")) == "https://admin.shop.example"
    said = API.authorise(plain, ApiRequest("/rest/all/V1/orders/7"), Moment(1, "n"))
    assert said == {"authorization": "Bearer token"}
    assert API.token is not None
    assert API.token(plain) is None


def signature(address: str, header: str) -> str:
    """As RFC 5849 has it: over the method, the address, and all parameters, sorted and encoded twice."""
    given = dict(re.findall(r'(oauth_\w+)="([^"]*)"', header))
    del given["oauth_signature"]
    where, _, query = address.partition("?")
    pairs = [(name, unquote(value)) for name, value in given.items()] + parse_qsl(query)
    listed = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    together = "&".join(f"{name}={value}" for name, value in listed)
    base = "&".join(quote(part, safe="~") for part in ("GET", where, together))
    key = f"{quote('secret', safe='')}&{quote(TOKEN_SECRET, safe='')}"
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha256")).decode()


@pytest.mark.parametrize(
    "path",
    ["/rest/all/V1/orders/7", f"/rest/es/V1/products?{_FILTER}[field]=sku&{_FILTER}[value]=a%20b,%C3%B1"],
)
def test_a_shop_without_bearers_is_signed_to_with_all_that_stands_in_the_query(path: str) -> None:
    said = API.authorise(settings(**INTEGRATION), ApiRequest(path), Moment(1_750_000_000, "nonce"))
    header = said["authorization"]
    assert 'oauth_signature_method="HMAC-SHA256"' in header
    assert 'oauth_timestamp="1750000000"' in header
    found = re.search(r'oauth_signature="([^"]*)"', header)
    assert found is not None
    assert unquote(found[1]) == signature(f"https://shop.example{path}", header)


def test_the_cloud_service_has_other_paths_and_tokens_that_expire() -> None:
    cloud = settings(**CLOUD)
    event = arrived(adobe("observer.sales_order_save_commit_after", {"entity_id": 7}))
    own = PLATFORMS["magento"].store("acme", cloud)
    assert needs(event, {}, own) == ("/V1/orders/7",)
    said = API.authorise(cloud, ApiRequest("/V1/orders/7"), Moment(1, "n", "fresh"))
    assert said == {
        "authorization": "Bearer fresh",
        "x-api-key": "client",
        "x-gw-ims-org-id": "ORG@AdobeOrg",
        "store": "es",
    }
    assert API.token is not None
    request = API.token(cloud)
    assert request is not None
    assert (request.method, request.path) == ("POST", "https://ims-na1.adobelogin.com/ims/token/v3")
    form = parse_qs(request.body.decode())
    assert (form["client_id"], form["client_secret"]) == (["client"], ["hush"])
    assert "commerce.accs" in form["scope"][0]


def test_a_shops_own_host_is_asked_less_than_the_cloud_service() -> None:
    own, cloud = API.limit(settings()), API.limit(settings(**CLOUD))
    assert own.requests / own.seconds < cloud.requests / cloud.seconds


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"access_token": None}, "access_token"),
        ({"consumer_key": SecretStr("k")}, "consumer_secret"),
        ({**INTEGRATION, "access_token_secret": None}, "access_token_secret"),
        ({**CLOUD, "ims_client_secret": None}, "ims_client_secret"),
        ({**CLOUD, "api_url": None}, "api_url"),
        ({**CLOUD, "access_token": SecretStr("t")}, "access_token"),
    ],
)
def test_credentials_that_do_not_fit_together_are_refused_by_name(changes: Any, setting: str) -> None:
    assert str(settings(**changes).complaint([])).startswith(f"{setting}: ")


@pytest.mark.parametrize("changes", [{}, INTEGRATION, CLOUD])
def test_credentials_that_fit_are_taken(changes: Any) -> None:
    assert settings(**changes).complaint([]) is None
