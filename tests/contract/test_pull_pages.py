"""The pages of shops' APIs, made from their schemas: what is read of them, and in which form."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import ApiRequest, Heard, Meaning, Moment, Points
from pipeline.shops.base import Rejected, StoreOf
from pipeline.shops.pull import PullAnswer, PullPage, PullPass, PullScope
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.shopify import restform
from pipeline.shops.shopify.api import API as SHOPIFY_API
from pipeline.shops.shopify.api import heard, token
from pipeline.shops.shopify.settings import ShopifySettings
from pipeline.shops.woocommerce.api import API as WOO_API
from pipeline.shops.woocommerce.settings import WooCommerceSettings
from tests.platforms import settings_of

DATA = Path(__file__).parents[1] / "data" / "pulls"
BODIES = Path(__file__).parents[2] / "pipeline" / "bodies"
SINCE, UNTIL = 1_714_982_400_000, 1_714_986_000_000  # 2024-05-06, 8:00 to 9:00


def exchanges(platform: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / platform / name).read_bytes())["exchanges"]
    return found


def page(
    platform: str, scope: PullScope, said: dict[str, Any], request: ApiRequest | None = None, **of: Any
) -> PullPage:
    pull, settings = PLATFORMS[platform].pull, settings_of(platform, **of)
    assert pull is not None
    answer = PullAnswer(said["response"].get("body"), said["response"]["headers"])
    return pull.read(settings, scope, request or pull.first(settings, scope), answer)


def woo(**given: Any) -> WooCommerceSettings:
    found = settings_of("woocommerce", **given)
    assert isinstance(found, WooCommerceSettings)
    return found


def shopify(**given: Any) -> ShopifySettings:
    found = settings_of("shopify", **given, api_url="https://a.myshopify.com")
    assert isinstance(found, ShopifySettings)
    return found


def scope(kind: Kind, reads: PullPass = PullPass.CHANGED) -> PullScope:
    return PullScope(kind, reads, SINCE if reads is PullPass.CHANGED else None, UNTIL)


# WooCommerce.


def test_woocommerce_is_asked_for_a_window_in_utc_in_the_order_of_change() -> None:
    pull = PLATFORMS["woocommerce"].pull
    assert pull is not None
    path = pull.first(settings_of("woocommerce"), scope(Kind.ORDER)).path
    assert path == (
        "/wp-json/wc/v3/orders?status=any&modified_after=2024-05-06T07:59:59"
        "&modified_before=2024-05-06T09:00:00&dates_are_gmt=true&orderby=modified&page=1&order=asc&per_page=100"
    )


@pytest.mark.parametrize("name", ["pull-orders-page.json", "pull-orders-page-short.json"])
def test_woocommerces_next_page_begins_where_this_one_ended_and_a_short_one_ends_nothing(name: str) -> None:
    first = exchanges("woocommerce", name)[0]
    found = page("woocommerce", scope(Kind.ORDER), first)
    assert found.following is not None
    assert "modified_after=2024-05-06T08:20:29&" in found.following.path
    assert "page=1" in found.following.path
    assert {row.topic for row in found.rows} == {"order.updated"}
    assert [json.loads(row.body) for row in found.rows] == first["response"]["body"]
    assert found.total == 3


def test_woocommerces_pages_end_with_one_that_brings_nothing() -> None:
    asked = page("woocommerce", scope(Kind.ORDER), exchanges("woocommerce", "pull-orders-page.json")[1])
    assert asked.following is not None
    past = {"response": {"body": [], "headers": {"x-wp-total": "1"}}}
    assert page("woocommerce", scope(Kind.ORDER), past, asked.following).following is None


def test_woocommerces_customers_are_read_whole_and_its_variations_where_these_are_sold() -> None:
    found = page(
        "woocommerce",
        scope(Kind.CUSTOMER, PullPass.FULL),
        exchanges("woocommerce", "pull-customers-page.json")[0],
    )
    assert [row.entity for row in found.rows][:3] == ["1", "26", "27"]
    assert found.rows[3].modified_ms is not None
    products, variations = exchanges("woocommerce", "pull-products-page.json")[:2]
    assert not page("woocommerce", scope(Kind.PRODUCT, PullPass.FULL), products).parts
    [part] = page("woocommerce", scope(Kind.PRODUCT, PullPass.FULL), products, product_id="variant").parts
    assert part.path.startswith("/wp-json/wc/v3/products/93/variations?")
    rows = page(
        "woocommerce", scope(Kind.PRODUCT, PullPass.FULL), variations, part, product_id="variant"
    ).rows
    assert {json.loads(row.body)["parent_id"] for row in rows} == {93}


@pytest.mark.parametrize("body", [{"code": "x"}, None, "html", [1], [{"id": "x"}]])
def test_an_answer_that_is_no_page_is_refused(body: Any) -> None:
    said = {"response": {"body": body, "headers": {}}}
    for platform in ("woocommerce", "shopify"):
        with pytest.raises(Rejected):
            page(platform, scope(Kind.ORDER), said)


def test_woocommerces_key_goes_into_the_header_or_where_the_store_says_so_into_the_address() -> None:
    keys = {"consumer_key": "ck", "consumer_secret": "cs"}
    settings, moment = woo(**keys), Moment(0, "")
    assert WOO_API.authorise(settings, ApiRequest("/"), moment)["authorization"] == "Basic Y2s6Y3M="
    hidden = woo(**keys, key_in_address=True)
    assert "authorization" not in WOO_API.authorise(hidden, ApiRequest("/"), moment)
    assert WOO_API.query is not None
    assert WOO_API.query(hidden) == "consumer_key=ck&consumer_secret=cs"


# Shopify.


def shopify_nodes(name: str, field: str) -> list[dict[str, Any]]:
    body = exchanges("shopify", name)[0]["response"]["body"]
    found: list[dict[str, Any]] = body["data"][field]["nodes"]
    return found


def test_an_order_of_graphql_has_the_fields_of_its_webhook() -> None:
    node = shopify_nodes("pull-orders-page.json", "orders")[0]
    money = {"shopMoney": {"amount": "4.0", "currencyCode": "EUR"}}
    node["lineItems"]["nodes"][0] |= {
        "title": "T-shirt",
        "variantTitle": "M",
        "vendor": "Example",
        "discountAllocations": [{"allocatedAmountSet": money}],
        "taxLines": [],
    }
    webhook = json.loads((BODIES / "shopify" / "constructed-webhook-orders_paid.json").read_bytes())
    assert_same(restform.order(node), webhook, "order")


#: Of the webhook's form, and not in a list: what translate does not read.
_LEFT_OUT = {"amount_set", "price_set", "total_price_set", "current_total_price_set"}
_TIMES = ("created_at", "updated_at", "processed_at")


def assert_same(ours: Any, theirs: Any, path: str) -> None:
    """That each field that the pull has is the webhook's; amounts and moments by what they mean."""
    if isinstance(ours, dict):
        assert isinstance(theirs, dict), path
        for name, value in ours.items():
            if value is None or name in _LEFT_OUT or (name == "discount_codes"):
                continue
            if name in _TIMES:
                assert moment(value) == moment(theirs[name]), f"{path}.{name}"
                continue
            assert name in theirs, f"{path}.{name}"
            assert_same(value, theirs[name], f"{path}.{name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), path
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(one, other, f"{path}[{number}]")
    elif path.endswith((".amount", "price", "total_price")):
        assert Decimal(ours) == Decimal(theirs), path
    elif path.endswith("id"):
        assert str(ours) == str(theirs), path
    else:
        assert ours == theirs, path


def moment(text: str) -> Any:
    from datetime import datetime  # noqa: PLC0415 - here alone

    return datetime.fromisoformat(text)


@pytest.mark.parametrize("name", ["orders", "customers", "products"])
def test_what_is_read_of_shopifys_pages_can_be_translated(name: str) -> None:
    kind = Kind(name.removesuffix("s"))
    platform = PLATFORMS["shopify"]
    found = page("shopify", scope(kind), exchanges("shopify", f"pull-{name}-page.json")[0])
    store = StoreOf("acme", settings_of("shopify"), currency="EUR", product_page="https://x.example/{id}")
    outcomes = []
    for row in found.rows:
        event = RawEvent("acme", "shopify", kind, row.entity, row.topic, "d", UNTIL, row.body)
        try:
            outcomes.append(platform.translate(event, store))
        except Rejected as rejected:  # as of its webhook
            assert rejected.reason == "no_email"  # noqa: PT017 - of one of many
    assert any(one.drafts for one in outcomes)
    assert all(one.ignored != "unknown_topic" for one in outcomes)


def test_shopifys_customers_of_the_windows_first_day_are_left_out_and_statements_are_events() -> None:
    found = page("shopify", scope(Kind.CUSTOMER), exchanges("shopify", "pull-customers-page.json")[0])
    topics = [(row.entity[-2:], row.topic.partition("/")[0]) for row in found.rows]
    consent = "customers_email_marketing_consent"
    assert topics == [
        ("64", "customers"),
        ("64", consent),
        ("80", "customers"),
        ("80", consent),
        ("90", "customers"),
        ("95", "customers"),
    ]
    said = json.loads(found.rows[3].body)
    assert said == {
        "customer_id": 7012345678901234580,
        "email_address": "customer2@example.com",
        "email_marketing_consent": {
            "state": "unsubscribed",
            "opt_in_level": "single_opt_in",
            "consent_updated_at": "2024-05-06T08:31:12Z",
        },
    }


def test_shopifys_deleted_products_come_with_the_first_page_of_those_that_changed() -> None:
    listed, deleted = exchanges("shopify", "pull-products-page.json")
    found = page("shopify", scope(Kind.PRODUCT), listed)
    assert found.following is None
    [part] = found.parts
    rows = page("shopify", scope(Kind.PRODUCT), deleted, part).rows
    assert [(row.topic, row.body) for row in rows] == [("products/delete", b'{"id":8012345678901234620}')]


def test_shopifys_cursor_that_repeats_ends_the_list_with_an_error() -> None:
    first, second = exchanges("shopify", "pull-orders-page.json")
    found = page("shopify", scope(Kind.ORDER), first)
    assert found.following is not None
    assert page("shopify", scope(Kind.ORDER), second, found.following).following is None
    with pytest.raises(Rejected) as caught:
        page("shopify", scope(Kind.ORDER), first, found.following)
    assert caught.value.reason == "cursor_repeats"


def test_shopifys_errors_of_status_200_are_told_apart() -> None:
    throttled, dear, denied = (
        one["response"]["body"] for one in exchanges("shopify", "pull-errors.json")[:3]
    )
    told = Points(asked=612.0, there=96.0, rate=100.0, most=2_000.0)
    assert heard(throttled) == Heard(Meaning.TOO_MANY, 5.2, told)
    assert heard(denied).meaning is Meaning.REFUSED
    assert heard(dear).meaning is Meaning.DOCUMENT
    again = page("shopify", scope(Kind.ORDER), {"response": {"body": dear, "headers": {}}}).following
    assert again is not None
    assert json.loads(again.body)["variables"]["first"] == 12


def shopify_rows(request: ApiRequest, there: float, asked: float, *, restored: float = 100.0) -> PullPage:
    """A page of one row with more behind it, and so many points left of 2,000."""
    [row] = exchanges("shopify", "pull-orders-page.json")[0]["response"]["body"]["data"]["orders"]["nodes"][
        :1
    ]
    cost = {
        "requestedQueryCost": asked,
        "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": there, "restoreRate": restored},
    }
    listed = {"nodes": [row], "pageInfo": {"hasNextPage": True, "endCursor": "next"}}
    body = {"data": {"orders": listed}, "extensions": {"cost": cost}}
    said = {"response": {"body": body, "headers": {}}}
    return page("shopify", scope(Kind.ORDER, PullPass.FULL), said, request)


