"""Simulated shops of every platform whose APIs list orders: settings, what lets in, and an order's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.events import Kind
from pipeline.sandbox.shops.shop import Lists
from tests.platforms import IN_TESTS
from tests.shop_bodies import Sale, prestashop, shopify_rows
from tests.shop_lists import SIMULATED

#: What lets requests in, and the settings that say so.
ACCESS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "shopify": (
        {"scheme": "headers", "headers": {"X-Shopify-Access-Token": "token"}},
        {"access_token": "token"},
    ),
    "woocommerce": (
        {"scheme": "basic", "user": "ck", "password": "cs"},
        {"consumer_key": "ck", "consumer_secret": "cs", "api_requests_per_minute": 6_000},
    ),
    "vtex": (
        {"scheme": "headers", "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"}},
        {"vtex_account": "exampleaccount", "app_key": "key", "app_token": "token"},
    ),
    "magento": ({"scheme": "bearer", "token": "token"}, {"access_token": "token", "purchase_id": "id"}),
    "prestashop": (
        {"scheme": "basic", "user": "key"},
        {"webservice_key": "key", "webservice_requests_per_minute": 6_000},
    ),
    "generic": ({"scheme": "bearer", "token": "token"}, {"api_token": "token"}),
}


class ListedRow(NamedTuple):
    """An order as a shop's API has it.

    Attributes:
        row: of its list.
        answers: documents that belong to it, by path.
    """

    row: dict[str, Any]
    answers: Mapping[str, Any]


def row_of(platform: str, sale: Sale) -> ListedRow:
    """What a shop's API has of an order."""
    if platform == "shopify":
        return ListedRow(shopify_rows.order(sale), {})
    sent = IN_TESTS[platform].bodies.order(sale)
    answers = {} if sent.announced is None else sent.announced(sent.document).answers
    if platform == "prestashop":
        answers = prestashop.asked(sent)
    if platform == "woocommerce":
        return ListedRow(sent.document, answers)
    simulated = SIMULATED[platform]
    lists: Lists = simulated.lists()
    simulated.put(lists, Kind.ORDER, sent)
    [row] = getattr(lists, "orders").values()  # noqa: B009 - not every list's
    return ListedRow(row, answers)
