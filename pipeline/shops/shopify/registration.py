"""Shopify's webhook subscriptions: those that the app of the credentials made for this shop.

The list has neither those made by hand in the admin nor those of the app's configuration file, and Shopify
removes those of the list after eight failed deliveries in a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.examination import at, said
from pipeline.shops.registration import NAME, Registered, RegisteredPage, ShopRegistration, rows_of
from pipeline.shops.shopify.api import graphql
from pipeline.shops.shopify.refusals import errors_of
from pipeline.shops.shopify.settings import ShopifySettings
from pipeline.shops.shopify.topics import TOPICS

_LIST = """query Webhooks($after: String) {
  webhookSubscriptions(first: 250, after: $after) {
    nodes { id topic uri format includeFields filter apiVersion { handle } }
    pageInfo { hasNextPage endCursor }
  }
}"""
_CREATE = """mutation Create($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}"""
_UPDATE = """mutation Update($id: ID!, $sub: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $sub) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}"""
_OF_THE_APP = (
    "requests to erase or show a person's data (customers/redact, customers/data_request, shop/redact) are "
    "set in the app's configuration, as `compliance_topics`; the API neither shows nor makes them"
)


def wanted(settings: ShopifySettings) -> Sequence[str]:
    """The topics as the webhooks' header names them."""
    return TOPICS.wanted_by(settings)


def listing(settings: ShopifySettings) -> ApiRequest:  # noqa: ARG001 - as `ShopRegistration` has it
    """The first page."""
    return graphql(_LIST, {"after": None})


def read(settings: ShopifySettings, value: Any) -> RegisteredPage:  # noqa: ARG001 - see there
    """A page.

    Raises:
        Rejected: `not_webhooks`.
    """
    page = at(value, "data", "webhookSubscriptions")
    if not isinstance(at(page, "nodes"), list):
        raise Rejected("not_webhooks", "webhookSubscriptions", errors_of(value) or "no list")
    rows = [
        Registered(said(row.get("id")), _name(said(row.get("topic"))), said(row.get("uri")), _fault(row))
        for row in rows_of(page, "nodes")
    ]
    more, cursor = at(page, "pageInfo", "hasNextPage") is True, said(at(page, "pageInfo", "endCursor"))
    return RegisteredPage(rows, graphql(_LIST, {"after": cursor}) if more and cursor else None)


def _fault(row: Mapping[str, Any]) -> str:
    if said(row.get("format")) not in {"", "JSON"}:
        return f"its format is {said(row.get('format'))[:20]}, not JSON"
    if row.get("includeFields"):
        return "it leaves fields out (includeFields)"
    return "it leaves events out (filter)" if said(row.get("filter")) else ""


#: By the API's name, each topic that a webhook's header can have.
_NAMES = {row.name.replace("/", "_").replace(".", "_").upper(): row.name for row in TOPICS.rows}


def _name(topic: str) -> str:
    return _NAMES.get(topic, topic[:100])


def _of_api(topic: str) -> str:
    return topic.replace("/", "_").replace(".", "_").upper()


def create(settings: ShopifySettings, topic: str, address: str) -> ApiRequest:  # noqa: ARG001 - see there
    """A subscription."""
    return graphql(
        _CREATE, {"topic": _of_api(topic), "sub": {"uri": address, "format": "JSON", "name": NAME}}
    )


def mend(settings: ShopifySettings, webhook: Registered, address: str) -> Sequence[ApiRequest]:  # noqa: ARG001 - see there
    """Its address, its format, and all of its fields."""
    whole: dict[str, Any] = {"uri": address, "format": "JSON", "includeFields": [], "filter": None}
    return [graphql(_UPDATE, {"id": webhook.id, "sub": whole})]


def refused(value: Any) -> str:
    """The user errors of either mutation."""
    return errors_of(value, "webhookSubscriptionCreate") or errors_of(value, "webhookSubscriptionUpdate")


REGISTRATION: ShopRegistration[ShopifySettings] = ShopRegistration(
    listing=listing,
    read=read,
    wanted=wanted,
    create=create,
    mend=mend,
    refused=refused,
    right="the scopes of what the webhooks tell: read_orders, read_customers, read_products",
    complete=lambda settings: settings.webhooks_by == "app",
    by_hand=lambda _: (_OF_THE_APP,),
)
