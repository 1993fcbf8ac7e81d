"""What Shopify's Admin API tells of a store's set-up, in two read-only queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.examination import (
    KnownOrder,
    Question,
    Remark,
    ShopExamination,
    at,
    ids,
    moment_of,
    said,
)
from pipeline.shops.registration import rows_of
from pipeline.shops.shopify.api import graphql
from pipeline.shops.shopify.refusals import errors_of
from pipeline.shops.shopify.restform import number_in
from pipeline.shops.shopify.settings import ShopifySettings

SCOPES = ("read_orders", "read_customers", "read_products")
_SHOP = "read the shop and its scopes"
_PEOPLE = "read customers' addresses"
_CHECK = """query Check {
  shop { name myshopifyDomain primaryDomain { url } currencyCode ianaTimezone }
  currentAppInstallation { accessScopes { handle } }
}"""
_PROBE = (
    "query Probe { customers(first: 5, sortKey: ID) { nodes { id defaultEmailAddress { emailAddress } } } }"
)
_RECENT = """query Recent {
  orders(first: 5, sortKey: CREATED_AT, reverse: true, query: "status:any financial_status:paid") {
    nodes {
      legacyResourceId name createdAt test
      customAttributes { key value }
      lineItems(first: 3) { nodes { sku product { legacyResourceId } variant { legacyResourceId } } }
    }
  }
}"""


def questions(settings: ShopifySettings) -> Sequence[Question]:  # noqa: ARG001 - as `ShopExamination` has it
    """The shop with the granted scopes, and one customer."""
    return [
        Question(_SHOP, graphql(_CHECK, {})),
        Question(_PEOPLE, graphql(_PROBE, {}), needed=False),
    ]


def remarks(settings: ShopifySettings, answers: Mapping[str, Any]) -> Iterable[Remark]:
    """Scopes that are missing, another domain, and protected data that is withheld."""
    found = answers.get(_SHOP)
    if found is not None:
        yield from _of_shop(settings, found)
    signing = settings.client_secret
    if settings.webhooks_by == "app" and signing is not None and signing not in settings.secrets:
        yield Remark(
            "the app's webhooks are signed with its client_secret, which is not among the store's `secrets`",
            "put it into `secrets`, too, and start the gateway again",
        )
    people = answers.get(_PEOPLE)
    if people is not None and errors_of(people):
        yield Remark(
            f"customers cannot be read: {errors_of(people)}",
            "allow the app protected customer data, level 2 (name, e-mail) in the Dev Dashboard",
            is_fault=False,
        )


def _of_shop(settings: ShopifySettings, found: Any) -> Iterable[Remark]:
    if errors_of(found):
        yield Remark(f"the API refuses: {errors_of(found)}", "see the app's scopes in the shop's admin")
        return
    granted = {
        said(row.get("handle")) for row in rows_of(found, "data", "currentAppInstallation", "accessScopes")
    }
    missing = [scope for scope in SCOPES if scope not in granted and f"write{scope[4:]}" not in granted]
    if missing:
        yield Remark(
            f"the app lacks scopes: {', '.join(missing)}",
            "grant them in the app's configuration, and install the app again",
        )
    elif "read_all_orders" not in granted:
        yield Remark(
            "the app lacks read_all_orders: orders older than 60 days are left out without a word",
            "ask Shopify for it in the Dev Dashboard, if older orders are to be read",
            is_fault=False,
        )
    primary = said(at(found, "data", "shop", "primaryDomain", "url")).partition("://")[2].strip("/").lower()
    if primary and primary != settings.domain.partition("/")[0].lower():
        yield Remark(
            f"the shop's primary domain is {primary[:100]}, the store's `domain` is {settings.domain}",
            "use the domain where buyers see products",
            is_fault=False,
        )


def recent(settings: ShopifySettings, now: datetime) -> ApiRequest:  # noqa: ARG001 - see there
    """The five latest orders."""
    return graphql(_RECENT, {})


def orders(settings: ShopifySettings, value: Any) -> Sequence[KnownOrder]:  # noqa: ARG001 - see there
    """Their ids; the order's number, its name with `#`, and its id."""
    return [_order(row) for row in rows_of(value, "data", "orders", "nodes") if row.get("test") is not True]


def _order(row: Mapping[str, Any]) -> KnownOrder:
    attributes = {said(one.get("key")) for one in rows_of(row, "customAttributes")}
    lines = [
        ids(
            product=at(line, "product", "legacyResourceId"),
            variant=at(line, "variant", "legacyResourceId"),
            sku=line.get("sku"),
        )
        for line in rows_of(row, "lineItems", "nodes")
    ]
    purchase = ids(id=row.get("legacyResourceId"), number=number_in(row.get("name")), name=row.get("name"))
    return KnownOrder(
        purchase,
        products=lines,
        placed=moment_of(row.get("createdAt")),
        by_connectif="isTrackedPurchase" in attributes,
    )


EXAMINATION: ShopExamination[ShopifySettings] = ShopExamination(
    questions=questions,
    remarks=remarks,
    recent=recent,
    orders=orders,
    ready=lambda settings: settings.readable,
    lacking="api_url, and access_token or client_id with client_secret",
)