def rows_asked(request: ApiRequest | None) -> int:
    assert request is not None
    return int(json.loads(request.body)["variables"]["first"])


def test_shopifys_pages_grow_where_the_shops_points_come_back_faster_than_they_are_used() -> None:
    pull = PLATFORMS["shopify"].pull
    assert pull is not None
    assert pull.instead is not None
    what, settings = scope(Kind.ORDER, PullPass.FULL), settings_of("shopify")
    first = pull.first(settings, what)
    second = shopify_rows(first, 1_848, 152).following
    assert rows_asked(second) == 25, "before the first page the bucket was full in any case"
    assert second is not None
    third = shopify_rows(second, 1_848, 152).following
    assert rows_asked(third) == 50
    assert third is not None
    assert rows_asked(shopify_rows(third, 1_500, 302).following) == 50
    assert rows_asked(shopify_rows(third, 1_500, 500).following) == 50, "no page is too dear"
    assert rows_asked(shopify_rows(third, 1_400, 600).following) == 50, "nor takes half of all points"
    smaller = pull.instead(settings, what, third, 0)
    assert rows_asked(smaller) == 25
    assert smaller is not None
    assert rows_asked(shopify_rows(smaller, 1_848, 152).following) == 25, "longer ones did not come"


@pytest.mark.parametrize(
    ("there", "asked", "restored"), [(9e30, 1, 1), (1, 1, 1e-9), (-5e9, 1, 1), (1, 9e9, 1)]
)
def test_points_that_cannot_be_are_not_believed(there: float, asked: float, restored: float) -> None:
    status = {"maximumAvailable": 2000, "currentlyAvailable": there, "restoreRate": restored}
    cost = {"requestedQueryCost": asked, "throttleStatus": status}
    assert heard({"data": {}, "extensions": {"cost": cost}}) == Heard(Meaning.DOCUMENT)


def test_shopify_is_asked_for_a_token_where_the_store_has_an_app_and_else_has_its_own() -> None:
    app = shopify(client_id="id", client_secret="hush")
    asked = token(app)
    assert asked is not None
    assert asked.body == b"grant_type=client_credentials&client_id=id&client_secret=hush"
    fixed = shopify(access_token="fixed")
    assert token(fixed) is None
    headers = SHOPIFY_API.authorise(fixed, ApiRequest("/"), Moment(0, ""))
    assert headers["x-shopify-access-token"] == "fixed"
